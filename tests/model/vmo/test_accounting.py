"""Who pays for which page, which pages must stay, and in which queue each page is."""

from fractions import Fraction

import pytest

from vmaspace.model.page_queues import RECLAIM_QUEUES, PageQueue, PageQueues
from vmaspace.model.physical_memory import VmPage
from vmaspace.model.status import AssertionViolation, Status
from vmaspace.model.vmo import AttributionCounts, CloneType, RangeChangeOp, VmoKind

P = 0x1000
OK = Status.ZX_OK


def snapshot(vmo, pages: int):
    return vmo.create_clone(CloneType.SNAPSHOT, 0, pages * P)[1]


# Attribution.


def counts(vmo, offset: int = 0, size: int = 1 << 40) -> tuple[int, int, Fraction]:
    c = vmo.attributed_memory_in_range(offset, size)
    assert (c.compressed, c.private_compressed, c.scaled_compressed) == (0, 0, 0)
    return c.uncompressed // P, c.private_uncompressed // P, c.scaled_uncompressed / P


def test_shared_pages_count_for_each_and_are_charged_in_parts(make) -> None:
    vmo = make(3)
    vmo.write(0, b"A" * 3 * P)
    assert counts(vmo) == (3, 3, 3)
    clone = snapshot(vmo, 3)
    assert counts(vmo) == counts(clone) == (3, 0, Fraction(3, 2))
    vmo.write(0, b"B")
    clone.write(P, b"B")
    assert counts(vmo) == counts(clone) == (3, 2, Fraction(5, 2))
    third = snapshot(vmo, 3)
    assert counts(clone) == (3, 2, 2 + Fraction(1, 3))
    assert counts(third) == counts(vmo) == (3, 0, 1 + Fraction(1, 3))
    assert counts(clone, P, P) == (1, 1, 1) and counts(clone, 2 * P, P) == (1, 0, Fraction(1, 3))


def test_the_shares_of_a_page_add_up_exactly(make) -> None:
    vmo = make(1)
    vmo.write(0, b"A")
    clones = [snapshot(vmo, 1) for _ in range(6)]
    assert sum(counts(v)[2] for v in (vmo, *clones)) == 1
    assert counts(vmo)[2] == Fraction(1, 7)


def test_references_and_slices_cost_nothing_beside_their_vmo(make) -> None:
    vmo = make(2)
    vmo.write(0, b"A" * 2 * P)
    _, reference = vmo.create_child_reference()
    _, part = vmo.create_child_slice(0, P)
    assert (counts(vmo), counts(reference), counts(part)) == ((2, 2, 2), (0, 0, 0), (0, 0, 0))
    vmo.release()
    assert counts(reference) == (2, 2, 2) and counts(part) == (0, 0, 0)


def test_pages_of_a_pager_are_its_vmos(system, make) -> None:
    _, vmo = system.create_pager_vmo(2 * P)
    vmo.supply_pages(0, 2 * P, make(2))
    _, clone = vmo.create_clone(CloneType.SNAPSHOT_AT_LEAST_ON_WRITE, 0, 2 * P)
    clone.write(0, b"mine")
    assert (counts(vmo), counts(clone)) == ((2, 2, 2), (1, 1, 1))


def test_other_kinds(make) -> None:
    assert counts(make(3, kind=VmoKind.CONTIGUOUS)) == (3, 3, 3)
    assert counts(make(3, kind=VmoKind.PHYSICAL)) == (0, 0, 0)
    assert make(3).attributed_memory() == AttributionCounts()


def test_counts_add_up() -> None:
    one = AttributionCounts(8, 4, Fraction(6), 2, 1, Fraction(3, 2))
    assert one + one == AttributionCounts(16, 8, Fraction(12), 4, 2, Fraction(3))
    assert (one.total, one.total_private, one.total_scaled) == (10, 5, Fraction(15, 2))


# Mappings and address spaces.


@pytest.mark.parametrize(
    ("aspaces", "count"),
    [([], 1), ([0], 1), ([0, 0], 1), ([0, 1], 2), ([0, 1, 0, 2], 3), (range(64), 64), ([*range(64), 0], 64)],
)
def test_share_count_is_the_number_of_address_spaces(make, listen, aspaces, count: int) -> None:
    vmo, objects = make(1), [object() for _ in range(64)]
    for aspace in aspaces:
        listen(vmo, objects[aspace])
    assert vmo.share_count() == count


def test_share_count_is_an_estimate_beyond_64(make, listen) -> None:
    vmo, objects = make(1), [object() for _ in range(65)]
    for aspace in objects:
        listen(vmo, aspace)
    assert vmo.share_count() == 65
    listen(vmo, objects[0])
    assert vmo.share_count() == 66  # one too many


# Priority.


def test_priority_is_of_the_pages(make) -> None:
    vmo = make(2)
    _, part = vmo.create_child_slice(0, P)
    _, reference = vmo.create_child_reference()
    clone = snapshot(vmo, 2)
    vmo.change_high_priority_count(1)
    assert [v.is_high_priority for v in (vmo, part, reference, clone)] == [True, True, True, False]
    reference.change_high_priority_count(1)
    vmo.change_high_priority_count(-1)
    assert part.high_priority_count == 1
    part.change_high_priority_count(-1)
    assert not vmo.is_high_priority
    with pytest.raises(AssertionViolation, match="not negative"):
        vmo.change_high_priority_count(-1)


def test_hidden_parents_know_of_their_childrens_priority(make) -> None:
    vmo = make(1)
    vmo.change_high_priority_count(2)
    clone = snapshot(vmo, 1)
    hidden = vmo.cow_pages.parent
    assert (hidden.high_priority_count, clone.high_priority_count) == (1, 0)
    clone.change_high_priority_count(1)
    vmo.change_high_priority_count(-2)
    assert (hidden.high_priority_count, clone.is_high_priority, vmo.is_high_priority) == (1, True, False)
    second = snapshot(clone, 1)
    vmo.release()
    assert clone.cow_pages.parent.high_priority_count == 1 and not second.is_high_priority
    clone.change_high_priority_count(-1)
    assert clone.cow_pages.parent.high_priority_count == 0


def test_a_pagers_pages_follow_the_priority_of_clones(system, make) -> None:
    _, vmo = system.create_pager_vmo(P)
    vmo.supply_pages(0, P, make(1))
    page = vmo.cow_pages.pages[0]
    _, clone = vmo.create_clone(CloneType.SNAPSHOT_AT_LEAST_ON_WRITE, 0, P)
    clone.change_high_priority_count(1)
    assert page.queue == PageQueue.HIGH_PRIORITY and vmo.is_high_priority
    clone.change_high_priority_count(-1)
    assert page.queue == system.page_queues.mru_queue


# Queues.


def test_only_what_a_pager_supplies_again_is_reclaimed(system, make, listen) -> None:
    _, vmo = system.create_pager_vmo(4 * P)
    vmo.supply_pages(0, 3 * P, make(3))
    vmo.write(0, b"dirty")
    vmo.commit_range_pinned(P, P, False)
    mapping, pages = listen(vmo), vmo.cow_pages
    assert [pages.reclaim_page(page * P) for page in range(4)] == [False, False, True, False]
    assert mapping.heard == [(RangeChangeOp.UNMAP_AND_HARVEST, 2, 1)] and sorted(pages.pages) == [0, P]
    anonymous = make(1)
    anonymous.write(0, b"a")
    assert not anonymous.cow_pages.reclaim_page(0)


def test_a_page_that_was_used_meanwhile_stays(system, make, listen) -> None:
    _, vmo = system.create_pager_vmo(P)
    vmo.supply_pages(0, P)
    page, queues = vmo.cow_pages.pages[0], system.page_queues
    queues.rotate_reclaim_queues()
    mapping = listen(vmo)
    mapping.aspace_unmap_locked_object = lambda *_: queues.mark_accessed(page)
    assert not vmo.cow_pages.reclaim_page(0) and queues.age(page) == 0
    mapping.aspace_unmap_locked_object = lambda *_: None
    assert vmo.cow_pages.reclaim_page(0)


def test_high_priority_keeps_pages(system, make) -> None:
    _, vmo = system.create_pager_vmo(P)
    vmo.supply_pages(0, P, make(1))
    vmo.change_high_priority_count(1)
    assert not vmo.cow_pages.reclaim_page(0)
    vmo.change_high_priority_count(-1)
    assert vmo.cow_pages.reclaim_page(0)


def test_pages_that_go_have_no_priority(make) -> None:
    vmo = make(1)
    vmo.change_high_priority_count(1)
    with pytest.raises(AssertionViolation, match="no high priority"):
        vmo.release()


def test_pages_are_in_the_queue_of_their_kind(make, system) -> None:
    vmo = make(2)
    vmo.commit_range(0, 2 * P)
    vmo.commit_range_pinned(0, P, True)
    first, second = vmo.cow_pages.pages.values()
    assert (first.queue, second.queue) == (PageQueue.WIRED, PageQueue.ANONYMOUS)
    vmo.unpin(0, P)
    assert first.queue == PageQueue.ANONYMOUS and system.page_queues.counts[PageQueue.ANONYMOUS] == 2
    vmo.release()
    assert sum(system.page_queues.counts) == 0


def test_an_access_makes_a_page_young_again() -> None:
    queues, page = PageQueues(), VmPage(0)
    queues.set_reclaim(page)
    before = page.queue
    queues.mark_accessed(page)
    assert page.queue == before and queues.age(page) == 0
    queues.rotate_reclaim_queues()
    assert page.queue == before and queues.age(page) == 1
    queues.mark_accessed(page)
    assert page.queue == queues.mru_queue != before and queues.age(page) == 0


def test_only_aged_pages_get_younger() -> None:
    queues = PageQueues()
    for queue in PageQueue.ANONYMOUS, PageQueue.WIRED, PageQueue.PAGER_BACKED_DIRTY, PageQueue.HIGH_PRIORITY:
        page = VmPage(0)
        queues.set(page, queue)
        queues.mark_accessed(page)
        assert page.queue == queue and queues.age(page) is None
    page = VmPage(0)
    queues.set(page, PageQueue.RECLAIM_ISOLATE)
    queues.mark_accessed(page)
    assert queues.age(page) == 0


def test_a_page_grows_no_older_than_there_are_queues() -> None:
    queues, old, young = PageQueues(), VmPage(0), VmPage(P)
    queues.set_reclaim(old)
    ages = []
    for _ in range(RECLAIM_QUEUES + 2):
        ages.append(queues.age(old))
        queues.rotate_reclaim_queues()
    assert ages == [0, 1, 2, 3, 4, 5, 6, 7, 7, 7]
    queues.set_reclaim(young)
    assert (queues.age(old), queues.age(young)) == (7, 0)
    queues.remove(old)
    assert queues.counts[young.queue] == sum(queues.counts) == 1
    with pytest.raises(AssertionViolation, match="queue"):
        queues.remove(old)
