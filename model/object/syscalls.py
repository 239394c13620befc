"""The system calls on VMARs.

Mirrors `zircon/kernel/lib/syscalls/vmar.cc` and the flag splitting of
`zircon/kernel/object/vm_address_region_dispatcher.cc`. Each call looks its handles up, takes the options apart
and hands over to the VM layer.

Does not model user memory: results are returned, so copying them out never fails.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from vmaspace.model.constants import ByteOffset, ByteSize, Vaddr, is_page_aligned
from vmaspace.model.flags import (
    VMAR_FLAG_ALLOW_FAULTS,
    VMAR_FLAG_REQUIRE_NON_RESIZABLE,
    ZX_VM_ALIGN_BASE,
    MmuFlag,
    Right,
    VmarFlag,
    VmOption,
)
from vmaspace.model.mapping import VmMapping
from vmaspace.model.object.dispatcher import (
    Handle,
    VmAddressRegionDispatcher,
    VmObjectDispatcher,
    lookup,
    vmar_handle,
)
from vmaspace.model.status import (
    ZX_ERR_ACCESS_DENIED,
    ZX_ERR_BUFFER_TOO_SMALL,
    ZX_ERR_INVALID_ARGS,
    ZX_ERR_NO_MEMORY,
    ZX_ERR_NOT_SUPPORTED,
    ZX_OK,
    Status,
)
from vmaspace.model.vmar_range_op import RangeOpType
from vmaspace.model.vmo import VmObject, VmObjectPaged

_PERMISSIONS: Final = (
    (VmOption.PERM_READ, Right.READ, VmOption.CAN_MAP_READ),
    (VmOption.PERM_WRITE, Right.WRITE, VmOption.CAN_MAP_WRITE),
    (VmOption.PERM_EXECUTE, Right.EXECUTE, VmOption.CAN_MAP_EXECUTE),
)
_WRITES_PAGES: Final = (RangeOpType.COMMIT, RangeOpType.DECOMMIT)
_MAP_RANGE: Final = int(VmOption.MAP_RANGE)
_READ_IF_XOM_UNSUPPORTED: Final = int(VmOption.PERM_READ_IF_XOM_UNSUPPORTED)
_ANY_CAN_MAP: Final = VmOption.CAN_MAP_READ | VmOption.CAN_MAP_WRITE | VmOption.CAN_MAP_EXECUTE

# Plain numbers: the complement of a flag object forgets the bits that have no name.
_OPTION_TO_VMAR: Final = {
    int(VmOption.COMPACT): int(VmarFlag.COMPACT),
    int(VmOption.SPECIFIC): int(VmarFlag.SPECIFIC),
    int(VmOption.SPECIFIC_OVERWRITE): int(VmarFlag.SPECIFIC_OVERWRITE),
    int(VmOption.CAN_MAP_SPECIFIC): int(VmarFlag.CAN_MAP_SPECIFIC),
    int(VmOption.CAN_MAP_READ): int(VmarFlag.CAN_MAP_READ),
    int(VmOption.CAN_MAP_WRITE): int(VmarFlag.CAN_MAP_WRITE),
    int(VmOption.CAN_MAP_EXECUTE): int(VmarFlag.CAN_MAP_EXECUTE),
    int(VmOption.REQUIRE_NON_RESIZABLE): int(VmarFlag.REQUIRE_NON_RESIZABLE),
    int(VmOption.ALLOW_FAULTS): int(VmarFlag.ALLOW_FAULTS),
    int(VmOption.OFFSET_IS_UPPER_LIMIT): int(VmarFlag.OFFSET_IS_UPPER_LIMIT),
    int(VmOption.FAULT_BEYOND_STREAM_SIZE): int(VmarFlag.FAULT_BEYOND_STREAM_SIZE),
}
_OPTION_TO_MMU: Final = {
    int(VmOption.PERM_READ): int(MmuFlag.PERM_READ),
    int(VmOption.PERM_WRITE): int(MmuFlag.PERM_WRITE),
    int(VmOption.PERM_EXECUTE): int(MmuFlag.PERM_EXECUTE),
}


@dataclass(frozen=True, slots=True)
class SplitOptions:
    """What one option word says, taken apart."""

    vmar_flags: int
    mmu_flags: int
    align_pow2: int


def split_options(options: int) -> SplitOptions | None:
    """The option word taken apart; None for unknown bits, or an alignment that is not 0 or 10 to 32.

    *Kernel:* `split_syscall_flags` (zircon/kernel/object/vm_address_region_dispatcher.cc)
    *Fails with:* None, which the callers turn into INVALID_ARGS.
    """
    vmar_flags = mmu_flags = 0
    options = int(options)
    rest = options & ((1 << ZX_VM_ALIGN_BASE) - 1)
    for option, mmu_flag in _OPTION_TO_MMU.items():
        if rest & option:
            mmu_flags |= mmu_flag
            rest -= option
    for option, vmar_flag in _OPTION_TO_VMAR.items():
        if rest & option:
            vmar_flags |= vmar_flag
            rest -= option
    align_pow2 = options >> ZX_VM_ALIGN_BASE
    if rest or not (align_pow2 == 0 or 10 <= align_pow2 <= 32):
        return None
    return SplitOptions(vmar_flags, mmu_flags, align_pow2)


def is_valid_protection(options: int) -> bool:
    """Whether the PERM bits are a combination that can be mapped: WRITE and EXECUTE need READ.

    *Kernel:* `VmAddressRegionDispatcher::is_valid_mapping_protection`
    (zircon/kernel/object/vm_address_region_dispatcher.cc)
    *Fails with:* nothing.
    """
    if options & VmOption.PERM_READ:
        return True
    return not options & (VmOption.PERM_WRITE | VmOption.PERM_EXECUTE)


def zx_vmar_allocate(
    parent: Handle, options: int, offset: ByteOffset, size: ByteSize
) -> tuple[Status, Handle | None, Vaddr]:
    """A VMAR in another one: a handle to it, and its base.

    *Kernel:* `sys_vmar_allocate` (zircon/kernel/lib/syscalls/vmar.cc)
    *Fails with:* BAD_HANDLE, WRONG_TYPE; ACCESS_DENIED without the right for a CAN_MAP option; INVALID_ARGS for
    unknown options, alignments and PERM options; then as `VmAddressRegion.create_sub_vmar`; NO_MEMORY.
    *Leaves alone:* everything, unless it succeeds.
    """
    rights = Right.NONE
    for _, right, can_map in _PERMISSIONS:
        if options & can_map:
            rights |= right
    status, dispatcher = lookup(parent, VmAddressRegionDispatcher, rights)
    if dispatcher is None:
        return status, None, 0
    split = split_options(options)
    if split is None or split.mmu_flags:
        return ZX_ERR_INVALID_ARGS, None, 0
    status, vmar = dispatcher.vmar.create_sub_vmar(offset, size, split.align_pow2, split.vmar_flags)
    if vmar is None:
        return status, None, 0
    if not dispatcher.system.heap.allocate():
        return ZX_ERR_NO_MEMORY, None, 0  # as implemented, the VMAR stays
    return ZX_OK, vmar_handle(vmar, dispatcher.base_mmu_flags), vmar.base


def zx_vmar_destroy(handle: Handle) -> Status:
    """Destroy a VMAR and all below it.

    *Kernel:* `sys_vmar_destroy` (zircon/kernel/lib/syscalls/vmar.cc)
    *Fails with:* BAD_HANDLE, WRONG_TYPE; ACCESS_DENIED without the OP_CHILDREN right; NOT_SUPPORTED for a root
    VMAR; then as `VmAddressRegion.destroy`.
    """
    status, dispatcher = lookup(handle, VmAddressRegionDispatcher, Right.OP_CHILDREN)
    if dispatcher is None:
        return status
    return dispatcher.destroy()


def zx_vmar_map(
    handle: Handle,
    options: int,
    vmar_offset: ByteOffset,
    vmo: Handle,
    vmo_offset: ByteOffset,
    size: ByteSize,
) -> tuple[Status, Vaddr, VmMapping | None]:
    """Map a VMO: the base, and the mapping as it was before neighbours merged with it.

    *Kernel:* `sys_vmar_map` (zircon/kernel/lib/syscalls/vmar.cc)
    *Fails with:* BAD_HANDLE, WRONG_TYPE of the VMAR, then of the VMO; ACCESS_DENIED without the MAP right;
    INVALID_ARGS for a protection without READ, MAP_RANGE with an overwrite, or a CAN_MAP option; ACCESS_DENIED
    for a permission that one of the handles lacks; INVALID_ARGS around FAULT_BEYOND_STREAM_SIZE, for unknown
    options and alignments; NOT_SUPPORTED for a resizable VMO that may not be, and for a discardable one without
    ALLOW_FAULTS, and as documented for every one that may change, and BUFFER_TOO_SMALL past its end; then as
    `VmAddressRegion.create_vm_mapping`, and as `VmMapping.map_range` for MAP_RANGE.
    *Leaves alone:* everything, unless it succeeds; a failed overwrite may have removed the old contents.
    """
    status, dispatcher = lookup(handle, VmAddressRegionDispatcher)
    if dispatcher is None:
        return status, 0, None
    status, vmo_dispatcher = lookup(vmo, VmObjectDispatcher)
    if vmo_dispatcher is None:
        return status, 0, None
    if not vmo.rights & Right.MAP:
        return ZX_ERR_ACCESS_DENIED, 0, None
    options = _resolve_execute_only(options)
    status, options = _grant_permissions(options, handle.rights & vmo.rights)
    if status is not ZX_OK:
        return status, 0, None
    populates = bool(options & _MAP_RANGE)
    split = split_options(options & ~_MAP_RANGE)
    status = _check_vmo(split, options, vmo_dispatcher)
    if status is ZX_OK and not options & VmOption.ALLOW_FAULTS:
        status = _check_faultless(vmo_dispatcher.vmo, vmo_offset, size)
    if status is not ZX_OK or split is None:
        return status, 0, None
    status, mapping = dispatcher.vmar.create_vm_mapping(
        vmar_offset,
        size,
        split.align_pow2,
        split.vmar_flags & ~(VMAR_FLAG_REQUIRE_NON_RESIZABLE | VMAR_FLAG_ALLOW_FAULTS),
        vmo_dispatcher.vmo,
        vmo_offset,
        split.mmu_flags | dispatcher.base_mmu_flags,
        "useralloc",
    )
    if mapping is None:
        return status, 0, None
    base = mapping.base
    if populates:
        status = mapping.map_range(0, mapping.size, ignore_existing=True)
        if status is not ZX_OK:
            mapping.destroy()
            return status, 0, None
    mapping.mark_mergeable()
    return ZX_OK, base, mapping


def zx_vmar_unmap(handle: Handle, addr: Vaddr, size: ByteSize) -> Status:
    """Remove what lies in `[addr, addr + size)`.

    *Kernel:* `sys_vmar_unmap` (zircon/kernel/lib/syscalls/vmar.cc)
    *Fails with:* BAD_HANDLE, WRONG_TYPE; INVALID_ARGS for a misaligned base; then as `VmAddressRegion.unmap`,
    where sub-VMARs may go only if the handle has the OP_CHILDREN right.
    """
    status, dispatcher = lookup(handle, VmAddressRegionDispatcher)
    if dispatcher is None:
        return status
    if not is_page_aligned(addr):
        return ZX_ERR_INVALID_ARGS
    return dispatcher.vmar.unmap(addr, size, bool(handle.rights & Right.OP_CHILDREN))


def zx_vmar_protect(handle: Handle, options: int, addr: Vaddr, size: ByteSize) -> Status:
    """Change the permissions of all mappings in `[addr, addr + size)`.

    *Kernel:* `sys_vmar_protect` (zircon/kernel/lib/syscalls/vmar.cc)
    *Fails with:* BAD_HANDLE, WRONG_TYPE; ACCESS_DENIED without the rights for the permissions; INVALID_ARGS for a
    protection without READ, a misaligned base, or any other option; then as `VmAddressRegion.protect`.
    """
    options = _resolve_execute_only(options)
    rights = Right.NONE
    for perm, right, _ in _PERMISSIONS:
        if options & perm:
            rights |= right
    status, dispatcher = lookup(handle, VmAddressRegionDispatcher, rights)
    if dispatcher is None:
        return status
    if not is_valid_protection(options) or not is_page_aligned(addr):
        return ZX_ERR_INVALID_ARGS
    split = split_options(options)
    if split is None or split.vmar_flags or split.align_pow2:
        return ZX_ERR_INVALID_ARGS
    mmu_flags = split.mmu_flags | dispatcher.base_mmu_flags
    return dispatcher.vmar.protect(addr, size, mmu_flags, bool(handle.rights & Right.OP_CHILDREN))


def zx_vmar_op_range(
    handle: Handle, op: int, addr: Vaddr, size: ByteSize, buffer: object = None, buffer_size: ByteSize = 0
) -> Status:
    """Do something to the VMOs behind `[addr, addr + size)`.

    *Kernel:* `sys_vmar_op_range` (zircon/kernel/lib/syscalls/vmar.cc)
    *Fails with:* BAD_HANDLE, WRONG_TYPE; INVALID_ARGS for an unknown operation; as documented, ACCESS_DENIED to commit or
    decommit without the WRITE right; then as `VmAddressRegion.range_op`,
    where sub-VMARs are reached only if the handle has the OP_CHILDREN right.
    """
    status, dispatcher = lookup(handle, VmAddressRegionDispatcher)
    if dispatcher is None:
        return status
    if op not in RangeOpType.__members__.values():
        return ZX_ERR_INVALID_ARGS
    # As implemented, only what the mapping may become is asked.
    needs_right = op in _WRITES_PAGES and dispatcher.system.has_switch("documented_op_range_right")
    if needs_right and not handle.rights & Right.WRITE:
        return ZX_ERR_ACCESS_DENIED
    op_children = bool(handle.rights & Right.OP_CHILDREN)
    return dispatcher.vmar.range_op(op, addr, size, op_children, buffer, buffer_size)


def _resolve_execute_only(options: int) -> int:
    """READ_IF_XOM_UNSUPPORTED becomes READ: execute-only can not be expressed on any of the machines."""
    if options & _READ_IF_XOM_UNSUPPORTED:
        options |= VmOption.PERM_READ
    return int(options) & ~_READ_IF_XOM_UNSUPPORTED


def _grant_permissions(options: int, rights: Right) -> tuple[Status, int]:
    """Check the permissions of a mapping against `rights`, and cap what it may become by them."""
    if not is_valid_protection(options):
        return ZX_ERR_INVALID_ARGS, 0
    if options & VmOption.MAP_RANGE and options & VmOption.SPECIFIC_OVERWRITE:
        return ZX_ERR_INVALID_ARGS, 0
    if options & _ANY_CAN_MAP:
        return ZX_ERR_INVALID_ARGS, 0
    for perm, right, _ in _PERMISSIONS:
        if options & perm and not rights & right:
            return ZX_ERR_ACCESS_DENIED, 0
    for _, right, can_map in _PERMISSIONS:
        if rights & right:
            options |= can_map
    return ZX_OK, int(options)


def _check_vmo(split: SplitOptions | None, options: int, dispatcher: VmObjectDispatcher) -> Status:
    """The checks of the options against the VMO, in the order of the system call and its dispatcher."""
    vmo = dispatcher.vmo
    if options & VmOption.FAULT_BEYOND_STREAM_SIZE:
        if not options & VmOption.ALLOW_FAULTS:
            return ZX_ERR_INVALID_ARGS
        if not vmo.is_paged() or vmo.is_contiguous():
            return ZX_ERR_INVALID_ARGS
    if split is None:
        return ZX_ERR_INVALID_ARGS
    if split.vmar_flags & VMAR_FLAG_REQUIRE_NON_RESIZABLE and vmo.is_resizable:
        return ZX_ERR_NOT_SUPPORTED
    if not split.vmar_flags & VMAR_FLAG_ALLOW_FAULTS and vmo.is_discardable:
        return ZX_ERR_NOT_SUPPORTED
    return ZX_OK


def _check_faultless(vmo: VmObject, vmo_offset: ByteOffset, size: ByteSize) -> Status:
    """What the documentation refuses without ALLOW_FAULTS; as implemented, such a mapping faults."""
    if not vmo.system.has_switch("documented_allow_faults"):
        return ZX_OK
    is_pagers = isinstance(vmo, VmObjectPaged) and vmo.cow_pages.root().source is not None
    if vmo.is_resizable or is_pagers:
        return ZX_ERR_NOT_SUPPORTED
    return ZX_ERR_BUFFER_TOO_SMALL if vmo_offset + size > vmo.size else ZX_OK
