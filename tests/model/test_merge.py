"""Merging: which neighbours become one mapping, and what stays the same."""

import pytest

from vmaspace.model.flags import MmuFlag, VmarFlag
from vmaspace.model.region import LifeCycleState, MemoryPriority
from vmaspace.model.status import AssertionViolation, Status

P = 0x1000
R, W = MmuFlag.PERM_READ, MmuFlag.PERM_WRITE


def mark(*mappings) -> None:
    for mapping in mappings:
        mapping.mark_mergeable()


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2), (0, 2, 1)])
def test_neighbours_that_continue_each_other_become_one(world, order) -> None:
    mappings = [world.map(page, 1, vmo_page=page) for page in range(3)]
    mark(*(mappings[index] for index in order))
    assert world.children() == [(0, 3)]
    (merged,) = world.root.subregions
    assert merged.mergeable and merged.is_alive() and merged.object_offset == 0
    assert world.vmo.mappings == (merged,)
    assert all(m.state is LifeCycleState.DEAD and m.vmo is None and m.parent is None for m in mappings)


def test_only_those_that_are_marked(world) -> None:
    left, right = world.map(0, 1), world.map(1, 1, vmo_page=1)
    mark(left)
    assert world.children() == [(0, 1), (1, 1)] and left.mergeable and not right.mergeable


@pytest.mark.parametrize(
    "other",
    [
        {"vmo_page": 2},
        {"page": 2, "vmo_page": 1},
        {"vmo": "another"},
        {"mmu": R},
        {"flags": VmarFlag.SPECIFIC | VmarFlag.CAN_MAP_EXECUTE},
    ],
    ids=str,
)
def test_any_difference_keeps_them_apart(world, other: dict) -> None:
    settings = {"page": 1, "vmo_page": 1, **other}
    if settings.get("vmo") == "another":
        settings["vmo"] = world.make_vmo(4)
    left, right = world.map(0, 1), world.map(settings.pop("page"), 1, **settings)
    mark(left, right)
    assert left.is_alive() and right.is_alive() and len(world.children()) == 2


def test_protection_may_differ_where_the_flags_agree(world) -> None:
    left, right = world.map(0, 2), world.map(2, 2, vmo_page=2)
    assert world.root.protect(world.addr(1), 2 * P, R) is Status.ZX_OK
    mark(left, right)
    (merged,) = world.root.subregions
    assert [int(mmu) for *_, mmu in merged.protection_ranges()] == [R | W, R, R | W]
    assert [low for low, *_ in merged.protection_ranges()] == [world.addr(page) for page in (0, 1, 3)]


def test_cache_policies_keep_them_apart(world) -> None:
    left = world.map(0, 1)
    world.vmo.cache_policy = MmuFlag.UNCACHED  # refused while it is mapped; merging checks it all the same
    right = world.map(1, 1, vmo_page=1)
    mark(left, right)
    assert len(world.children()) == 2


def test_a_vmar_in_between_or_around_keeps_them_apart(world) -> None:
    vmar = world.vmar(1, 1)
    left, inner = world.map(0, 1), world.map(0, 1, vmar=vmar, vmo_page=1)
    mark(left, inner)
    assert left.is_alive() and inner.is_alive()


def test_split_pieces_merge_with_what_fills_the_gap(world) -> None:
    world.map(0, 4)
    assert world.root.unmap(world.addr(1), 2 * P) is Status.ZX_OK
    mark(world.map(1, 2, vmo_page=1))
    assert world.children() == [(0, 4)]


@pytest.mark.parametrize("nth", [1, 2])
def test_without_memory_they_stay_as_they_are(world, nth: int) -> None:
    left, right = world.map(0, 1), world.map(1, 1, vmo_page=1)
    mark(left)
    world.system.heap.fail_next(nth)
    mark(right)
    assert left.is_alive() and right.is_alive() and right.mergeable
    assert world.vmo.mappings == (left, right)
    mark(right)
    assert world.children() == [(0, 2)]


def test_neighbours_have_one_priority(world) -> None:
    left, right = world.map(0, 1), world.map(1, 1, vmo_page=1)
    right.memory_priority = MemoryPriority.HIGH
    with pytest.raises(AssertionViolation, match="priority"):
        mark(left)
