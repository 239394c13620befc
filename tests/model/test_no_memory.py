"""Every allocation of every operation fails once: the status says so, and the state is as it should be."""

import pytest

from vmaspace.model.flags import MmuFlag, ShareOpt, VmarFlag
from vmaspace.model.object.process import create_process, create_shared_process
from vmaspace.model.object.syscalls import zx_vmar_allocate
from vmaspace.model.status import Status
from vmaspace.model.system import System

P = 0x1000
R, W = MmuFlag.PERM_READ, MmuFlag.PERM_WRITE


def picture(world) -> list:
    """Everything that can be seen below the root."""
    return [
        (
            region.base,
            region.size,
            region.is_mapping,
            region.state,
            region.protection_ranges() if region.is_mapping else None,
            region.object_offset if region.is_mapping else None,
            id(region),
        )
        for region, _ in world.root.descendants()
    ]


def build(world) -> None:
    world.map(0, 6)
    assert world.root.protect(world.addr(1), P, R) is Status.ZX_OK
    assert world.root.protect(world.addr(4), P, R) is Status.ZX_OK
    world.map(0, 3, vmar=world.vmar(8, 16))


OPERATIONS = {
    "allocate": (2, lambda w: w.root.create_sub_vmar(40 * P, P, 0, VmarFlag.SPECIFIC)[0]),
    "map": (3, lambda w: w.root.create_vm_mapping(40 * P, P, 0, VmarFlag.SPECIFIC, w.vmo, 0, R)[0]),
    "unmap the low end": (3, lambda w: w.root.unmap(w.addr(0), P)),
    "unmap the high end": (2, lambda w: w.root.unmap(w.addr(5), P)),
    "unmap the middle": (6, lambda w: w.root.unmap(w.addr(2), P)),
    "protect the middle": (1, lambda w: w.root.protect(w.addr(2), P, 0)),
    "protect the low end": (0, lambda w: w.root.protect(w.addr(0), P, 0)),
    "protect inside": (2, lambda w: w.root.protect(w.addr(9), P, 0)),
    "protect all": (0, lambda w: w.root.protect(w.addr(0), 6 * P, 0)),
    "destroy": (0, lambda w: w.root.subregions.front().destroy()),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_each_allocation_fails_once(make_world, name: str) -> None:
    allocations, operation = OPERATIONS[name]
    world = make_world()
    build(world)
    before = world.system.heap.allocations
    assert operation(world) is Status.ZX_OK
    assert world.system.heap.allocations - before == allocations
    for nth in range(1, world.system.heap.allocations - before + 1):
        world = make_world()
        build(world)
        seen, mappings = picture(world), world.vmo.mappings
        world.system.heap.fail_next(nth)
        assert operation(world) is Status.ZX_ERR_NO_MEMORY
        assert picture(world) == seen and world.vmo.mappings == mappings
        assert operation(world) is Status.ZX_OK


def test_a_failed_overwrite_may_have_removed_the_old_contents(make_world) -> None:
    outcomes = []
    for nth in range(1, 10):
        world = make_world()
        world.map(0, 2)
        world.map(2, 4, vmo_page=2)
        world.system.heap.fail_next(nth)
        status, _ = world.root.create_vm_mapping(P, 3 * P, 0, VmarFlag.SPECIFIC_OVERWRITE, world.vmo, 0, R)
        if world.system.heap.is_failure_pending:
            assert status is Status.ZX_OK and world.children() == [(0, 1), (1, 3), (4, 2)]
            break
        assert status is Status.ZX_ERR_NO_MEMORY
        outcomes.append(tuple(world.children()))
    whole, low_cut, all_cut = ((0, 2), (2, 4)), ((0, 1), (2, 4)), ((0, 1), (4, 2))
    assert outcomes == sorted(outcomes, key=[whole, low_cut, all_cut].index)
    assert set(outcomes) == {whole, low_cut, all_cut}


def test_a_failed_protection_keeps_what_lies_lower(make_world) -> None:
    world = make_world()
    first, second = world.map(0, 2), world.map(2, 2)
    world.system.heap.fail_next(2)
    assert world.root.protect(world.addr(1), 2 * P, R) is Status.ZX_ERR_NO_MEMORY
    assert len(first.protection_ranges()) == 2 and len(second.protection_ranges()) == 1


@pytest.mark.parametrize("nth", [1, 2])
def test_a_unified_aspace_without_memory_leaves_its_parts_alone(nth: int) -> None:
    system = System()
    arch = system.arch
    restricted = system.create_aspace(arch.user_aspace_base, 8 * P, share_opt=ShareOpt.RESTRICTED)
    shared = system.create_aspace(arch.shared_base, 8 * P, share_opt=ShareOpt.SHARED)
    system.heap.fail_next(nth)
    assert system.create_unified_aspace(shared, restricted) is None
    assert (shared.arch.references, restricted.arch.references) == (0, 0)
    assert len(system.aspaces) == 3


def test_processes_without_memory() -> None:
    system = System()
    _, prototype, _ = create_process(system, shared=True)
    count = len(system.aspaces)
    for nth in range(1, 6):
        system.heap.fail_next(nth)
        assert create_shared_process(prototype)[0] is Status.ZX_ERR_NO_MEMORY
        assert len(system.aspaces) == count
        assert prototype.dispatcher.state.share_count == 1
    system.heap.fail_next(0)
    assert create_shared_process(prototype)[0] is Status.ZX_OK


def test_a_handle_that_can_not_be_made_leaves_the_vmar() -> None:
    system = System()
    _, process, root = create_process(system)
    system.heap.fail_next(3)
    assert zx_vmar_allocate(root, 0, 0, P)[0] is Status.ZX_ERR_NO_MEMORY
    assert len(process.dispatcher.state.aspace.root.subregions) == 1
