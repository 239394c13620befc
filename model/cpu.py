"""A CPU accesses memory: it walks the page tables, and faults where they do not allow the access.

Mirrors what hardware does on a load, store or fetch, and the page-fault handlers that it ends up in
(`zircon/kernel/arch/*/faults.cc`, `zircon/kernel/vm/vmm.cc`). A copy in the kernel to or from user memory is an access
that is not a user's.

Does not model caches, nor translations that a TLB remembers.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from vmaspace.model.arch.hardware import (
    EXECUTE,
    READ,
    WRITE,
    AccessKind,
    FaultKind,
    Mmu,
    Translation,
    WalkFault,
    apply_updates,
    translate,
)
from vmaspace.model.arch.mmu_rules import mmu_for
from vmaspace.model.arch.modes import Modes
from vmaspace.model.constants import MAX_U64, PAGE_MASK, PAGE_SIZE, ByteSize, Vaddr
from vmaspace.model.flags import (
    VMM_PF_FLAG_ACCESS,
    VMM_PF_FLAG_HW_FAULT,
    VMM_PF_FLAG_INSTRUCTION,
    VMM_PF_FLAG_NOT_PRESENT,
    VMM_PF_FLAG_USER,
    VMM_PF_FLAG_WRITE,
)
from vmaspace.model.status import ZX_ERR_NOT_FOUND, ZX_OK, AssertionViolation, Status

if TYPE_CHECKING:
    from vmaspace.model.arch.regime import Regime
    from vmaspace.model.aspace import VmAspace
    from vmaspace.model.physical_memory import VmPage

_FILE = "zircon/kernel/vm/vmm.cc"

# Zircon's, while the kernel copies; no CPU sets accessed bits in the tables of riscv64.
_MODES: Final = Modes(ac=True, sum=True, svadu=False)
_FAULT_FLAGS = {
    READ: 0,
    WRITE: VMM_PF_FLAG_WRITE,
    EXECUTE: VMM_PF_FLAG_INSTRUCTION,
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
        status, page = _page_for(aspace, at, READ, is_user, left)
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
    done, size = 0, len(data)
    while done < size:
        at = va + done
        inside = at & PAGE_MASK
        count = min(size - done, PAGE_SIZE - inside)
        status, page = _page_for(aspace, at, WRITE, is_user, size - done if is_copy else 0)
        if page is None:
            return status
        page.write(inside, data[done : done + count])
        done += count
    return ZX_OK


def _page_for(
    aspace: VmAspace, va: Vaddr, kind: AccessKind, is_user: bool, left: ByteSize = 0
) -> tuple[Status, VmPage | None]:
    """The physical page that an access to `va` reaches; `left` bytes of a copy begin there."""
    memory, machine = aspace.system.pmm, aspace.system.arch
    if aspace.is_user():
        if va > MAX_U64 or not machine.is_user_accessible(va):
            return ZX_ERR_NOT_FOUND, None
        va = machine.untagged(va)
    owner = aspace.arch.owner(va)
    if not owner.is_valid_vaddr(va):
        return ZX_ERR_NOT_FOUND, None
    walked = _walk(aspace, va, kind, is_user)
    if isinstance(walked, WalkFault):
        status = _fault(aspace, va, kind, is_user, walked, left)
        if status is not ZX_OK:
            return status, None
        walked = _walk(aspace, va, kind, is_user)
        if isinstance(walked, WalkFault) and walked.kind is FaultKind.ACCESS_FLAG:
            # What a fault maps may not be marked: the access comes again, and marks it.
            _fault(aspace, va, kind, is_user, walked, 0)
            walked = _walk(aspace, va, kind, is_user)
        if isinstance(walked, WalkFault):
            raise AssertionViolation("a resolved fault allows the access that faulted", _FILE)
    if walked.updates:
        apply_updates(memory, walked.updates)
    if machine.has_hardware_accessed_flag:
        owner.accessed_since_check = True  # the CPU has these tables loaded
    page = memory.page_for(walked.paddr)
    if page is None:
        raise AssertionViolation("page tables lead to memory", _FILE)
    return ZX_OK, page


@cache
def _mmu_of(regime: Regime) -> Mmu:
    return mmu_for(regime, _MODES)


def _walk(aspace: VmAspace, va: Vaddr, kind: AccessKind, is_user: bool) -> Translation | WalkFault:
    """What the MMU makes of the bytes. The kernel copies with user pages opened to it."""
    arch = aspace.arch
    mmu = _mmu_of(arch.regime)
    memory, root = aspace.system.pmm, arch.own_root().paddr
    walked = translate(mmu, memory, root, va, kind, is_user=is_user)
    if kind is EXECUTE and not is_user and isinstance(walked, WalkFault):
        # The kernel does not fetch from user space: a fetch that is not a user's stands for that of any CPU.
        return translate(mmu, memory, root, va, kind, is_user=True)
    return walked


def _fault(
    aspace: VmAspace, va: Vaddr, kind: AccessKind, is_user: bool, fault: WalkFault, left: ByteSize
) -> Status:
    """The page-fault handler; `left` bytes of a copy begin there."""
    if fault.kind is FaultKind.ACCESS_FLAG:
        return aspace.page_fault(va, VMM_PF_FLAG_ACCESS | VMM_PF_FLAG_HW_FAULT)
    flags = _FAULT_FLAGS[kind] | VMM_PF_FLAG_HW_FAULT | (VMM_PF_FLAG_USER if is_user else 0)
    if fault.kind is FaultKind.NOT_PRESENT:
        flags |= VMM_PF_FLAG_NOT_PRESENT
    return aspace.soft_fault_in_range(va, flags, left) if left else aspace.page_fault(va, flags)
