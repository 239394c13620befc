"""Operations on the physical memory of a guest: what the hypervisor's wrapper of an address space offers.

Mirrors `zircon/kernel/hypervisor/guest_physical_aspace.cc`.
"""

from __future__ import annotations

from vmaspace.checker.engines.conformance.environment import Bound, Environment
from vmaspace.checker.engines.conformance.vocabulary import INTEGER, OBJECT, Answer, operation
from vmaspace.model.constants import is_page_aligned, round_up_page
from vmaspace.model.flags import FaultFlag, MmuFlag, VmarFlag
from vmaspace.model.mapping import VmMapping
from vmaspace.model.status import ZX_ERR_BAD_STATE, ZX_ERR_INVALID_ARGS, ZX_ERR_NOT_FOUND, ZX_OK
from vmaspace.model.vmo import VmoKind


@operation("guest.unmap_range", aspace=OBJECT, addr=INTEGER, size=INTEGER)
def guest_unmap_range(env: Environment, aspace: Bound, addr: int, size: int) -> Answer:
    """Unmap what is mapped in a range, at any depth; sub-VMARs stay, whether they are covered or not."""
    root, size = env.aspace(aspace).root_vmar(), round_up_page(size)
    if root is None:
        return Answer(ZX_ERR_BAD_STATE.name)
    if not size or not is_page_aligned(addr) or not root.is_in_range(addr, size):
        return Answer(ZX_ERR_INVALID_ARGS.name)
    for mapping in list(root.mappings_meeting(addr, size)):
        start, end = max(addr, mapping.base), min(addr + size, mapping.end)
        if mapping.parent is not None:
            status = mapping.parent.unmap(start, end - start, op_children=False)
            if status is not ZX_OK:
                return Answer(status.name)
    return Answer()


@operation("guest.is_mapped", "status mapped", aspace=OBJECT, addr=INTEGER)
def guest_is_mapped(env: Environment, aspace: Bound, addr: int) -> Answer:
    """Whether a mapping holds the address."""
    return Answer(observed={"mapped": isinstance(env.aspace(aspace).find_region(addr), VmMapping)})


@operation("guest.page_fault", aspace=OBJECT, addr=INTEGER)
def guest_page_fault(env: Environment, aspace: Bound, addr: int) -> Answer:
    """Resolve a fault with the permissions of the mapping that holds the address."""
    guest = env.aspace(aspace)
    mapping = guest.find_region(addr)
    if not isinstance(mapping, VmMapping):
        return Answer(ZX_ERR_NOT_FOUND.name)
    mmu_flags, flags = mapping.arch_mmu_flags_at(addr), 0
    if mmu_flags & MmuFlag.PERM_WRITE:
        flags |= FaultFlag.WRITE
    if mmu_flags & MmuFlag.PERM_EXECUTE:
        flags |= FaultFlag.INSTRUCTION
    return Answer(guest.soft_fault(addr, flags).name)


@operation("guest.map_interrupt_controller", aspace=OBJECT, addr=INTEGER, paddr=INTEGER, size=INTEGER)
def guest_map_interrupt_controller(env: Environment, aspace: Bound, addr: int, paddr: int, size: int) -> Answer:
    """Show the guest a piece of device memory, at an address of its choice."""
    guest = env.aspace(aspace)
    root = guest.root_vmar()
    status, vmo = env.system.create_vmo(size, VmoKind.PHYSICAL, paddr=paddr)
    if vmo is None or root is None:
        return Answer(status.name if vmo is None else ZX_ERR_BAD_STATE.name)
    vmo.set_cache_policy(int(MmuFlag.UNCACHED_DEVICE))
    status, mapping = root.create_vm_mapping(
        addr - guest.base,
        size,
        0,
        VmarFlag.SPECIFIC,
        vmo,
        0,
        MmuFlag.PERM_READ | MmuFlag.PERM_WRITE,
        "interrupt controller",
    )
    if mapping is None:
        return Answer(status.name)
    return Answer(mapping.map_range(0, size, commit=True).name)
