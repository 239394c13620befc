"""The switches: what is implemented, and what is documented."""

import pytest

from vmaspace.model.flags import MmuFlag, Right, ShareOpt, VmarFlag, VmOption
from vmaspace.model.object.dispatcher import vmo_handle
from vmaspace.model.object.process import create_process
from vmaspace.model.object.syscalls import zx_vmar_map, zx_vmar_op_range
from vmaspace.model.status import AssertionViolation, Status
from vmaspace.model.system import System
from vmaspace.model.vmar_range_op import RangeOpType

P = 0x1000
R, X = MmuFlag.PERM_READ, MmuFlag.PERM_EXECUTE
SPECIFIC, OVERWRITE = VmarFlag.SPECIFIC, VmarFlag.SPECIFIC_OVERWRITE
LIMIT = VmarFlag.OFFSET_IS_UPPER_LIMIT


def unified_trio(system: System):
    arch = system.arch
    restricted = system.create_aspace(
        arch.user_aspace_base, arch.user_restricted_aspace_size, share_opt=ShareOpt.RESTRICTED
    )
    shared = system.create_aspace(arch.shared_base, arch.shared_size, share_opt=ShareOpt.SHARED)
    return system.create_unified_aspace(shared, restricted), restricted, shared


@pytest.mark.parametrize("part", [1, 2])
def test_documented_destroy_order(part: int) -> None:
    assert unified_trio(System())[part].destroy() is Status.ZX_OK
    system = System(switches=["documented_destroy_order"])
    trio = unified_trio(system)
    with pytest.raises(AssertionViolation, match="destroyed before its constituents"):
        trio[part].destroy()
    assert not trio[part].destroyed and trio[part].root.is_alive()
    assert [aspace.destroy() for aspace in trio] == [Status.ZX_OK] * 3
    _, restricted, shared = trio
    with pytest.raises(AssertionViolation, match="are not destroyed"):
        system.create_unified_aspace(shared, restricted)


def test_a_destroyed_constituent_is_accepted_as_implemented() -> None:
    system = System()
    unified, restricted, shared = unified_trio(system)
    unified.destroy()
    unified.release()
    restricted.destroy()
    assert system.create_unified_aspace(shared, restricted) is not None


@pytest.mark.parametrize("on", [False, True])
def test_documented_upper_limit_offset(make_world, on: bool) -> None:
    world = make_world(switches=["documented_upper_limit_offset"] if on else [])
    _, mapping = world.root.create_vm_mapping(8 * P, P, 0, LIMIT, world.vmo, 3 * P, R)
    assert mapping.object_offset == (3 * P if on else 0)
    assert world.map(20, 1, vmo_page=3).object_offset == 3 * P


@pytest.mark.parametrize("on", [False, True])
def test_documented_unmap_not_found(make_world, on: bool) -> None:
    world = make_world(switches=["documented_unmap_not_found"] if on else [])
    nothing = Status.ZX_ERR_NOT_FOUND if on else Status.ZX_OK
    assert world.root.unmap(world.addr(0), P) is nothing
    world.map(0, 1)
    assert world.root.unmap(world.addr(1), P) is nothing
    assert world.root.unmap(world.addr(0), 2 * P) is Status.ZX_OK
    vmar = world.vmar(4, 4)
    assert vmar.unmap(vmar.base, P) is nothing
    assert world.root.unmap(vmar.base, P) is Status.ZX_ERR_INVALID_ARGS


@pytest.mark.parametrize("on", [False, True])
def test_documented_length_aligned(make_world, on: bool) -> None:
    world = make_world(switches=["documented_length_aligned"] if on else [])
    expected = Status.ZX_ERR_INVALID_ARGS if on else Status.ZX_OK
    assert world.root.create_vm_mapping(0, P + 1, 0, SPECIFIC, world.vmo, 0, R)[0] is expected
    world.map(4, 2)
    assert world.root.protect(world.addr(4), P + 1, R) is expected
    assert world.root.unmap(world.addr(4), P + 1) is expected
    # After the VMO offset, before everything else.
    if on:
        dead = world.vmar(8, 4)
        dead.destroy()
        assert dead.create_vm_mapping(0, 1, 0, 0, world.vmo, 0, R)[0] is Status.ZX_ERR_INVALID_ARGS
        assert dead.unmap(dead.base, 1) is Status.ZX_ERR_INVALID_ARGS


@pytest.mark.parametrize("on", [False, True])
def test_documented_allocate_no_memory(make_world, on: bool) -> None:
    world = make_world(switches=["documented_allocate_no_memory"] if on else [])
    vmar = world.vmar(0, 4)
    world.map(1, 2, vmar=vmar)
    expected = Status.ZX_ERR_NO_MEMORY if on else Status.ZX_ERR_NO_RESOURCES
    assert vmar.create_sub_vmar(0, 2 * P, 0, 0)[0] is expected
    assert vmar.create_vm_mapping(0, 2 * P, 0, 0, world.vmo, 0, R)[0] is expected


def overwrite_with_code(world, page: int, pages_of_image: int | None = None):
    system = world.system
    size = system.vdso.code_size if pages_of_image is None else pages_of_image * P
    return world.root.create_vm_mapping(
        page * P, size, 0, OVERWRITE, system.create_vdso_vmo(), system.vdso.code_start, R | X
    )


def test_documented_overwrite_vdso(make_world) -> None:
    world = make_world(switches=["documented_overwrite_vdso"])
    world.map(16, 1)
    victim = world.map(32, 1)
    assert overwrite_with_code(world, 16, 1)[0] is Status.ZX_ERR_ACCESS_DENIED  # a misfit
    status, code = overwrite_with_code(world, 16)
    assert status is Status.ZX_OK and world.aspace.vdso_code_mapping is code
    assert overwrite_with_code(world, 32)[0] is Status.ZX_ERR_ACCESS_DENIED  # a second one
    assert victim.is_alive()
    world.vmar(40, 4)
    assert overwrite_with_code(world, 40)[0] is Status.ZX_ERR_INVALID_ARGS  # the VMAR comes first


@pytest.mark.parametrize("on", [False, True])
def test_documented_allow_faults(on: bool) -> None:
    system = System(switches=["documented_allow_faults"] if on else [])
    _, _, root = create_process(system)
    refused = Status.ZX_ERR_NOT_SUPPORTED if on else Status.ZX_OK
    short = Status.ZX_ERR_BUFFER_TOO_SMALL if on else Status.ZX_OK
    for (_, vmo), expected in (
        (system.create_vmo(4 * P), Status.ZX_OK),
        (system.create_vmo(4 * P, is_resizable=True), refused),
        (system.create_pager_vmo(4 * P), refused),
        (system.create_vmo(3 * P), short),
    ):
        assert zx_vmar_map(root, VmOption.PERM_READ, 0, vmo_handle(vmo), 0, 4 * P)[0] is expected
        options = VmOption.PERM_READ | VmOption.ALLOW_FAULTS
        assert zx_vmar_map(root, options, 0, vmo_handle(vmo), 0, 4 * P)[0] is Status.ZX_OK


@pytest.mark.parametrize("on", [False, True])
def test_documented_op_range_right(on: bool) -> None:
    system = System(switches=["documented_op_range_right"] if on else [])
    _, _, root = create_process(system)
    options = VmOption.PERM_READ | VmOption.PERM_WRITE
    _, base, _ = zx_vmar_map(root, options, 0, vmo_handle(system.create_vmo(4 * P)[1]), 0, 4 * P)
    _, reader = root.duplicate(root.rights & ~Right.WRITE)
    for op in RangeOpType:
        is_refused = on and op in (RangeOpType.COMMIT, RangeOpType.DECOMMIT)
        expected = Status.ZX_ERR_ACCESS_DENIED if is_refused else Status.ZX_OK
        assert zx_vmar_op_range(reader, op, base, 4 * P) is expected
        assert zx_vmar_op_range(root, op, base, 4 * P) is Status.ZX_OK
