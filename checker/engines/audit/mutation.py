"""Mutation: engines look at every mutant of the model in turn, and one of them must find it.

A row tells which engine found a mutant, how soon, and who looked before it. A mutant that nobody finds is a failure:
there is something that a kernel engineer can get wrong and that no check notices.

Not here: the mutants themselves, which are `checker.adapters.mutants`; clauses of the contract that no property needs.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vmaspace.checker.adapters.mutants import Mutant
from vmaspace.checker.engines.audit.looking import ENGINES, Look, Terms, look
from vmaspace.checker.engines.workers import Lost, local
from vmaspace.checker.logic.contract import Contract
from vmaspace.checker.report.verdict import Kind, Verdict

ENGINE = "audit"


@dataclass(frozen=True, slots=True)
class Row:
    """What became of one mutant. looks: who looked, in order; the last one found it, if anybody did. lost: why there is
    no look, if the worker that had the mutant died."""

    mutant: str
    subject: str
    sentence: str
    looks: tuple[Look, ...]
    lost: str = ""

    @property
    def found(self) -> Look | None:
        """The look that found the mutant."""
        return self.looks[-1] if self.looks and self.looks[-1].finding is not None else None

    def to_json(self) -> dict[str, Any]:
        """The row as plain data."""
        found = self.found
        return {**asdict(self), "found_by": None if found is None else found.engine}

    def verdict(self) -> Verdict:
        """Green when somebody found the mutant."""
        found = self.found
        if self.lost:
            kind, scope, reason = Kind.UNKNOWN, "", self.lost
        elif found is None:
            kind, scope, reason = Kind.FAILED, "survived", f"no check notices that: {self.sentence}"
        else:
            kind, scope, reason = Kind.PASSED, f"found by {found.engine}: {found.finding}", ""
        seconds = sum(each.seconds for each in self.looks)
        return Verdict(f"{ENGINE}/{self.mutant}", self.mutant, None, ENGINE, kind, seconds, scope, reason=reason)


class Audit:
    """Lets engines look at mutants, in worker processes.

    steps: the budget of fuzzing for each mutant. cases: files of known answers. engines: only these, by their names in
    `ENGINES`. `tell` hears of each mutant done.
    """

    def __init__(
        self,
        contract: Contract,
        cases: Sequence[Path] = (),
        *,
        seed: int = 0,
        steps: int = 30_000,
        jobs: int | None = None,
        engines: Sequence[str] = tuple(ENGINES),
        tell: Callable[[int, int, str], None] = lambda done, total, what: None,
    ) -> None:
        self.terms = Terms(contract, tuple(cases), seed, steps)
        self.engines = tuple(engines)
        self.jobs = (os.cpu_count() or 1) if jobs is None else jobs
        self.tell = tell
        self.interrupted = False

    def run(self, mutants: Sequence[Mutant]) -> list[Row]:
        """A row for each mutant, in their order; with Ctrl-C, for those that were done."""
        rows: dict[str, Row] = {}
        workers = local(min(self.jobs, len(mutants)))
        try:
            for mutant, row in workers.run(lambda: self.judge, mutants, lambda: True):
                rows[mutant.name] = self.unjudged(mutant, row) if isinstance(row, Lost) else row
                self.tell(len(rows), len(mutants), mutant.name)
        except KeyboardInterrupt:
            self.interrupted = True
        return [rows[mutant.name] for mutant in mutants if mutant.name in rows]

    def judge(self, mutant: Mutant) -> Row:
        """Let the engines look at one mutant."""
        looks = look(mutant, self.terms, self.engines)
        return Row(mutant.name, mutant.subject, mutant.sentence, tuple(looks))

    def unjudged(self, mutant: Mutant, lost: Lost) -> Row:
        """The row of a mutant whose worker died."""
        return Row(mutant.name, mutant.subject, mutant.sentence, (), lost.reason)
