"""The protection ranges of one mapping, against an account page by page."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from vmaspace.model.heap import Heap
from vmaspace.model.protection import ProtectionRanges
from vmaspace.model.status import Status

P = 0x1000
PAGES = 12
BASE, END = 16 * P, (16 + PAGES) * P

updates = st.tuples(st.integers(0, PAGES - 1), st.integers(1, PAGES), st.integers(0, 3)).map(
    lambda t: (t[0], min(t[1], PAGES - t[0]), t[2])
)


def apply(ranges: ProtectionRanges, page: int, pages: int, flags: int, heap: Heap) -> tuple[Status, list]:
    seen: list = []
    low = BASE + page * P
    status = ranges.update(BASE, END, low, low + pages * P, flags, heap, lambda *old: seen.append(old))
    return status, seen


def account(ranges: ProtectionRanges, low: int = BASE, high: int = END) -> list[int]:
    flat: list[int] = []
    for start, end, flags in ranges.ranges(low, high):
        assert start < end
        flat += [flags] * ((end - start) // P)
    return flat


def assert_minimal(ranges: ProtectionRanges) -> None:
    assert all(BASE < boundary < END and boundary % P == 0 for boundary in ranges.boundaries)
    flags = [flags for _, _, flags in ranges.ranges(BASE, END)]
    assert all(left != right for left, right in pairwise(flags))
    assert len(ranges.boundaries) == len(flags) - 1


@given(st.lists(updates, max_size=12), st.integers(1, PAGES - 1))
def test_updates_agree_with_an_account_page_by_page(history: list, cut: int) -> None:
    ranges, pages, heap = ProtectionRanges(0), [0] * PAGES, Heap()
    for page, count, flags in history:
        status, seen = apply(ranges, page, count, flags, heap)
        assert status is Status.ZX_OK
        assert sum(end - start for start, end, _ in seen) == count * P
        assert [old for start, end, old in seen for _ in range((end - start) // P)] == pages[
            page : page + count
        ]
        pages[page : page + count] = [flags] * count
        assert account(ranges) == pages
        assert_minimal(ranges)
    seam = BASE + cut * P
    left, right = ranges.part(BASE, seam), ranges.part(seam, END)
    assert account(left, BASE, seam) + account(right, seam, END) == pages
    joined = left.joined(seam, right)
    assert (joined.first_flags, joined.boundaries) == (ranges.first_flags, ranges.boundaries)


@given(st.lists(updates, min_size=1, max_size=8), st.integers(1, 3))
def test_without_memory_nothing_changes(history: list, nth: int) -> None:
    ranges, heap = ProtectionRanges(0), Heap()
    for update in history[:-1]:
        apply(ranges, *update, heap)
    before = (ranges.first_flags, ranges.boundaries, account(ranges))
    heap.fail_next(nth)
    status, seen = apply(ranges, *history[-1], heap)
    if status is Status.ZX_ERR_NO_MEMORY:
        assert not seen
        assert (ranges.first_flags, ranges.boundaries, account(ranges)) == before
    else:
        assert heap.is_failure_pending


def test_a_boundary_costs_memory_only_when_it_is_new() -> None:
    ranges, heap = ProtectionRanges(1), Heap()
    apply(ranges, 2, 3, 2, heap)
    assert heap.allocations == 2
    apply(ranges, 2, 3, 3, heap)
    assert heap.allocations == 2
    apply(ranges, 2, 3, 1, heap)
    assert heap.allocations == 2 and ranges.is_single()


def test_only_the_cache_bits_are_replaced() -> None:
    ranges = ProtectionRanges(0x1D)
    ranges.set_cache_policy(2, 3)
    assert ranges.first_flags == 0x1E
