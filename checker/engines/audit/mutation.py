"""Mutation: every mutant of the model is fuzzed and replayed, and must be found by one of the two.

A row tells who found a mutant, after how many steps, in how many seconds. A mutant that nobody finds is a failure:
there is something that a kernel engineer can get wrong and that no check notices.

Not here: the mutants themselves, which are `checker.adapters.mutants`; clauses of the contract that no property needs.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vmaspace.checker.adapters.model import ModelAdapter
from vmaspace.checker.adapters.mutants import Mutant
from vmaspace.checker.engines.conformance.results import Outcome
from vmaspace.checker.engines.conformance.runner import run_file
from vmaspace.checker.engines.fuzz.run import fuzz
from vmaspace.checker.logic.contract import Contract
from vmaspace.checker.report.verdict import Kind, Verdict

ENGINE = "audit"


@dataclass(frozen=True, slots=True)
class Row:
    """What became of one mutant.

    steps: judged until fuzzing found it, None if it did not; trace_steps: of the run made small. case: the first known
    answer that failed, None if none did. Seconds are of this machine, for finding, not for making small.
    """

    mutant: str
    subject: str
    sentence: str
    steps: int | None
    fuzz_seconds: float
    finding: str | None
    trace_steps: int | None
    case: str | None
    failed_cases: int
    case_seconds: float

    @property
    def is_found(self) -> bool:
        return self.steps is not None or self.case is not None

    def to_json(self) -> dict[str, Any]:
        """The row as plain data."""
        return asdict(self)

    def verdict(self) -> Verdict:
        """Green when somebody found the mutant."""
        found = [self.finding or ""] if self.steps is not None else []
        found += [f"conformance/{self.case}"] if self.case is not None else []
        return Verdict(
            f"{ENGINE}/{self.mutant}",
            self.mutant,
            None,
            ENGINE,
            Kind.PASSED if self.is_found else Kind.FAILED,
            self.fuzz_seconds + self.case_seconds,
            f"found by {' and '.join(found)}" if found else "survived",
            None,
            None,
            "" if self.is_found else f"no check notices that: {self.sentence}",
        )


class Audit:
    """Fuzzes and replays mutants, in worker processes.

    steps: the budget of fuzzing for each mutant. cases: files of known answers. `tell` hears of each mutant done.
    """

    def __init__(
        self,
        contract: Contract,
        cases: Sequence[Path] = (),
        *,
        seed: int = 0,
        steps: int = 30_000,
        jobs: int | None = None,
        tell: Callable[[int, int, str], None] = lambda done, total, what: None,
    ) -> None:
        self.contract = contract
        self.cases = tuple(cases)
        self.seed = seed
        self.steps = steps
        self.jobs = (os.cpu_count() or 1) if jobs is None else jobs
        self.tell = tell
        self.interrupted = False

    def run(self, mutants: Sequence[Mutant]) -> list[Row]:
        """A row for each mutant, in their order; with Ctrl-C, for those that were done."""
        rows: list[Row] = []
        try:
            for row in self._rows(mutants):
                rows.append(row)
                self.tell(len(rows), len(mutants), row.mutant)
        except KeyboardInterrupt:
            self.interrupted = True
        return rows

    def _rows(self, mutants: Sequence[Mutant]) -> Iterator[Row]:
        if self.jobs <= 1 or len(mutants) <= 1:
            yield from map(self.judge, mutants)
            return
        # Workers inherit the elaborated contract.
        context = multiprocessing.get_context("fork")
        with ProcessPoolExecutor(self.jobs, context, _start, (self,)) as pool:
            yield from pool.map(_judge, mutants)

    def judge(self, mutant: Mutant) -> Row:
        """Let both engines look at one mutant."""
        result = fuzz(
            self.contract,
            lambda: ModelAdapter(self.contract, mutant.system_class),
            seed=self.seed,
            steps=self.steps,
        )
        red = next((verdict for verdict in result.verdicts if verdict.is_red), None)
        found = result.statistics["found"]
        began = time.monotonic()
        failed = [
            case.id
            for path in self.cases
            for case in run_file(path, mutant.system_class).cases
            if case.outcome is Outcome.FAILED
        ]
        return Row(
            mutant.name,
            mutant.subject,
            mutant.sentence,
            None if found is None else found["steps"],
            result.statistics["seconds"] if found is None else found["seconds"],
            None if red is None else red.id,
            None if red is None or red.trace is None else len(red.trace.steps),
            failed[0] if failed else None,
            len(failed),
            round(time.monotonic() - began, 3),
        )


_audit: Audit


def _start(audit: Audit) -> None:
    global _audit
    _audit = audit


def _judge(mutant: Mutant) -> Row:
    return _audit.judge(mutant)
