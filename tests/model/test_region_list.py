"""The sorted list of children, and its assertions."""

import pytest

from vmaspace.model.region_list import RegionList
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
