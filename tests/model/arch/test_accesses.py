"""Harvests: which tables are descended into, unmarked or freed, what is reported, and which leaves lose their flags."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.model.arch.conftest import hardware_access
from vmaspace.model.arch.arm64 import A64_ACCESSED, A64_TABLE_ACCESSED
from vmaspace.model.arch.options import (
    ArchUnmapOptions,
    ExistingEntryAction,
    NonTerminalAction,
    TerminalAction,
)
from vmaspace.model.arch.x86_64 import X86_ACCESSED, X86_DIRTY
from vmaspace.model.flags import MmuFlag
from vmaspace.model.status import ZX_OK, AssertionViolation

PAGE, MIB, GIB = 0x1000, 1 << 20, 1 << 30
READ, WRITE, USER = MmuFlag.PERM_READ, MmuFlag.PERM_WRITE, MmuFlag.PERM_USER
RU, RWU = int(READ | USER), int(READ | WRITE | USER)
FREE, RETAIN = NonTerminalAction.FREE_UNACCESSED, NonTerminalAction.RETAIN
CLEAR, KEEP = TerminalAction.UPDATE_AGE_AND_HARVEST, TerminalAction.UPDATE_AGE
BASE = 1 * GIB


@pytest.fixture
def reports(monkeypatch):
    """The physical pages that the page queues are told of, in order."""
    from vmaspace.model.page_queues import PageQueues

    told = []
    monkeypatch.setattr(PageQueues, "mark_accessed", lambda self, page: told.append(page.paddr))
    return told


def pages_of(space, count):
    return [space.system.pmm.allocate_page().paddr for _ in range(count)]


def harvest(space, non_terminal=FREE, terminal=CLEAR):
    tables = space.tables
    assert tables.harvest_accessed(tables.base, tables.size // PAGE, non_terminal, terminal) is ZX_OK
    space.check()


def touch(space, va, is_write=False):
    if space.arch.has_hardware_accessed_flag:
        hardware_access(space.tables, va, is_write=is_write)
    else:
        assert space.tables.mark_accessed(va & -PAGE, 1) is ZX_OK


def marks(space, va):
    """Which entries on the way to `va` are marked, from the root on."""
    regime = space.tables.regime
    return [
        bool(
            step.entry
            & (regime.accessed if regime.is_leaf(step.entry, step.level) else regime.table_accessed)
        )
        for step in space.tables.walk(va)
    ]


def test_mapping_marks_what_it_goes_through(space):
    space.map(BASE, [PAGE], RWU)
    expected = {"x86_64": [False] * 4, "arm64": [True] * 4, "riscv64": [False, False, True]}
    assert marks(space, BASE) == expected[space.name]


def test_accessed_pages_are_reported_once(space, reports):
    one, two, three = pages_of(space, 3)
    space.map(BASE, [one, two], RWU)
    space.map(BASE + 4 * GIB, [three], RWU)
    for va in (BASE, BASE + PAGE, BASE + 4 * GIB):
        touch(space, va)
    harvest(space, RETAIN, KEEP)
    assert reports == [one, two, three]
    harvest(space, RETAIN, CLEAR)
    assert reports == [one, two, three] * 2
    harvest(space, RETAIN, CLEAR)
    assert reports == [one, two, three] * 2


def test_a_harvest_that_retains_and_keeps_changes_nothing(space, reports):
    space.map(BASE, pages_of(space, 2), RWU)
    touch(space, BASE)
    before = [(va, page.words.tolist()) for _, va, page in space.all_tables()]
    space.system.tlb.log.clear()
    harvest(space, RETAIN, KEEP)
    assert [(va, page.words.tolist()) for _, va, page in space.all_tables()] == before
    assert reports and not space.system.tlb.log


def test_device_memory_keeps_its_flag(space, reports):
    space.map(BASE, [5 * PAGE], RWU)
    touch(space, BASE)
    harvest(space)
    assert space.tables.is_accessed(BASE) and not reports


def test_x86_drops_dirty_with_accessed(make):
    space = make("x86_64")
    space.map(BASE, pages_of(space, 1), RWU)
    touch(space, BASE, is_write=True)
    assert space.leaf(BASE).entry & (X86_ACCESSED | X86_DIRTY) == X86_ACCESSED | X86_DIRTY
    harvest(space)
    assert not space.leaf(BASE).entry & (X86_ACCESSED | X86_DIRTY)


@pytest.mark.parametrize("terminal", [CLEAR, KEEP])
def test_x86_large_pages_lose_their_flags_and_are_not_reported(make, reports, terminal):
    space = make("x86_64")
    start = space.system.pmm.allocate_contiguous(512, 21)[0].paddr
    space.tables.map_contiguous(BASE, start, 512, RWU)
    touch(space, BASE, is_write=True)
    harvest(space, RETAIN, terminal)
    assert not space.leaf(BASE).entry & (X86_ACCESSED | X86_DIRTY) and not reports


@pytest.mark.parametrize("arch", ["arm64", "riscv64"])
def test_large_pages_are_reported_by_their_first(make, reports, arch):
    space = make(arch)
    start = space.system.pmm.allocate_contiguous(512, 21)[0].paddr
    space.tables.map_contiguous(BASE, start, 512, RWU)
    assert space.tables.harvest_accessed(BASE, 511, RETAIN, CLEAR) is ZX_OK
    assert not reports and space.tables.is_accessed(BASE)  # in part
    harvest(space, RETAIN)
    assert reports == [start] and not space.tables.is_accessed(BASE)
    assert space.tables.mark_accessed(BASE, 511) is ZX_OK
    assert not space.tables.is_accessed(BASE)
    assert space.tables.mark_accessed(BASE, 512) is ZX_OK
    assert space.tables.is_accessed(BASE)


def test_x86_harvests_no_large_page_in_part(make):
    space = make("x86_64")
    space.tables.map_contiguous(BASE, 0, 512, RWU)
    touch(space, BASE)
    with pytest.raises(AssertionViolation, match="in part"):
        space.tables.harvest_accessed(BASE, 511, RETAIN, CLEAR)


def test_arm64_frees_no_table_in_part(make):
    space = make("arm64")
    space.map(BASE, pages_of(space, 2), RWU)
    harvest(space)
    assert marks(space, BASE) == [False] * 4
    with pytest.raises(AssertionViolation, match="covers the whole"):
        space.tables.harvest_accessed(BASE, 1, FREE, CLEAR)


@pytest.mark.parametrize(("arch", "cleared"), [("x86_64", True), ("arm64", False)])
def test_a_mark_goes_when_its_reach_was_covered(make, arch, cleared):
    space = make(arch)
    space.map(BASE, pages_of(space, 3), RWU)
    touch(space, BASE)
    assert space.tables.harvest_accessed(BASE, 2, FREE, CLEAR) is ZX_OK
    assert marks(space, BASE)[:3] == [not cleared] * 3


def test_a_protection_loses_or_makes_accesses(space):
    space.map(BASE, pages_of(space, 1), RWU)
    touch(space, BASE)
    if space.name != "x86_64":
        harvest(space, RETAIN)
    assert space.tables.protect(BASE, 1, RU) is ZX_OK
    # x86-64 writes a new entry; elsewhere the flag is back, and nobody is told.
    assert space.tables.is_accessed(BASE) is (space.name != "x86_64")


def test_arm64_split_tables_are_not_marked(make):
    space = make("arm64")
    space.tables.map_contiguous(BASE, 0, 512, RWU)
    space.tables.protect(BASE, 1, RU)
    assert marks(space, BASE) == [True, True, False, True]
    assert space.leaf(BASE).entry & A64_ACCESSED and not space.leaf(BASE).entry & A64_TABLE_ACCESSED
    harvest(space)
    assert space.tables.is_empty()  # as implemented: the region that was split is gone


@pytest.mark.parametrize("non_terminal", [FREE, RETAIN])
def test_a_shared_root_is_always_descended_into_and_never_freed(make, arch, reports, non_terminal):
    shared, _, _ = make.family(arch)
    tables = shared.tables
    page = pages_of(shared, 1)[0]
    shared.map(tables.base, [page], RWU)
    for step in tables.walk(tables.base)[1:]:  # as if through a unified root, whose copy has the mark
        tables.words_at(step.table)[step.slot] = step.entry | (
            tables.regime.accessed if step.level == 0 else tables.regime.table_accessed
        )
    top = tables.walk(tables.base)[0]
    tables.words_at(top.table)[top.slot] = top.entry & ~tables.regime.table_accessed
    before = tables.pt_pages
    harvest(shared, non_terminal)
    assert reports == [page] and tables.pt_pages == before
    for _ in range(3):
        harvest(shared, FREE)
    assert shared.tables.pt_pages == before - (0 if arch == "riscv64" else tables.regime.top_level - 1)


@pytest.mark.parametrize(
    ("arch", "touched", "expected"),
    [
        ("x86_64", True, [0, 1]),
        ("x86_64", False, [0, 1]),
        ("arm64", True, [0, 1, 2]),
        ("arm64", False, []),
        ("riscv64", True, []),
    ],
)
def test_an_unmap_that_harvests(make, reports, arch, touched, expected):
    space = make(arch)
    paddrs = pages_of(space, 2)
    large = space.system.pmm.allocate_contiguous(512, 21)[0].paddr
    space.map(BASE + 2 * MIB - 2 * PAGE, paddrs, RWU)
    space.tables.map_contiguous(BASE + 2 * MIB, large, 512, RWU)
    if not touched and arch == "arm64":
        harvest(space, RETAIN)
        reports.clear()
    options = ArchUnmapOptions.HARVEST
    assert space.tables.unmap(BASE + 2 * MIB - 2 * PAGE, 514, options) is ZX_OK
    assert reports == [[*paddrs, large][i] for i in expected]


# What a protection keeps of the entry that was there.


@pytest.mark.parametrize(
    ("arch", "old", "new", "answer"),
    [
        ("x86_64", RWU | 2, RU, RU),  # the leaf is made anew
        ("arm64", RWU | 2, RU | 0, RU | 3),  # device with cached is write-combining
        ("arm64", RWU | 2, RU | 2, RU | 2),
        ("riscv64", RWU | 2, RU | 0, RU | 2),
        ("riscv64", RWU | 1, int(READ), RU | 1),  # USER stays, and the memory type
        ("riscv64", int(READ | WRITE), RU, RU),  # USER comes
    ],
)
def test_what_a_protection_keeps(make, arch, old, new, answer):
    space = make(arch)
    space.map(BASE, [5 * PAGE], old)
    assert space.tables.protect(BASE, 1, new) is ZX_OK
    assert space.at(BASE) == (5 * PAGE, answer)


def test_riscv_two_memory_types_make_one_that_nobody_knows(make):
    space = make("riscv64")
    space.map(BASE, [5 * PAGE], RWU | 1)
    assert space.tables.protect(BASE, 1, RWU | 2) is ZX_OK
    with pytest.raises(AssertionViolation, match="memory type"):
        space.tables.query(BASE)


# Touches and harvests in any order, beside the set of what was touched.


@pytest.mark.parametrize("arch", ["x86_64", "arm64", "riscv64"])
def test_any_sequence_of_touches_and_harvests(make, arch):
    places = [BASE + i * step for step in (PAGE, 2 * MIB, GIB) for i in range(3)]

    @settings(max_examples=60)
    @given(
        st.lists(
            st.tuples(st.sampled_from(["map", "touch", "free", "retain"]), st.sampled_from(places)),
            max_size=20,
        )
    )
    def check(steps):
        space = make(arch)
        mapped, fresh, marked = {}, set(), set()
        for kind, va in steps:
            if kind == "map" and va not in mapped:
                mapped[va] = pages_of(space, 1)[0]
                assert space.map(va, [mapped[va]], RWU, ExistingEntryAction.ERROR) is ZX_OK
                if arch != "x86_64":
                    fresh.add(va)
                    marked.add(va)
            elif kind == "touch" and va in mapped:
                touch(space, va)
                fresh.add(va)
                marked.add(va)
            elif kind == "retain":
                reached = {at for at in mapped if arch == "riscv64" or is_marked(marked, at)}
                assert fresh <= reached
                harvest(space, RETAIN)
                fresh.clear()
            elif kind == "free":
                harvest(space, FREE)
                if arch != "riscv64":
                    kept = {at for at in mapped if is_marked(marked, at)}
                    mapped = {at: mapped[at] for at in kept}
                fresh.clear()
                marked.clear()
            assert {at: paddr for at, paddr, _ in space.tables.translations()} == mapped
            assert {at for at in mapped if space.tables.is_accessed(at)} == fresh & set(mapped)

    def is_marked(marked, at):
        """Whether something was touched below the last-level table of `at`."""
        return any(at >> 21 == other >> 21 for other in marked)

    check()
