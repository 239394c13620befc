"""A campaign: runs until a budget is used up or something is found, and the verdicts that come of it.

Hypothesis generates in rounds; the same seed and number of steps give the same campaign.  When something was
found, a few more runs look for what else there is; then the runs are made small.

Not here: where verdicts are shown.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import hypothesis
from hypothesis import HealthCheck, Phase
from hypothesis.errors import HypothesisException
from hypothesis.stateful import run_state_machine_as_test

from vmaspace.checker.adapters.interface import Adapter, Invariant
from vmaspace.checker.engines.fuzz.failures import Failure, shortest
from vmaspace.checker.engines.fuzz.findings import CONFORMS, Finding
from vmaspace.checker.engines.fuzz.machine import machine_class
from vmaspace.checker.engines.fuzz.session import Session
from vmaspace.checker.engines.traces import place_of
from vmaspace.checker.logic.contract import Contract, Operation, Property
from vmaspace.checker.report.verdict import Kind, Place, Verdict

RUNS_IN_ROUND = 40  # Hypothesis repeats itself less in long rounds
AFTERMATH = 600  # steps that are still judged when something was found, for what else there is
ENGINE = "fuzz"
BROKEN = ("property", "invariant")  # kinds of finding that name what is broken, and not the operation


class Listener(Protocol):
    """What is told how far a campaign is; `report.progress.Progress` is one."""

    def update(self, done: int | None = None, text: str | None = None) -> None: ...


@dataclass(frozen=True, slots=True)
class FuzzResult:
    """What a campaign found.  statistics: ready for JSON.  calls: how often each operation was called."""

    verdicts: list[Verdict]
    statistics: dict[str, Any] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)

    @property
    def is_interrupted(self) -> bool:
        return bool(self.statistics.get("interrupted"))


class _Enough(BaseException):
    """The budget is used up.  Not an `Exception`, so that no one in between takes it for a failing test."""


class _Campaign:
    """Collects failures, and ends when the budget is used up."""

    def __init__(self, steps: int | None, seconds: float | None, progress: Listener | None) -> None:
        self.last = sys.maxsize if steps is None else steps
        self.deadline = time.monotonic() + seconds if seconds is not None else None
        self.progress = progress
        self.began = time.monotonic()
        self.first: dict[str, float] | None = None  # when the first failure was found: steps and seconds
        self.failures: dict[tuple[str, str, str], list[Failure]] = {}

    def before_step(self, session: Session) -> None:
        done = session.coverage.steps
        if done >= self.last:
            raise _Enough
        if done & 63 == 0:  # the clock and the listener cost more than a look at a number
            if self.deadline is not None and time.monotonic() >= self.deadline:
                raise _Enough
            if self.progress is not None:
                self.progress.update(done, f"{session.coverage.runs:,} runs")

    def found(self, session: Session, finding: Finding) -> None:
        if not self.failures:
            seconds = round(time.monotonic() - self.began, 3)
            self.first = {"steps": session.coverage.steps, "seconds": seconds}
            self.last = min(self.last, session.coverage.steps + AFTERMATH)
        self.failures.setdefault(finding.key, []).append(Failure.of(session.drive, finding))

    def run(self, session: Session, seed: int, steps_per_run: int) -> None:
        """Rounds, until the budget is used up or something was found."""
        settings = hypothesis.settings(
            database=None,
            deadline=None,
            derandomize=False,
            max_examples=RUNS_IN_ROUND,
            stateful_step_count=steps_per_run,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.generate,),  # runs are made small by `minimise`, call by call
            print_blob=False,
        )
        number = 0
        try:
            while True:
                machine = hypothesis.seed(seed * 1_000_003 + number)(machine_class(session, self))
                run_state_machine_as_test(machine, settings=settings)
                number += 1
        except _Enough:
            pass
        except HypothesisException as error:
            # A test that is left in the middle looks flaky to Hypothesis, if it had gone on from there before.
            ended = reason_to_end(error)
            if ended is None:
                raise
            if isinstance(ended, KeyboardInterrupt):
                raise ended from None


def reason_to_end(error: BaseException | None) -> BaseException | None:
    """What ended a campaign, if an error was raised while that was on its way out."""
    while error is not None and not isinstance(error, _Enough | KeyboardInterrupt):
        error = error.__context__
    return error


def fuzz(
    contract: Contract,
    adapter_factory: Callable[[], Adapter],
    *,
    seed: int = 0,
    steps: int | None = None,
    seconds: float | None = None,
    max_steps_per_run: int = 40,
    arches: Sequence[str] = (),
    progress: Listener | None = None,
) -> FuzzResult:
    """Drive an implementation until `steps` steps were judged or `seconds` have passed, and say what was found.

    The switches that are on in the contract are on in the implementation.  arches: only these; all of them
    otherwise. Ctrl-C ends the campaign early, with what there is.
    """
    if steps is None and seconds is None:
        raise ValueError("a campaign needs a budget: steps or seconds")
    began = time.monotonic()
    session = Session(contract, adapter_factory(), arches)
    campaign = _Campaign(steps, seconds, progress)
    interrupted = False
    try:
        campaign.run(session, seed, max_steps_per_run)
    except KeyboardInterrupt:
        interrupted = True
    passed = time.monotonic() - began
    failures = [shortest(found) for found in campaign.failures.values()]
    verdicts = list(_failed(failures))
    verdicts += _passed(contract, session, failures, passed, interrupted)
    statistics = {
        "seed": seed,
        "subject": session.drive.adapter.subject,
        "seconds": round(passed, 3),
        "interrupted": interrupted,
        "found": campaign.first,
        **session.coverage.to_json(),
    }
    return FuzzResult(verdicts, statistics, dict(session.coverage.calls))


# --- verdicts ------------------------------------------------------------------------------------------------------


def _failed(failures: Iterable[Failure]) -> Iterable[Verdict]:
    """A red verdict with the shortest trace for each obligation that failed."""
    by_id: dict[str, list[tuple[Failure, Failure, float]]] = {}
    for failure in failures:
        began = time.monotonic()
        try:
            small = failure.smallest()
        except KeyboardInterrupt:
            small = failure
        by_id.setdefault(failure.finding.id, []).append((small, failure, time.monotonic() - began))
    for name, found in by_id.items():
        small, failure, _ = min(found, key=lambda row: len(row[0].steps))
        others = [row[0].finding.reason.splitlines()[0] for row in found if row[0] is not small]
        yield Verdict(
            id=name,
            property=small.finding.name,
            operation=small.finding.operation,
            engine=ENGINE,
            verdict=small.kind,
            seconds=sum(seconds for *_, seconds in found),
            scope=f"found in a run of {len(failure.steps)} steps",
            source=small.finding.place,
            trace=small.trace(),
            reason=small.finding.reason,
            notes=tuple(f"another run ends differently: {other}" for other in others),
        )


def _passed(
    contract: Contract, session: Session, failures: Sequence[Failure], seconds: float, interrupted: bool
) -> Iterable[Verdict]:
    """A verdict for each operation and each judged property in which nothing was found."""
    coverage = session.coverage
    red = {f.finding.operation for f in failures if f.finding.kind not in BROKEN}
    for op in contract.operations.values():
        calls = coverage.calls[op.name]
        if op.name not in red:
            yield _verdict(
                op, f"{calls:,} calls", calls > 0, interrupted, seconds * calls / max(1, coverage.steps)
            )
    broken = {f.finding.name for f in failures if f.finding.kind in BROKEN}
    for p in session.drive.judge.properties.judged:
        if p.name not in broken:
            yield _verdict(p, f"{coverage.steps:,} steps", coverage.steps > 0, interrupted, 0.0)
    for invariant in session.drive.adapter.invariants():
        if invariant.number not in broken:
            yield _verdict(invariant, f"{coverage.steps:,} steps", coverage.steps > 0, interrupted, 0.0)


def _verdict(
    of: Operation | Property | Invariant, scope: str, is_seen: bool, interrupted: bool, seconds: float
) -> Verdict:
    kind, reason = Kind.PASSED, ""
    if interrupted:
        kind, reason = Kind.UNKNOWN, "interrupted before the budget was used up"
    elif not is_seen:
        kind, reason = Kind.UNKNOWN, "never called within the budget"
    if isinstance(of, Invariant):
        return Verdict(
            of.number, of.number, None, ENGINE, kind, seconds, scope, Place(of.source), reason=reason
        )
    is_operation = isinstance(of, Operation)
    return Verdict(
        id=f"{of.name}/{CONFORMS}" if is_operation else of.name,
        property=CONFORMS if is_operation else of.name,
        operation=of.name if is_operation else None,
        engine=ENGINE,
        verdict=kind,
        seconds=seconds,
        scope=scope,
        source=place_of(of.span),
        reason=reason,
    )
