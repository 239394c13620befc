"""Unmap and destruction: what goes, what stays, and as what."""

import pytest

from vmaspace.model.constants import MAX_U64
from vmaspace.model.flags import MmuFlag
from vmaspace.model.region import LifeCycleState
from vmaspace.model.status import AssertionViolation, Status
from vmaspace.model.vmo import CloneType

P = 0x1000
R, W = MmuFlag.PERM_READ, MmuFlag.PERM_WRITE


@pytest.mark.parametrize(
    ("low", "pages", "left"),
    [
        (2, 4, []),
        (0, 9, []),
        (2, 1, [(3, 3)]),
        (5, 1, [(2, 3)]),
        (3, 2, [(2, 1), (5, 1)]),
        (0, 3, [(3, 3)]),
        (5, 9, [(2, 3)]),
        (0, 2, [(2, 4)]),
        (6, 2, [(2, 4)]),
    ],
)
def test_unmap_of_one_mapping(world, low: int, pages: int, left: list) -> None:
    mapping = world.map(2, 4, vmo_page=7)
    assert world.root.unmap(world.addr(low), pages * P) is Status.ZX_OK
    assert world.children() == left
    if left == [(2, 4)]:
        assert mapping.is_alive() and not mapping.mergeable
        return
    # The original is dead, and the pieces are new objects that merge.
    assert mapping.state is LifeCycleState.DEAD and mapping.parent is None and mapping.vmo is None
    assert (mapping.base, mapping.size) == (world.addr(2), 4 * P)
    pieces = list(world.root.subregions)
    assert mapping not in pieces and set(world.vmo.mappings) == set(pieces)
    for piece in pieces:
        assert piece.is_alive() and piece.mergeable and piece.parent is world.root
        assert piece.object_offset == 7 * P + (piece.base - mapping.base)
        assert piece.flags == mapping.flags


def test_pieces_keep_their_protection(world) -> None:
    mapping = world.map(0, 6)
    for page in (1, 4):
        assert world.root.protect(world.addr(page), P, R) is Status.ZX_OK
    assert world.root.unmap(world.addr(2), 2 * P) is Status.ZX_OK
    left, right = world.root.subregions
    assert left.protection_ranges() == [
        (world.addr(0), world.addr(1), R | W),
        (world.addr(1), world.addr(2), R),
    ]
    assert right.protection_ranges() == [
        (world.addr(4), world.addr(5), R),
        (world.addr(5), world.addr(6), R | W),
    ]
    assert mapping.protection_ranges() == []


def test_unmap_of_several_and_of_nothing(world) -> None:
    for page in (0, 3, 6, 9):
        world.map(page, 2)
    assert world.root.unmap(world.addr(1), 9 * P) is Status.ZX_OK
    assert world.children() == [(0, 1), (10, 1)]
    assert world.root.unmap(world.addr(2), 4 * P) is Status.ZX_OK
    assert world.vmar(20, 4).unmap(world.addr(20), P) is Status.ZX_OK


@pytest.mark.parametrize(
    ("base", "size"),
    [(0, 0), (0, MAX_U64), (1, P), (-P, P), (0, 0x7FFFFFFFF000), (MAX_U64 & ~0xFFF, P)],
)
def test_unmap_refuses_bad_ranges(world, base: int, size: int) -> None:
    world.map(0, 2)
    assert world.root.unmap(world.addr(0) + base, size) is Status.ZX_ERR_INVALID_ARGS
    assert world.children() == [(0, 2)]


@pytest.mark.parametrize(
    ("low", "pages", "op_children", "status", "left"),
    [
        (2, 4, True, "ZX_OK", [(7, 1)]),
        (0, 9, True, "ZX_OK", []),
        (2, 4, False, "ZX_ERR_INVALID_ARGS", [(0, 2), (2, 4), (7, 1)]),
        (2, 3, True, "ZX_ERR_INVALID_ARGS", [(0, 2), (2, 4), (7, 1)]),
        (3, 3, True, "ZX_ERR_INVALID_ARGS", [(0, 2), (2, 4), (7, 1)]),
        (0, 3, True, "ZX_ERR_INVALID_ARGS", [(0, 2), (2, 4), (7, 1)]),
        (0, 2, False, "ZX_OK", [(2, 4), (7, 1)]),
    ],
)
def test_sub_vmars_go_whole_or_not_at_all(world, low, pages, op_children, status, left) -> None:
    world.map(0, 2)
    vmar = world.vmar(2, 4)
    inner = world.map(1, 1, vmar=vmar)
    world.map(7, 1)
    if left == [(7, 1)]:
        assert world.root.unmap(world.addr(0), 2 * P) is Status.ZX_OK
    assert world.root.unmap(world.addr(low), pages * P, op_children).name == status
    assert world.children() == left
    assert vmar.is_alive() is inner.is_alive() is ((2, 4) in left)


def test_a_dead_vmar_checks_its_arguments_first(world) -> None:
    vmar = world.vmar(0, 4)
    vmar.destroy()
    assert vmar.unmap(vmar.base, 0) is Status.ZX_ERR_INVALID_ARGS
    assert vmar.unmap(vmar.base, P) is Status.ZX_ERR_BAD_STATE
    assert vmar.protect(vmar.base, P, 3) is Status.ZX_ERR_BAD_STATE
    assert vmar.find_region(vmar.base) is None
    assert vmar.destroy() is Status.ZX_ERR_BAD_STATE
    assert vmar.enumerate_children(lambda *_: Status.ZX_ERR_NEXT) is Status.ZX_ERR_BAD_STATE
    assert (vmar.base, vmar.size, vmar.name) == (world.addr(0), 4 * P, "useralloc")


def test_destroying_a_tree(world) -> None:
    outer = world.vmar(0, 16)
    inner = world.vmar(4, 8, vmar=outer)
    mappings = [world.map(1, 1, vmar=outer), world.map(2, 1, vmar=inner), world.map(14, 1, vmar=outer)]
    assert outer.destroy() is Status.ZX_OK
    assert all(r.state is LifeCycleState.DEAD and r.parent is None for r in (outer, inner, *mappings))
    assert outer.subregions.is_empty() and inner.subregions.is_empty()
    assert world.root.is_alive() and world.root.subregions.is_empty()
    assert [m.destroy() for m in mappings] == [Status.ZX_ERR_BAD_STATE] * 3


def test_destroying_a_mapping(world) -> None:
    mapping = world.map(0, 1)
    assert mapping.destroy() is Status.ZX_OK
    assert mapping.vmo is None and world.root.subregions.is_empty() and not world.vmo.mappings
    mapping.mark_mergeable()  # silently nothing
    assert mapping.map_range(0, 0) is Status.ZX_ERR_INVALID_ARGS
    assert mapping.map_range(0, P) is Status.ZX_ERR_BAD_STATE


def test_enumeration_and_its_results(world) -> None:
    vmar = world.vmar(2, 4)
    world.map(0, 1)
    world.map(1, 1, vmar=vmar)
    seen: list = []

    def visit(region, depth: int) -> Status:
        seen.append((region.base // P - world.root.base // P, depth))
        return answers.get(len(seen), Status.ZX_ERR_NEXT)

    answers: dict[int, Status] = {}
    assert world.root.enumerate_children(visit) is Status.ZX_OK
    assert seen == [(0, 0), (0, 1), (2, 1), (3, 2)]
    for last, result in [
        (Status.ZX_ERR_STOP, Status.ZX_OK),
        (Status.ZX_OK, Status.ZX_OK),
        (Status.ZX_ERR_IO, Status.ZX_ERR_IO),
    ]:
        seen, answers = [], {2: last}
        assert world.root.enumerate_children(visit) is result
        assert len(seen) == 2


def test_splitting_asserts_its_preconditions(world) -> None:
    mapping = world.map(0, 4)
    for base, size in [(0, 0), (0, 4 * P), (0, 5 * P), (1, P), (P, 8)]:
        with pytest.raises(AssertionViolation):
            mapping.unmap_part(mapping.base + base, size)
    assert mapping.is_alive()


def test_map_range_leaves_out_what_a_mapping_to_be_written_only_may_not_show(world) -> None:
    assert world.vmo.write(0, b"x") is Status.ZX_OK
    status, snapshot = world.vmo.create_clone(CloneType.SNAPSHOT, 0, P)
    assert status is Status.ZX_OK and snapshot is not None  # from now on the page is shared, to be read only
    _, mapping = world.root.create_vm_mapping(0, P, 0, 0, world.vmo, 0, W | MmuFlag.PERM_USER)
    assert mapping.map_range(0, P) is Status.ZX_OK
    assert list(world.aspace.arch.translations()) == []


def test_map_range_checks_its_arguments(world) -> None:
    mapping = world.map(0, 4)
    assert mapping.map_range(0, 4 * P - 1) is Status.ZX_OK
    assert mapping.map_range(1, P) is Status.ZX_ERR_INVALID_ARGS
    assert mapping.map_range(P, 4 * P) is Status.ZX_ERR_INVALID_ARGS
    _, kernel = world.system.kernel_aspace.root.create_vm_mapping(0, P, 0, 1 << 10, world.vmo, 0, R)
    assert kernel.map_range(0, P) is Status.ZX_OK
    pinned = world.make_vmo(1)
    assert pinned.commit_range_pinned(0, P, True) is Status.ZX_OK
    _, kernel = world.system.kernel_aspace.root.create_vm_mapping(0, P, 0, 0, pinned, 0, R)
    pinned.cow_pages.pin_counts.clear()
    with pytest.raises(AssertionViolation, match="pinned"):
        kernel.map_range(0, P)
