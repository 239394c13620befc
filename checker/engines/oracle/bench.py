"""The comparison: one address, every access by both privileges, the reference walk beside the emulated MMU.

Compared are the physical address or the refusal, the code of the fault where the emulator tells it, and the accessed and
dirty bits in every entry of the walk; and that no other word of the tables has changed.

Not here: which tables and addresses are compared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from vmaspace.checker.adapters.hardware import Mmu, Step, Translation, Update, WalkFault, translate, walk
from vmaspace.checker.adapters.paging.fields import decode
from vmaspace.checker.engines.oracle.deviations import Deviation, deviations_of
from vmaspace.checker.engines.oracle.library import WORD
from vmaspace.checker.engines.oracle.machine import ACCESSES, Access, Machine, Space, code_of

KEPT = 5  # differences that are told
ENOUGH = 100  # after so many there is no point in going on

Walked = Translation | WalkFault


class Seen(NamedTuple):
    """What the emulator did with one access."""

    access: Access
    expected: Walked
    paddr: int | None
    code: int | None  # of a refusal, if it tells one
    entries: list[int]  # of the walk, afterwards


class Difference(NamedTuple):
    """An access that was answered in two ways, in words."""

    access: str
    walk: str
    reference: str
    emulator: str

    def __str__(self) -> str:
        return (
            f"{self.access}\n  walk:{self.walk}\n  reference: {self.reference}\n  emulator:  {self.emulator}"
        )


class Bench:
    """One emulated machine, and what came of the comparisons."""

    def __init__(self, machine: Machine, deviations: tuple[Deviation, ...] | None = None) -> None:
        """deviations: what is known of the emulator; None: all that is."""
        self.machine = machine
        self.arena = machine.arena
        self.count = 0
        self.difference_count = 0
        self.differences: list[Difference] = []
        self.explained: Counter[str] = Counter()  # by the name of the deviation
        self.seen: Counter[str] = Counter()  # what else was counted
        self._deviations = deviations_of(machine.name) if deviations is None else deviations
        self._changed: dict[tuple[int, str], tuple[Mmu, Mmu]] = {}

    @property
    def has_enough(self) -> bool:
        """Whether so much is wrong that no more need be compared."""
        return self.difference_count >= ENOUGH

    def compare(self, space: Space, va: int) -> None:
        """All accesses to `va`. The tables are as before, afterwards."""
        path = walk(space.mmu.regime, self.arena, space.root, va)
        cells = [(self._words(step.table), step.slot) for step in path]
        before = [step.entry for step in path]
        untouched = self.arena.snapshot()
        seen = self._observe(space, va, cells, before)
        refused = [each.access for each in seen if each.paddr is None and each.code is None]
        if refused:
            codes = self.machine.explain(space, va, refused)
            self.restore(path)
            seen = [
                each._replace(code=codes.get(each.access))
                if each.code is None and each.paddr is None
                else each
                for each in seen
            ]
        self.count += len(seen)
        for each in seen:
            if not self._agrees(each, each.expected, (), path, before):
                self._judge(space, va, each, path, before)
        if self.arena.snapshot() != untouched:
            self.tell(
                space, va, "any access", path, "only entries of the walk change", "another word has changed"
            )

    def _observe(
        self, space: Space, va: int, cells: list[tuple[memoryview, int]], before: list[int]
    ) -> list[Seen]:
        machine, arena, mmu, root = self.machine, self.arena, space.mmu, space.root
        seen = []
        entered = None
        for access in ACCESSES:
            kind, is_user = access
            if is_user is not entered:
                machine.enter(space, is_user=is_user)
                entered = is_user
            expected = translate(mmu, arena, root, va, kind, is_user=is_user)
            paddr, code = machine.probe(va, kind)
            after = [words[slot] for words, slot in cells]
            if after != before:
                for (words, slot), entry in zip(cells, before, strict=True):
                    words[slot] = entry
            seen.append(Seen(access, expected, paddr, code, after))
        return seen

    def _agrees(
        self, seen: Seen, expected: Walked, marks: tuple[Update, ...], path: Sequence[Step], before: list[int]
    ) -> bool:
        if isinstance(expected, Translation):
            if seen.paddr != expected.paddr & WORD:
                return False
        elif seen.paddr is not None or (
            seen.code is not None and seen.code != code_of(expected, self.machine.name)
        ):
            return False
        updates = expected.updates + marks
        return seen.entries == (_updated(path, before, updates) if updates else before)

    def _judge(self, space: Space, va: int, seen: Seen, path: Sequence[Step], before: list[int]) -> None:
        """A difference: known, or not."""
        for name, mmu, deviations in self._variants(space.mmu):
            kind, is_user = seen.access
            expected = translate(mmu, self.arena, space.root, va, kind, is_user=is_user)
            marks: tuple[Update, ...] = ()
            if isinstance(expected, WalkFault) and path:
                marks = tuple(mark for each in deviations for mark in each.marks(mmu, expected, path))
            if self._agrees(seen, expected, marks, path, before):
                self.explained[name] += 1
                return
        reference = self._words_of(seen.expected, path, before)
        emulator = "grants " + hex(seen.paddr) if seen.paddr is not None else "refuses"
        if seen.code is not None:
            emulator += f" with code {seen.code:#x}"
        self.tell(
            space, va, str(seen.access), path, reference, f"{emulator}, {_told(seen.entries)} afterwards"
        )

    def _variants(self, mmu: Mmu) -> list[tuple[str, Mmu, tuple[Deviation, ...]]]:
        """The MMU with each deviation, and with all of them."""
        found: list[tuple[str, Mmu, tuple[Deviation, ...]]] = [
            (each.name, self._with(mmu, each), (each,)) for each in self._deviations
        ]
        if len(self._deviations) > 1:
            whole = mmu
            for each in self._deviations:
                whole = self._with(whole, each)
            found.append((" and ".join(each.name for each in self._deviations), whole, self._deviations))
        return found

    def _with(self, mmu: Mmu, deviation: Deviation) -> Mmu:
        key = id(mmu), deviation.name
        made = self._changed.get(key)
        if made is None:  # what the key stands for is kept too, so that its number is not used again
            made = self._changed[key] = mmu, deviation.change(mmu)
        return made[1]

    def restore(self, path: Sequence[Step]) -> None:
        """Undo what the emulator has written into the entries of a walk."""
        for step in path:
            self._words(step.table)[step.slot] = step.entry

    def _words(self, table: int) -> memoryview:
        page = self.arena.page_for(table)
        assert page is not None
        return page.words

    def _words_of(self, expected: Walked, path: Sequence[Step], before: list[int]) -> str:
        after = _told(_updated(path, before, expected.updates))
        if isinstance(expected, Translation):
            return f"grants {expected.paddr:#x}, {after} afterwards"
        what = expected.kind.name.lower().replace("_", " ")
        return f"refuses ({what}, level {expected.level}) with code {code_of(expected, self.machine.name):#x}, {after} afterwards"

    def tell(
        self, space: Space, va: int, access: str, path: Sequence[Step], reference: str, emulator: str
    ) -> None:
        """Note a difference."""
        self.difference_count += 1
        if len(self.differences) < KEPT:
            what = f"{space.mmu.regime.name}: {access} at {va:#x}, root {space.root:#x}{_modes(space)}"
            regime = space.mmu.regime
            steps = "".join(
                f"\n    level {step.level} [{step.slot}] {step.entry:#018x}  {decode(regime, step.entry, step.level).text()}"
                for step in path
            )
            self.differences.append(Difference(what, steps, reference, emulator))


def _updated(path: Sequence[Step], before: list[int], updates: tuple[Update, ...]) -> list[int]:
    """The entries of the walk with the bits of the updates."""
    after = list(before)
    for table, slot, bits in updates:
        for at, step in enumerate(path):
            if step.table == table and step.slot == slot:
                after[at] |= bits
    return after


def _told(entries: list[int]) -> str:
    return "[" + " ".join(f"{entry:#x}" for entry in entries) + "]"


def _modes(space: Space) -> str:
    """The modes that are not as Zircon sets them."""
    usual: Any = type(space.modes)()
    told = [
        f"{name}={getattr(space.modes, name):d}"
        for name in type(space.modes).__slots__
        if getattr(space.modes, name) != getattr(usual, name)
    ]
    return f" ({', '.join(told)})" if told else ""
