"""A position in a mapping that is being made: the next address, and the physical page that goes there.

Mirrors `MappingCursor` (`zircon/kernel/vm/include/vm/mapping_cursor.h`). What it has passed is what a failed mapping
takes back.
"""

from __future__ import annotations

from collections.abc import Sequence

from vmaspace.model.constants import PAGE_SIZE, ByteSize, Paddr, Vaddr
from vmaspace.model.status import AssertionViolation

_FILE = "zircon/kernel/vm/include/vm/mapping_cursor.h"


class MappingCursor:
    """Walks over `len(paddrs)` runs of `unit` bytes each, from the address `va` on."""

    __slots__ = ("_at", "_paddrs", "_used", "left", "start", "unit", "va")

    def __init__(self, va: Vaddr, paddrs: Sequence[Paddr], unit: ByteSize) -> None:
        self.start = va
        self.va = va
        self.left = len(paddrs) * unit  # bytes
        self.unit = unit
        self._paddrs = paddrs
        self._at = 0
        self._used = 0  # bytes of the current run

    @property
    def paddr(self) -> Paddr:
        """Where the next address leads to."""
        return self._paddrs[self._at] + self._used

    @property
    def page_remaining(self) -> ByteSize:
        """Bytes that are left of the current run: no leaf is larger."""
        return self.unit - self._used

    def next_pages(self, limit: int) -> Sequence[Paddr]:
        """Where the next single pages lead to, up to `limit` of them."""
        if self.unit == PAGE_SIZE:
            return self._paddrs[self._at : self._at + limit]
        start = self.paddr
        return range(start, start + min(limit * PAGE_SIZE, self.page_remaining), PAGE_SIZE)

    def consume_pages(self, count: int) -> None:
        """Go on by `count` of the pages that `next_pages` told."""
        size = count * PAGE_SIZE
        if self.unit != PAGE_SIZE:
            self.consume(size)
            return
        self._at += count
        self.va += size
        self.left -= size

    def consume(self, size: ByteSize) -> None:
        """Go on by `size` bytes.

        *Kernel:* `MappingCursor::Consume` (zircon/kernel/vm/include/vm/mapping_cursor.h)
        *Fails with:* nothing.
        *Asserts:* they are left, and in the current run.
        """
        used = self._used + size
        if used > self.unit or size > self.left:
            raise AssertionViolation("a mapping cursor does not step over the run that it is in", _FILE)
        if used == self.unit:
            self._at += 1
            used = 0
        self._used = used
        self.va += size
        self.left -= size
