"""Pages that come and go, as a run meets them: pagers that answer and do not, discardable VMOs, and one without an end."""

import pytest

from vmaspace.checker.adapters.model import ModelAdapter
from vmaspace.checker.adapters.mutants import pagers
from vmaspace.checker.adapters.world import VmoSpec, World, world_of
from vmaspace.checker.engines.standard import standard_contract
from vmaspace.checker.logic.execute import Interpreter
from vmaspace.model import System

CONTRACT = standard_contract()
PAGE = 4096
UNBOUNDED_SIZE = 2**64 - 2 * PAGE
BASE = 0x200000
VMOS = (
    VmoSpec(4 * PAGE, origin="pager"),
    VmoSpec(4 * PAGE, origin="trapping_pager"),
    VmoSpec(4 * PAGE, origin="discardable"),
    VmoSpec(UNBOUNDED_SIZE, origin="unbounded"),
)


def started(vmo: int, offset: int = 0, system: type[System] = System) -> ModelAdapter:
    """A user space that shows four pages of a VMO at BASE."""
    adapter = ModelAdapter(CONTRACT, system)
    adapter.start(World(vmos=VMOS, aslr_disabled=True))
    adapter.observe()
    adapter.call("create", {"base": BASE, "size": 64 * PAGE, "type": 0, "share": 0})
    adapter.observe()
    perms = sum(1 << CONTRACT.flags["Perms"][name] for name in ("read", "write", "user_access"))
    call = {"v": 1, "offset": 0, "size": 4 * PAGE, "align_pow2": 0, "flags": 2, "vmo": vmo, "vmo_offset": offset}
    assert adapter.call("map", {**call, "perms": perms}).status == "OK"
    adapter.observe()
    return adapter


def access(adapter: ModelAdapter, page: int = 0, is_write: int = 0, fails_at: int = 0) -> str:
    call = {"a": 1, "at": BASE + page * PAGE, "is_write": is_write, "is_fetch": 0, "is_user": 1}
    status = adapter.call("access", call, fails_at).status
    assert adapter.broken_invariants() == []
    return status


def member(enum: str, name: str) -> int:
    return CONTRACT.enums[enum].index(name)


def order(adapter: ModelAdapter, name: str, vmo: int = 0, size: int = 4 * PAGE) -> str:
    call = {"o": vmo, "order": member("PagerOrder", name), "offset": 0, "size": size}
    return adapter.call("order_pages", call).status


def lock(adapter: ModelAdapter, name: str, size: int = 4 * PAGE) -> str:
    return adapter.call("lock_vmo", {"o": 2, "act": member("LockOp", name), "offset": 0, "size": size}).status


def test_a_world_is_read_back() -> None:
    world = World(vmos=VMOS, aslr_disabled=True)
    assert world_of(CONTRACT, world.givens(CONTRACT)) == world


@pytest.mark.parametrize("vmo", [0, 1])
@pytest.mark.parametrize("is_write", [0, 1])
def test_a_pager_supplies_what_a_fault_waits_for(vmo: int, is_write: int) -> None:
    adapter = started(vmo)
    assert access(adapter, is_write=is_write) == "OK"
    pages = adapter.vmos[vmo].cow_pages  # type: ignore[attr-defined]
    assert 0 in pages.pages
    assert (0 in pages.source.dirty) is bool(is_write)


@pytest.mark.parametrize(
    ("answer", "status"), [("fails", "IO"), ("ignores", "TIMED_OUT"), ("is_gone", "BAD_STATE")]
)
def test_a_fault_ends_as_the_pager_answers(answer: str, status: str) -> None:
    adapter = started(0)
    assert order(adapter, "supply", size=PAGE) == "OK"
    set_pager = {"o": 0, "answer": member("PagerAnswer", answer)}
    assert adapter.call("set_pager", set_pager).status == "OK"
    assert adapter.observe().tables["pager"] == {0: member("PagerAnswer", answer)}
    assert access(adapter, 1) == status
    assert access(adapter, 0) == "OK"  # that page is there
    assert adapter.call("set_pager", set_pager).status == ("BAD_STATE" if answer == "is_gone" else "OK")


def test_a_pager_has_memory_of_its_own() -> None:
    adapter = started(0)
    assert access(adapter, fails_at=1) == "NO_MEMORY"  # the page table, once the page is there
    assert access(adapter) == "OK"


def test_what_is_written_back_can_be_evicted() -> None:
    adapter = started(0)
    assert access(adapter, is_write=1) == "OK"
    pages = adapter.vmos[0].cow_pages.pages  # type: ignore[attr-defined]
    adapter.call("reclaim", {"o": 0})
    assert 0 in pages
    assert order(adapter, "writeback_begin") == order(adapter, "writeback_end") == "OK"
    adapter.call("reclaim", {"o": 0})
    adapter.call("reclaim", {"o": 0})  # one that turned out to have been used stays the first time
    assert 0 not in pages
    assert access(adapter) == "OK"


def test_orders_are_refused() -> None:
    adapter = started(0)
    assert order(adapter, "supply", vmo=2) == "INVALID_ARGS"
    assert adapter.call("set_pager", {"o": 3, "answer": 0}).status == "INVALID_ARGS"
    assert order(adapter, "dirty") == "NOT_FOUND"
    assert order(adapter, "supply", size=5 * PAGE) == "OUT_OF_RANGE"


def test_discarded_pages_are_not_found_until_the_vmo_is_locked() -> None:
    adapter = started(2)
    assert lock(adapter, "unlock") == "BAD_STATE"
    assert lock(adapter, "lock", size=PAGE) == "OUT_OF_RANGE"
    assert lock(adapter, "lock") == "OK"
    assert access(adapter, is_write=1) == "OK"
    adapter.call("reclaim", {"o": 2})
    assert adapter.observe().tables["locks"] == {2: 1}
    assert access(adapter) == "OK"
    assert lock(adapter, "unlock") == "OK"
    adapter.call("reclaim", {"o": 2})
    assert adapter.observe().tables["discarded"] == {2: 1}
    assert access(adapter) == "NOT_FOUND"
    assert lock(adapter, "try_lock") == "UNAVAILABLE"
    assert lock(adapter, "lock") == "OK"
    assert access(adapter) == "OK"


def test_an_unbounded_vmo_has_pages_far_behind_its_stream() -> None:
    adapter = started(3, 1 << 40)
    assert access(adapter, 3, is_write=1) == "OK"
    assert adapter.call("reclaim", {"o": 3}).status == "OK"
    assert access(adapter, 3) == "OK"


@pytest.mark.parametrize(
    ("system", "vmo", "after"),
    [
        (pagers.WrittenPagesStayClean, 0, ""),
        (pagers.WritebackLeavesWritableTranslations, 0, "writeback_begin"),
        (pagers.DiscardedPagesStayMapped, 2, "reclaim"),
    ],
)
def test_what_goes_wrong_with_a_written_page_is_seen(system: type[System], vmo: int, after: str) -> None:
    adapter = started(vmo, system=system)
    call = {"a": 1, "at": BASE, "is_write": 1, "is_fetch": 0, "is_user": 1}
    assert adapter.call("access", call).status == "OK"
    if after == "reclaim":
        adapter.call("reclaim", {"o": vmo})
    elif after:
        assert order(adapter, after) == "OK"
    assert "tables-18" in {broken.invariant.number for broken in adapter.broken_invariants()}


def test_no_caller_writes_back_what_kernel_page_tables_can_not_take_write_from() -> None:
    """A mapping of the kernel with WRITE and EXECUTE alone: without WRITE there is no entry for it, and the kernel stops."""
    adapter = ModelAdapter(CONTRACT, System)
    adapter.start(World(vmos=VMOS, aslr_disabled=True))
    adapter.observe()
    perms = sum(1 << CONTRACT.flags["Perms"][name] for name in ("write", "execute"))
    flags = 1 << CONTRACT.flags["VmarFlags"]["debug_dynamic_kernel_mapping"]
    call = {"v": 0, "offset": 0, "size": PAGE, "align_pow2": 0, "flags": flags, "vmo": 0, "vmo_offset": 0, "perms": perms}
    assert adapter.call("map", call).status == "OK"
    state = adapter.observe()
    may_be_called = {
        name: Interpreter(CONTRACT).enabled(
            "order_pages", state, {"o": 0, "order": member("PagerOrder", name), "offset": 0, "size": PAGE}
        )
        for name in CONTRACT.enums["PagerOrder"]
    }
    assert {name for name, may in may_be_called.items() if not may} == {"writeback_begin"}
    assert order(adapter, "writeback_begin") == "ASSERT"
