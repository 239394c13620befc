"""How much memory an address space uses, and which part of it is its own.

Mirrors `VmAspace::GetMemoryUsage` (`zircon/kernel/object/diagnostics.cc`).

Does not model compressed memory, which is not counted. Fractions of bytes are exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from vmaspace.model.constants import ByteSize
from vmaspace.model.mapping import VmMapping
from vmaspace.model.region import VmAddressRegionOrMapping
from vmaspace.model.status import ZX_ERR_INTERNAL, ZX_ERR_NEXT, ZX_OK, Status

if TYPE_CHECKING:
    from vmaspace.model.aspace_base import AspaceBase


@dataclass(frozen=True, slots=True)
class MemoryUsage:
    """`vm_usage_t`, in bytes. The scaled part is never more than the shared."""

    mapped_bytes: ByteSize = 0
    private_bytes: ByteSize = 0
    shared_bytes: ByteSize = 0
    scaled_shared_bytes: Fraction = Fraction(0)

    def __add__(self, other: MemoryUsage) -> MemoryUsage:
        return MemoryUsage(
            self.mapped_bytes + other.mapped_bytes,
            self.private_bytes + other.private_bytes,
            self.shared_bytes + other.shared_bytes,
            self.scaled_shared_bytes + other.scaled_shared_bytes,
        )

    def shared_by(self, processes: int) -> MemoryUsage:
        """What each of so many processes uses that have this in common: nothing of it is private to one.

        *Kernel:* `ProcessDispatcher::GetStats` (zircon/kernel/object/process_dispatcher.cc)
        *Fails with:* nothing.
        """
        if processes == 1:
            return self
        return MemoryUsage(
            self.mapped_bytes,
            0,
            self.private_bytes + self.shared_bytes,
            self.scaled_shared_bytes / processes + Fraction(self.private_bytes, processes),
        )


def usage_of_mapping(mapping: VmMapping) -> MemoryUsage:
    """What one mapping adds; nothing but its length when its VMO is gone."""
    vmo = mapping.vmo
    if vmo is None:
        return MemoryUsage(mapping.size)
    counts = vmo.attributed_memory_in_range(mapping.object_offset, mapping.size)
    sharers = vmo.share_count()
    if sharers == 1:
        private = counts.private_uncompressed
        return MemoryUsage(
            mapping.size, private, counts.uncompressed - private, counts.scaled_uncompressed - private
        )
    return MemoryUsage(
        mapping.size, 0, counts.uncompressed, Fraction(counts.scaled_uncompressed) / sharers
    )


def memory_usage(aspace: AspaceBase) -> tuple[Status, MemoryUsage | None]:
    """The sum over all mappings of an address space. It is not a snapshot: each VMO is asked without a lock.

    *Kernel:* `VmAspace::GetMemoryUsage` (zircon/kernel/object/diagnostics.cc)
    *Fails with:* INTERNAL without a root VMAR, with no record; INTERNAL with an empty record when the walk fails.
    """
    root = aspace.root_vmar()
    if root is None:
        return ZX_ERR_INTERNAL, None
    total = MemoryUsage()

    def visit(region: VmAddressRegionOrMapping, depth: int) -> Status:
        nonlocal total
        if isinstance(region, VmMapping):
            with aspace.lock().released():
                total += usage_of_mapping(region)
        return ZX_ERR_NEXT

    if root.enumerate_children(visit) is not ZX_OK:
        return ZX_ERR_INTERNAL, MemoryUsage()
    return ZX_OK, total
