"""How placement is randomised in one address space.

Mirrors `VmAspace::AslrConfig` and its creation (`zircon/kernel/vm/vm_aspace.cc`), and the boot options
`aslr.disable` and `aslr.entropy_bits`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from vmaspace.model.flags import AspaceType

if TYPE_CHECKING:
    from vmaspace.model.system import System

MAX_ASLR_ENTROPY_BITS: Final = 36


@dataclass(frozen=True, slots=True)
class AslrConfig:
    """Fixed for the life of an address space."""

    enabled: bool
    entropy_bits: int  # placement is spread over 2^n candidates
    compact_entropy_bits: int  # the same, in VMARs with COMPACT
    seed: int

    @classmethod
    def create(cls, system: System, type: AspaceType) -> AslrConfig:
        """The configuration of a new address space: enabled for user spaces, unless the boot option says no.

        *Kernel:* `CreateAslrConfig` (zircon/kernel/vm/vm_aspace.cc)
        *Fails with:* nothing.
        """
        enabled = type is AspaceType.USER and not system.aslr_disabled
        entropy = min(system.aslr_entropy_bits, MAX_ASLR_ENTROPY_BITS) if enabled else 0
        compact = system.aslr_compact_entropy_bits if enabled else 0
        # The seed is drawn for every address space, whether it is used or not.
        return cls(enabled, entropy, compact, system.prng.draw())
