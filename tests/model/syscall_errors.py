"""What the system calls refuse before the VMAR layer is asked, row by row and in the kernel's order."""

from typing import Any

from tests.model.conftest import PAGE as P
from tests.model.error_rows import ErrorTable, Facts, Outcome
from vmaspace.model.flags import Right, VmOption
from vmaspace.model.object.dispatcher import Handle, vmo_handle
from vmaspace.model.object.process import create_process
from vmaspace.model.object.syscalls import (
    zx_vmar_allocate,
    zx_vmar_destroy,
    zx_vmar_map,
    zx_vmar_op_range,
    zx_vmar_protect,
    zx_vmar_unmap,
)
from vmaspace.model.status import Status
from vmaspace.model.system import System
from vmaspace.model.vmar_range_op import RangeOpType
from vmaspace.model.vmo import VmoKind

OK, INVALID_ARGS, BAD_STATE = Status.ZX_OK, Status.ZX_ERR_INVALID_ARGS, Status.ZX_ERR_BAD_STATE
BAD_HANDLE, WRONG_TYPE = Status.ZX_ERR_BAD_HANDLE, Status.ZX_ERR_WRONG_TYPE
ACCESS_DENIED, NOT_SUPPORTED = Status.ZX_ERR_ACCESS_DENIED, Status.ZX_ERR_NOT_SUPPORTED

READ, WRITE, EXECUTE = VmOption.PERM_READ, VmOption.PERM_WRITE, VmOption.PERM_EXECUTE
CAN_WRITE, UNKNOWN = VmOption.CAN_MAP_WRITE, 1 << 20


class Scene:
    """A process with a VMAR of 16 pages, of which 4 are mapped, and a VMO to map."""

    def __init__(
        self,
        *,
        handle: str = "vmar",  # "closed", or "process": of the wrong type
        rights: Right | None = None,  # taken away from the handle of the VMAR
        vmo: str = "paged",
        vmo_handle_is: str = "vmo",
        vmo_rights: Right | None = None,
        dead: bool = False,
    ) -> None:
        self.system = System(aslr_disabled=True)
        _, self.process, self.root = create_process(self.system)
        can = VmOption.CAN_MAP_READ | VmOption.CAN_MAP_WRITE | VmOption.CAN_MAP_EXECUTE
        _, self.vmar, self.base = zx_vmar_allocate(self.root, can | VmOption.CAN_MAP_SPECIFIC, 0, 16 * P)
        self.vmo = self._vmo(vmo)
        status, _, _ = zx_vmar_map(self.vmar, READ | WRITE | VmOption.SPECIFIC, 0, self._vmo("paged"), 0, 4 * P)
        assert status is OK
        if dead:
            assert zx_vmar_destroy(self.vmar) is OK
        self.vmar = self._weakened(self.vmar, rights, handle)
        self.vmo = self._weakened(self.vmo, vmo_rights, vmo_handle_is)

    def _vmo(self, kind: str) -> Handle:
        settings = {f"is_{kind}": True} if kind in ("resizable", "discardable") else {}
        of_kind = VmoKind.PHYSICAL if kind == "physical" else VmoKind.PAGED
        _, vmo = self.system.create_vmo(16 * P, of_kind, **settings)
        return vmo_handle(vmo, Right.EXECUTE)

    def _weakened(self, handle: Handle, missing: Right | None, kind: str) -> Handle:
        if kind == "process":
            return self.process
        _, weak = handle.duplicate(handle.rights & ~(missing or Right.NONE))
        if kind == "closed":
            weak.close()
        return weak


def allocate(*, options: int = 0, perm: int = 0, size: int = 4 * P, **scene: Any) -> Any:
    return zx_vmar_allocate(Scene(**scene).vmar, options | perm, 0, size)


def destroy(*, root: bool = False, **scene: Any) -> Any:
    at = Scene(**scene)
    if root and scene.get("rights"):
        return zx_vmar_destroy(at._weakened(at.root, scene["rights"], "vmar"))
    return zx_vmar_destroy(at.root if root else at.vmar)


def map_vmo(
    *, options: int = 0, perm: int = READ, extra: int = 0, align: int = 0, size: int = 4 * P, **scene: Any
) -> Any:
    at = Scene(**scene)
    return zx_vmar_map(at.vmar, options | perm | extra | align << 24, 0, at.vmo, 0, size)


def unmap(*, offset: int = 0, size: int = 4 * P, **scene: Any) -> Any:
    at = Scene(**scene)
    return zx_vmar_unmap(at.vmar, at.base + offset, size)


def protect(*, perm: int = READ, extra: int = 0, offset: int = 0, size: int = 4 * P, **scene: Any) -> Any:
    at = Scene(**scene)
    return zx_vmar_protect(at.vmar, perm | extra, at.base + offset, size)


def op_range(*, op: int = RangeOpType.COMMIT, size: int = 4 * P, **scene: Any) -> Any:
    at = Scene(**scene)
    return zx_vmar_op_range(at.vmar, op, at.base, size)


HANDLES: dict[str, tuple[Outcome, Facts]] = {
    "bad handle": (BAD_HANDLE, {"handle": "closed"}),
    "wrong type": (WRONG_TYPE, {"handle": "process"}),
}
ONE_HANDLE = {("bad handle", "wrong type"): "a closed handle has no type"}
DEAD: tuple[Outcome, Facts] = (BAD_STATE, {"dead": True})
FAULT_BEYOND, ALLOW_FAULTS = VmOption.FAULT_BEYOND_STREAM_SIZE, VmOption.ALLOW_FAULTS
TABLES = {
    "allocate": ErrorTable(
        allocate,
        {
            **HANDLES,
            "no right for a CAN_MAP bit": (ACCESS_DENIED, {"options": CAN_WRITE, "rights": Right.WRITE}),
            "PERM bit": (INVALID_ARGS, {"perm": READ}),
            "unknown bit": (INVALID_ARGS, {"perm": UNKNOWN}),
            "bad alignment": (INVALID_ARGS, {"perm": 9 << 24}),
            "dead": DEAD,
            "size 0": (INVALID_ARGS, {"size": 0}),
        },
        apart=ONE_HANDLE,
    ),
    "destroy": ErrorTable(
        destroy,
        {
            **HANDLES,
            "no OP_CHILDREN right": (ACCESS_DENIED, {"rights": Right.OP_CHILDREN}),
            "root VMAR": (NOT_SUPPORTED, {"root": True, "handle": "vmar", "dead": False}),
            "dead": (BAD_STATE, {"dead": True, "root": False}),
        },
        apart={**ONE_HANDLE, ("root VMAR", "dead"): "a dead root is not the root any more"},
    ),
    "map": ErrorTable(
        map_vmo,
        {
            **HANDLES,
            "bad handle of the VMO": (BAD_HANDLE, {"vmo_handle_is": "closed"}),
            "wrong type of the VMO": (WRONG_TYPE, {"vmo_handle_is": "process"}),
            "no MAP right": (ACCESS_DENIED, {"vmo_rights": Right.MAP}),
            "WRITE without READ": (INVALID_ARGS, {"perm": WRITE}),
            "EXECUTE without READ": (INVALID_ARGS, {"perm": EXECUTE}),
            "MAP_RANGE with OVERWRITE": (
                INVALID_ARGS,
                {"options": VmOption.MAP_RANGE | VmOption.SPECIFIC_OVERWRITE},
            ),
            "CAN_MAP bit": (INVALID_ARGS, {"extra": CAN_WRITE}),
            "permission that the VMAR's handle lacks": (
                ACCESS_DENIED,
                {"perm": READ | WRITE, "rights": Right.WRITE},
            ),
            "permission that the VMO's handle lacks": (
                ACCESS_DENIED,
                {"perm": READ | WRITE, "vmo_rights": Right.WRITE},
            ),
            "FAULT_BEYOND without ALLOW_FAULTS": (INVALID_ARGS, {"options": FAULT_BEYOND}),
            "FAULT_BEYOND on a physical VMO": (
                INVALID_ARGS,
                {"options": FAULT_BEYOND | ALLOW_FAULTS, "vmo": "physical"},
            ),
            "unknown bit": (INVALID_ARGS, {"extra": UNKNOWN}),
            "bad alignment": (INVALID_ARGS, {"align": 33}),
            "resizable with REQUIRE_NON_RESIZABLE": (
                NOT_SUPPORTED,
                {"options": VmOption.REQUIRE_NON_RESIZABLE, "vmo": "resizable"},
            ),
            "discardable without ALLOW_FAULTS": (NOT_SUPPORTED, {"options": 0, "vmo": "discardable"}),
            "COMPACT": (INVALID_ARGS, {"extra": VmOption.COMPACT}),
            "dead": DEAD,
            "size 0": (INVALID_ARGS, {"size": 0}),
        },
        apart={
            **ONE_HANDLE,
            ("bad handle of the VMO", "wrong type of the VMO"): "a closed handle has no type",
        },
    ),
    "unmap": ErrorTable(
        unmap,
        {**HANDLES, "misaligned": (INVALID_ARGS, {"offset": 1}), "dead": DEAD},
        apart=ONE_HANDLE,
    ),
    "protect": ErrorTable(
        protect,
        {
            **HANDLES,
            "no right for a permission": (ACCESS_DENIED, {"perm": WRITE, "rights": Right.WRITE}),
            "WRITE without READ": (INVALID_ARGS, {"perm": WRITE}),
            "misaligned": (INVALID_ARGS, {"offset": 1}),
            "CAN_MAP bit": (INVALID_ARGS, {"extra": CAN_WRITE}),
            "unknown bit": (INVALID_ARGS, {"extra": UNKNOWN}),
            "alignment": (INVALID_ARGS, {"extra": 12 << 24}),
            "dead": DEAD,
        },
        apart=ONE_HANDLE,
    ),
    "op_range": ErrorTable(
        op_range,
        {**HANDLES, "unknown operation": (INVALID_ARGS, {"op": 99}), "dead": DEAD},
        apart=ONE_HANDLE,
    ),
}
