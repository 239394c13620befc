"""The numbers by which a TLB tells address spaces apart: PCIDs, ASIDs and VMIDs, and who has which.

Mirrors `zircon/kernel/lib/id_allocator` (x86-64, next fit) and `zircon/kernel/arch/{arm64,riscv64}/asid_allocator.cc`.
"""

from __future__ import annotations

from typing import Final

from vmaspace.model.status import (
    ZX_ERR_INVALID_ARGS,
    ZX_OK,
    Status,
)

UNUSED_ID: Final = 0
GLOBAL_ASID: Final = 1  # arm64 and riscv64: the kernel's
FIRST_USER_ASID: Final = 2  # and arm64's for every user while ASIDs are off


class IdAllocator:
    """Hands out numbers from `first` to `last`, the next free one after the last that was given out.

    With `last` below `first` no ids are in use, and every request is answered with `when_off`.
    """

    __slots__ = ("_at", "_used", "first", "last", "none_left", "when_off")

    def __init__(self, first: int, last: int, none_left: Status, when_off: int = UNUSED_ID) -> None:
        self.first = first
        self.last = last
        self.none_left = none_left  # what to answer then
        self.when_off = when_off  # what everybody has while no ids are in use
        self._at = first
        self._used: set[int] = set()

    @property
    def is_in_use(self) -> bool:
        """Whether the machine tells address spaces apart at all."""
        return self.last >= self.first

    @property
    def taken_count(self) -> int:
        """How many numbers somebody has."""
        return len(self._used)

    def allocate(self) -> tuple[Status, int]:
        """A number that nobody has.

        *Kernel:* `IdAllocator::TryAlloc`, `AsidAllocator::Alloc` (zircon/kernel/arch/*/asid_allocator.cc)
        *Fails with:* NO_RESOURCES (x86-64) or NO_MEMORY when all are taken.
        """
        if not self.is_in_use:
            return ZX_OK, self.when_off
        if len(self._used) > self.last - self.first:
            return self.none_left, UNUSED_ID
        while self._at in self._used:
            self._at = self.first if self._at == self.last else self._at + 1
        found = self._at
        self._used.add(found)
        self._at = self.first if found == self.last else found + 1
        return ZX_OK, found

    def free(self, number: int) -> Status:
        """Take a number back.

        *Kernel:* `IdAllocator::Free`, `AsidAllocator::Free` (zircon/kernel/arch/*/asid_allocator.cc)
        *Fails with:* INVALID_ARGS for one that nobody has.
        """
        if not self.is_in_use:
            return ZX_OK if number == self.when_off else ZX_ERR_INVALID_ARGS
        if number not in self._used:
            return ZX_ERR_INVALID_ARGS
        self._used.remove(number)
        return ZX_OK

    def is_taken(self, number: int) -> bool:
        """Whether somebody has the number."""
        return number in self._used
