"""VMOs behind a pager: requests, waits, dirty pages, write-back."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vmaspace.model.page_queues import PageQueue
from vmaspace.model.status import Status
from vmaspace.model.system import System
from vmaspace.model.vmo import CloneType, HintType, RangeChangeOp, VmoKind
from vmaspace.model.vmo.page_source import PageRequestType

P = 0x1000
OK, WAIT, STATE = Status.ZX_OK, Status.ZX_ERR_SHOULD_WAIT, Status.ZX_ERR_BAD_STATE
ARGS, RANGE = Status.ZX_ERR_INVALID_ARGS, Status.ZX_ERR_OUT_OF_RANGE


@pytest.fixture
def pager_vmo(system):
    return lambda pages, **settings: system.create_pager_vmo(pages * P, **settings)[1]


@pytest.fixture
def supply(system):
    """`supply(vmo, page, data)`: one page from the pager that begins with `data`."""

    def put(vmo, page: int, data: bytes = b"") -> None:
        _, aux = system.create_vmo(P)
        aux.write(0, data)
        assert vmo.supply_pages(page * P, P, aux) is OK
        aux.release()

    return put


# Requests and waits.


def test_an_absent_page_is_asked_for(pager_vmo, supply) -> None:
    vmo = pager_vmo(4)
    with vmo.lock:
        assert vmo.lookup_page(2 * P, False) == (WAIT, None, False)
        assert vmo.existing_page(2 * P, False) is None
    request = vmo.page_request
    assert (request.type, request.offset, request.size) == (PageRequestType.READ, 2 * P, P)
    assert request.wait() is Status.ZX_ERR_TIMED_OUT
    supply(vmo, 2, b"here")
    assert request.wait() is OK
    assert vmo.read(2 * P, 4) == (OK, b"here")


def test_a_clone_asks_for_its_parents_page(pager_vmo, supply) -> None:
    vmo = pager_vmo(4)
    _, clone = vmo.create_clone(CloneType.SNAPSHOT_AT_LEAST_ON_WRITE, 2 * P, 2 * P)
    with clone.lock:
        assert clone.lookup_page(0, True) == (WAIT, None, False)
    assert clone.page_request.offset == 2 * P
    supply(vmo, 2, b"here")
    assert clone.write(0, b"T") is OK and clone.read(0, 4) == (OK, b"Tere")
    assert vmo.read(2 * P, 4) == (OK, b"here")


def test_a_wait_ends_as_planned(pager_vmo) -> None:
    vmo = pager_vmo(1)
    planned = [Status.ZX_ERR_INTERNAL, Status.ZX_ERR_CANCELED]
    vmo.cow_pages.source.planned_outcomes.extend(planned)
    assert [vmo.read(0, 1)[0], vmo.commit_range(0, P), vmo.prefetch_range(0, P)] == [
        *planned,
        Status.ZX_ERR_TIMED_OUT,
    ]


def test_a_wait_that_says_ok_without_a_page_waits_again(pager_vmo) -> None:
    vmo = pager_vmo(1)
    vmo.cow_pages.source.planned_outcomes.append(OK)
    assert vmo.read(0, 1) == (Status.ZX_ERR_TIMED_OUT, b"")


def test_a_service_answers_with_the_lock_let_go(pager_vmo, supply) -> None:
    vmo, asked = pager_vmo(3), []

    def service(request) -> None:
        asked.append(request.offset // P)
        supply(vmo, request.offset // P, b"page %d" % (request.offset // P))

    vmo.cow_pages.source.service = service
    assert vmo.read(P, P + 6) == (OK, b"page 1" + bytes(P - 6) + b"page 2")
    assert vmo.commit_range(0, 3 * P) is OK and asked == [1, 2, 0]


def test_a_pager_reports_failures(pager_vmo) -> None:
    vmo = pager_vmo(2)
    source = vmo.cow_pages.source
    assert source.fail_range(0, P, Status.ZX_ERR_NO_MEMORY) is ARGS
    source.service = lambda _: source.fail_range(0, 2 * P, Status.ZX_ERR_IO)
    assert vmo.read(P, 1)[0] is vmo.write(0, b"a") is Status.ZX_ERR_IO


def test_a_detached_vmo_is_in_a_bad_state(pager_vmo, supply, make) -> None:
    vmo = pager_vmo(2)
    supply(vmo, 0, b"kept")
    source = vmo.cow_pages.source
    source.detach()
    assert vmo.read(0, 4) == (OK, b"kept") and vmo.read(P, 1) == (STATE, b"")
    assert vmo.supply_pages(P, P, make(1)) is vmo.dirty_pages(0, P) is STATE
    assert source.fail_range(0, P, Status.ZX_ERR_IO) is STATE
    assert vmo.writeback_begin(0, P) is vmo.writeback_end(0, P) is OK


def test_a_shrunk_vmo_ends_the_wait(pager_vmo) -> None:
    vmo = pager_vmo(2, is_resizable=True)
    vmo.cow_pages.source.service = lambda _: vmo.resize(P)
    assert vmo.read(P, 1) == (RANGE, b"")


def test_what_is_grown_is_zeros_without_asking(pager_vmo) -> None:
    vmo = pager_vmo(2, is_resizable=True)
    vmo.resize(P)
    vmo.resize(3 * P)
    assert vmo.read(P, 2 * P) == (OK, bytes(2 * P))
    assert vmo.read(0, 1)[0] is Status.ZX_ERR_TIMED_OUT


# Supplying.


def test_supplying_moves_pages_and_keeps_what_is_there(pager_vmo, make, system) -> None:
    vmo, aux = pager_vmo(3), make(4)
    aux.write(P, b"first")
    aux.write(2 * P, b"second")
    assert vmo.supply_pages(0, 2 * P, aux, P) is OK
    assert aux.cow_pages.pages == {} and aux.read(P, 5) == (OK, bytes(5))
    again = make(1)
    again.write(0, b"other")
    assert vmo.supply_pages(0, P, again) is OK
    assert vmo.read(0, 5) == (OK, b"first") and vmo.read(P, 6) == (OK, b"second")
    assert system.pmm.allocated_count == 2


def test_a_pager_may_supply_zeros(pager_vmo, system) -> None:
    vmo = pager_vmo(2)
    assert vmo.supply_pages(P, P) is OK and vmo.read(P, P) == (OK, bytes(P))
    assert sorted(vmo.cow_pages.pages) == [P] and system.pmm.allocated_count == 1
    system.heap.fail_next()
    assert vmo.supply_pages(0, P) is Status.ZX_ERR_NO_MEMORY


def test_what_can_not_supply(pager_vmo, make, system) -> None:
    vmo, aux = pager_vmo(2), make(2)
    assert vmo.supply_pages(1, P, aux) is vmo.supply_pages(0, P, aux, 1) is ARGS
    assert vmo.supply_pages(P, 2 * P, aux) is vmo.supply_pages(0, 2 * P, aux, P) is RANGE
    assert make(2).supply_pages(0, P, aux) is ARGS
    for other in (pager_vmo(1), make(1, kind=VmoKind.CONTIGUOUS)):
        assert vmo.supply_pages(0, P, other) is Status.ZX_ERR_NOT_SUPPORTED
    system.pmm.fail_next(2)
    assert vmo.supply_pages(0, 2 * P, aux) is Status.ZX_ERR_NO_MEMORY
    aux.commit_range_pinned(P, P, True)
    assert vmo.supply_pages(0, 2 * P, aux) is STATE
    assert vmo.cow_pages.pages == {}


# Dirty pages.


def test_a_write_makes_a_page_dirty(pager_vmo, supply, system) -> None:
    vmo = pager_vmo(3)
    supply(vmo, 0)
    supply(vmo, 1)
    with vmo.lock:
        status, page, writable = vmo.lookup_page(0, False)
        assert (status, writable) == (OK, False) and vmo.existing_page(0, True) is None
        assert vmo.lookup_page(0, True) == (OK, page, True)
        assert vmo.lookup_page(0, False) == (OK, page, True)
    assert vmo.is_dirty_tracked() and page.queue == PageQueue.PAGER_BACKED_DIRTY
    assert vmo.query_dirty_ranges(0, 3 * P) == (OK, [(0, P, False)])


def test_a_trapped_write_waits_for_the_pager(pager_vmo, supply) -> None:
    vmo = pager_vmo(2, trap_dirty=True)
    supply(vmo, 0, b"clean")
    assert vmo.write(0, b"x") is Status.ZX_ERR_TIMED_OUT and vmo.read(0, 5) == (OK, b"clean")
    assert vmo.page_request.type is PageRequestType.DIRTY
    assert vmo.dirty_pages(0, 2 * P) is Status.ZX_ERR_NOT_FOUND
    assert vmo.dirty_pages(0, P) is OK and vmo.page_request.wait() is OK
    assert vmo.write(0, b"x") is OK and vmo.read(0, 5) == (OK, b"xlean")
    assert vmo.commit_range(0, P) is OK


def test_committing_does_not_make_dirty(pager_vmo, supply) -> None:
    vmo = pager_vmo(1, trap_dirty=True)
    supply(vmo, 0)
    assert vmo.commit_range(0, P) is OK and vmo.query_dirty_ranges(0, P) == (OK, [])


def test_writing_back_makes_clean_unless_written_again(pager_vmo, supply, listen) -> None:
    vmo = pager_vmo(3)
    for page in range(3):
        supply(vmo, page)
        vmo.write(page * P, b"new")
    mapping = listen(vmo)
    assert vmo.writeback_begin(0, 2 * P) is OK
    assert mapping.heard == [(RangeChangeOp.REMOVE_WRITE, 0, 2)]
    vmo.write(P, b"newer")
    assert vmo.writeback_end(0, 2 * P) is OK
    assert vmo.query_dirty_ranges(0, 3 * P) == (OK, [(P, 2 * P, False)])
    assert vmo.writeback_begin(1, P) is vmo.writeback_end(0, 1) is ARGS


def test_zeros_of_a_pager_backed_vmo_are_dirty(pager_vmo, supply) -> None:
    vmo = pager_vmo(4)
    supply(vmo, 0, b"a" * P)
    assert vmo.zero_range(0, 2 * P) is OK
    assert vmo.read(0, 2 * P) == (OK, bytes(2 * P))
    assert vmo.query_dirty_ranges(0, 4 * P) == (OK, [(0, P, False), (P, P, True)])
    assert vmo.zero_range(2 * P, 2 * P) is OK and vmo.read(2 * P, 2 * P) == (OK, bytes(2 * P))
    assert vmo.decommit_range(0, P) is Status.ZX_ERR_NOT_SUPPORTED


def test_zeroing_waits_for_the_pager(pager_vmo, supply) -> None:
    vmo = pager_vmo(2, trap_dirty=True)
    supply(vmo, 0, b"a" * P)
    assert vmo.zero_range(0, P) is Status.ZX_ERR_TIMED_OUT and vmo.read(0, 1) == (OK, b"a")
    vmo.cow_pages.source.service = lambda request: vmo.dirty_pages(request.offset, request.size)
    assert vmo.zero_range(0, P) is OK and vmo.read(0, 1) == (OK, b"\0")


def test_statistics_say_whether_it_was_modified(pager_vmo, supply, make) -> None:
    vmo = pager_vmo(1)
    supply(vmo, 0)
    vmo.read(0, 1)
    assert vmo.query_pager_vmo_stats(reset=False) == (OK, False)
    vmo.write(0, b"a")
    assert [vmo.query_pager_vmo_stats(reset) for reset in (False, True, True)] == [
        (OK, True),
        (OK, True),
        (OK, False),
    ]
    assert make(1).query_pager_vmo_stats(reset=False) == (ARGS, False)


# Hints.


def test_hints_move_pages_between_queues(pager_vmo, supply, make) -> None:
    vmo = pager_vmo(2)
    supply(vmo, 0)
    page = vmo.cow_pages.pages[0]
    assert page.queue >= PageQueue.RECLAIM_BASE
    assert vmo.hint_range(0, 2 * P, HintType.DONT_NEED) is OK
    assert page.queue == PageQueue.RECLAIM_ISOLATE
    vmo.cow_pages.source.service = lambda request: supply(vmo, request.offset // P)
    assert vmo.hint_range(P, 1, HintType.ALWAYS_NEED) is OK and sorted(vmo.cow_pages.pages) == [0, P]
    assert vmo.hint_range(P, 2 * P, HintType.DONT_NEED) is RANGE
    assert make(1).hint_range(0, P, HintType.ALWAYS_NEED) is OK


def test_a_clone_says_what_is_not_needed(system, supply) -> None:
    _, vmo = system.create_pager_vmo(5, is_unbounded=True)
    for page in range(3):
        supply(vmo, page)
    first, second, third = vmo.cow_pages.pages.values()
    _, clone = vmo.create_clone(CloneType.SNAPSHOT_AT_LEAST_ON_WRITE, P, 1 << 60)
    clone.write(P, b"own")
    assert clone.hint_range(0, 1 << 60, HintType.DONT_NEED) is OK
    isolated = [page.queue == PageQueue.RECLAIM_ISOLATE for page in (first, second, third)]
    assert isolated == [False, True, False]  # below the clone; seen; hidden by the clone's own page


def test_high_priority_brings_pages_in(pager_vmo, supply, make, system) -> None:
    vmo = pager_vmo(2)
    vmo.cow_pages.source.service = lambda request: supply(vmo, request.offset // P)
    vmo.commit_high_priority_pages(0, 9 * P)
    assert sorted(vmo.cow_pages.pages) == [0, P]
    make(4).commit_high_priority_pages(0, 4 * P)
    assert system.pmm.allocated_count == 2


# Trees.


class Shown:
    """What a VMO of a pager's tree shows: own pages over what the parent shows, up to a limit."""

    def __init__(self, vmo, own: dict[int, bytes], above: "Shown | None", at: int, limit: int) -> None:
        self.vmo, self.own, self.above, self.at, self.limit = vmo, own, above, at, limit

    def page(self, number: int) -> bytes:
        if number in self.own:
            return self.own[number]
        if self.above is None:
            return b"disk%d" % number
        return self.above.page(self.at + number) if number < self.limit else bytes(5)

    def keep(self, number: int, data: bytes) -> None:
        self.own[number] = data

    @property
    def pages(self) -> int:
        return self.vmo.size // P


def plant(dice, system: System) -> list[Shown]:
    _, vmo = system.create_pager_vmo(6 * P)

    def service(request) -> None:
        _, aux = system.create_vmo(P)
        aux.write(0, b"disk%d" % (request.offset // P))
        vmo.supply_pages(request.offset, P, aux)
        aux.release()

    vmo.cow_pages.source.service = service
    return [Shown(vmo, {}, None, 0, 0)]


def grow(dice, shown: list[Shown]) -> None:
    parent = dice.draw(st.sampled_from(shown))
    kind = dice.draw(st.sampled_from([CloneType.SNAPSHOT_AT_LEAST_ON_WRITE, CloneType.SNAPSHOT_MODIFIED]))
    at, pages = dice.draw(st.integers(0, 3)), dice.draw(st.integers(1, 6))
    status, vmo = parent.vmo.create_clone(kind, at * P, pages * P)
    if vmo is None:
        assert status is Status.ZX_ERR_NOT_SUPPORTED and kind is CloneType.SNAPSHOT_MODIFIED
        return
    limit = max(min(pages, parent.pages - at), 0)
    if kind is CloneType.SNAPSHOT_MODIFIED and parent.above is not None:
        # A copy of what the parent has of its own, beside it under the pager's VMO.
        own = {n - at: data for n, data in parent.own.items() if 0 <= n - at < limit}
        below = max(min(limit, parent.limit - at), 0)
        shown.append(Shown(vmo, own, parent.above, parent.at + at, below))
    else:
        shown.append(Shown(vmo, {}, parent, at, limit))


@settings(max_examples=120, deadline=None)
@given(st.data())
def test_trees_of_a_pager_show_what_they_should(dice) -> None:
    system = System()
    shown = plant(dice, system)
    for _ in range(dice.draw(st.integers(1, 20))):
        action = dice.draw(st.sampled_from(["grow", "write", "write", "zero"]))
        if action == "grow":
            grow(dice, shown)
            continue
        one = dice.draw(st.sampled_from(shown))
        number = dice.draw(st.integers(0, one.pages - 1))
        data = bytes(5) if action == "zero" else b"new%d%d" % (number, len(shown) % 10)
        if action == "zero":
            assert one.vmo.zero_range(number * P, P) is OK
        else:
            assert one.vmo.write(number * P, data) is OK
        one.keep(number, data)
        for other in shown:
            for n in range(other.pages):
                assert other.vmo.read(n * P, 5) == (OK, other.page(n)[:5].ljust(5, b"\0"))
    for one in dice.draw(st.permutations(shown)):
        one.vmo.release()
    assert system.pmm.allocated_count == 0
