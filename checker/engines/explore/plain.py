"""The same search without machine code: the contract's interpreter and a dictionary.

Slow, and written twice on purpose: it shares the layout of a state with the compiled search and nothing of its code, so a
test that compares all their counts holds the two together.  It also works where llvmlite is not installed.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from vmaspace.checker.engines.explore.compaction import Compaction
from vmaspace.checker.engines.explore.graph import Graph, Question, plain_graph
from vmaspace.checker.engines.explore.result import Progress, Result
from vmaspace.checker.engines.explore.witness import Key, Move, Witness
from vmaspace.checker.logic.contract import Contract, Property, Scope
from vmaspace.checker.logic.packed.orbits import least
from vmaspace.checker.logic.packed.program import Program, is_of_steps
from vmaspace.checker.logic.state import State

TELL_EVERY = 256


class PlainSearch:
    """One search of one scope."""

    def __init__(
        self,
        contract: Contract,
        scope: Scope,
        start: Callable[[State], State],
        symmetry: bool = False,
        keep_going: bool = False,
        compaction: Compaction | None = None,
        question: Question | None = None,
    ) -> None:
        self.question = question
        self.contract = contract
        self.scope = scope
        self.symmetry = symmetry
        self.keep_going = keep_going
        self.program = Program(contract, scope)
        self.layout = self.program.layout
        self.compaction = None if compaction is None else compaction.of(self.layout.words)
        self.start = start(self.layout.world)
        self.witness = Witness(contract, self.program, self.key)
        self.interpreter = self.witness.interpreter
        self.numbers: dict[Key, int] = {}
        self.keys: list[Key] = []
        self.waiting: dict[int, Key] = {}  # packed states that are still to be expanded
        self.parents: list[int] = []

    def packed(self, state: State) -> Key:
        packed = self.layout.pack(self.layout.to_working(state))
        return least(self.layout, packed) if self.symmetry else packed

    def kept(self, packed: Key) -> Key:
        return packed if self.compaction is None else (self.compaction.hash(packed),)

    def key(self, state: State) -> Key:
        """What is kept of a state."""
        return self.kept(self.packed(state))

    def graph(self, most: int) -> Graph | None:
        """The states and the steps between them; None if they take more than `most` bytes."""
        assert self.question is not None
        found = plain_graph(self, self.question)
        return found if found.memory <= most else None

    def keys_to(self, number: int) -> list[Key]:
        found = [number]
        while number:
            number = self.parents[number]
            found.append(number)
        return [self.keys[n] for n in reversed(found)]

    def run(self, tell: Callable[[Progress], None] = lambda _: None) -> Result:
        began = time.monotonic()
        result = Result()
        result.calls = dict.fromkeys(self.contract.operations, 0)
        result.outcomes = {(n, i): 0 for n, op in self.contract.operations.items() for i in range(len(op.outcomes))}
        try:
            self._search(result, tell, began)
        except KeyboardInterrupt:
            result.reason = "interrupted"
        result.states = len(self.keys)
        if self.compaction is not None:
            result.omission = self.compaction.omission(result.states)
        result.seconds = time.monotonic() - began
        return result

    def _search(self, result: Result, tell: Callable[[Progress], None], began: float) -> None:
        self._add(self.start, 0, result)
        level = [0]
        while level:
            if self._is_broken(result):
                result.reason = "a property is broken"
                return
            if self.scope.steps and result.depth == self.scope.steps:
                return
            found: list[int] = []
            for done, number in enumerate(level):
                self._expand(number, found, result)
                if done % TELL_EVERY == 0:
                    queue = len(level) - done + len(found)
                    seconds = time.monotonic() - began
                    tell(Progress(result.depth, len(self.keys), queue, result.transitions, seconds))
            level = found
            result.depth += bool(found)

    def _is_broken(self, result: Result) -> bool:
        properties = self.contract.properties
        broken = [properties[name] for name, _ in result.failures]
        return not self.keep_going and any(p.kind != "reach" and p.deviation is None for p in broken)

    def _add(self, state: State, parent: int, result: Result) -> bool:
        packed = self.packed(state)
        key = self.kept(packed)
        if key in self.numbers:
            return False
        number = self.numbers[key] = len(self.keys)
        self.keys.append(key)
        self.waiting[number] = packed
        self.parents.append(parent)
        for p in self.contract.properties.values():
            if p.kind == "after" or (p.kind == "invariant" and is_of_steps(p)):
                continue
            holds = self.interpreter.holds(p, state, state, {}, None)
            if holds == (p.kind == "reach"):
                result.failures.setdefault((p.name, None), number)
        return True

    def _expand(self, number: int, found: list[int], result: Result) -> None:
        state = self.layout.from_working(self.layout.unpack(self.waiting.pop(number)))
        steps = 0
        for name, op in self.contract.operations.items():
            for env in self.witness.calls(name, state):
                result.calls[name] += 1
                steps += 1
                for c in self.interpreter.allowed(name, state, env):
                    slot = name, next(i for i, o in enumerate(op.outcomes) if o is c.outcome)
                    if c.outcome.kind == "asserts":
                        result.outcomes[slot] += 1
                        continue
                    for chosen, after in self.interpreter.successors(c, state, dict(env), {}):
                        if not self.layout.holds(after):
                            result.cut += 1
                            continue
                        result.outcomes[slot] += 1
                        result.transitions += 1
                        self._judge(Move(name, chosen, c, after), state, number, result)
                        if self._add(after, number, result):
                            found.append(len(self.keys) - 1)
        if not steps:
            result.deadlocks += 1
            result.first_deadlock = number if result.first_deadlock is None else result.first_deadlock

    def _judge(self, m: Move, before: State, number: int, result: Result) -> None:
        for p in self.contract.properties.values():
            if is_of_steps(p) and p.speaks_of(m.operation) and not self._keeps(p, m, before):
                result.failures.setdefault((p.name, m.operation), number)

    def _keeps(self, p: Property, m: Move, before: State) -> bool:
        assert m.outcome is not None
        if self.interpreter.holds(p, before, m.state, m.env, m.outcome.outcome):
            return True
        return p.kind == "invariant" and not self.interpreter.holds(p, before, before, m.env, None)
