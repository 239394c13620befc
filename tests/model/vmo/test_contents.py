"""Bytes and ranges of ordinary VMOs: what each operation answers, and in which order it refuses."""

import pytest

from vmaspace.model.flags import MmuFlag
from vmaspace.model.status import AssertionViolation, Status
from vmaspace.model.vmo import VmoKind
from vmaspace.model.vmo.kinds import MAX_VMO_SIZE

P = 0x1000
OK, RANGE, STATE = Status.ZX_OK, Status.ZX_ERR_OUT_OF_RANGE, Status.ZX_ERR_BAD_STATE


def pages(vmo) -> list[int]:
    return [offset // P for offset in sorted(vmo.cow_pages.pages)]


# Creation and size.


def test_sizes_are_rounded_and_bounded(system) -> None:
    for asked, size in ((0, 0), (1, P), (P, P), (P + 1, 2 * P)):
        status, vmo = system.create_vmo(asked)
        assert (status, vmo.size, vmo.get_stream_size()) == (OK, size, asked)
    assert system.create_vmo(MAX_VMO_SIZE)[1].size == MAX_VMO_SIZE
    assert system.create_vmo(MAX_VMO_SIZE + 1) == (RANGE, None)
    assert system.create_vmo((1 << 64) - 1) == (RANGE, None)


def test_an_unbounded_vmo_has_the_largest_size(system) -> None:
    _, vmo = system.create_vmo(5, is_unbounded=True)
    assert (vmo.size, vmo.get_stream_size(), vmo.is_resizable) == (MAX_VMO_SIZE, 5, False)
    assert vmo.write(MAX_VMO_SIZE - 1, b"z") is OK
    assert vmo.read(MAX_VMO_SIZE - 2, 2) == (OK, b"\0z")
    assert vmo.zero_range(0, MAX_VMO_SIZE) is OK and pages(vmo) == []
    assert system.create_vmo(5, is_unbounded=True, is_resizable=True) == (Status.ZX_ERR_INVALID_ARGS, None)


def test_resizing(make) -> None:
    vmo = make(2, is_resizable=True)
    assert vmo.write(0, b"\xff" * 2 * P) is OK
    assert vmo.resize(100) is OK
    assert (vmo.size, vmo.get_stream_size(), pages(vmo)) == (P, 100, [0])
    assert vmo.resize(3 * P) is OK
    assert vmo.read(0, 3 * P) == (OK, b"\xff" * 100 + bytes(3 * P - 100))
    assert vmo.resize(MAX_VMO_SIZE + 1) is RANGE
    assert make(2).resize(P) is Status.ZX_ERR_UNAVAILABLE
    assert make(2).resize(MAX_VMO_SIZE + 1) is Status.ZX_ERR_UNAVAILABLE


def test_pinned_pages_stay_when_a_vmo_gets_shorter(make) -> None:
    vmo = make(4, is_resizable=True)
    assert vmo.commit_range_pinned(2 * P, P, True) is OK
    assert vmo.resize(2 * P) is STATE and vmo.size == 4 * P
    assert vmo.resize(3 * P) is OK
    vmo.unpin(2 * P, P)
    assert vmo.resize(0) is OK


@pytest.mark.parametrize(("old", "new"), [(2 * P, 100), (100, 2 * P), (100, 5000)])
def test_beyond_the_smaller_stream_size_are_zeros(make, old: int, new: int) -> None:
    vmo = make(3)
    assert vmo.set_stream_size(old) is OK
    assert vmo.write(0, b"\xff" * 3 * P) is OK
    assert vmo.set_stream_size(new) is OK
    assert vmo.get_stream_size() == new
    kept = min(old, new)
    assert vmo.read(0, 3 * P) == (OK, b"\xff" * kept + bytes(3 * P - kept))


def test_the_stream_ends_inside_the_vmo(make, system) -> None:
    vmo = make(1)
    assert vmo.set_stream_size(P + 1) is RANGE
    assert make(1, kind=VmoKind.CONTIGUOUS).set_stream_size(0) is Status.ZX_ERR_NOT_SUPPORTED
    assert make(1, kind=VmoKind.PHYSICAL).set_stream_size(0) is Status.ZX_ERR_NOT_SUPPORTED


# Reading and writing.


def test_only_what_is_written_costs_memory(make, system) -> None:
    vmo = make(4)
    assert vmo.read(10, 3 * P) == (OK, bytes(3 * P))
    assert system.pmm.allocated_count == 0
    assert vmo.write(P - 2, b"abcd") is OK
    assert pages(vmo) == [0, 1] and vmo.read(P - 3, 6) == (OK, b"\0abcd\0")


def test_reading_and_writing_stop_at_the_end(make) -> None:
    vmo = make(2)
    assert vmo.read(P, P + 1) == (RANGE, b"")
    assert vmo.write(2 * P, b"a") is RANGE and pages(vmo) == []
    assert vmo.read(2 * P, 0) == (OK, b"") and vmo.write(2 * P, b"") is OK


def test_uncached_vmos_are_not_read_or_written(make) -> None:
    vmo = make(1)
    assert vmo.set_cache_policy(MmuFlag.UNCACHED) is OK
    assert vmo.read(9 * P, 1) == (STATE, b"") and vmo.write(9 * P, b"a") is STATE


def test_a_write_without_memory_keeps_the_pages_before(make, system) -> None:
    vmo = make(3)
    system.pmm.fail_next(2)
    assert vmo.write(0, b"a" * 3 * P) is Status.ZX_ERR_NO_MEMORY
    assert vmo.read(0, 3 * P) == (OK, b"a" * P + bytes(2 * P))


# Lookups.


def test_a_lookup_reads_the_zero_page_and_writes_a_new_one(make, system) -> None:
    vmo, zero_page = make(2), system.pmm.zero_page
    with vmo.lock:
        assert vmo.lookup_page(0, False) == (OK, zero_page, False)
        assert vmo.existing_page(0, False) is None
        status, page, writable = vmo.lookup_page(0, True)
        assert (status, writable) == (OK, True) and page is not zero_page
        assert vmo.lookup_page(0, False) == (OK, page, True)
        assert vmo.existing_page(0, True) == (page, True)
        assert vmo.existing_page(2 * P, False) is None
        with pytest.raises(AssertionViolation, match="inside the VMO"):
            vmo.lookup_page(2 * P, False)


def test_a_lookup_needs_the_lock(make) -> None:
    for vmo in (make(1), make(1, kind=VmoKind.PHYSICAL)):
        with pytest.raises(AssertionViolation, match="VmObject is held"):
            vmo.lookup_page(0, False)
        with pytest.raises(AssertionViolation, match="VmObject is held"):
            vmo.existing_page(0, False)


# Ranges.


def test_committing_rounds_to_pages(make) -> None:
    vmo = make(4)
    assert vmo.commit_range(P + 1, P) is OK and pages(vmo) == [1, 2]
    assert vmo.commit_range(0, 4 * P + 1) is RANGE
    assert vmo.commit_range(4 * P, 0) is OK and pages(vmo) == [1, 2]


def test_decommitting_needs_aligned_ranges(make) -> None:
    vmo = make(4)
    assert vmo.write(0, b"a" * 4 * P) is OK
    assert vmo.decommit_range(0, 5 * P) is RANGE
    assert vmo.decommit_range(1, P) is Status.ZX_ERR_INVALID_ARGS
    assert vmo.decommit_range(1, 0) is OK
    assert vmo.decommit_range(P, 2 * P) is OK and pages(vmo) == [0, 3]
    assert vmo.read(P, 2 * P) == (OK, bytes(2 * P))


def test_decommitting_is_refused_where_others_see_the_pages(make) -> None:
    vmo = make(2)
    _, child = vmo.create_clone(0, 0, 2 * P)
    assert vmo.decommit_range(0, P) is child.decommit_range(0, P) is Status.ZX_ERR_NOT_SUPPORTED
    assert vmo.decommit_range(1, P) is Status.ZX_ERR_NOT_SUPPORTED
    child.release()
    assert vmo.decommit_range(0, P) is OK
    assert make(2, kind=VmoKind.CONTIGUOUS).decommit_range(0, P) is Status.ZX_ERR_NOT_SUPPORTED


def test_zeroing_gives_whole_pages_back(make) -> None:
    vmo = make(4)
    assert vmo.write(0, b"a" * 4 * P) is OK
    assert vmo.zero_range(P // 2, 2 * P) is OK
    assert pages(vmo) == [0, 2, 3]
    assert vmo.read(0, 3 * P) == (OK, b"a" * (P // 2) + bytes(2 * P) + b"a" * (P // 2))
    assert vmo.zero_range(3 * P + 1, 2) is OK
    assert vmo.read(3 * P, 4) == (OK, b"a\0\0a")
    assert vmo.zero_range(0, 4 * P + 1) is RANGE
    assert vmo.zero_range(4 * P, 0) is OK


def test_zeroing_zeros_costs_nothing(make, system) -> None:
    vmo = make(2)
    assert vmo.zero_range(10, P) is OK and system.pmm.allocated_count == 0


@pytest.mark.parametrize("kind", [VmoKind.PAGED, VmoKind.CONTIGUOUS])
def test_pinned_and_contiguous_pages_are_zeroed_in_place(make, kind: VmoKind) -> None:
    vmo = make(2, kind=kind)
    assert vmo.write(0, b"a" * 2 * P) is OK
    if kind is VmoKind.PAGED:
        assert vmo.commit_range_pinned(0, P, True) is OK
        assert vmo.decommit_range(0, 2 * P) is STATE
    assert vmo.zero_range(0, 2 * P) is OK
    assert pages(vmo) == [0, 1] and vmo.read(0, 2 * P) == (OK, bytes(2 * P))


def test_prefetching_an_anonymous_vmo_brings_nothing_in(make, system) -> None:
    assert make(2).prefetch_range(0, 2 * P) is OK and system.pmm.allocated_count == 0
    assert make(2).prefetch_range(P, 2 * P) is RANGE


# Pinning.


def test_pins_are_counted_by_page(make) -> None:
    vmo = make(4)
    assert vmo.commit_range_pinned(0, 3 * P, True) is OK
    assert vmo.commit_range_pinned(P, P, False) is OK
    vmo.unpin(0, 3 * P)
    assert vmo.is_range_pinned(P, P) and not vmo.is_range_pinned(0, 2 * P)
    vmo.unpin(P, P)
    assert not vmo.is_range_pinned(P, P)
    with pytest.raises(AssertionViolation, match="unpinned is pinned"):
        vmo.unpin(P, P)


def test_pinning_refuses_bad_ranges(make, system) -> None:
    vmo = make(2)
    for offset, size in ((0, 0), (1, P), (0, 1)):
        assert vmo.commit_range_pinned(offset, size, True) is Status.ZX_ERR_INVALID_ARGS
    assert vmo.commit_range_pinned(P, 2 * P, True) is RANGE
    system.pmm.fail_next(2)
    assert vmo.commit_range_pinned(0, 2 * P, True) is Status.ZX_ERR_NO_MEMORY
    assert not vmo.cow_pages.pin_counts


# Cache policy.


def test_cache_policy_changes_only_before_use(make, listen) -> None:
    vmo = make(1)
    assert vmo.set_cache_policy(4) is Status.ZX_ERR_INVALID_ARGS
    assert vmo.write(0, b"a") is OK
    assert vmo.set_cache_policy(MmuFlag.UNCACHED) is OK  # from cached, pages are allowed
    assert vmo.set_cache_policy(MmuFlag.WRITE_COMBINING) is STATE
    mapped, pinned, parent = make(1), make(1), make(1)
    listen(mapped)
    pinned.commit_range_pinned(0, P, True)
    _, child = parent.create_child_slice(0, P)
    for vmo in (mapped, pinned, parent, child):
        assert vmo.set_cache_policy(MmuFlag.UNCACHED) is STATE and vmo.cache_policy == 0


# Life.


def test_the_last_reference_frees_the_pages(make, system) -> None:
    vmo = make(3)
    vmo.commit_range(0, 3 * P)
    vmo.add_ref()
    vmo.release()
    assert vmo.is_alive and system.pmm.allocated_count == 3
    vmo.release()
    assert not vmo.is_alive and system.pmm.allocated_count == 0
    with pytest.raises(AssertionViolation, match="reference"):
        vmo.release()


def test_a_mapping_keeps_a_vmo(make, listen, system) -> None:
    vmo = make(1)
    vmo.commit_range(0, P)
    mapping = listen(vmo)
    vmo.release()
    assert vmo.is_alive and system.pmm.allocated_count == 1
    with vmo.lock:
        vmo.remove_mapping(mapping)
    assert not vmo.is_alive and system.pmm.allocated_count == 0


@pytest.mark.parametrize("nth", [1, 2])
def test_creation_without_memory(system, nth: int) -> None:
    system.heap.fail_next(nth)
    assert system.create_vmo(P) == (Status.ZX_ERR_NO_MEMORY, None)
