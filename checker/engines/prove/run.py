"""The prove engine: all obligations, in parallel, with a verdict for each.

A proof rests on the invariants in its solver core.  When an invariant turns out not to hold, every proof that rested on it is
done again without it, until what is proved stands on proved invariants only.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator

from vmaspace.checker.engines.prove.induction import deviates
from vmaspace.checker.engines.prove.obligations import Obligation, Result, obligations
from vmaspace.checker.engines.prove.worker import Budget, Recipe, contracts_for
from vmaspace.checker.engines.traces import place_of
from vmaspace.checker.engines.workers import Lost, Workers, local
from vmaspace.checker.language.check import CheckedProgram
from vmaspace.checker.logic.contract import Contract
from vmaspace.checker.report.verdict import Kind, Verdict

Progress = Callable[[int, int, str], None]


class Prover:
    """Proves properties of one program.

    jobs: worker processes (0: in this process).  progress: called with (done, total, what).  seconds: when to stop; what is
    not done then stays unknown.  workers: who does the work, in place of processes of this machine.
    """

    def __init__(
        self,
        program: CheckedProgram,
        budget: Budget | None = None,
        jobs: int | None = None,
        progress: Progress | None = None,
        seconds: float | None = None,
        workers: Workers | None = None,
    ) -> None:
        self.program = program
        self.budget = budget or Budget()
        self.workers = workers or local((os.cpu_count() or 1) if jobs is None else jobs)
        self.progress = progress or (lambda done, total, what: None)
        self.results: dict[Obligation, Result] = {}
        self.interrupted = False
        self.is_late = False
        self.deadline = None if seconds is None else time.monotonic() + seconds
        self.contracts: dict[str, Contract] = {}
        self.recipe = Recipe(program, self.budget)

    # --- running ---------------------------------------------------------------------------------------------------

    def prove(
        self, names: Iterable[str] | None = None, operations: Iterable[str] | None = None
    ) -> list[Verdict]:
        """Prove the named properties (default: all) for the named operations (default: all)."""
        chosen = None if names is None else set(names)
        self.contracts = contracts_for(self.program, chosen)
        self.recipe = Recipe(self.program, self.budget, chosen, self.contracts)
        contract = self.contracts[""]
        wanted = [p for p in contract.properties.values() if chosen is None or p.name in chosen]
        todo = obligations(contract, wanted)
        if operations is not None:
            kept = set(operations)
            todo = [o for o in todo if o.operation in kept]
        todo.sort(
            key=lambda o: (not (o.expected or o.operation == ""), o)
        )  # searches take longest: start with them
        try:
            self.settle(todo)
        except KeyboardInterrupt:
            self.interrupted = True
        order = {o: i for i, o in enumerate(obligations(contract, wanted))}
        done = sorted(todo, key=lambda o: order[o])
        return [self.verdict(o, self.results.get(o)) for o in done]

    def settle(self, todo: list[Obligation]) -> None:
        """Discharge everything, then again whatever rested on something that does not hold."""
        false: frozenset[str] = frozenset()
        pending = todo
        while pending:
            # What rested on a false invariant is not known to be false itself: only the first pass searches for runs.
            self.discharge(pending, false, search=not false)
            broken = frozenset(
                o.property
                for o, r in self.results.items()
                if o.switch == "" and r.kind != Kind.PROVED and self.is_hypothesis(o.property)
            )
            if broken <= false or self.is_late:
                return
            false |= broken
            pending = [o for o, r in self.results.items() if r.used & false - {o.property}]

    def is_hypothesis(self, name: str) -> bool:
        p = self.contracts[""].properties[name]
        return p.kind == "invariant" and not deviates(self.contracts[""], p)

    def discharge(self, pending: list[Obligation], without: frozenset[str], search: bool) -> None:
        for done, result in enumerate(self.work(pending, without, search), 1):
            self.results[result.obligation] = result
            self.progress(done, len(pending), result.obligation.id)

    def work(self, pending: list[Obligation], without: frozenset[str], search: bool) -> Iterator[Result]:
        tasks = [(o, without, search) for o in pending]
        for (o, *_), result in self.workers.run(self.recipe, tasks, lambda: not self.late()):
            yield Result(o, "unknown", 0.0, "", result.reason) if isinstance(result, Lost) else result

    def late(self) -> bool:
        self.is_late = self.is_late or (self.deadline is not None and time.monotonic() > self.deadline)
        return self.is_late

    # --- verdicts --------------------------------------------------------------------------------------------------

    def verdict(self, o: Obligation, r: Result | None) -> Verdict:
        if r is None:
            reason = (
                "interrupted before it was done"
                if self.interrupted
                else "the budget ran out before it was done"
            )
            r = Result(o, str(Kind.UNKNOWN), 0.0, "", reason)
        elif o.expected and r.kind == Kind.PROVED:
            reason = "the contract as implemented was expected to break this property here, and does not"
            r = Result(o, str(Kind.DEVIATION_GONE), r.seconds, r.scope, reason)
        return Verdict(
            id=o.id if o.operation else o.property,
            property=o.property,
            operation=o.operation or None,
            engine="prove",
            verdict=Kind(r.kind),
            seconds=r.seconds,
            scope=r.scope,
            source=place_of(self.contracts[o.switch].properties[o.property].span),
            trace=r.trace,
            reason=r.reason,
            notes=r.notes,
        )
