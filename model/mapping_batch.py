"""Pages on their way into the page tables, a batch at a time.

Mirrors `VmMappingCoalescer` (`zircon/kernel/vm/vm_mapping.cc`): neighbouring pages with equal flags are collected, up to
16, and handed to the page tables in one call.

Does not model the barrier that makes the contents visible before the entry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from vmaspace.model.arch.aspace import ExistingEntryAction
from vmaspace.model.constants import PAGE_SHIFT, Paddr, Vaddr
from vmaspace.model.flags import MMU_PERM_RWX_MASK, MMU_PERM_WRITE
from vmaspace.model.status import ZX_OK, AssertionViolation, Status

if TYPE_CHECKING:
    from vmaspace.model.aspace import VmAspace
    from vmaspace.model.physical_memory import VmPage

_FILE = "zircon/kernel/vm/vm_mapping.cc"

MAX_BATCH_PAGES: Final = 16


class MappingBatch:
    """Pages from `base` on, with one set of MMU flags."""

    __slots__ = ("_action", "_aspace", "_base", "_flags", "_paddrs", "pages_mapped")

    def __init__(self, aspace: VmAspace, action: ExistingEntryAction) -> None:
        self._aspace = aspace
        self._action = action
        self._base: Vaddr = 0
        self._flags = 0
        self._paddrs: list[Paddr] = []
        self.pages_mapped = 0  # sent so far; as implemented, also when the page tables refused

    @property
    def room(self) -> int:
        """How many more pages fit."""
        return MAX_BATCH_PAGES - len(self._paddrs)

    @property
    def flags(self) -> int:
        """The MMU flags of what is collected."""
        return self._flags

    def append(self, va: Vaddr, paddr: Paddr, mmu_flags: int) -> Status:
        """Collect one page; sends what is there first if the page does not continue it.

        *Kernel:* `VmMappingCoalescer::Append` (zircon/kernel/vm/vm_mapping.cc)
        *Fails with:* what `flush` answers; the page is not collected then.
        *Asserts:* the flags allow something.
        """
        paddrs = self._paddrs
        if paddrs and (
            mmu_flags != self._flags
            or len(paddrs) == MAX_BATCH_PAGES
            or va != self._base + (len(paddrs) << PAGE_SHIFT)
        ):
            status = self.flush()
            if status is not ZX_OK:
                return status
        if not self._paddrs:
            if not mmu_flags & MMU_PERM_RWX_MASK:
                raise AssertionViolation("what is put into page tables allows something", _FILE)
            self._base, self._flags = va, mmu_flags
        self._paddrs.append(paddr)
        return ZX_OK

    def extend(self, pages: list[VmPage]) -> None:
        """Collect pages that continue what is there, with its flags.

        *Kernel:* `VmMappingCoalescer` (zircon/kernel/vm/vm_mapping.cc)
        *Fails with:* nothing.
        *Asserts:* there is room.
        """
        if len(pages) > self.room:
            raise AssertionViolation("a batch has room for what is put into it", _FILE)
        self._paddrs += [page.paddr for page in pages]

    def flush(self) -> Status:
        """Send what is collected to the page tables.

        *Kernel:* `VmMappingCoalescer::Flush` (zircon/kernel/vm/vm_mapping.cc)
        *Fails with:* what the page tables answer.
        *Asserts:* the shared zero page is not writable in a user space.
        """
        paddrs = self._paddrs
        if not paddrs:
            return ZX_OK
        aspace = self._aspace
        if self._flags & MMU_PERM_WRITE and aspace.is_user():
            zero_page = aspace.system.pmm.zero_page.paddr
            if zero_page in paddrs:
                raise AssertionViolation("the zero page is not writable in a user space", _FILE)
        status = aspace.arch.map(self._base, paddrs, self._flags, self._action)
        self.pages_mapped += len(paddrs)
        self._paddrs = []
        return status

    def drop(self) -> None:
        """Forget what is collected."""
        self._paddrs = []
