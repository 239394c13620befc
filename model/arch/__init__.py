"""The architectures: one small record each, and the state that all of them keep for an address space.

Mirrors `zircon/kernel/arch/{x86,arm64,riscv64}` and `zircon/kernel/vm/include/vm/arch_vm_aspace.h`. Generic
modules never name an architecture; they ask `arch_for_name` once and read the record.
"""

from vmaspace.model.arch.arm64 import ARM64
from vmaspace.model.arch.record import Arch
from vmaspace.model.arch.riscv64 import RISCV64
from vmaspace.model.arch.x86_64 import X86_64

ARCHES: dict[str, Arch] = {arch.name: arch for arch in (X86_64, ARM64, RISCV64)}
_ALIASES = {"x86": "x86_64", "x86-64": "x86_64", "x64": "x86_64", "aarch64": "arm64", "riscv": "riscv64"}


def arch_for_name(name: str) -> Arch:
    """The record of the architecture called `name`; a `ValueError` names those that there are."""
    arch = ARCHES.get(_ALIASES.get(name, name))
    if arch is None:
        raise ValueError(f"unknown architecture {name!r}; there are {', '.join(ARCHES)}")
    return arch


__all__ = ["ARCHES", "Arch", "arch_for_name"]
