"""Address spaces: page faults and their resolution.

Mirrors `VmAspace::PageFault`, `PageFaultInternal`, `SoftFault`, `SoftFaultInRange` and `AccessedFault`
(`zircon/kernel/vm/vm_aspace.cc`). What one mapping does with a fault is in `mapping_faults.py`.

Does not model a change of the address space while a page request is waited for, unless a pager service makes one.
"""

from __future__ import annotations

from vmaspace.model.aspace_base import AspaceBase
from vmaspace.model.constants import MAX_U64, PAGE_MASK, PAGE_SHIFT, ByteSize, Vaddr
from vmaspace.model.dump import Dump
from vmaspace.model.flags import (
    VMM_PF_FLAG_ACCESS,
    VMM_PF_FLAG_GUEST,
    VMM_PF_FLAG_NOT_PRESENT,
    VMM_PF_FLAG_SW_FAULT,
    VMM_PF_FLAG_USER,
)
from vmaspace.model.mapping import VmMapping
from vmaspace.model.status import (
    ZX_ERR_INTERNAL_INTR_RETRY,
    ZX_ERR_NOT_FOUND,
    ZX_ERR_OUT_OF_RANGE,
    ZX_ERR_SHOULD_WAIT,
    ZX_ERR_TIMED_OUT,
    ZX_ERR_UNAVAILABLE,
    ZX_OK,
    AssertionViolation,
    Status,
)
from vmaspace.model.vmo import VmObject

_FILE = "zircon/kernel/vm/vm_aspace.cc"


class AspaceFaults(AspaceBase):
    """An address space, as what resolves page faults."""

    __slots__ = ()

    def page_fault(self, va: Vaddr, flags: int) -> Status:
        """Resolve the fault of an access to `va`; `flags` are VMM_PF_FLAG_*.

        *Kernel:* `VmAspace::PageFault` (zircon/kernel/vm/vm_aspace.cc)
        *Fails with:* NOT_FOUND where nothing is mapped; ACCESS_DENIED; OUT_OF_RANGE past the VMO or its stream; what
        the VMO, a wait for its pager, or the page tables answer. With ACCESS: as `accessed_fault`.
        *Asserts:* ACCESS and NOT_PRESENT are not combined; no lock is held; not destroyed; there is a root VMAR, and
        still after a wait that timed out: the tree is printed then.
        *Leaves alone:* the tree of regions. Translations that were installed before a failure stay.
        """
        flags = int(flags)
        if flags & VMM_PF_FLAG_ACCESS:
            return self._access_flag_fault(va, flags)
        return self._page_fault_internal(va & ~PAGE_MASK, flags, 0)

    def soft_fault(self, va: Vaddr, flags: int) -> Status:
        """Resolve a fault that software foresees; the page tables may allow the access already.

        *Kernel:* `VmAspace::SoftFault` (zircon/kernel/vm/vm_aspace.cc)
        *Fails with:* as `page_fault`.
        *Asserts:* as `page_fault`.
        """
        return self.page_fault(va, flags | VMM_PF_FLAG_SW_FAULT)

    def soft_fault_in_range(self, va: Vaddr, flags: int, size: ByteSize) -> Status:
        """Resolve the fault at `va`, and as many of those up to `va + size` as come with it.

        *Kernel:* `VmAspace::SoftFaultInRange` (zircon/kernel/vm/vm_aspace.cc)
        *Fails with:* OUT_OF_RANGE when the range wraps; then as `page_fault`, for the first page or, after a wait
        that resolved it, for a later one. With ACCESS: as `accessed_fault`, of the first page alone.
        *Asserts:* `size` is above 0; as `page_fault`.
        """
        flags = int(flags)
        if flags & VMM_PF_FLAG_ACCESS:
            return self._access_flag_fault(va, flags)
        if size == 0:
            raise AssertionViolation("a range to be faulted in is not empty", _FILE)
        last = va + size - 1
        if last > MAX_U64:
            return ZX_ERR_OUT_OF_RANGE
        return self._page_fault_internal(va & ~PAGE_MASK, flags, (last >> PAGE_SHIFT) - (va >> PAGE_SHIFT))

    def accessed_fault(self, va: Vaddr) -> Status:
        """Note that the page of `va` is accessed, on a machine that leaves this to software.

        *Kernel:* `VmAspace::AccessedFault` (zircon/kernel/vm/vm_aspace.cc)
        *Fails with:* what `ArchVmAspace.mark_accessed` answers.
        *Leaves alone:* the last-fault cache; no region is looked up.
        """
        self.check_canary()
        return self.arch.mark_accessed(va & ~PAGE_MASK, 1)

    def _access_flag_fault(self, va: Vaddr, flags: int) -> Status:
        if flags & VMM_PF_FLAG_NOT_PRESENT:
            raise AssertionViolation("an accessed-flag fault is about something that is present", _FILE)
        return self.accessed_fault(va)

    def _page_fault_internal(self, va: Vaddr, flags: int, additional_pages: int) -> Status:
        """Find the mapping, let it resolve the fault, wait and try again.

        *Kernel:* `VmAspace::PageFaultInternal` (zircon/kernel/vm/vm_aspace.cc)
        *Fails with:* as `page_fault`.
        """
        self.check_canary()
        self.system.held_locks.assert_none()
        if self.arch.is_guest:
            flags = flags & ~VMM_PF_FLAG_USER | VMM_PF_FLAG_GUEST
        while True:
            with self._lock:
                mapping = self._faulting_mapping_locked(va)
                if mapping is None:
                    return ZX_ERR_NOT_FOUND
                vmo = mapping.vmo
            if vmo is None:
                raise AssertionViolation("a mapping that is alive has a VMO", _FILE)
            status, pages = mapping.page_fault(va, flags, additional_pages, vmo)
            if status is ZX_ERR_SHOULD_WAIT:
                status = self._wait(vmo, flags)
                if status is not ZX_OK:
                    return status
                if pages > additional_pages:
                    raise AssertionViolation("no more is mapped before a wait than was asked for", _FILE)
                va += pages << PAGE_SHIFT
                additional_pages -= pages
            elif status is not ZX_ERR_UNAVAILABLE:
                return status

    def _faulting_mapping_locked(self, va: Vaddr) -> VmMapping | None:
        """The mapping at `va`, through the cache of the last fault."""
        if self.destroyed:
            raise AssertionViolation("no fault is resolved in a destroyed address space", _FILE)
        counters, cached = self.system.counters, self.last_fault
        if cached is not None and cached.base <= va < cached.base + cached.size:
            counters["vm.aspace.last_fault.hit"] += 1
            return cached
        counters["vm.aspace.last_fault.miss"] += 1
        if self.root is None:
            raise AssertionViolation("an address space that resolves faults has a root VMAR", _FILE)
        # Remembered also when nothing is found.
        self.last_fault = self.root.find_mapping_locked(va)
        return self.last_fault

    def _wait(self, vmo: VmObject, flags: int) -> Status:
        """Wait for what the VMO's last lookup asked its pager for. A suspension ends the wait of a user's access only."""
        request = vmo.page_request
        if request is None:
            raise AssertionViolation("who is told to wait has a page request", _FILE)
        status = request.wait()
        while status is ZX_ERR_INTERNAL_INTR_RETRY and not flags & VMM_PF_FLAG_USER:
            status = request.wait()
        if status is ZX_ERR_TIMED_OUT:
            self._print_root()
        return status

    def _print_root(self) -> None:
        """Leave a trace of where a page never came."""
        with self._region_lock, self._lock:
            if self.root is None:
                raise AssertionViolation("an address space does not lose its root while it is waited", _FILE)
            self.system.console.extend(Dump().vmar(self.root, 0))
