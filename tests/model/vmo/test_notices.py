"""What mappings are told when the pages that they show change."""

import pytest

from vmaspace.model.status import Status
from vmaspace.model.system import System
from vmaspace.model.vmo import CloneType, RangeChangeOp, VmCowPages, VmoKind

P = 0x1000
OK = Status.ZX_OK
UNMAP, UNMAP_ZERO_PAGE, _, REMOVE_WRITE, DEBUG_UNPIN = RangeChangeOp

# A snapshot of 16 pages owns 4, 5, 6, 10, 11 and 12. (what is unmapped in the parent, what the snapshot hears)
SKIPPED = [
    ((0, 1), (0, 1)),
    ((4, 1), None),
    ((4, 3), None),
    ((6, 1), None),
    ((3, 2), (3, 1)),
    ((6, 2), (7, 1)),
    ((4, 9), (7, 3)),
    ((3, 10), (3, 7)),
    ((4, 10), (7, 7)),
    ((3, 11), (3, 11)),
]


def snapshot_with_own_pages(vmo):
    vmo.commit_range(0, 16 * P)
    _, clone = vmo.create_clone(CloneType.SNAPSHOT, 0, 16 * P)
    for page in (4, 5, 6, 10, 11, 12):
        clone.write(page * P, b"x")
    return clone


@pytest.mark.parametrize(("told", "heard"), SKIPPED)
def test_own_pages_at_the_ends_are_skipped(make, listen, told, heard) -> None:
    vmo = make(16)
    mapping = listen(snapshot_with_own_pages(vmo))
    first, pages = told
    vmo.range_change_update(first * P, pages * P, UNMAP)
    assert mapping.heard == ([] if heard is None else [(UNMAP, *heard)])


def test_a_tree_that_tells_everything_is_seen(listen) -> None:
    class TellsEverything(VmCowPages):
        __slots__ = ()

        def range_change_update(self, offset, size, op):
            for node in (self, *self.children):
                for vmo in node.paged_refs:
                    vmo.update_mappings_for_cow(offset, size, op)

    class Faulty(System):
        cow_pages_class = TellsEverything

    with pytest.raises(AssertionError):
        test_own_pages_at_the_ends_are_skipped(
            lambda pages: Faulty().create_vmo(pages * P)[1], listen, (4, 1), None
        )


def test_a_snapshot_takes_write_away(make, listen) -> None:
    vmo = make(4)
    vmo.commit_range(0, 4 * P)
    mapping = listen(vmo)
    vmo.create_clone(CloneType.SNAPSHOT, P, 2 * P)
    assert mapping.heard == [(REMOVE_WRITE, 1, 2)]


def test_a_first_write_removes_the_zero_page(make, listen) -> None:
    vmo = make(4)
    mapping = listen(vmo)
    vmo.write(P, b"a")
    vmo.write(P, b"b")
    assert mapping.heard == [(UNMAP_ZERO_PAGE, 1, 1)]


def test_a_fork_removes_the_shared_page_and_a_move_nothing(make, listen) -> None:
    vmo = make(1)
    vmo.write(0, b"a")
    _, clone = vmo.create_clone(CloneType.SNAPSHOT, 0, P)
    mine, other = listen(vmo), listen(clone)
    vmo.write(0, b"b")
    clone.write(0, b"c")
    assert (mine.heard, other.heard) == ([(UNMAP, 0, 1)], [])


def test_children_that_see_through_hear_of_their_parents_writes(make, system, listen) -> None:
    _, vmo = system.create_pager_vmo(4 * P)
    vmo.supply_pages(0, 4 * P, make(4))
    _, child = vmo.create_clone(CloneType.SNAPSHOT_AT_LEAST_ON_WRITE, P, 2 * P)
    _, low = child.create_clone(CloneType.SNAPSHOT_AT_LEAST_ON_WRITE, 0, 2 * P)
    child.write(P, b"mine")
    heard = listen(child), listen(low)
    child.write(0, b"a")
    assert [m.heard for m in heard] == [[(UNMAP, 0, 1)], [(UNMAP, 0, 1)]]


@pytest.mark.parametrize("through", ["reference", "slice", "vmo"])
def test_whoever_shows_the_pages_hears(make, listen, through: str) -> None:
    vmo = make(4, is_resizable=through != "slice")
    vmo.commit_range(0, 4 * P)
    shower = {
        "reference": lambda: vmo.create_child_reference()[1],
        "slice": lambda: vmo.create_child_slice(P, 2 * P)[1],
        "vmo": lambda: vmo,
    }[through]()
    mapping = listen(shower)
    assert vmo.decommit_range(0, 2 * P) is OK
    assert mapping.heard == [(UNMAP, 0, 1 if through == "slice" else 2)]
    mapping.heard.clear()
    if through == "slice":
        vmo.zero_range(3 * P, P)
        assert mapping.heard == []
    else:
        vmo.resize(P)
        assert mapping.heard == [(UNMAP, 1, 3)]


def test_zeroing_unmaps_what_is_given_back_only(make, listen) -> None:
    vmo = make(3)
    vmo.commit_range_pinned(0, P, True)
    mapping = listen(vmo)
    vmo.zero_range(0, P)
    assert mapping.heard == []
    vmo.unpin(0, P)
    vmo.zero_range(0, 2 * P)
    assert mapping.heard == [(DEBUG_UNPIN, 0, 1), (UNMAP, 0, 2)]


def test_zeroing_beside_a_pinned_page_unmaps_what_was_shared(make, listen) -> None:
    vmo = make(3)
    vmo.write(0, b"a" * 3 * P)
    _, clone = vmo.create_clone(CloneType.SNAPSHOT, 0, 3 * P)
    clone.commit_range_pinned(P, P, True)
    mapping = listen(clone)
    assert clone.zero_range(0, 3 * P) is OK
    assert mapping.heard == [(UNMAP, 0, 1), (UNMAP, 2, 1)]
    assert clone.read(0, 3 * P) == (OK, bytes(3 * P)) and vmo.read(0, 3 * P) == (OK, b"a" * 3 * P)


def test_other_kinds_tell_their_mappings_too(make, listen) -> None:
    vmo = make(2, kind=VmoKind.PHYSICAL)
    mapping = listen(vmo)
    vmo.range_change_update(0, P, UNMAP)
    assert mapping.heard == [(UNMAP, 0, 1)]
