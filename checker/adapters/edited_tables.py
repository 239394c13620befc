"""Page tables of the model that are edited at random, and an account of what they are to say.

The account is a list of runs of pages. It knows nothing of entries: what was asked for, and no more.

Not here: what hardware makes of the tables.
"""

from __future__ import annotations

from random import Random
from typing import NamedTuple

from vmaspace.model.arch.aspace import ArchVmAspace
from vmaspace.model.arch.hardware import AccessKind
from vmaspace.model.arch.options import ExistingEntryAction, NonTerminalAction, TerminalAction
from vmaspace.model.arch.regime import Regime
from vmaspace.model.constants import MAX_U64, PAGE_SIZE, Paddr, Vaddr
from vmaspace.model.flags import MMU_PERM_EXECUTE, MMU_PERM_READ, MMU_PERM_USER, MMU_PERM_WRITE
from vmaspace.model.physical_memory import PhysicalMemory
from vmaspace.model.status import ZX_OK
from vmaspace.model.system import System

_BIG, _HUGE = 1 << 21, 1 << 30
_FRAMES = 0x8_0000_0000  # where pages lie that no allocator hands out; within 40 bits
NEEDED = {  # of MMU flags, for an access
    AccessKind.READ: MMU_PERM_READ,
    AccessKind.WRITE: MMU_PERM_WRITE,
    AccessKind.EXECUTE: MMU_PERM_EXECUTE,
}


class Run(NamedTuple):
    """Pages that are mapped to a run of physical pages."""

    start: Vaddr
    end: Vaddr
    paddr: Paddr
    flags: int


class EditedTables:
    """The page tables of a user address space, or of the kernel's, on a machine of their own."""

    def __init__(
        self,
        arch: str,
        random: Random,
        *,
        is_kernel: bool = False,
        is_small: bool = False,
        system_class: type[System] = System,
    ) -> None:
        """is_small: single pages only, which lead to allocated memory; their accessed flags are harvested too."""
        self.system = system = system_class(arch)
        self.random = random
        self.is_small = is_small
        aspace = system.kernel_aspace if is_kernel else system.create_default_aspace()
        assert aspace is not None
        if not is_kernel:
            system.set_active_aspace(aspace)
        self._tables: ArchVmAspace = aspace.arch
        self._arch = arch
        self._user = 0 if is_kernel else MMU_PERM_USER
        self.is_kernel = is_kernel
        self.is_upper = is_kernel and arch == "arm64"
        low = aspace.base + aspace.size // 2 & -_HUGE if is_kernel else _HUGE
        high = aspace.base + aspace.size & -_HUGE
        self._bases = (low, low + _HUGE, high - _HUGE, low + (high - low) // 2 & -_HUGE)
        self.runs: list[Run] = []

    @property
    def regime(self) -> Regime:
        return self._tables.regime

    @property
    def memory(self) -> PhysicalMemory:
        return self.system.pmm

    @property
    def root(self) -> Paddr:
        root = self._tables.root
        assert root is not None
        return root.paddr

    def wanted(self, va: Vaddr, kind: AccessKind) -> Paddr | None:
        """Where an access by those whose tables these are leads to; None if it is to be refused."""
        for run in self.runs:
            if run.start <= va < run.end:
                return run.paddr + va - run.start if run.flags & NEEDED[kind] else None
        return None

    def edit(self) -> str:
        """One edit; in words. Forgets which invalidations were issued before."""
        self.system.tlb.log.clear()
        choice = self.random.random()
        if self.is_small and choice < 0.15 and self.runs:
            return self._harvest()
        if choice < 0.45 or not self.runs:
            return self._map()
        if choice < 0.7:
            return self._protect()
        return self._unmap()

    def invalidations(self) -> list[Vaddr | None]:
        """What the last edit has issued: addresses, and None for everything."""
        return [each.va for each in self.system.tlb.log]

    def stale_addresses(self) -> list[tuple[Vaddr, Vaddr]]:
        """The ranges that the model's TLB says a CPU may still use although the tables do not grant it."""
        size = {level: PAGE_SIZE << 9 * level for level in range(5)}
        return [
            (stale.va & -size[stale.level], (stale.va & -size[stale.level]) + size[stale.level])
            for stale in self.system.tlb.stale_translations()
        ]

    def places(self) -> list[Vaddr]:
        """Addresses at the edges of what is mapped, on both sides, and within."""
        found = []
        for run in self.runs:
            inside = self.random.randrange(run.start, run.end)
            found += [run.start, run.end - 1, run.start - 1, run.end, inside]
        return list(dict.fromkeys(va & MAX_U64 for va in found))

    # Edits.

    def _flags(self) -> int:
        flags = (
            MMU_PERM_READ
            | self._user
            | self.random.choice((0, MMU_PERM_WRITE))
            | self.random.choice((0, MMU_PERM_EXECUTE))
        )
        # On riscv64 a memory type stays when a protection changes, and two of them make one that is reserved.
        if self._arch != "riscv64" and not flags & MMU_PERM_EXECUTE and self.random.random() < 0.3:
            flags |= self.random.choice((1, 2, 3))
        return flags

    def _map(self) -> str:
        random = self.random
        base = random.choice(self._bases)
        is_large = not self.is_small and random.random() < 0.5
        if is_large:
            size = random.choice((_BIG, 3 * _BIG, _BIG + PAGE_SIZE, _HUGE))
            start = (
                base if size == _HUGE else base + random.randrange(8) * _BIG + random.choice((0, PAGE_SIZE))
            )
        else:
            size = random.randrange(1, 9) * PAGE_SIZE
            start = base + random.choice((0, _BIG, 5 * _BIG)) + random.randrange(504, 520) * PAGE_SIZE
        if any(run.start < start + size and start < run.end for run in self.runs):
            return self._unmap()
        flags = self._flags()
        paddr = _FRAMES + (start & _HUGE - 1) + random.randrange(4) * _HUGE
        count = size // PAGE_SIZE
        if is_large:
            status = self._tables.map_contiguous(start, paddr, count, flags)
        else:
            if self.is_small:
                paddr = self._allocate(count)
            pages = [paddr + at * PAGE_SIZE for at in range(count)]
            status = self._tables.map(start, pages, flags, ExistingEntryAction.ERROR)
        if status is ZX_OK:
            self.runs.append(Run(start, start + size, paddr, flags))
        return f"map {count} pages at {start:#x}, flags {flags:#x}"

    def _allocate(self, count: int) -> Paddr:
        """A run of pages that have an age."""
        pages = self.memory.allocate_contiguous(count)
        assert pages is not None
        for page in pages:
            self.system.page_queues.set_reclaim(page)
        return pages[0].paddr

    def _harvest(self) -> str:
        """Accessed flags are read and cleared; the account says nothing of them."""
        start, end = self._part()
        terminal = TerminalAction.UPDATE_AGE_AND_HARVEST
        self._tables.harvest_accessed(start, (end - start) // PAGE_SIZE, NonTerminalAction.RETAIN, terminal)
        return f"harvest [{start:#x}, {end:#x})"

    def _part(self) -> tuple[Vaddr, Vaddr]:
        """A part of a run, or all of it."""
        run = self.random.choice(self.runs)
        pages = (run.end - run.start) // PAGE_SIZE
        first = self.random.choice((0, 0, self.random.randrange(pages)))
        last = self.random.choice((pages, self.random.randrange(first, pages) + 1))
        return run.start + first * PAGE_SIZE, run.start + last * PAGE_SIZE

    def _protect(self) -> str:
        start, end = self._part()
        flags = self._flags() & ~3
        status = self._tables.protect(start, (end - start) // PAGE_SIZE, flags)
        if status is ZX_OK:
            changed = [
                Run(max(run.start, start), min(run.end, end), run.paddr + max(0, start - run.start), flags)
                for run in self.runs
                if run.start < end and start < run.end
            ]
            self._cut(start, end)
            self.runs += changed
        return f"protect [{start:#x}, {end:#x}), flags {flags:#x}"

    def _unmap(self) -> str:
        start, end = self._part()
        if self._tables.unmap(start, (end - start) // PAGE_SIZE) is ZX_OK:
            self._cut(start, end)
        return f"unmap [{start:#x}, {end:#x})"

    def _cut(self, start: Vaddr, end: Vaddr) -> None:
        kept = []
        for run in self.runs:
            if run.start < start:
                kept.append(run._replace(end=min(run.end, start)))
            if run.end > end:
                first = max(run.start, end)
                kept.append(run._replace(start=first, paddr=run.paddr + first - run.start))
        self.runs = kept
