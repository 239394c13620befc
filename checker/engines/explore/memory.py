"""Memory for the search: plain stretches of words that the system fills in as they are touched."""

from __future__ import annotations

import ctypes
import mmap
import platform
from collections.abc import Iterable

LARGE = 1 << 22
LINUX = 0x4000 if platform.machine() in ("x86_64", "aarch64", "riscv64") else 0  # older Pythons have no name for it
NO_RESERVE = getattr(mmap, "MAP_NORESERVE", LINUX if platform.system() == "Linux" else 0)


class Stretch:
    """So many zero bytes.  Only what was written to takes memory, so a stretch may be larger than what is needed."""

    def __init__(self, size: int) -> None:
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | NO_RESERVE
        try:
            self.map = mmap.mmap(-1, max(size, mmap.PAGESIZE), flags=flags)
        except OSError as error:
            said = f"the system does not reserve {size >> 20:,} MiB of addresses ({error.strerror}): take a smaller --memory"
            raise OSError(error.errno, said) from None
        if size >= LARGE and hasattr(mmap, "MADV_HUGEPAGE"):
            self.map.madvise(mmap.MADV_HUGEPAGE)  # look-ups go everywhere: fewer, larger pages
        self.size = size
        self._view = ctypes.c_char.from_buffer(self.map)
        self.address = ctypes.addressof(self._view)

    def free(self) -> None:
        del self._view
        self.map.close()

    def release(self, start: int, end: int) -> int:
        """Give back the memory of these bytes, as far as they are large pieces; they read as zeros from now on.

        Says up to where, to go on from there.
        """
        first, last = -(-start // LARGE) * LARGE, end // LARGE * LARGE
        if first >= last or not hasattr(mmap, "MADV_DONTNEED"):
            return start
        self.map.madvise(mmap.MADV_DONTNEED, first, last - first)
        return last

    def part(self, start: int, end: int) -> bytes:
        return self.map[start:end]

    def put(self, data: bytes, at: int = 0) -> None:
        self.map[at : at + len(data)] = data

    def words(self, at: int, count: int) -> tuple[int, ...]:
        """Words as numbers without a sign."""
        return tuple((ctypes.c_uint64 * count).from_address(self.address + at * 8))

    def set_words(self, at: int, values: Iterable[int]) -> None:
        for i, value in enumerate(values):
            ctypes.c_uint64.from_address(self.address + (at + i) * 8).value = value & (1 << 64) - 1
