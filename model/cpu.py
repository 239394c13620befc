"""A CPU accesses memory: it walks the page tables, and faults where they do not allow the access.

Mirrors what hardware does on a load, store or fetch, and the page-fault handlers that it ends up in
(`zircon/kernel/arch/*/faults.cc`, `zircon/kernel/vm/vmm.cc`). A copy in the kernel to or from user memory is an access
that is not a user's.

Does not model caches, nor translations that a TLB remembers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmaspace.model.arch.hardware import AccessKind
from vmaspace.model.arch.regime import reach
from vmaspace.model.constants import MAX_U64, PAGE_MASK, PAGE_SIZE, ByteSize, Vaddr
from vmaspace.model.flags import (
    MMU_PERM_EXECUTE,
    MMU_PERM_READ,
    MMU_PERM_USER,
    MMU_PERM_WRITE,
    VMM_PF_FLAG_ACCESS,
    VMM_PF_FLAG_HW_FAULT,
    VMM_PF_FLAG_INSTRUCTION,
    VMM_PF_FLAG_NOT_PRESENT,
    VMM_PF_FLAG_USER,
    VMM_PF_FLAG_WRITE,
)
from vmaspace.model.status import ZX_ERR_NOT_FOUND, ZX_OK, AssertionViolation, Status

if TYPE_CHECKING:
    from vmaspace.model.arch.aspace import ArchVmAspace
    from vmaspace.model.arch.walk import Step
    from vmaspace.model.aspace import VmAspace
    from vmaspace.model.physical_memory import VmPage

_FILE = "zircon/kernel/vm/vmm.cc"


_NEEDED = {
    AccessKind.READ: MMU_PERM_READ,
    AccessKind.WRITE: MMU_PERM_WRITE,
    AccessKind.EXECUTE: MMU_PERM_EXECUTE,
}
_FAULT_FLAGS = {
    AccessKind.READ: 0,
    AccessKind.WRITE: VMM_PF_FLAG_WRITE,
    AccessKind.EXECUTE: VMM_PF_FLAG_INSTRUCTION,
}


def access(aspace: VmAspace, va: Vaddr, kind: AccessKind, *, is_user: bool = True) -> Status:
    """Access one byte: OK when the page tables allow it, at once or once the fault is resolved.

    *Kernel:* `vmm_page_fault_handler` (zircon/kernel/vm/vmm.cc)
    *Fails with:* NOT_FOUND for an address that is no user's, and where nothing is mapped; otherwise as
    `VmAspace.page_fault`.
    """
    return _page_for(aspace, va, kind, is_user)[0]


def read(
    aspace: VmAspace, va: Vaddr, size: ByteSize, *, is_user: bool = True, is_copy: bool = False
) -> tuple[Status, bytes]:
    """Read `size` bytes, which may cross pages; what was read before a failure comes with it. Fails as `access` does.

    With `is_copy` it is the loop of a VMO that copies: a fault is resolved for all that is left to copy.
    """
    data = b""
    while len(data) < size:
        at = va + len(data)
        count = min(size - len(data), PAGE_SIZE - (at & PAGE_MASK))
        left = size - len(data) if is_copy else 0
        status, page = _page_for(aspace, at, AccessKind.READ, is_user, left)
        if page is None:
            return status, data
        data += page.read(at & PAGE_MASK, count)
    return ZX_OK, data


def write(
    aspace: VmAspace, va: Vaddr, data: bytes, *, is_user: bool = True, is_copy: bool = False
) -> Status:
    """Write bytes, which may cross pages; what was written before a failure stays. Fails as `access` does.

    `is_copy` is as in `read`.
    """
    done = 0
    while done < len(data):
        at = va + done
        count = min(len(data) - done, PAGE_SIZE - (at & PAGE_MASK))
        left = len(data) - done if is_copy else 0
        status, page = _page_for(aspace, at, AccessKind.WRITE, is_user, left)
        if page is None:
            return status
        page.write(at & PAGE_MASK, data[done : done + count])
        done += count
    return ZX_OK


def _page_for(
    aspace: VmAspace, va: Vaddr, kind: AccessKind, is_user: bool, left: ByteSize = 0
) -> tuple[Status, VmPage | None]:
    """The physical page that an access to `va` reaches; `left` bytes of a copy begin there."""
    machine = aspace.system.arch
    if aspace.is_user():
        if va > MAX_U64 or not machine.is_user_accessible(va):
            return ZX_ERR_NOT_FOUND, None
        va = machine.untagged(va)
    needed = _NEEDED[kind] | (MMU_PERM_USER if is_user else 0)
    arch = aspace.arch
    if not arch.owner(va).is_valid_vaddr(va):
        return ZX_ERR_NOT_FOUND, None
    leaf = arch.leaf_at(va)
    if leaf is None or not _allows(arch, leaf, needed):
        fault_flags = _FAULT_FLAGS[kind] | VMM_PF_FLAG_HW_FAULT | (VMM_PF_FLAG_USER if is_user else 0)
        if leaf is None:
            fault_flags |= VMM_PF_FLAG_NOT_PRESENT
        if left:
            status = aspace.soft_fault_in_range(va, fault_flags, left)
        else:
            status = aspace.page_fault(va, fault_flags)
        if status is not ZX_OK:
            return status, None
        leaf = arch.leaf_at(va)
        if leaf is None or not _allows(arch, leaf, needed):
            raise AssertionViolation("a resolved fault allows the access that faulted", _FILE)
    if machine.has_hardware_accessed_flag:
        arch.hardware_access(va, is_write=kind is AccessKind.WRITE)
    elif not leaf.entry & arch.regime.accessed:
        aspace.page_fault(va, VMM_PF_FLAG_ACCESS | VMM_PF_FLAG_HW_FAULT)
    paddr = arch.regime.leaf_paddr(leaf.entry, leaf.level) | va & reach(leaf.level) - 1
    page = aspace.system.pmm.page_for(paddr)
    if page is None:
        raise AssertionViolation("page tables lead to memory", _FILE)
    return ZX_OK, page


def _allows(arch: ArchVmAspace, leaf: Step, needed: int) -> bool:
    return arch.regime.mmu_flags(leaf.entry, leaf.level) & needed == needed
