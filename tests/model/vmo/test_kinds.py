"""Physical, contiguous and discardable VMOs, and the memory below all of them."""

import pytest

from vmaspace.model.flags import MmuFlag
from vmaspace.model.page_queues import PageQueues
from vmaspace.model.physical_memory import RAM_BASE, PhysicalMemory
from vmaspace.model.status import AssertionViolation, Status
from vmaspace.model.vmo import CloneType, HintType, VmoKind
from vmaspace.model.vmo.discardable import LockState

P = 0x1000
OK, ARGS, RANGE = Status.ZX_OK, Status.ZX_ERR_INVALID_ARGS, Status.ZX_ERR_OUT_OF_RANGE
STATE, UNSUPPORTED = Status.ZX_ERR_BAD_STATE, Status.ZX_ERR_NOT_SUPPORTED


# Physical VMOs.


def test_a_physical_vmo_shows_device_memory(system) -> None:
    _, vmo = system.create_vmo(2 * P, VmoKind.PHYSICAL, paddr=0xFEE00000)
    with vmo.lock:
        _, page, writable = vmo.lookup_page(P, False)
        assert (page.paddr, writable) == (0xFEE01000, True)
        assert vmo.existing_page(P, True) == (page, True) and vmo.existing_page(2 * P, False) is None
        with pytest.raises(AssertionViolation, match="inside the VMO"):
            vmo.lookup_page(2 * P, False)
    page.write(4, b"mmio")
    assert system.pmm.page_for(0xFEE01ABC) is page and system.pmm.allocated_count == 0
    _, again = system.create_vmo(P, VmoKind.PHYSICAL, paddr=0xFEE01000)
    with again.lock:
        assert again.lookup_page(0, False)[1].read(4, 4) == b"mmio"


def test_a_physical_vmo_refuses_what_needs_pages(make) -> None:
    vmo = make(2, kind=VmoKind.PHYSICAL)
    assert vmo.read(0, 1) == (UNSUPPORTED, b"")
    answers = {
        vmo.write(0, b"a"),
        vmo.resize(P),
        vmo.commit_range(0, P),
        vmo.decommit_range(0, P),
        vmo.zero_range(0, P),
        vmo.prefetch_range(0, P),
    }
    assert answers == {UNSUPPORTED}
    assert vmo.create_clone(CloneType.SNAPSHOT, 0, P) == vmo.create_child_reference() == (UNSUPPORTED, None)
    assert vmo.lock_range(0, 2 * P) == (UNSUPPORTED, None)
    assert vmo.try_lock_range(0, 2 * P) is vmo.unlock_range(0, 2 * P) is UNSUPPORTED
    assert vmo.hint_range(0, P, HintType.DONT_NEED) is OK
    assert vmo.is_range_pinned(0, 2 * P) and vmo.commit_range_pinned(0, 2 * P, True) is OK
    assert vmo.commit_range_pinned(0, 3 * P, True) is RANGE and vmo.commit_range_pinned(1, P, True) is ARGS
    assert not vmo.is_paged() and vmo.is_contiguous() and not vmo.has_stream_size()


def test_physical_vmos_are_aligned_and_not_empty(system) -> None:
    assert system.create_vmo(0, VmoKind.PHYSICAL) == (ARGS, None)
    assert system.create_vmo(P, VmoKind.PHYSICAL, paddr=1) == (ARGS, None)
    assert system.create_vmo(1 << 64, VmoKind.PHYSICAL) == (RANGE, None)
    system.heap.fail_next()
    assert system.create_vmo(P, VmoKind.PHYSICAL) == (Status.ZX_ERR_NO_MEMORY, None)


def test_slices_of_physical_vmos(system, listen) -> None:
    _, vmo = system.create_vmo(4 * P, VmoKind.PHYSICAL, paddr=0x10000)
    assert vmo.create_child_slice(1, P) == vmo.create_child_slice(P, 4 * P) == (ARGS, None)
    _, part = vmo.create_child_slice(P, P)
    assert (part.paddr, part.size, part.parent) == (0x11000, P, vmo)
    assert vmo.set_cache_policy(MmuFlag.CACHED) is part.set_cache_policy(MmuFlag.CACHED) is STATE
    part.release()
    assert vmo.set_cache_policy(8) is ARGS and vmo.set_cache_policy(MmuFlag.WRITE_COMBINING) is OK
    listen(vmo)
    assert vmo.set_cache_policy(MmuFlag.CACHED) is STATE and vmo.cache_policy == MmuFlag.WRITE_COMBINING


# Contiguous VMOs.


def test_contiguous_pages_follow_each_other(system) -> None:
    system.pmm.allocate_page()
    _, vmo = system.create_vmo(5 * P, VmoKind.CONTIGUOUS, align_pow2=16)
    first = vmo.cow_pages.pages[0].paddr
    assert [page.paddr for page in vmo.cow_pages.pages.values()] == [first + i * P for i in range(5)]
    assert first % (1 << 16) == 0
    assert vmo.write(P - 1, b"ab") is OK and vmo.read(P - 1, 2) == (OK, b"ab")
    vmo.release()
    assert system.pmm.allocated_count == 1


def test_contiguous_vmos_need_memory_at_once(system) -> None:
    assert system.create_vmo(0, VmoKind.CONTIGUOUS) == (ARGS, None)
    assert system.create_vmo(1 << 50, VmoKind.CONTIGUOUS) == (Status.ZX_ERR_NO_MEMORY, None)
    system.pmm.fail_next()
    assert system.create_vmo(P, VmoKind.CONTIGUOUS) == (Status.ZX_ERR_NO_MEMORY, None)


# Discardable VMOs.


def test_an_unlocked_vmo_is_discarded(make, system) -> None:
    vmo = make(2, is_discardable=True)
    assert vmo.try_lock_range(0, 2 * P) is OK
    vmo.write(0, b"cache")
    assert vmo.discard_pages() == 0
    assert vmo.unlock_range(0, 2 * P) is OK
    assert vmo.discard_pages() == 1 and system.pmm.allocated_count == 0
    assert vmo.try_lock_range(0, 2 * P) is Status.ZX_ERR_UNAVAILABLE
    assert vmo.read(0, 1) == (Status.ZX_ERR_NOT_FOUND, b"")
    assert vmo.lock_range(0, 2 * P) == (OK, LockState(0, 2 * P, 0, 2 * P))
    assert vmo.lock_range(0, 2 * P) == (OK, LockState(0, 2 * P, 0, 0))
    assert vmo.read(0, 5) == (OK, bytes(5))


def test_locks_are_counted(make) -> None:
    vmo = make(1, is_discardable=True)
    assert vmo.unlock_range(0, P) is STATE
    vmo.write(0, b"a")
    assert vmo.try_lock_range(0, P) is vmo.lock_range(0, P)[0] is vmo.unlock_range(0, P) is OK
    assert vmo.discard_pages() == 0
    assert vmo.unlock_range(0, P) is OK and vmo.discard_pages() == 1


def test_locks_are_of_whole_discardable_vmos(make) -> None:
    vmo, other = make(2, is_discardable=True), make(2)
    for offset, size in ((0, P), (P, P), (0, 3 * P)):
        assert vmo.lock_range(offset, size) == (RANGE, None)
        assert vmo.try_lock_range(offset, size) is vmo.unlock_range(offset, size) is RANGE
    assert other.lock_range(0, P) == (UNSUPPORTED, None)
    assert other.try_lock_range(0, P) is other.unlock_range(0, P) is UNSUPPORTED
    assert other.discard_pages() == 0


def test_pinned_pages_are_not_discarded(make) -> None:
    vmo = make(1, is_discardable=True)
    vmo.commit_range_pinned(0, P, True)
    assert vmo.discard_pages() == 0 and not vmo.discardable.is_discarded


# Physical memory.


def test_memory_runs_out_and_comes_back() -> None:
    pmm = PhysicalMemory(PageQueues(), size=3 * P)
    pages = [pmm.allocate_page() for _ in range(4)]
    assert pages[3] is None and (pmm.allocated_count, pmm.free_count) == (3, 0)
    assert pmm.allocate_contiguous(1) is None
    pages[1].write(0, b"dirty")
    pmm.free_page(pages[1])
    again = pmm.allocate_page()
    assert again is pages[1] and again.is_zero() and again.read(0, 5) == bytes(5)


def test_the_gap_before_an_aligned_run_is_free_memory() -> None:
    pmm = PhysicalMemory(PageQueues(), size=16 * P)
    pmm.allocate_page()
    run = pmm.allocate_contiguous(2, 15)
    assert run[0].paddr == RAM_BASE + 8 * P
    assert (pmm.allocated_count, pmm.free_count) == (3, 13)
    assert {pmm.allocate_page().paddr for _ in range(13)}.isdisjoint({page.paddr for page in run})


def test_only_allocated_pages_are_freed() -> None:
    pmm = PhysicalMemory(PageQueues())
    page = pmm.allocate_page()
    pmm.free_page(page)
    for wrong in (page, pmm.zero_page):
        with pytest.raises(AssertionViolation, match="is allocated"):
            pmm.free_page(wrong)


def test_pages_are_zeros_until_written() -> None:
    pmm = PhysicalMemory(PageQueues())
    one, two = pmm.allocate_page(), pmm.allocate_page()
    assert one.read(5, 3) == bytes(3)
    one.write(4, b"abc")
    two.copy_from(one)
    one.write(4, b"xyz")
    assert two.read(3, 5) == b"\0abc\0" and not two.is_zero()
    two.zero()
    assert two.is_zero() and two.read(4, 3) == bytes(3)
    assert pmm.page_for(one.paddr + 17) is one and pmm.page_for(0) is None
