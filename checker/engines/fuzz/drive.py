"""One run of an implementation: it is started in a world, called, looked at and judged, step after step.

The rules of the state machine, the minimiser and the replay all drive through here.

Not here: which calls are made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from vmaspace.checker.adapters.interface import ASSERTION, CRASH, Adapter, Answer, BrokenImplementation
from vmaspace.checker.adapters.world import World
from vmaspace.checker.engines.fuzz.findings import Finding
from vmaspace.checker.engines.fuzz.judge import Judge
from vmaspace.checker.logic.execute import CompiledOutcome, Env
from vmaspace.checker.logic.state import State


@dataclass(frozen=True, slots=True)
class Taken:
    """A step that was taken, in the form that traces are made from.

    env: the arguments, and the choices if the outcome is known.  fails_at: which allocation was to fail.
    """

    operation: str
    env: Env
    fails_at: int
    status: str
    violated: str | None
    outcome: CompiledOutcome | None
    state: State


class Drive:
    """Drives one adapter; `begin` starts over."""

    def __init__(self, adapter: Adapter, judge: Judge) -> None:
        self.adapter = adapter
        self.judge = judge
        self.steps: list[Taken] = []
        self.finding: Finding | None = None
        self.is_over = True

    def begin(self, world: World) -> Finding | None:
        """Start the implementation in `world`; what is wrong with its first state."""
        self.world = world
        self.steps = []
        self.is_over = False
        wording = self.judge.wording
        self.start = self.judge.first(world)
        self.state = self.start
        try:
            self.adapter.start(world)
            self.state = self.adapter.observe()
        except BrokenImplementation as error:
            self.finding = wording.crash("init", str(error))
        except Exception as error:  # a faulty implementation may raise anything
            self.finding = wording.crash("init", f"{type(error).__name__}: {error}")
        else:
            self.finding = self.judge.begin(self.start, self.state) or self.broken_invariant("init")
        self.is_over = self.finding is not None
        return self.finding

    def step(
        self, op: str, env: Mapping[str, int], fails_at: int = 0, allowed: list[CompiledOutcome] | None = None
    ) -> Taken:
        """Make a call and judge it; `finding` then says what is wrong, and `is_over` whether the run has ended."""
        before = self.state
        answer = self.adapter.call(op, env, fails_at)
        after = before
        if answer.status not in (ASSERTION, CRASH):
            try:
                after = self.adapter.observe()
            except BrokenImplementation as error:
                answer = Answer(CRASH, str(error))
        found = self.judge.judge(op, env, before, answer, after, allowed, may=fails_at > 0)
        taken = Taken(op, found.env, fails_at, answer.status, answer.violated, found.outcome, after)
        self.steps.append(taken)
        self.state = after
        self.finding = found.finding
        if self.finding is None and answer.status != ASSERTION:
            self.finding = self.broken_invariant(op)
        self.is_over = self.finding is not None or answer.status == ASSERTION
        return taken

    def broken_invariant(self, op: str) -> Finding | None:
        """The first of the implementation's own invariants that a step, right by the contract, has broken."""
        try:
            broken = next(iter(self.adapter.broken_invariants()), None)
        except Exception as error:  # what a faulty implementation holds need make no sense at all
            return self.judge.wording.crash(op, f"{type(error).__name__}: {error}")
        return None if broken is None else self.judge.wording.invariant(op, broken)
