"""Random walks through the compiled code, for scopes that cannot be exhausted.

A walk starts in the first state and takes one of the steps that lead to another state, all alike, until it has taken so many or
there is none.  Every state and step on the way is judged; so are the steps that were not taken.  What is found comes with its
run, which is not the shortest one.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from vmaspace.checker.engines.explore.graph import Graph
from vmaspace.checker.engines.explore.result import Progress, Result
from vmaspace.checker.engines.explore.search import Search
from vmaspace.checker.logic.state import State

Key = tuple[int, ...]
LONGEST = 100  # steps of one walk
TELL_EVERY = 256


class Walks:
    """Random walks over the states of a search that is itself never run."""

    def __init__(self, search: Search, steps: int, seed: int) -> None:
        self.search = search
        self.program = search.program
        self.start: State = search.start
        self.steps = steps
        self.dice = random.Random(seed)
        self.worker = search.workers[0]
        self.worker.set("CACHE_MASK", 0)  # one entry, so that it is soon emptied
        self.found: list[list[Key]] = []
        self.result = Result()

    def key(self, state: State) -> Key:
        return self.search.key(state)

    def keys_to(self, number: int) -> list[Key]:
        return self.found[number]

    def graph(self, most: int) -> Graph | None:
        raise AssertionError("walks know no graph")

    def run(self, tell: Callable[[Progress], None] = lambda _: None) -> Result:
        began = time.monotonic()
        result, taken, first = self.result, 0, self.key(self.start)
        seen: set[Key] = set()
        try:
            while taken < self.steps and not result.reason:
                path = [first]
                while len(path) <= LONGEST and taken < self.steps and not result.reason:
                    following = self.look(path)
                    seen.add(path[-1])
                    if not following:
                        break
                    path.append(self.dice.choice(following))
                    taken += 1
                    if taken % TELL_EVERY == 0:
                        seconds = time.monotonic() - began
                        tell(Progress(len(path), len(seen), 0, self.search.transitions, seconds))
                result.depth = max(result.depth, len(path) - 1)
                if path == [first]:  # nothing leads away from where every walk starts
                    break
        except KeyboardInterrupt:
            result.reason = "interrupted"
        whole = self.search.counts(result.depth, result.reason)
        whole.first_deadlock = result.first_deadlock
        whole.failures, whole.states, whole.bytes_a_state = result.failures, len(seen), 0.0
        whole.seconds = time.monotonic() - began
        return whole

    def look(self, path: list[Key]) -> list[Key]:
        """Judge the last state of a walk and all its steps; the states that they lead to."""
        w, width = self.worker, self.search.layout.words
        w.states.set_words(0, path[-1])
        w.cache.set_words(0, [0] * (width + 1))
        w.set_filled(0, 0)
        self.search.functions["inspect"](w.context.address, 0, 1)
        self.search.functions["advance"](w.context.address, 0, 1)
        self.note(path)
        count = w.filled(0)
        entry = self.search.shape.entry
        return [w.buffers[0].words(i * entry + entry - width, width) for i in range(count)]

    def note(self, path: list[Key]) -> None:
        """Keep the walk for whatever was just seen for the first time: a property that fails or is reached, a deadlock."""
        if self.result.first_deadlock is None and self.worker.get("FIRST_DEADLOCK"):
            self.result.first_deadlock = len(self.found)
            self.found.append(list(path))
        for key, slot in self.program.failures.items():
            if key in self.result.failures or not self.worker.slot(slot):
                continue
            self.result.failures[key] = len(self.found)
            self.found.append(list(path))
            p = self.program.contract.properties[key[0]]
            if p.kind != "reach" and p.deviation is None and not self.search.keep_going:
                self.result.reason = "a property is broken"
