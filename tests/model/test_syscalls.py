"""The system calls: handles, rights, options."""

import pytest

from vmaspace.model.constants import MAX_U64
from vmaspace.model.flags import Right, VmarFlag, VmOption
from vmaspace.model.object.dispatcher import Handle, vmo_handle
from vmaspace.model.object.process import create_process
from vmaspace.model.object.syscalls import (
    split_options,
    zx_vmar_allocate,
    zx_vmar_destroy,
    zx_vmar_map,
    zx_vmar_protect,
    zx_vmar_unmap,
)
from vmaspace.model.status import Status
from vmaspace.model.system import System

P = 0x1000
R, W, X = VmOption.PERM_READ, VmOption.PERM_WRITE, VmOption.PERM_EXECUTE
CAN_R, CAN_W, CAN_X = VmOption.CAN_MAP_READ, VmOption.CAN_MAP_WRITE, VmOption.CAN_MAP_EXECUTE


class Calls:
    """A process, and the calls on its root VMAR."""

    def __init__(self) -> None:
        self.system = System(aslr_disabled=True)
        _, self.process, self.root = create_process(self.system)
        self.vmo = self.make_vmo()

    def make_vmo(self, rights: Right = Right.EXECUTE, **settings) -> Handle:
        return vmo_handle(self.system.create_vmo(4 * P, **settings)[1], rights)

    def map(self, options: int, *, root: Handle | None = None, vmo: Handle | None = None, offset: int = 0):
        return zx_vmar_map(root or self.root, options, offset, vmo or self.vmo, 0, 4 * P)

    def with_rights(self, handle: Handle, rights: Right) -> Handle:
        return handle.duplicate(rights)[1]


@pytest.fixture
def calls() -> Calls:
    return Calls()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (R | VmOption.COMPACT, (VmarFlag.COMPACT, 8, 0)),
        (VmOption.FAULT_BEYOND_STREAM_SIZE | 12 << 24, (VmarFlag.FAULT_BEYOND_STREAM_SIZE, 0, 12)),
        (10 << 24, (0, 0, 10)),
        (32 << 24, (0, 0, 32)),
        (9 << 24, None),
        (33 << 24, None),
        (1 << 31, None),
        (1 << 16, None),
        (1 << 23, None),
        (1 << 32, None),
        (VmOption.MAP_RANGE, None),
        (MAX_U64, None),
    ],
)
def test_splitting_options(options: int, expected) -> None:
    split = split_options(options)
    got = None if split is None else (split.vmar_flags, split.mmu_flags, split.align_pow2)
    assert got == expected


def test_handles_close_once_and_duplicate_downwards(calls) -> None:
    handle = calls.with_rights(calls.vmo, Right.READ)
    assert handle.rights == Right.READ
    assert handle.duplicate(Right.READ)[0] is Status.ZX_ERR_ACCESS_DENIED
    assert calls.vmo.duplicate(Right.MANAGE_JOB)[0] is Status.ZX_ERR_INVALID_ARGS
    assert handle.close() is Status.ZX_OK and handle.close() is Status.ZX_ERR_BAD_HANDLE
    assert handle.duplicate(Right.READ)[0] is Status.ZX_ERR_BAD_HANDLE
    assert calls.map(R, vmo=handle)[0] is Status.ZX_ERR_BAD_HANDLE


def test_wrong_types(calls) -> None:
    wrong = Status.ZX_ERR_WRONG_TYPE
    assert zx_vmar_allocate(calls.vmo, 0, 0, P)[0] is wrong
    assert zx_vmar_destroy(calls.vmo) is wrong
    assert calls.map(R, root=calls.vmo)[0] is wrong and calls.map(R, vmo=calls.process)[0] is wrong
    assert zx_vmar_unmap(calls.vmo, 0, 0) is wrong and zx_vmar_protect(calls.vmo, R, 0, 0) is wrong


def test_allocate(calls) -> None:
    status, child, base = zx_vmar_allocate(calls.root, CAN_R | CAN_W, 0, 4 * P)
    assert status is Status.ZX_OK and child.dispatcher.vmar.base == base
    assert child.rights & Right.READ and child.rights & Right.WRITE and not child.rights & Right.EXECUTE
    assert child.rights & Right.OP_CHILDREN
    for options in (R | CAN_R, VmOption.SPECIFIC_OVERWRITE, 1 << 31, VmOption.MAP_RANGE, 1 << 20):
        assert zx_vmar_allocate(calls.root, options, 0, P)[0] is Status.ZX_ERR_INVALID_ARGS
    reader = calls.with_rights(calls.root, Right.READ)
    assert zx_vmar_allocate(reader, CAN_W | 1 << 31, 0, P)[0] is Status.ZX_ERR_ACCESS_DENIED


@pytest.mark.parametrize(
    ("options", "status"),
    [
        (R, "ZX_OK"),
        (0, "ZX_OK"),
        (W, "ZX_ERR_INVALID_ARGS"),
        (X, "ZX_ERR_INVALID_ARGS"),
        (X | VmOption.PERM_READ_IF_XOM_UNSUPPORTED, "ZX_OK"),
        (R | CAN_R, "ZX_ERR_INVALID_ARGS"),
        (R | VmOption.MAP_RANGE, "ZX_OK"),
        (R | VmOption.MAP_RANGE | VmOption.SPECIFIC_OVERWRITE, "ZX_ERR_INVALID_ARGS"),
        (R | VmOption.FAULT_BEYOND_STREAM_SIZE, "ZX_ERR_INVALID_ARGS"),
        (R | VmOption.FAULT_BEYOND_STREAM_SIZE | VmOption.ALLOW_FAULTS, "ZX_OK"),
        (R | VmOption.REQUIRE_NON_RESIZABLE, "ZX_OK"),
        (R | VmOption.COMPACT, "ZX_ERR_INVALID_ARGS"),
        (R | VmOption.CAN_MAP_SPECIFIC, "ZX_ERR_INVALID_ARGS"),
        (R | 1 << 31, "ZX_ERR_INVALID_ARGS"),
        (R | 1 << 16, "ZX_ERR_INVALID_ARGS"),
    ],
)
def test_options_of_map(calls, options: int, status: str) -> None:
    assert calls.map(options)[0].name == status


def test_rights_cap_a_mapping_now_and_later(calls) -> None:
    read_only = calls.with_rights(calls.vmo, Right.READ | Right.MAP)
    assert calls.map(R | W, vmo=read_only)[0] is Status.ZX_ERR_ACCESS_DENIED
    _, base, _ = calls.map(R, vmo=read_only)
    assert zx_vmar_protect(calls.root, R | W, base, P) is Status.ZX_ERR_ACCESS_DENIED
    _, base, _ = calls.map(R)
    assert zx_vmar_protect(calls.root, R | W | X, base, P) is Status.ZX_OK
    unmappable = calls.with_rights(calls.vmo, Right.READ)
    assert calls.map(W, vmo=unmappable)[0] is Status.ZX_ERR_ACCESS_DENIED


def test_vmos_that_may_change(calls) -> None:
    resizable, discardable = calls.make_vmo(is_resizable=True), calls.make_vmo(is_discardable=True)
    assert resizable.rights & Right.RESIZE
    assert calls.map(R | VmOption.REQUIRE_NON_RESIZABLE, vmo=resizable)[0] is Status.ZX_ERR_NOT_SUPPORTED
    assert calls.map(R, vmo=resizable)[0] is Status.ZX_OK
    assert calls.map(R, vmo=discardable)[0] is Status.ZX_ERR_NOT_SUPPORTED
    assert calls.map(R | VmOption.ALLOW_FAULTS, vmo=discardable)[0] is Status.ZX_OK


def test_mapped_neighbours_merge(calls) -> None:
    root = calls.root.dispatcher.vmar
    for page in (0, 1):
        status, base, _ = zx_vmar_map(calls.root, R | VmOption.SPECIFIC, page * P, calls.vmo, page * P, P)
        assert (status, base) == (Status.ZX_OK, root.base + page * P)
    assert [(child.size, child.mergeable) for child in root.subregions] == [(2 * P, True)]
    assert root.subregions.front().arch_mmu_flags_at(root.base) & 4  # a process maps for user mode


def test_protect(calls) -> None:
    _, base, _ = calls.map(R)
    reader = calls.with_rights(calls.root, Right.READ)
    assert zx_vmar_protect(reader, R | W, base + 1, P) is Status.ZX_ERR_ACCESS_DENIED
    for options, addr in [
        (W, base),
        (R, base + 1),
        (R | CAN_R, base),
        (R | 1 << 31, base),
        (R | 12 << 24, base),
    ]:
        assert zx_vmar_protect(calls.root, options, addr, P) is Status.ZX_ERR_INVALID_ARGS
    assert zx_vmar_protect(calls.root, 0, base, P) is Status.ZX_OK


def test_op_children(calls) -> None:
    _, child, base = zx_vmar_allocate(calls.root, CAN_R | CAN_W, 0, 4 * P)
    calls.map(R, root=child)
    weak = calls.with_rights(calls.root, calls.root.rights & ~Right.OP_CHILDREN)
    assert zx_vmar_protect(weak, R, base, 4 * P) is Status.ZX_ERR_INVALID_ARGS
    assert zx_vmar_unmap(weak, base, 4 * P) is Status.ZX_ERR_INVALID_ARGS
    assert zx_vmar_destroy(weak) is Status.ZX_ERR_ACCESS_DENIED
    assert zx_vmar_unmap(calls.root, base + 1, 4 * P) is Status.ZX_ERR_INVALID_ARGS
    assert zx_vmar_unmap(calls.root, base, 4 * P) is Status.ZX_OK
    assert zx_vmar_destroy(child) is Status.ZX_ERR_BAD_STATE


def test_the_root_goes_with_its_process_only(calls) -> None:
    assert zx_vmar_destroy(calls.root) is Status.ZX_ERR_NOT_SUPPORTED
    calls.process.close()
    assert zx_vmar_destroy(calls.root) is Status.ZX_ERR_BAD_STATE
    assert len(calls.system.aspaces) == 2  # the handle holds it
    calls.root.close()
    assert len(calls.system.aspaces) == 1


def test_closing_a_vmar_handle_leaves_the_vmar(calls) -> None:
    _, child, _ = zx_vmar_allocate(calls.root, 0, 0, P)
    vmar = child.dispatcher.vmar
    child.close()
    assert vmar.is_alive()
