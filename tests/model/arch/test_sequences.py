"""Any sequence of edits, beside a dictionary of pages: translations, flags, counts, and what failures leave behind."""

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vmaspace.model.arch.mapper import ArchMapper
from vmaspace.model.arch.options import (
    ArchUnmapOptions,
    ExistingEntryAction,
    NonTerminalAction,
    TerminalAction,
)
from vmaspace.model.arch.regime import Regime
from vmaspace.model.flags import MmuFlag
from vmaspace.model.status import ZX_ERR_ALREADY_EXISTS, ZX_ERR_NO_MEMORY, ZX_OK, AssertionViolation

PAGE = 0x1000
LARGE = 512  # pages of a large leaf of level 1
BASE = (1 << 30) - 2 * LARGE * PAGE  # two large pages below a gigabyte
WINDOW = 5 * LARGE
DEVICE = 0x40000000  # below memory
READ, WRITE, EXECUTE, USER = MmuFlag.PERM_READ, MmuFlag.PERM_WRITE, MmuFlag.PERM_EXECUTE, MmuFlag.PERM_USER
ERROR, SKIP, UPGRADE = ExistingEntryAction.ERROR, ExistingEntryAction.SKIP, ExistingEntryAction.UPGRADE
RWX = int(READ | WRITE | EXECUTE)

# Around the borders of tables and large pages, where things happen.
PLACES = st.sampled_from(
    [border + near for border in range(0, WINDOW, LARGE) for near in (-3, -1, 0, 1, 2, 7)]
).filter(lambda page: 0 <= page < WINDOW - 16)
COUNTS = st.sampled_from([1, 1, 2, 3, 5, 8, 16, LARGE - 1, LARGE, LARGE + 1, 2 * LARGE])
FLAGS = st.sampled_from(
    [int(READ | extra) for extra in (0, USER, WRITE, USER | WRITE, EXECUTE, USER | EXECUTE | WRITE)]
)
ACTIONS = st.sampled_from([ERROR, SKIP, UPGRADE])
LEFT = st.sampled_from([None, None, None, 0, 1, 2, 3])  # tables before memory is out


@dataclass(frozen=True)
class Edit:
    kind: str
    page: int
    count: int
    flags: int
    action: ExistingEntryAction
    target: int  # physical page
    left: int | None
    options: ArchUnmapOptions


EDITS = st.lists(
    st.builds(
        Edit,
        kind=st.sampled_from(["map", "map", "contiguous", "unmap", "protect", "harvest"]),
        page=PLACES,
        count=COUNTS,
        flags=FLAGS,
        action=ACTIONS,
        target=st.sampled_from([0, 1, LARGE, 2 * LARGE, 2 * LARGE + 3]),
        left=LEFT,
        options=st.sampled_from([ArchUnmapOptions(i) for i in range(4)]),
    ),
    max_size=12,
)


class Reference:
    """What the pages of the window lead to: page -> (physical page, flags); and which of them stand in large leaves."""

    def __init__(self, space):
        self.space = space
        self.pages: dict[int, tuple[int, int]] = {}
        self.large: set[int] = set()  # first pages of large leaves

    def now(self):
        """The same, as the tables have it."""
        found, large = {}, set()
        regime = self.space.tables.regime
        for va, step in self.space.tables.leaves():
            first = (va - BASE) // PAGE
            count = 1 << 9 * step.level
            if step.level:
                large.add(first)
            start = (regime.leaf_paddr(step.entry, step.level) - DEVICE) // PAGE
            flags = regime.mmu_flags(step.entry, step.level)
            found.update((first + i, (start + i, flags)) for i in range(count))
        return found, large

    def in_large(self, page):
        return page & -LARGE in self.large

    def split(self, low, high):
        """The large leaves that `[low, high)` covers in part, in order."""
        return [
            first
            for first in sorted(self.large)
            if first < high and low < first + LARGE and not (low <= first and first + LARGE <= high)
        ]

    def map(self, edit):
        """The pages after a mapping for which there is memory, and the status; None: an assertion."""
        pages = dict(self.pages)
        read_only = edit.flags & RWX == READ
        for i in range(edit.count):
            page, new = edit.page + i, (edit.target + i, edit.flags)
            old = pages.get(page)
            if old is not None and self.in_large(page):
                if self.space.name == "x86_64" and edit.action is not ERROR:
                    return None
                return self.rolled_back(edit, i), ZX_ERR_ALREADY_EXISTS
            if old is None:
                pages[page] = new
            elif edit.action is ERROR:
                return self.rolled_back(edit, i), ZX_ERR_ALREADY_EXISTS
            elif edit.action is UPGRADE and not (old[0] == new[0] and read_only):
                pages[page] = new
        return pages, ZX_OK

    def rolled_back(self, edit, passed):
        """What the cursor has passed is unmapped, also what was there before."""
        return {page: at for page, at in self.pages.items() if not edit.page <= page < edit.page + passed}

    def protected(self, at, flags):
        """arm64 and riscv64 keep some of the old flags."""
        if self.space.name == "x86_64":
            return at[0], flags
        if self.space.name == "riscv64":
            return at[0], flags | at[1] & USER
        return at[0], flags  # AP, UXN and PXN are replaced as a whole


def run(space, edits):
    reference = Reference(space)
    for edit in edits:
        if not step(space, reference, edit):
            return
        pages, large = reference.now()
        assert pages == reference.pages
        assert large == reference.large
        space.check()
    # Everything goes, and every table with it.
    space.left = 0
    assert space.tables.unmap(BASE, WINDOW, ArchUnmapOptions.ENLARGE) is ZX_OK
    assert space.tables.pt_pages == 1
    before = space.system.pmm.allocated_count
    assert space.tables.destroy() is ZX_OK
    assert space.system.pmm.allocated_count == before - 1


def step(space, reference, edit) -> bool:
    space.left = edit.left
    va, tables = BASE + edit.page * PAGE, space.tables
    count = min(edit.count, WINDOW - edit.page)
    edit = Edit(**{**edit.__dict__, "count": count})
    high = edit.page + count
    if edit.kind == "map":
        expected = reference.map(edit)
        paddrs = [DEVICE + (edit.target + i) * PAGE for i in range(count)]
        if expected is None:
            try:
                status = tables.map(va, paddrs, edit.flags, edit.action)
            except AssertionViolation:
                return False
            assert status is ZX_ERR_NO_MEMORY
        else:
            status = tables.map(va, paddrs, edit.flags, edit.action)
        if status is ZX_ERR_NO_MEMORY and edit.left is not None:
            check_failed_map(reference, edit)
        else:
            assert status is expected[1]
            reference.pages = expected[0]
    elif edit.kind == "contiguous":
        status = tables.map_contiguous(va, DEVICE + edit.target * PAGE, count, edit.flags)
        pages, large = reference.now()
        if status is ZX_OK:
            assert not any(edit.page + i in reference.pages for i in range(count))
            reference.pages.update({edit.page + i: (edit.target + i, edit.flags) for i in range(count)})
            for first in range(0, WINDOW, LARGE):
                fits = (
                    edit.page <= first
                    and first + LARGE <= high
                    and not (edit.target + first - edit.page) % LARGE
                )
                assert (first in large) == (fits or first in reference.large)
            reference.large = large
        else:
            taken = any(edit.page + i in reference.pages for i in range(count))
            assert (status is ZX_ERR_ALREADY_EXISTS and taken) or (
                status is ZX_ERR_NO_MEMORY and edit.left is not None
            )
        assert pages == reference.pages and large == reference.large  # all or nothing
    elif edit.kind == "unmap":
        status = tables.unmap(va, count, edit.options)
        check_unmap(space, reference, edit, status)
    elif edit.kind == "protect":
        before = dict(reference.pages)
        status = tables.protect(va, count, edit.flags, edit.options)
        check_protect(reference, edit, status, before)
    else:
        whole = (tables.base, tables.size // PAGE)
        assert (
            tables.harvest_accessed(*whole, NonTerminalAction.RETAIN, TerminalAction.UPDATE_AGE_AND_HARVEST)
            is ZX_OK
        )
    space.left = None
    return True


def check_failed_map(reference, edit):
    """Of the given pages none is mapped; what was passed is gone, what was not is as before."""
    after, _ = reference.now()
    untouched = {
        page: at for page, at in reference.pages.items() if not edit.page <= page < edit.page + edit.count
    }
    assert {page: at for page, at in after.items() if page in untouched} == untouched
    rest = set(after) - set(untouched)
    # From some page on what was there stays; before it nothing does.
    assert all(after[page] == reference.pages.get(page) for page in rest)
    kept_from = min(rest, default=WINDOW)
    assert {page for page in reference.pages if kept_from <= page < edit.page + edit.count} <= rest
    reference.pages = after


def check_unmap(space, reference, edit, status):
    low, high = edit.page, edit.page + edit.count
    splits = reference.split(low, high)
    enlarges = bool(edit.options & ArchUnmapOptions.ENLARGE) if space.name == "x86_64" else bool(edit.options)
    memory = len(splits) if edit.left is None else edit.left
    gone_to, extra = high, set()
    for first in splits:
        if memory:
            memory -= 1
            reference.large.discard(first)
        elif enlarges:
            extra.update(range(first, first + LARGE))
            reference.large.discard(first)
        else:
            assert status is ZX_ERR_NO_MEMORY
            gone_to = max(low, first)
            break
    else:
        assert status is ZX_OK
    reference.pages = {
        page: at for page, at in reference.pages.items() if not (low <= page < gone_to or page in extra)
    }
    reference.large = {first for first in reference.large if first in reference.pages}


def check_protect(reference, edit, status, before):
    low, high = edit.page, edit.page + edit.count
    memory = edit.left
    stop = high
    for first in reference.split(low, high):
        if memory == 0:
            assert status is ZX_ERR_NO_MEMORY
            stop = max(low, first)
            break
        memory = None if memory is None else memory - 1
        reference.large.discard(first)
    else:
        assert status is ZX_OK
    for page in range(low, stop):
        if page in before:
            reference.pages[page] = reference.protected(before[page], edit.flags)


@pytest.mark.parametrize("arch", ["x86_64", "arm64", "riscv64"])
def test_any_sequence_of_edits(make, arch):
    @settings(max_examples=60)
    @given(EDITS)
    def check(edits):
        run(make(arch), edits)

    check()


@pytest.mark.parametrize("arch", ["x86_64", "arm64", "riscv64"])
def test_a_split_translates_every_address_as_before(make, arch):
    for page in (0, 1, 300, 511):
        for pages, level in ((512, 1), (512 * 512, 2)):
            space = make(arch)
            start = 1 << 31
            assert space.tables.map_contiguous(start, start >> 1, pages, int(READ | WRITE | USER)) is ZX_OK
            assert space.leaf(start).level == level
            at = start + page * (pages // 512) * PAGE
            assert space.tables.protect(at, 1, int(READ | USER)) is ZX_OK
            flags = {va: found for va, _, found in space.tables.translations()}
            assert [va for va, found in flags.items() if found == READ | USER] == [at]
            assert all(va - paddr == start >> 1 for va, paddr, _ in space.tables.translations())
            covered = sum(1 << 9 * step.level for _, step in space.tables.leaves())
            assert covered == pages and space.tables.pt_pages == space.tables.regime.top_level + 1
            space.check()


# That the comparison would find what it looks for: faults planted in the engine.

SPLITS = [
    Edit("contiguous", LARGE, LARGE, int(READ | WRITE), ERROR, LARGE, None, ArchUnmapOptions.NONE),
    Edit("protect", LARGE + 3, 2, int(READ), ERROR, 0, None, ArchUnmapOptions.NONE),
    Edit("unmap", LARGE, LARGE, 0, ERROR, 0, None, ArchUnmapOptions.NONE),
]
FAILURE = [
    Edit("map", 0, 2, int(READ), ERROR, 0, None, ArchUnmapOptions.NONE),
    Edit("map", LARGE - 3, LARGE, int(READ), ERROR, 0, 0, ArchUnmapOptions.NONE),
]


def wrong_split(monkeypatch):
    right = Regime.child_leaf
    monkeypatch.setattr(Regime, "child_leaf", lambda self, leaf, level, i: right(self, leaf, level, i ^ 1))


def no_roll_back(monkeypatch):
    def map_all(self, cursor, flags, action):
        status = self._map_run(cursor, flags, action)
        self.shootdown.finish()
        return status

    monkeypatch.setattr(ArchMapper, "_map_all", map_all)


def leaked_table(monkeypatch):
    def unlink(self, table, below, slot, va, level):
        self.set_entry(table, slot, va, level, 0)

    monkeypatch.setattr(ArchMapper, "unlink", unlink)


def uncounted_page(monkeypatch):
    right = ArchMapper._unmap_pages

    def unmap_pages(self, table, low, high, options):
        before = table.num_mappings
        right(self, table, low, high, options)
        table.num_mappings = min(before, table.num_mappings + 1)

    monkeypatch.setattr(ArchMapper, "_unmap_pages", unmap_pages)


@pytest.mark.parametrize(
    ("plant", "edits"),
    [(wrong_split, SPLITS), (no_roll_back, FAILURE), (leaked_table, SPLITS), (uncounted_page, SPLITS)],
)
@pytest.mark.parametrize("arch", ["x86_64", "arm64", "riscv64"])
def test_planted_faults_are_found(make, arch, monkeypatch, plant, edits):
    run(make(arch), edits)
    plant(monkeypatch)
    with pytest.raises((AssertionError, AssertionViolation)):
        run(make(arch), edits)
