"""Staleness: does a CPU still use what the tables no longer grant, after the model's invalidations?

The emulated CPU remembers translations. It is asked for pages so that it does, the model edits its tables, and the
invalidations that it issued are replayed as the architecture's own instructions. What the emulator then still answers
from memory shows a missing one. The model's own account of TLBs has to say the same.

"Fresh" proves nothing: the emulator forgets more than hardware does (numbers of address spaces, global pages, walk caches).
"""

from __future__ import annotations

from random import Random
from typing import Final

from vmaspace.checker.adapters.edited_tables import EditedTables
from vmaspace.checker.adapters.hardware import AccessKind, Translation, translate, walk
from vmaspace.checker.engines.oracle.bench import Bench
from vmaspace.checker.engines.oracle.machine import Space
from vmaspace.checker.engines.oracle.model_tables import TablesMaker, copy_tables, space_of
from vmaspace.checker.engines.oracle.session import Session

STALE: Final = "stale before the invalidation"
MISSING: Final = "missing invalidation"
_EDITS: Final = 20  # of one machine
_PAGE: Final = 4096
_REMEMBERED: Final = 150  # pages; the emulator's TLB holds a few hundred


def compare_stale(bench: Bench, seed: int, count: int, make: TablesMaker = EditedTables) -> None:
    """At least `count` comparisons; how often an answer was stale until the invalidation is counted in `bench.seen`."""
    arch = bench.machine.name
    random = Random(f"{seed}/{arch}/stale")
    goal = bench.count + count
    while bench.count < goal and not bench.has_enough:
        bench.arena.clear()
        tables = make(arch, random, is_small=True)
        space = space_of(tables, arch)
        remembered = _Remembered(bench, space, tables)
        for _ in range(_EDITS):
            remembered.fill()
            edit = tables.edit()
            remembered.judge(edit)
            if bench.count >= goal:
                return


class _Remembered:
    """What the emulated CPU was made to remember, for a user."""

    def __init__(self, bench: Bench, space: Space, tables: EditedTables) -> None:
        self.bench = bench
        self.space = space
        self.tables = tables
        self.session = Session(bench.machine, space)
        self.pages: list[int] = []

    def fill(self) -> None:
        """Ask for every page that is mapped, so that it is remembered."""
        runs = self.tables.runs
        self.pages = [va for run in runs for va in range(run.start, run.end, _PAGE)][:_REMEMBERED]
        self._copy()
        self.session.forget()
        for va in self.pages:
            for kind in AccessKind:
                self.session.ask(va, kind)

    def judge(self, edit: str) -> None:
        """After an edit: replay what was issued, and ask again."""
        bench, space = self.bench, self.space
        self._copy()
        # The instructions are not run before the answers are stale: that is what shows that the oracle can tell.
        wrong = {
            (va, kind)
            for va in self.pages
            for kind in AccessKind
            if self._answer(va, kind) != self._now(va, kind)
        }
        bench.seen[STALE] += len(wrong)
        for va in self.tables.invalidations():
            self.session.invalidate(va)
        reported = self.tables.stale_addresses()
        for va in self.pages:
            for kind in AccessKind:
                bench.count += 1
                answer, now = self._answer(va, kind), self._now(va, kind)
                if answer == now:
                    continue
                is_reported = any(low <= va < high for low, high in reported)
                bench.seen[MISSING] += is_reported
                model = "reports" if is_reported else "does not report"
                bench.tell(
                    space,
                    va,
                    f"{kind.name.lower()} by the user, remembered from before: {edit}",
                    walk(space.mmu.regime, bench.arena, space.root, va),
                    f"{_told(now)} now; the model's TLB {model} the missing invalidation",
                    _told(answer),
                )

    def _answer(self, va: int, kind: AccessKind) -> int | None:
        return self.session.ask(va, kind)

    def _now(self, va: int, kind: AccessKind) -> int | None:
        space = self.space
        answer = translate(space.mmu, self.bench.arena, space.root, va, kind, is_user=True)
        return answer.paddr if isinstance(answer, Translation) else None

    def _copy(self) -> None:
        tables = self.tables
        copy_tables(self.bench, tables.regime, tables.memory, tables.root, [tables.root, *self.pages])
        self.session.prepare()


def _told(paddr: int | None) -> str:
    return "refuses" if paddr is None else f"grants {paddr:#x}"
