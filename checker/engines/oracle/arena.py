"""Memory that we and an emulated CPU both have: what one writes, the other reads.

It stands where the model's own memory does (from 4 GiB on), so that tables keep their addresses. Most of it is never
touched, and takes no room.
"""

from __future__ import annotations

import ctypes
import mmap
from typing import Final

BASE: Final = 1 << 32
SIZE: Final = (1 << 30) + (64 << 20)  # what can be allocated, and what was there at boot behind it
PAGE: Final = 4096


class ArenaPage:
    """One page of it."""

    __slots__ = ("at", "paddr", "words")

    def __init__(self, paddr: int, at: int, words: memoryview) -> None:
        self.paddr = paddr
        self.at = at
        self.words = words


class Arena:
    """Physical memory from `base` on, zeros at first."""

    __slots__ = ("_bytes", "_next", "_pages", "_words", "address", "base", "size", "used")

    def __init__(self) -> None:
        self.base, self.size = BASE, SIZE
        self._bytes = mmap.mmap(-1, SIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(self._bytes))
        self._words = memoryview(self._bytes).cast("Q")
        self._pages: dict[int, ArenaPage] = {}
        self.used: dict[int, ArenaPage] = {}  # what may hold something, by address
        self._next = BASE

    def page_for(self, paddr: int) -> ArenaPage | None:
        """The page that `paddr` lies in; None outside."""
        page = self._pages.get(paddr & -PAGE)
        if page is not None:
            return page
        at = (paddr & -PAGE) - BASE
        if not 0 <= at < SIZE:
            return None
        page = ArenaPage(BASE + at, at, self._words[at // 8 : (at + PAGE) // 8])
        self._pages[page.paddr] = page
        return page

    def new_page(self) -> ArenaPage:
        """A page of zeros that was not handed out since the last `clear`."""
        page = self.page_for(self._next)
        assert page is not None, "a few pages are enough for any test"
        self._next += PAGE
        self.used[page.paddr] = page
        return page

    def put(self, paddr: int, words: memoryview) -> ArenaPage:
        """A copy of a page, at its own address."""
        page = self.page_for(paddr)
        if page is None:
            raise ValueError(f"no memory at {paddr:#x}")
        page.words[:] = words
        self.used[page.paddr] = page
        return page

    def snapshot(self) -> list[bytes]:
        """What stands in the pages that are used."""
        return [self._bytes[page.at : page.at + PAGE] for page in self.used.values()]

    def clear(self) -> None:
        """Zeros again."""
        zeros = bytes(PAGE)
        for page in self.used.values():
            self._bytes[page.at : page.at + PAGE] = zeros
        self.used.clear()
        self._next = BASE
