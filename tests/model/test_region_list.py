"""The list of children, its assertions, and the tree behind it with its summaries of gaps."""

import random
from itertools import pairwise

import pytest

from vmaspace.model.constants import MAX_U64
from vmaspace.model.region_list import RegionList
from vmaspace.model.region_tree import SATURATED, Inner, Node
from vmaspace.model.status import AssertionViolation, Status
from vmaspace.model.system import System
from vmaspace.model.vmar import VmAddressRegion

P = 0x1000


@pytest.fixture
def system() -> System:
    return System()


def region(system: System, page: int, pages: int = 1, shift: int = 0) -> VmAddressRegion:
    return VmAddressRegion(system.kernel_aspace, None, page * P + shift, pages * P, 0)


def filled(system: System, *spans: tuple[int, int]) -> RegionList:
    regions = RegionList(system.heap)
    for page, pages in spans:
        assert regions.insert_region(region(system, page, pages)) is Status.ZX_OK
    return regions


def test_lookups_between_and_inside_regions(system: System) -> None:
    regions = filled(system, (5, 2), (1, 1), (9, 1))
    assert [child.base // P for child in regions] == [1, 5, 9]
    assert regions.find_region(6 * P + 5).base == 5 * P
    assert regions.find_region(7 * P) is None
    assert regions.find_region(0) is None
    assert regions.include_or_higher(6 * P).base == 5 * P
    assert regions.include_or_higher(7 * P).base == 9 * P
    assert regions.include_or_higher(10 * P) is None
    assert regions.upper_bound(5 * P).base == 9 * P
    assert regions.upper_bound(5 * P - 1).base == 5 * P
    assert regions.front().base == P
    assert regions.left_of(regions.front()) is None
    assert regions.right_of(regions.front()).base == 5 * P


@pytest.mark.parametrize(
    ("page", "pages", "free"),
    [(2, 3, True), (2, 4, False), (0, 1, True), (0, 2, False), (6, 1, False), (7, 2, True), (10, 100, True)],
)
def test_is_range_available(system: System, page: int, pages: int, free: bool) -> None:
    assert filled(system, (5, 2), (1, 1), (9, 1)).is_range_available(page * P, pages * P) is free


def test_a_range_that_wraps_is_not_available_below_a_successor(system: System) -> None:
    regions = filled(system, (5, 2))
    assert not regions.is_range_available(4 * P, 2**64 - P)


def test_regions_meeting_a_range(system: System) -> None:
    regions = filled(system, (1, 1), (5, 2), (9, 1))
    assert [child.base // P for child in regions.regions_meeting(6 * P, 4 * P)] == [5, 9]
    assert regions.regions_meeting(2 * P, 3 * P) == []


def test_insertion_asserts_page_alignment_and_order(system: System) -> None:
    regions = filled(system, (5, 4))
    with pytest.raises(AssertionViolation, match="page aligned"):
        regions.insert_region(region(system, 1, shift=8))
    for page, pages in [(5, 1), (6, 1), (4, 9)]:
        with pytest.raises(AssertionViolation, match="ascend"):
            regions.insert_region(region(system, page, pages))
    assert len(regions) == 1


def test_misuse_asserts(system: System) -> None:
    regions = filled(system, (5, 4))
    with pytest.raises(AssertionViolation):
        regions.remove_region(region(system, 5, 4))
    with pytest.raises(AssertionViolation):
        regions.replace_region(regions.front(), region(system, 6))
    with pytest.raises(AssertionViolation):
        regions.is_range_available(0, 0)
    with pytest.raises(AssertionViolation):
        RegionList(system.heap).front()


def test_insertion_without_memory_changes_nothing(system: System) -> None:
    regions = filled(system, (5, 4))
    system.heap.fail_next()
    assert regions.insert_region(region(system, 1)) is Status.ZX_ERR_NO_MEMORY
    assert len(regions) == 1
    assert regions.insert_region(region(system, 1)) is Status.ZX_OK


def test_an_empty_region_is_seen_when_it_is_looked_at(system: System) -> None:
    regions = filled(system, (5, 0))
    with pytest.raises(AssertionViolation, match="larger than 0"):
        regions.find_region(6 * P)


# --- the tree and its summaries ------------------------------------------------------------------------------------


def summary(regions: RegionList) -> tuple[int, int, int]:
    """Pages: the lowest, the last, and the largest gap between two."""
    root = regions.root
    assert root is not None
    return root.min_addr // P, root.max_addr // P, root.max_gap


def assert_exact(node: Node) -> list[VmAddressRegion]:
    """Every node's summary is what its regions say; the regions below it."""
    below = (
        [region for child in node.nodes for region in assert_exact(child)]
        if isinstance(node, Inner)
        else list(node.regions)
    )
    assert 0 < node.size() <= node.most
    gaps = [(right.base - left.end) // P for left, right in pairwise(below)]
    assert (node.min_addr, node.max_addr) == (below[0].base, below[-1].end - 1)
    assert node.max_gap == min(max(gaps, default=0), SATURATED)
    assert node.min_gap == min(gaps, default=MAX_U64)
    assert (node.count, node.covered) == (len(below), sum(region.size // P for region in below))
    return below


def test_a_summary_leaves_out_what_lies_before_and_after(system: System) -> None:
    assert summary(filled(system, (100, 2))) == (100, 101, 0)
    assert summary(filled(system, (100, 2), (102, 1))) == (100, 102, 0)
    assert summary(filled(system, (100, 2), (102, 1), (110, 1), (4, 1))) == (4, 110, 95)


@pytest.mark.parametrize(("gap", "kept"), [(4094, 4094), (4095, 4095), (4096, 4095), (1 << 30, 4095)])
def test_the_largest_gap_saturates(system: System, gap: int, kept: int) -> None:
    regions = filled(system, (1, 1), (2 + gap, 1))
    assert summary(regions)[2] == kept
    # What is saturated may have any room: it is looked at.
    for pages in (4095, gap):
        fits = pages <= gap
        status, spot = regions.get_alloc_spot(12, 0, pages * P, P, (2 + gap) * P)
        assert (status, spot) == ((Status.ZX_OK, 2 * P) if fits else (Status.ZX_ERR_NO_RESOURCES, 0))


def test_a_replacement_that_is_shorter_widens_a_gap(system: System) -> None:
    regions = filled(system, (5, 4), (9, 1))
    regions.replace_region(regions.front(), region(system, 5, 1))
    assert summary(regions) == (5, 9, 3)


def test_a_piece_beside_the_whole_is_no_gap(system: System) -> None:
    regions = filled(system, (5, 4), (8, 1))
    assert summary(regions) == (5, 8, 0)


class NarrowList(RegionList):
    most = 6


@pytest.mark.parametrize("seed", range(6))
def test_the_tree_does_what_a_sorted_list_does(system: System, seed: int) -> None:
    dice = random.Random(seed)
    regions = NarrowList(system.heap)
    there: dict[int, VmAddressRegion] = {}
    deepest = False
    for step in range(1200):
        grows = dice.random() < (0.7 if step < 500 else 0.35)
        page = dice.randrange(1 << dice.choice((9, 12, 20)))
        new = region(system, page, dice.randrange(1, 4))
        is_free = all(new.end <= other.base or other.end <= new.base for other in there.values())
        assert regions.is_range_available(new.base, new.size) is is_free
        if grows and is_free:
            assert regions.insert_region(new) is Status.ZX_OK
            there[new.base] = new
        elif there:
            gone = there.pop(dice.choice(list(there)))
            regions.remove_region(gone)
            assert gone not in regions
        ordered = [there[base] for base in sorted(there)]
        assert list(regions) == ordered and len(regions) == len(ordered)
        if regions.root is not None:
            assert assert_exact(regions.root) == ordered
            deepest |= isinstance(regions.root, Inner) and isinstance(regions.root.nodes[0], Inner)
        at = new.base
        assert regions.upper_bound(at) is next((r for r in ordered if r.base > at), None)
        assert regions.include_or_higher(at) is next((r for r in ordered if r.end > at), None)
        assert regions.regions_meeting(at, 64 * P) == [r for r in ordered if r.end > at and r.base < at + 64 * P]
        if new in regions:
            index = ordered.index(new)
            assert regions.left_of(new) is (ordered[index - 1] if index else None)
            assert regions.right_of(new) is (ordered[index + 1] if index + 1 < len(ordered) else None)
    assert deepest


@pytest.mark.parametrize("seed", range(4))
def test_what_the_search_skips_has_no_room(system: System, seed: int) -> None:
    """First fit over the tree finds what first fit over all pages finds."""
    dice = random.Random(seed)
    regions = NarrowList(system.heap)
    for _ in range(60):
        new = region(system, dice.randrange(400), dice.randrange(1, 4))
        if regions.is_range_available(new.base, new.size):
            assert regions.insert_region(new) is Status.ZX_OK
    for pages in range(1, 24):
        free = [at for at in range(404 - pages) if regions.is_range_available(at * P, pages * P)]
        status, spot = regions.get_alloc_spot(12, 0, pages * P, 0, 403 * P)
        assert (status, spot) == ((Status.ZX_OK, free[0] * P) if free else (Status.ZX_ERR_NO_RESOURCES, 0))
