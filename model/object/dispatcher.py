"""Handles, rights, and the dispatchers that stand between them and the VM layer.

Mirrors `Handle` (`zircon/kernel/object/handle.cc`), `VmAddressRegionDispatcher`
(`zircon/kernel/object/vm_address_region_dispatcher.cc`) and `VmObjectDispatcher`
(`zircon/kernel/object/vm_object_dispatcher.cc`). The calls of user mode are in `syscalls.py`.

Does not model handle tables: a `Handle` is what its holder has, and BAD_HANDLE once it is closed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from vmaspace.model.flags import (
    MMU_PERM_USER,
    VMAR_FLAG_CAN_MAP_EXECUTE,
    VMAR_FLAG_CAN_MAP_READ,
    VMAR_FLAG_CAN_MAP_WRITE,
    Right,
)
from vmaspace.model.status import (
    ZX_ERR_ACCESS_DENIED,
    ZX_ERR_BAD_HANDLE,
    ZX_ERR_INVALID_ARGS,
    ZX_ERR_NOT_SUPPORTED,
    ZX_ERR_WRONG_TYPE,
    ZX_OK,
    Status,
)

if TYPE_CHECKING:
    from vmaspace.model.system import System
    from vmaspace.model.vmar import VmAddressRegion
    from vmaspace.model.vmo import VmObject

BASIC_RIGHTS: Final = Right.TRANSFER | Right.DUPLICATE | Right.WAIT | Right.INSPECT
DEFAULT_VMAR_RIGHTS: Final = (BASIC_RIGHTS & ~Right.WAIT) | Right.OP_CHILDREN
DEFAULT_VMO_RIGHTS: Final = (
    BASIC_RIGHTS
    | Right.READ
    | Right.WRITE
    | Right.GET_PROPERTY
    | Right.SET_PROPERTY
    | Right.MAP
    | Right.SIGNAL
)


class Dispatcher:
    """A kernel object that handles refer to."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.koid = system.next_koid()
        self.handle_count = 0

    def on_zero_handles(self) -> None:
        """The last handle is closed."""


class Handle:
    """The right to do some things to one dispatcher."""

    __slots__ = ("dispatcher", "is_closed", "rights")

    def __init__(self, dispatcher: Dispatcher, rights: Right) -> None:
        self.dispatcher = dispatcher
        self.rights = rights
        self.is_closed = False
        dispatcher.handle_count += 1

    def close(self) -> Status:
        """Give the handle up.

        *Kernel:* `sys_handle_close` (zircon/kernel/lib/syscalls/handle_ops.cc)
        *Fails with:* BAD_HANDLE when it is closed already.
        *Leaves alone:* what the object has put into an address space.
        """
        if self.is_closed:
            return ZX_ERR_BAD_HANDLE
        self.is_closed = True
        self.dispatcher.handle_count -= 1
        if self.dispatcher.handle_count == 0:
            self.dispatcher.on_zero_handles()
        return ZX_OK

    def duplicate(self, rights: Right) -> tuple[Status, Handle | None]:
        """Another handle to the same object, with exactly `rights`.

        *Kernel:* `sys_handle_duplicate` (zircon/kernel/lib/syscalls/handle_ops.cc)
        *Fails with:* BAD_HANDLE; ACCESS_DENIED without the DUPLICATE right; INVALID_ARGS for rights that this
        handle does not have.
        """
        if self.is_closed:
            return ZX_ERR_BAD_HANDLE, None
        if not self.rights & Right.DUPLICATE:
            return ZX_ERR_ACCESS_DENIED, None
        if rights & ~self.rights:
            return ZX_ERR_INVALID_ARGS, None
        return ZX_OK, Handle(self.dispatcher, rights)


D = TypeVar("D", bound=Dispatcher)


def lookup(handle: Handle, kind: type[D], rights: Right = Right.NONE) -> tuple[Status, D | None]:
    """The dispatcher behind `handle`, if it is of this kind and the handle has all `rights`.

    *Kernel:* `HandleTable::GetDispatcherWithRights` (zircon/kernel/object/include/object/handle_table.h)
    *Fails with:* BAD_HANDLE, WRONG_TYPE, ACCESS_DENIED.
    """
    if handle.is_closed:
        return ZX_ERR_BAD_HANDLE, None
    dispatcher = handle.dispatcher
    if not isinstance(dispatcher, kind):
        return ZX_ERR_WRONG_TYPE, None
    if rights & ~handle.rights:
        return ZX_ERR_ACCESS_DENIED, None
    return ZX_OK, dispatcher


class VmAddressRegionDispatcher(Dispatcher):
    """A VMAR, as seen through handles. Holds a reference to the address space."""

    def __init__(self, vmar: VmAddressRegion, base_mmu_flags: int = MMU_PERM_USER) -> None:
        super().__init__(vmar.aspace.system)
        self.vmar = vmar
        self.base_mmu_flags = base_mmu_flags  # added to the flags of every mapping and protection
        vmar.aspace.add_ref()

    def on_zero_handles(self) -> None:
        """The VMAR stays where it is; only the reference to the address space is dropped."""
        self.vmar.aspace.release()

    def default_rights(self) -> Right:
        """The rights of a handle to a new VMAR: those that match what it may map are among them."""
        flags = int(self.vmar.flags)
        rights = DEFAULT_VMAR_RIGHTS
        for flag, right in (
            (VMAR_FLAG_CAN_MAP_READ, Right.READ),
            (VMAR_FLAG_CAN_MAP_WRITE, Right.WRITE),
            (VMAR_FLAG_CAN_MAP_EXECUTE, Right.EXECUTE),
        ):
            if flags & flag:
                rights |= right
        return rights

    def destroy(self) -> Status:
        """Destroy the VMAR and all below it.

        *Kernel:* `VmAddressRegionDispatcher::Destroy` (zircon/kernel/object/vm_address_region_dispatcher.cc)
        *Fails with:* NOT_SUPPORTED for the root VMAR of an address space; then as `VmAddressRegion.destroy`.
        """
        # Not root_vmar(): a DEAD root is still asked about when its address space is destroyed.
        if self.vmar.aspace.root is self.vmar:
            return ZX_ERR_NOT_SUPPORTED
        return self.vmar.destroy()


class VmObjectDispatcher(Dispatcher):
    """A VMO, as seen through handles. Takes over its creator's reference to the VMO."""

    def __init__(self, vmo: VmObject) -> None:
        super().__init__(vmo.system)
        self.vmo = vmo

    def on_zero_handles(self) -> None:
        """The VMO goes, unless a mapping shows it or the kernel refers to it."""
        self.vmo.release()


def vmar_handle(vmar: VmAddressRegion, base_mmu_flags: int = MMU_PERM_USER) -> Handle:
    """A first handle to `vmar`, with the rights that a new VMAR has.

    *Kernel:* `VmAddressRegionDispatcher::Create` (zircon/kernel/object/vm_address_region_dispatcher.cc)
    *Fails with:* nothing.
    """
    dispatcher = VmAddressRegionDispatcher(vmar, base_mmu_flags)
    return Handle(dispatcher, dispatcher.default_rights())


def vmo_handle(vmo: VmObject, extra_rights: Right = Right.NONE) -> Handle:
    """A first handle to `vmo`; executable and resizable ones have a right more.

    *Kernel:* `VmObjectDispatcher::Create` (zircon/kernel/object/vm_object_dispatcher.cc)
    *Fails with:* nothing.
    """
    rights = DEFAULT_VMO_RIGHTS | extra_rights
    if vmo.is_resizable:
        rights |= Right.RESIZE
    return Handle(VmObjectDispatcher(vmo), rights)
