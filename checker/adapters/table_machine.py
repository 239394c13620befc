"""A machine whose page tables are edited directly, below mappings: what `ArchVmAspace` offers, large pages too.

There are a plain space, the kernel's, a shared part, and two restricted parts, each with a unified space over both. Of each
space one **window** is edited, in pages; it lies across a border of root slots. Three CPUs load tables and access pages.

Not here: which edits are made, and what should come of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from vmaspace.checker.adapters.invariants.observed import observed
from vmaspace.model.arch.aspace import ArchVmAspace
from vmaspace.model.arch.hardware import AccessKind, Translation, apply_updates, translate
from vmaspace.model.arch.mmu_rules import mmu_for
from vmaspace.model.arch.options import (
    ArchUnmapOptions,
    ExistingEntryAction,
    NonTerminalAction,
    TerminalAction,
)
from vmaspace.model.constants import PAGE_SHIFT, PAGE_SIZE, Vaddr
from vmaspace.model.flags import AspaceType, MmuFlag, ShareOpt
from vmaspace.model.physical_memory import VmPage
from vmaspace.model.status import Status
from vmaspace.model.system import System

LARGE: Final = 512  # pages of a large page
WINDOW: Final = 5 * LARGE
CPUS: Final = 3
RAM_PAGES: Final = 64  # the first pages that edits may lead to: allocated ones, which have an age
READ, WRITE, EXECUTE, USER = (
    int(flag) for flag in (MmuFlag.PERM_READ, MmuFlag.PERM_WRITE, MmuFlag.PERM_EXECUTE, MmuFlag.PERM_USER)
)
UNCACHED: Final = int(MmuFlag.UNCACHED)
ENLARGE: Final = int(ArchUnmapOptions.ENLARGE)
HARVEST: Final = int(ArchUnmapOptions.HARVEST)

_DEVICE: Final = 0x4000_0000 >> PAGE_SHIFT  # the page that others lead to are counted from
_SHARED_SLOTS: Final = 2
_UNIFIED: Final = {"restricted": "unified", "restricted2": "unified2"}
SPACES: Final = ("plain", "restricted", "restricted2", "shared", "kernel")  # that are edited
LOADED: Final = ("plain", *_UNIFIED, *_UNIFIED.values())  # that CPUs load
REMADE: Final = ("plain", *_UNIFIED, "shared")  # with all that stands on them
# The link to mappings: there are none. And that unified roots show what their parts do: CPUs walk them.
_LEFT_OUT: Final = frozenset({"tables-16", "tables-17", "tables-18", "tables-19"})

Pages = dict[int, tuple[int, int]]  # page of a window: where it leads to, in pages, and with which MMU flags


class Edit(NamedTuple):
    """One call. Places and sizes are in pages, of the window of `space`.

    kind: map, contiguous, unmap, protect, harvest, mark, access, load or remake. target: the first of the pages that it leads
    to; those below `RAM_PAGES` are allocated memory. action: of a map. options: of an unmap, or 1 for a harvest that frees.
    left: how many tables can be made, None for any number. loaded: whose tables the CPU loads before an access, or for a load.
    """

    kind: str
    space: str = "plain"
    page: int = 0
    pages: int = 1
    flags: int = 0
    target: int = 0
    action: str = "ERROR"
    options: int = 0
    left: int | None = None
    cpu: int = 0
    loaded: str = ""

    def __str__(self) -> str:
        head = f"{self.kind} {self.space}"
        tail = "" if self.left is None else f", {self.left} tables left"
        match self.kind:
            case "load":
                return f"CPU {self.cpu} loads {self.loaded or 'the kernel alone'}"
            case "remake":
                return head
            case "harvest":
                return f"{head}, {'freeing tables' if self.options else 'keeping tables'}"
        head += f" page {self.page:#x}"
        match self.kind:
            case "map" | "contiguous":
                action = f", {self.action}" if self.kind == "map" else ""
                return f"{head}, {self.pages} pages to {self.target:#x}, flags {self.flags:#x}{action}{tail}"
            case "access":
                where = self.loaded or "any space"
                return f"CPU {self.cpu} in {where}: {self.action.lower()} {self.space} page {self.page:#x}"
            case "protect":
                return f"{head}, {self.pages} pages, flags {self.flags:#x}{tail}"
            case "unmap":
                return f"{head}, {self.pages} pages, options {self.options}{tail}"
        return f"{head}, {self.pages} pages"


class TableMachine:
    """One machine. It is driven by `do`; what its tables say is read off their bytes."""

    def __init__(self, arch: str, system_class: type[System] = System) -> None:
        self.arch = arch
        self.system = observed(system_class)(arch, online_cpus=CPUS)
        self._left: int | None = None
        ram = self.system.pmm.allocate_contiguous(RAM_PAGES)
        assert ram is not None
        for page in ram:
            self.system.page_queues.set_reclaim(page)
        self._ram = ram[0].paddr >> PAGE_SHIFT
        self._spaces = {"kernel": self.system.kernel_aspace}
        record = self.system.arch
        slot = 1 << record.root_slot_shift
        first_shared = record.user_root_slots // 2 * slot
        low = record.user_aspace_base
        user, none = AspaceType.USER, ShareOpt.NONE
        self._ranges = {
            "plain": (low, 2 * slot - low, user, none),
            "restricted": (low, 2 * slot - low, user, ShareOpt.RESTRICTED),
            "restricted2": (low, 2 * slot - low, user, ShareOpt.RESTRICTED),
            "shared": (first_shared, _SHARED_SLOTS * slot, user, ShareOpt.SHARED),
        }
        border = dict.fromkeys(("plain", *_UNIFIED), slot) | {"shared": first_shared + slot}
        kernel = self.system.kernel_aspace
        border["kernel"] = kernel.base + min(slot, kernel.size // 2)
        self._windows = {name: at - 2 * LARGE * PAGE_SIZE for name, at in border.items()}
        self._make(("plain", "shared", *_UNIFIED))

    # Driving.

    def do(self, edit: Edit) -> str:
        """Carry out an edit; answers the status's name, or of an access where it leads to.

        An access answers `refused`, or `unmarked` where hardware wants a mark that only software sets; the page is marked then.
        *Asserts:* what the model asserts.
        """
        self._left = edit.left
        try:
            return self._done(edit)
        finally:
            self._left = None

    def _done(self, edit: Edit) -> str:
        match edit.kind:
            case "load":
                self._load(edit.cpu, edit.loaded)
                return "OK"
            case "remake":
                self._remake(edit.space)
                return "OK"
            case "access":
                return self._access(edit)
        return _name(self._edited(edit))

    def _edited(self, edit: Edit) -> Status:
        tables, va = self._tables(edit.space), self._va(edit.space, edit.page)
        match edit.kind:
            case "map":
                pages = [self._target(edit.target + i) << PAGE_SHIFT for i in range(edit.pages)]
                return tables.map(va, pages, edit.flags, ExistingEntryAction[edit.action])
            case "contiguous":
                return tables.map_contiguous(va, self._target(edit.target) << PAGE_SHIFT, edit.pages, edit.flags)
            case "unmap":
                return tables.unmap(va, edit.pages, ArchUnmapOptions(edit.options))
            case "protect":
                return tables.protect(va, edit.pages, edit.flags)
            case "mark":
                return tables.mark_accessed(va, edit.pages)
        aspace = self._spaces[edit.space]
        frees = NonTerminalAction.FREE_UNACCESSED if edit.options else NonTerminalAction.RETAIN
        pages_of = aspace.size >> PAGE_SHIFT
        return tables.harvest_accessed(aspace.base, pages_of, frees, TerminalAction.UPDATE_AGE_AND_HARVEST)

    def _access(self, edit: Edit) -> str:
        """A CPU walks the tables that it has loaded, and leaves the marks that it leaves."""
        if edit.space != "kernel":
            self._load(edit.cpu, edit.loaded)
        tables = self._tables(edit.space if edit.space == "kernel" else edit.loaded)
        va = self._va(edit.space, edit.page)
        mmu = mmu_for(tables.regime)
        is_user = edit.space != "kernel"
        walked = translate(mmu, self.system.pmm, tables.own_root().paddr, va, AccessKind[edit.action], is_user=is_user)
        apply_updates(self.system.pmm, walked.updates)
        if isinstance(walked, Translation):
            return f"{self._named(walked.paddr >> PAGE_SHIFT):#x}"
        leaf = tables.leaf_at(va)
        if leaf is not None and not mmu.sets_flags and not leaf.entry & tables.regime.accessed:
            self._tables(edit.space).mark_accessed(va, 1)
            return "unmarked"
        return "refused"

    # Looking.

    def pages(self, space: str) -> tuple[Pages, set[int]]:
        """What is mapped in a space, and the first pages of its large leaves."""
        tables, start = self._tables(space), self._windows[space]
        regime, pages, large = tables.regime, Pages(), set[int]()
        for va, step in tables.leaves():
            first = va - start >> PAGE_SHIFT
            if step.level:
                large.add(first)
            to = self._named(regime.leaf_paddr(step.entry, step.level) >> PAGE_SHIFT)
            flags = regime.mmu_flags(step.entry, step.level)
            if step.level:
                pages.update((first + i, (to + i, flags)) for i in range(1 << 9 * step.level))
            else:
                pages[first] = to, flags
        return pages, large

    def query(self, space: str, page: int) -> tuple[int, int] | None:
        """What a query of one page answers."""
        status, paddr, flags = self._tables(space).query(self._va(space, page))
        return (self._named(paddr >> PAGE_SHIFT), flags) if status is Status.ZX_OK else None

    @staticmethod
    def remade_with(space: str) -> Sequence[str]:
        """Which spaces that are edited a remake makes anew, in the order in which they are made."""
        return ("shared", *_UNIFIED) if space == "shared" else (space,)

    def broken(self) -> Iterator[tuple[str, str]]:
        """The invariants of page tables that do not hold: number, and what is wrong."""
        for each in self.system.journal.broken(_LEFT_OUT):
            yield each.invariant.number, each.what

    # What stands behind.

    def _tables(self, space: str) -> ArchVmAspace:
        return self._spaces[space].arch

    def _va(self, space: str, page: int) -> Vaddr:
        return self._windows[space] + (page << PAGE_SHIFT)

    def _target(self, page: int) -> int:
        """The physical page that an edit calls `page`."""
        return self._ram + page if page < RAM_PAGES else _DEVICE + page

    def _named(self, page: int) -> int:
        """What edits call a physical page."""
        return page - self._ram if 0 <= page - self._ram < RAM_PAGES else page - _DEVICE

    def _allocate(self) -> VmPage | None:
        if self._left is not None:
            if not self._left:
                return None
            self._left -= 1
        return self.system.pmm.allocate_page()

    def _load(self, cpu: int, space: str) -> None:
        old = self.system.tlb.cpus[cpu].active
        new = self._tables(space) if space else None
        if new is not old:
            self.system.arch_aspace_class.context_switch(cpu, old, new)

    def _make(self, names: Sequence[str]) -> None:
        """Make spaces, and the unified ones over restricted ones among them."""
        for name in names:
            aspace = self.system.create_aspace(*self._ranges[name][:3], name, self._ranges[name][3])
            assert aspace is not None
            self._spaces[name] = aspace
        for name in names:
            if name in _UNIFIED:
                unified = self.system.create_unified_aspace(self._spaces["shared"], self._spaces[name], _UNIFIED[name])
                assert unified is not None
                self._spaces[_UNIFIED[name]] = unified
        for aspace in self._spaces.values():
            aspace.arch.allocate_table = self._allocate

    def _remake(self, name: str) -> None:
        """Destroy a space and make it anew, with the unified spaces over it and their restricted parts."""
        names = self.remade_with(name)
        for each in reversed(names):
            tables = self._tables(each)
            tables.unmap(tables.base, tables.size >> PAGE_SHIFT, ArchUnmapOptions.ENLARGE)
        unified = [_UNIFIED[each] for each in names if each in _UNIFIED]
        for each in [*unified, *reversed(names)]:
            aspace = self._spaces.pop(each)
            for cpu in self.system.tlb.cpus:
                if cpu.active is aspace.arch:
                    self._load(cpu.number, "")
            aspace.destroy()
            aspace.release()
        self._make(names)


def _name(status: Status) -> str:
    return status.name.removeprefix("ZX_ERR_").removeprefix("ZX_")

