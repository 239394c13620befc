"""The search: breadth first, level by level, by one worker or several.

Each worker owns the states whose hash falls to it and runs in a thread of its own; the compiled code does not hold Python's
lock.  A level is done in rounds: all workers expand until a buffer is full, then each looks up what was sent to it.  The
order in which a worker finds its states depends on nothing but the text, so all counts come out the same every time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from vmaspace.checker.engines.explore.checkpoint import Checkpoint, Kept, Place, restore_part, save_part
from vmaspace.checker.engines.explore.compaction import Compaction
from vmaspace.checker.engines.explore.core import AT, MOST_WORKERS, core_text
from vmaspace.checker.engines.explore.edges import EXPORT, compiled_graph, edges_text
from vmaspace.checker.engines.explore.graph import Graph, Question
from vmaspace.checker.engines.explore.memory import Stretch
from vmaspace.checker.engines.explore.result import Part, Progress, Result, Stopped
from vmaspace.checker.engines.explore.worker import EXPORTED, ROUND, Shape, Worker
from vmaspace.checker.logic.contract import Contract, Scope
from vmaspace.checker.logic.packed.layout import ScopeError
from vmaspace.checker.logic.packed.native import Native
from vmaspace.checker.logic.packed.program import CUT, UNSOUND, Program
from vmaspace.checker.logic.packed.runtime import MOST_POINTS
from vmaspace.checker.logic.state import State

MIB = 1 << 20
PATIENCE = 40  # times as long as writing the text takes: about what good code costs to compile


class Search:
    """One search of one scope."""

    is_quick = True  # begins with quick code

    def __init__(
        self,
        contract: Contract,
        scope: Scope,
        start: Callable[[State], State],
        *,
        jobs: int = 1,
        memory: int = 4096 * MIB,
        cache: Path | None = None,
        symmetry: bool = False,
        keep_going: bool = False,
        checkpoint: Checkpoint | None = None,
        compaction: Compaction | None = None,
        question: Question | None = None,
    ) -> None:
        began = time.monotonic()
        self.program = Program(contract, scope, symmetry)
        self.layout = self.program.layout
        width = self.layout.words
        self.compaction = None if compaction is None else compaction.of(width)
        more = edges_text(self.program, question) if question is not None else ""
        exported = (*EXPORTED, EXPORT) if question is not None else EXPORTED
        self.question = question
        core = core_text(width, list(self.program.calls.values()), self.compaction)
        self.text = core + self.program.text + more
        self.patience = PATIENCE * (time.monotonic() - began)
        self.native = Native(self.text, exported, cache, self.is_quick)
        self.compile_seconds = time.monotonic() - began
        self.functions = {name: self.native.function(name, 3) for name in exported}  # workers look here
        self.jobs = jobs
        self.memory = memory
        self.steps = scope.steps or None
        self.keep_going = keep_going
        self.checkpoint = checkpoint
        self.shape = Shape.of(self.program, self.compaction is not None)
        # A state takes 8 bytes more at least.  Memory is counted after a round: that much more may come in one.  Numbers of
        # states have 32 bits.
        self.most_states = min(memory // (8 * self.shape.kept + 8) + jobs * 2 * ROUND, (1 << 32) // jobs)
        if jobs > MOST_WORKERS:
            raise ScopeError(f"{jobs} workers are too many for one search: {MOST_WORKERS} at most")
        self.parts = self._make_parts()
        self.scratch = Stretch(8 * width)
        self.start = start(self.layout.world)

    def _make_parts(self) -> Sequence[Part]:
        """The parts of the visited set: here one for each thread."""
        workers = [Worker(i, self.jobs, self.shape, self.most_states, self.functions) for i in range(self.jobs)]
        self.workers = workers
        return workers

    # --- the run ---------------------------------------------------------------------------------------------------

    def run(self, tell: Callable[[Progress], None] = lambda _: None) -> Result:
        began = time.monotonic()
        depth, reason, ends = -1, "", [0] * self.jobs
        with ThreadPoolExecutor(self.jobs) as pool:
            self.pool = pool
            try:
                place = self.checkpoint.load(self) if self.checkpoint else None
                if place is None:
                    self._begin()
                else:
                    depth, ends, self.first = place.depth, place.ends, place.first
                while not reason:
                    if [w.done for w in self.parts] == ends:  # a level is done: the next is what it found
                        counts = [w.count for w in self.parts]
                        if counts == ends:
                            break
                        depth, ends = depth + 1, counts
                    if depth == self.steps:
                        break
                    self.enter(depth, ends)
                    reason = self._level(ends, depth, began, tell)
            except KeyboardInterrupt:
                reason = "interrupted"
            except Stopped as stopped:
                reason = f"{stopped}, at depth {max(0, depth)}"
        result = self.result(max(0, depth), reason)
        result.seconds = time.monotonic() - began
        return result

    def save_parts(self, folder: Path, kept: Sequence[int]) -> None:
        """Bring the files of every worker up to date; they hold so many states of each."""
        for w, count in zip(self.workers, kept, strict=True):
            save_part(folder, w, count)

    def restore_parts(self, folder: Path, kept: Sequence[Kept]) -> None:
        """Put every worker where it was.  `ValueError`: a file is not what it should be."""
        for w, own in zip(self.workers, kept, strict=True):
            restore_part(folder, w, own)

    def enter(self, depth: int, ends: list[int]) -> None:
        """A level begins, or is taken up again; what the last one finds is not expanded."""
        if depth + 1 == self.steps:
            for w, end in zip(self.workers, ends, strict=True):
                w.wanted = end

    def _begin(self) -> None:
        self.workers[0].begin(self.layout.to_working(self.start))
        self._exchange()
        self.first = next(w.number for w in self.parts if w.count)

    def _level(self, ends: list[int], depth: int, began: float, tell: Callable[[Progress], None]) -> str:
        """Expand every state before `ends`; the reason to stop, if there is one."""
        while any(w.done < end for w, end in zip(self.parts, ends, strict=True)):
            self._round(ends)
            self._improve(time.monotonic() - began)
            states = sum(w.count for w in self.parts)
            queue = states - sum(w.done for w in self.parts)
            tell(self._progress(Progress(depth, states, queue, self.transitions, time.monotonic() - began)))
            if any(w.is_full for w in self.parts):
                return self._too_much() or f"a worker has no more than {self.most_states:,} numbers for states"
            if self.checkpoint is not None and self.checkpoint.is_due:
                self.checkpoint.save(self, Place(depth, ends, self.first))
            if limit := self._too_much():
                return limit
        if self._has_too_many_points():
            return f"a bound number has more than {MOST_POINTS} places at which it must be looked at"
        if not self.keep_going and any(self._failed(key) for key in self.program.failures):
            return "a property is broken"
        if self._total(UNSOUND):
            return "`first` may take an element that is not blank, so symmetry would lose states"
        return ""

    def _round(self, ends: list[int]) -> None:
        """Everybody expands states before its end until a buffer is full, then looks up what it was sent."""
        list(self.pool.map(Worker.advance, self.workers, ends))
        self._exchange()

    def _improve(self, seconds: float) -> None:
        """Better code for a search that takes about as long as compiling: a short one does not wait, a long one loses little."""
        if self.native.is_best or seconds < self.patience or self._has_too_many_points():
            return
        began = time.monotonic()
        self.native.improve()
        self.functions.update({name: self.native.function(name, 3) for name in self.functions})
        self.compile_seconds += time.monotonic() - began

    def _progress(self, reached: Progress) -> Progress:
        return reached

    def _too_much(self) -> str:
        if sum(w.memory for w in self.parts) > self.memory:
            return f"the memory limit of {self.memory // MIB} MiB is reached"
        return ""

    def _has_too_many_points(self) -> bool:
        return bool(self.functions["too_many_points"](0, 0, 0))

    def _failed(self, key: tuple[str, str | None]) -> bool:
        p = self.program.contract.properties[key[0]]
        return p.kind != "reach" and p.deviation is None and self._total(self.program.failures[key]) > 0

    def _exchange(self) -> None:
        """Every owner looks up what it was sent."""
        sent = [[w.filled(o) for o in range(self.jobs)] for w in self.workers]
        list(self.pool.map(lambda o: self._gather(o, [row[o.number] for row in sent]), self.workers))
        for w in self.workers:
            for owner in range(self.jobs):
                w.set_filled(owner, 0)

    def _gather(self, owner: Worker, counts: list[int]) -> None:
        for w, count in zip(self.workers, counts, strict=True):
            owner.gather(w.buffers[owner.number].address, count)
        owner.inspect()

    # --- what was found --------------------------------------------------------------------------------------------

    @property
    def transitions(self) -> int:
        operations = self.program.contract.operations
        return sum(
            self._total(slot)
            for (name, i), slot in self.program.outcomes.items()
            if operations[name].outcomes[i].kind != "asserts"
        )

    def _total(self, slot: int) -> int:
        return sum(w.slot(slot) for w in self.parts)

    def _first(self, slot: int) -> int | None:
        """The number of the first state that a slot names; the one with the fewest steps, if workers differ."""
        found = [
            (value - 1) * self.jobs + w.number
            for w in self.parts
            if (value := w.slot(slot))
        ]
        return min(found, key=lambda n: (len(self.path(n)), n), default=None)

    def result(self, depth: int, reason: str) -> Result:
        found = self.counts(depth, reason)
        found.first_deadlock = self._first(AT["FIRST_DEADLOCK"])
        found.failures = {
            key: n for key, slot in self.program.failures.items() if (n := self._first(slot)) is not None
        }
        return found

    def counts(self, depth: int, reason: str) -> Result:
        p = self.program
        states = sum(w.count for w in self.parts)
        return Result(
            states=states,
            transitions=self.transitions,
            depth=depth,
            cut=self._total(CUT),
            deadlocks=self._total(AT["DEADLOCKS"]),
            calls={name: self._total(slot) for name, slot in p.calls.items()},
            outcomes={key: self._total(slot) for key, slot in p.outcomes.items()},
            reason=reason,
            bytes_a_state=sum(w.memory for w in self.parts) / max(1, states),
            compile_seconds=self.compile_seconds,
            omission=None if self.compaction is None else self.compaction.omission(states),
        )

    def path(self, number: int) -> list[int]:
        """The numbers of the states from the first one to this one."""
        found = [number]
        while number != self.first:
            number = self.parts[number % self.jobs].parent(number // self.jobs)
            found.append(number)
        return found[::-1]

    def keys_to(self, number: int) -> list[tuple[int, ...]]:
        return [self.parts[n % self.jobs].packed(n // self.jobs) for n in self.path(number)]

    def graph(self, most: int) -> Graph | None:
        """The states and the steps between them; None if they take more than `most` bytes."""
        assert self.question is not None
        found = compiled_graph(self, self.question, most)
        if self._has_too_many_points():
            raise ScopeError(f"a bound number has more than {MOST_POINTS} places at which it must be looked at")
        return found

    def key(self, state: State) -> tuple[int, ...]:
        """What is kept of a state: its packed form, with symmetry that of its orbit; or the hash of that."""
        w = self.workers[0]
        w.rows[0].set_words(0, self.layout.to_working(state))
        self.functions["key_of"](w.context.address, self.scratch.address, 0)
        return self.scratch.words(0, self.shape.kept)
