"""What the emulated machines of all architectures have in common: which tables they walk, and how they are asked.

Not here: the registers of each; those are in `x86_64`, `arm64` and `riscv64`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from vmaspace.checker.adapters.hardware import AccessKind, FaultKind, Mmu, Modes, WalkFault
from vmaspace.checker.engines.oracle.arena import Arena
from vmaspace.checker.engines.oracle.library import Cpu

GENERAL_PROTECTION = -1  # the code of a fault on x86-64 that is no page fault

# Far from all memory of the model, within 40 bits: probe code, and tables of its own.
PROBE_PADDR = 0x55_5500_0000
PROBE_SIZE = 0x10000


@dataclass(frozen=True, slots=True)
class Space:
    """Page tables as a CPU has them loaded. is_upper: in the register of the upper half, where there are two."""

    mmu: Mmu
    modes: Modes
    root: int
    is_upper: bool = False


class Access(NamedTuple):
    """What is asked of an address."""

    kind: AccessKind
    is_user: bool

    def __str__(self) -> str:
        what = {AccessKind.READ: "read", AccessKind.WRITE: "write", AccessKind.EXECUTE: "fetch"}[self.kind]
        return f"{what} by the {'user' if self.is_user else 'kernel'}"


ACCESSES = tuple(Access(kind, is_user) for is_user in (False, True) for kind in AccessKind)


class Machine(Protocol):
    """An emulated CPU of one architecture."""

    name: str
    arena: Arena
    cpu: Cpu

    def enter(self, space: Space, *, is_user: bool) -> None:
        """Load page tables, in a privilege. May keep what the CPU remembers of them."""

    def probe(self, va: int, kind: AccessKind) -> tuple[int | None, int | None]:
        """Ask for an address: its physical address, or None and the code of the fault, which may be None for not told."""

    def explain(self, space: Space, va: int, refused: list[Access]) -> dict[Access, int]:
        """The codes of faults that `probe` does not tell, as far as they can be found out; enters what it needs."""

    def invalidating_code(self, space: Space) -> InvalidatingCode | None:
        """What invalidates one page on this machine; None where every invalidation drops everything."""


class InvalidatingCode(NamedTuple):
    """Guest code that invalidates one page. operand: from an address to what the register holds."""

    start: int
    end: int
    register: int
    operand: Callable[[int], int]
    root_entry: tuple[int, int] | None  # slot and entry that the root needs, so that the code is mapped


def code_of(fault: WalkFault, name: str) -> int:
    """The code of a fault as a machine tells it."""
    if name == "x86_64" and fault.kind is FaultKind.NON_CANONICAL:
        return GENERAL_PROTECTION
    return fault.code
