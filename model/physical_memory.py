"""Physical memory: pages with bytes in them, and who may have how many.

Mirrors `vm_page_t` (`zircon/kernel/vm/include/vm/page.h`) and the physical memory manager
(`zircon/kernel/vm/pmm.cc`, `pmm_node.cc`). A page that nobody wrote holds no bytes and reads as zeros; the shared
zero page is one of these, and is never handed out.

Does not model arenas, loaned pages, compression, or memory pressure: a page is there or memory is out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from vmaspace.model.constants import PAGE_MASK, PAGE_SHIFT, PAGE_SIZE, ByteOffset, ByteSize, Paddr
from vmaspace.model.status import AssertionViolation

if TYPE_CHECKING:
    from vmaspace.model.page_queues import PageQueues

_FILE = "zircon/kernel/vm/pmm_node.cc"

RAM_BASE: Final = 1 << 32  # the zero page; device memory is below it
RAM_SIZE: Final = 1 << 30  # bytes that can be allocated

_ZEROS: Final = bytes(PAGE_SIZE)


class VmPage:
    """One page of physical memory."""

    __slots__ = ("_contents", "_words", "is_allocated", "is_table", "num_mappings", "paddr", "queue", "share_count")

    def __init__(self, paddr: Paddr) -> None:
        self.paddr = paddr
        self._contents: bytearray | None = None  # None until something is written: all zeros
        self._words: memoryview | None = None
        self.is_allocated = False
        self.queue = 0  # a PageQueue, or a reclaim queue above them
        self.is_table = False  # in state MMU: a page table
        self.num_mappings = 0  # of a page table: how many of its entries are present
        self.share_count = 0  # how many VMOs besides one see the page through a hidden parent

    def __repr__(self) -> str:
        return f"<page {self.paddr:#x}>"

    def read(self, offset: ByteOffset, size: ByteSize) -> bytes:
        """`size` bytes from `offset` in the page."""
        if self._contents is None:
            return _ZEROS[:size]
        return bytes(self._contents[offset : offset + size])

    def write(self, offset: ByteOffset, data: bytes | bytearray) -> None:
        """Put `data` at `offset` in the page."""
        if self._contents is None:
            self._contents = bytearray(PAGE_SIZE)
        self._contents[offset : offset + len(data)] = data

    @property
    def words(self) -> memoryview:
        """The bytes as 512 words of 64 bits, to be read and written: what a page table is for hardware.

        Made when they are first asked for, as few pages are tables.
        """
        if self._words is None:
            if self._contents is None:
                self._contents = bytearray(PAGE_SIZE)
            self._words = memoryview(self._contents).cast("Q")
        return self._words

    def copy_from(self, page: VmPage) -> None:
        """Take over the bytes of another page."""
        if page._contents is None:
            self.zero()
        else:
            self.write(0, page._contents)

    def zero(self) -> None:
        """Fill the page with zeros."""
        if self._contents is not None and self._contents != _ZEROS:
            self._contents[:] = _ZEROS

    def is_zero(self) -> bool:
        """Whether every byte is zero."""
        return self._contents is None or self._contents == _ZEROS


class PhysicalMemory:
    """The pages of one machine."""

    __slots__ = (
        "_boot_end", "_countdown", "_end", "_free", "_next", "_pages", "_queues", "allocated_count", "is_exhausted",
        "zero_page",
    )  # fmt: skip

    def __init__(self, queues: PageQueues, size: ByteSize = RAM_SIZE) -> None:
        self._queues = queues
        self._countdown = 0
        self.is_exhausted = False  # no allocation succeeds until this is taken back
        self.zero_page = VmPage(RAM_BASE)
        self.zero_page.is_allocated = True
        self._pages = {RAM_BASE >> PAGE_SHIFT: self.zero_page}  # what was ever touched, by the number of the page
        self._free: list[VmPage] = []
        self._next = RAM_BASE + PAGE_SIZE
        self._end = self._next + size
        self._boot_end = self._end  # what the kernel was loaded with stands behind
        self.allocated_count = 0  # the zero page is not counted

    def __repr__(self) -> str:
        return f"<physical memory: {self.allocated_count} pages allocated, {self.free_count} free>"

    @property
    def free_count(self) -> int:
        """How many pages can still be allocated."""
        return len(self._free) + (self._end - self._next) // PAGE_SIZE

    def fail_next(self, n: int = 1) -> None:
        """Let the `n`-th allocation from now fail, once. 0 takes a planned failure back."""
        self._countdown = n

    def _fails(self) -> bool:
        if not self._countdown:
            return False
        self._countdown -= 1
        return self._countdown == 0

    def _page_at(self, paddr: Paddr) -> VmPage:
        page = self._pages.get(paddr >> PAGE_SHIFT)
        if page is None:
            page = self._pages[paddr >> PAGE_SHIFT] = VmPage(paddr)
        return page

    def _hand_out(self, page: VmPage) -> VmPage:
        page.zero()
        page.is_allocated = True
        page.share_count = 0
        self.allocated_count += 1
        return page

    def allocate_page(self) -> VmPage | None:
        """A page of zeros; None when memory is out.

        *Kernel:* `PmmNode::AllocPage` (zircon/kernel/vm/pmm_node.cc)
        *Fails with:* nothing but None.
        """
        if self.is_exhausted or (self._countdown and self._fails()):
            return None
        if self._free:
            return self._hand_out(self._free.pop())
        if self._next == self._end:
            return None
        page = self._page_at(self._next)
        self._next += PAGE_SIZE
        return self._hand_out(page)

    def allocate_boot_page(self) -> VmPage:
        """A page of zeros that was there when the kernel started. It is not counted, and never given back."""
        page = self._page_at(self._boot_end)
        page.is_allocated = True
        self._boot_end += PAGE_SIZE
        return page

    def allocate_contiguous(self, count: int, align_pow2: int = 0) -> list[VmPage] | None:
        """`count` pages of zeros, one after the other, the first aligned to `2^align_pow2` bytes.

        *Kernel:* `PmmNode::AllocContiguous` (zircon/kernel/vm/pmm_node.cc)
        *Fails with:* nothing but None.
        """
        if self.is_exhausted or (self._countdown and self._fails()):
            return None
        mask = (1 << align_pow2) - 1 | PAGE_MASK
        start = (self._next + mask) & ~mask
        end = start + count * PAGE_SIZE
        if end > self._end:
            return None
        # What lies between is free memory for single pages.
        self._free.extend(self._page_at(paddr) for paddr in range(self._next, start, PAGE_SIZE))
        self._next = end
        return [self._hand_out(self._page_at(paddr)) for paddr in range(start, end, PAGE_SIZE)]

    def free_page(self, page: VmPage) -> None:
        """Take a page back.

        *Kernel:* `PmmNode::FreePage` (zircon/kernel/vm/pmm_node.cc)
        *Fails with:* nothing.
        *Asserts:* the page is allocated, and is not the zero page.
        """
        if not page.is_allocated or page is self.zero_page:
            raise AssertionViolation("a page to be freed is allocated", _FILE)
        if page.queue:
            self._queues.remove(page)
        page.is_allocated = False
        self.allocated_count -= 1
        self._free.append(page)

    def page_for(self, paddr: Paddr) -> VmPage | None:
        """The page that `paddr` lies in, if anything is known of it.

        *Kernel:* `paddr_to_vm_page` (zircon/kernel/vm/pmm.cc)
        *Fails with:* nothing.
        """
        return self._pages.get(paddr >> PAGE_SHIFT)

    def device_page(self, paddr: Paddr) -> VmPage:
        """The page at a page-aligned physical address, for a VMO of device memory; allocated or not."""
        return self._page_at(paddr)
