"""Snapshots, slices and references: what may be made of what, and what each shows."""

import pytest

from vmaspace.model.locks import LockOrder, Mutex
from vmaspace.model.status import AssertionViolation, Status
from vmaspace.model.vmo import CloneType, RangeChangeOp, VmoKind
from vmaspace.model.vmo.kinds import MAX_VMO_SIZE

P = 0x1000
OK, ARGS, RANGE = Status.ZX_OK, Status.ZX_ERR_INVALID_ARGS, Status.ZX_ERR_OUT_OF_RANGE
STATE, UNSUPPORTED = Status.ZX_ERR_BAD_STATE, Status.ZX_ERR_NOT_SUPPORTED
SNAPSHOT, ON_WRITE, MODIFIED = CloneType


@pytest.fixture
def make_pager(system):
    def create(pages: int, **settings):
        return system.create_pager_vmo(pages * P, **settings)[1]

    return create


@pytest.mark.parametrize("type", CloneType)
def test_every_clone_of_an_anonymous_vmo_is_a_snapshot(make, type: CloneType) -> None:
    vmo = make(2)
    vmo.write(0, b"old")
    _, clone = vmo.create_clone(type, 0, 2 * P)
    vmo.write(0, b"new")
    assert clone.read(0, 3) == (OK, b"old") and vmo.read(0, 3) == (OK, b"new")
    clone.write(P, b"mine")
    assert vmo.read(P, 4) == (OK, bytes(4))


def test_a_clone_may_reach_beyond_its_parent(make) -> None:
    vmo = make(2)
    vmo.write(P, b"end")
    _, clone = vmo.create_clone(SNAPSHOT, P, 4 * P + 1)
    assert (clone.size, clone.get_stream_size()) == (5 * P, 4 * P + 1)
    assert clone.read(0, 3) == (OK, b"end") and clone.read(P, 4 * P) == (OK, bytes(4 * P))
    assert clone.write(3 * P, b"own") is OK


def test_a_clone_beyond_everything_is_zeros(make) -> None:
    _, clone = make(1).create_clone(SNAPSHOT, 7 * P, P)
    assert clone.read(0, P) == (OK, bytes(P))


def test_what_can_not_be_cloned(make) -> None:
    vmo = make(2)
    assert vmo.create_clone(SNAPSHOT, 1, P) == (ARGS, None)
    assert vmo.create_clone(SNAPSHOT, P, MAX_VMO_SIZE) == (RANGE, None)
    assert vmo.create_clone(SNAPSHOT, MAX_VMO_SIZE, P) == (RANGE, None)
    assert make(2, is_discardable=True).create_clone(SNAPSHOT, 0, P) == (UNSUPPORTED, None)
    assert make(2, kind=VmoKind.CONTIGUOUS).create_clone(SNAPSHOT, 0, P) == (UNSUPPORTED, None)
    vmo.commit_range_pinned(P, P, True)
    assert vmo.create_clone(SNAPSHOT, 0, P) == (STATE, None)


@pytest.mark.parametrize("nth", [1, 2, 3])
def test_a_clone_without_memory_changes_nothing(make, system, nth: int) -> None:
    vmo = make(1)
    vmo.write(0, b"a")
    system.heap.fail_next(nth)
    assert vmo.create_clone(SNAPSHOT, 0, P) == (Status.ZX_ERR_NO_MEMORY, None)
    assert vmo.num_children == 0 and vmo.cow_pages.parent is None


def test_the_first_writer_copies_and_the_second_takes_the_page(make, system) -> None:
    vmo = make(1)
    vmo.write(0, b"page")
    page = vmo.cow_pages.pages[0]
    _, clone = vmo.create_clone(SNAPSHOT, 0, P)
    vmo.write(0, b"PAGE")
    assert vmo.cow_pages.pages[0] is not page and system.pmm.allocated_count == 2
    clone.write(1, b"A")
    assert clone.cow_pages.pages[0] is page and system.pmm.allocated_count == 2


def test_a_fork_without_memory_leaves_the_page_shared(make, system) -> None:
    vmo = make(1)
    vmo.write(0, b"page")
    _, clone = vmo.create_clone(SNAPSHOT, 0, P)
    system.pmm.fail_next()
    assert clone.write(0, b"x") is Status.ZX_ERR_NO_MEMORY
    assert clone.read(0, 4) == (OK, b"page")
    assert clone.cow_pages.parent.pages[0].share_count == 1


def test_children_of_a_closed_parent_are_its_parents(make) -> None:
    top = make(1)
    _, middle = top.create_clone(SNAPSHOT, 0, P)
    _, low = middle.create_clone(SNAPSHOT, 0, P)
    assert (top.num_children, middle.num_children) == (1, 1)
    middle.release()
    assert low.parent is top and list(top.children) == [low]
    low.release()
    assert top.num_children == 0


def test_a_family_has_one_lock(make, system) -> None:
    vmo = make(2)
    clone = vmo.create_clone(SNAPSHOT, 0, P)[1]
    family = [clone, vmo.create_child_slice(0, P)[1], clone.create_child_reference()[1]]
    assert {member.lock for member in family} == {vmo.lock} and make(1).lock is not vmo.lock
    with vmo.lock, pytest.raises(AssertionViolation, match="VmObject is taken"):
        clone.read(0, 1)
    with pytest.raises(AssertionViolation, match="before"), Mutex(system.held_locks, LockOrder.ARCH, "arch"):
        vmo.commit_range(0, P)
    assert not system.held_locks.stack


# Slices.


def test_a_slice_is_a_window(make) -> None:
    vmo = make(4)
    _, part = vmo.create_child_slice(P, 2 * P)
    part.write(0, b"slice")
    assert vmo.read(P, 5) == (OK, b"slice") and part.size == 2 * P
    assert part.read(P, P + 1) == (RANGE, b"")
    _, inner = part.create_child_slice(P, P)
    vmo.write(2 * P, b"deep")
    assert inner.read(0, 4) == (OK, b"deep")
    assert part.decommit_range(0, P) is OK and vmo.read(P, 5) == (OK, bytes(5))


def test_what_can_not_be_sliced(make) -> None:
    vmo = make(2)
    assert vmo.create_child_slice(1, P)[0] is vmo.create_child_slice(0, 1)[0] is ARGS
    assert vmo.create_child_slice(P, 2 * P) == (ARGS, None)
    assert make(2, is_resizable=True).create_child_slice(0, P) == (UNSUPPORTED, None)
    assert make(2, is_discardable=True).create_child_slice(0, P) == (UNSUPPORTED, None)
    assert make(2, kind=VmoKind.CONTIGUOUS).create_child_slice(0, P)[0] is OK
    assert vmo.create_child_slice(0, P)[1].resize(0) is Status.ZX_ERR_UNAVAILABLE


def test_a_clone_of_a_slice_ends_with_the_slice(make) -> None:
    vmo = make(3)
    vmo.write(0, b"a" * 3 * P)
    _, part = vmo.create_child_slice(P, P)
    _, clone = part.create_clone(SNAPSHOT, 0, 2 * P)
    assert clone.read(0, 2 * P) == (OK, b"a" * P + bytes(P))


def test_a_slice_outlives_what_it_was_made_of(make, system) -> None:
    vmo = make(2)
    vmo.write(P, b"kept")
    _, part = vmo.create_child_slice(P, P)
    vmo.release()
    assert part.read(0, 4) == (OK, b"kept")
    part.release()
    assert system.pmm.allocated_count == 0


# References.


def test_a_reference_is_the_same_vmo_under_another_name(make) -> None:
    vmo = make(2, is_resizable=True)
    _, reference = vmo.create_child_reference(is_resizable=True)
    _, fixed = vmo.create_child_reference()
    reference.write(0, b"both")
    assert vmo.read(0, 4) == fixed.read(0, 4) == (OK, b"both")
    assert reference.resize(P + 1) is OK
    assert vmo.size == fixed.size == 2 * P and vmo.get_stream_size() == fixed.get_stream_size() == P + 1
    assert fixed.resize(P) is Status.ZX_ERR_UNAVAILABLE


def test_what_can_not_be_referred_to(make) -> None:
    vmo = make(1)
    assert vmo.create_child_reference(0, P)[0] is vmo.create_child_reference(P, 0)[0] is ARGS
    assert vmo.create_child_reference(is_resizable=True) == (UNSUPPORTED, None)
    assert make(1, kind=VmoKind.CONTIGUOUS).create_child_reference() == (UNSUPPORTED, None)
    assert make(1, is_discardable=True).create_child_reference() == (UNSUPPORTED, None)


def test_the_mappings_of_references_hear_of_changes(make, listen) -> None:
    vmo = make(1)
    _, reference = vmo.create_child_reference()
    _, nested = reference.create_child_reference()
    vmo.write(0, b"a")
    heard = listen(nested)
    reference.release()
    assert vmo.decommit_range(0, P) is OK
    assert heard.heard == [(RangeChangeOp.UNMAP, 0, 1)]


# Clones of pager-backed VMOs.


def test_a_pager_stands_against_full_snapshots(make_pager) -> None:
    vmo = make_pager(2)
    assert vmo.create_clone(SNAPSHOT, 0, P) == (UNSUPPORTED, None)
    _, child = vmo.create_clone(ON_WRITE, 0, 2 * P)
    assert child.create_clone(SNAPSHOT, 0, P) == (UNSUPPORTED, None)
    assert child.create_clone(MODIFIED, 0, P)[0] is OK
    _, grandchild = child.create_clone(ON_WRITE, 0, P)
    assert child.create_clone(MODIFIED, 0, P) == (UNSUPPORTED, None)  # it has a child that sees through
    assert grandchild.create_clone(MODIFIED, 0, P) == (UNSUPPORTED, None)  # not a child of the pager's


def test_snapshot_modified_keeps_what_the_child_changed(make, make_pager) -> None:
    vmo, aux = make_pager(2), make(2)
    aux.write(0, b"disk")
    vmo.supply_pages(0, 2 * P, aux)
    _, child = vmo.create_clone(MODIFIED, 0, 2 * P)
    child.write(P, b"mine")
    _, snapshot = child.create_clone(MODIFIED, 0, 2 * P)
    child.write(P, b"MINE")
    vmo.write(0, b"DISK")
    assert snapshot.read(P, 4) == (OK, b"mine")
    assert snapshot.read(0, 4) == child.read(0, 4) == (OK, b"DISK")  # at least on write: it may show


def test_pinned_pages_stand_against_snapshot_modified(make, make_pager) -> None:
    vmo, aux = make_pager(1), make(1)
    vmo.supply_pages(0, P, aux)
    _, child = vmo.create_clone(ON_WRITE, 0, P)
    assert child.commit_range_pinned(0, P, True) is OK
    assert child.create_clone(MODIFIED, 0, P) == (STATE, None)


def test_a_clone_sees_no_more_of_a_parent_that_got_shorter(make, make_pager, listen) -> None:
    vmo, aux = make_pager(2, is_resizable=True), make(2)
    aux.write(0, b"a" * 2 * P)
    vmo.supply_pages(0, 2 * P, aux)
    _, child = vmo.create_clone(ON_WRITE, 0, 2 * P)
    heard = listen(child)
    assert child.read(P, 1) == (OK, b"a")
    vmo.resize(P)
    assert heard.heard == [(RangeChangeOp.UNMAP, 1, 1)] and child.read(P, 1) == (OK, b"\0")
    vmo.resize(2 * P)
    vmo.write(P, b"b")
    assert child.read(P, 1) == (OK, b"\0")


def test_pages_of_a_closed_pager_vmo_stay_for_its_clones(make, make_pager, system) -> None:
    vmo, aux = make_pager(1), make(1)
    aux.write(0, b"disk")
    vmo.supply_pages(0, P, aux)
    aux.release()
    _, child = vmo.create_clone(ON_WRITE, 0, P)
    vmo.release()
    assert child.read(0, 4) == (OK, b"disk")
    child.release()
    assert system.pmm.allocated_count == 0
