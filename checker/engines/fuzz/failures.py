"""A run that ended in a finding, made small and told.

Not here: how a run is made small; that is `minimise`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from vmaspace.checker.adapters.world import World
from vmaspace.checker.engines.fuzz.drive import Drive, Taken
from vmaspace.checker.engines.fuzz.findings import Finding
from vmaspace.checker.engines.fuzz.minimise import Minimiser, plan
from vmaspace.checker.engines.traces import build_trace
from vmaspace.checker.logic.state import State
from vmaspace.checker.report.narrative import narrate
from vmaspace.checker.report.trace import Trace
from vmaspace.checker.report.verdict import Kind


@dataclass(frozen=True, slots=True)
class Failure:
    """A finding with the run that led to it; nothing in it changes when the drive goes on."""

    drive: Drive
    finding: Finding
    world: World
    start: State
    steps: tuple[Taken, ...]

    @staticmethod
    def of(drive: Drive, finding: Finding) -> Failure:
        return Failure(drive, finding, drive.world, drive.start, tuple(drive.steps))

    @property
    def kind(self) -> Kind:
        return Kind.VIOLATED if self.finding.kind in ("property", "invariant") else Kind.FAILED

    def smallest(self) -> Failure:
        """The same finding at the end of a run that can not be made shorter or simpler step by step.

        The drive is used for this: what it was in the middle of is lost.
        """
        minimiser = Minimiser(self.drive, self.finding.key)
        world, steps = minimiser.smallest(self.world, plan(self.drive.judge.contract, self.start, self.steps))
        if not minimiser.reproduces(world, steps):
            return self  # the implementation is not deterministic
        assert self.drive.finding is not None
        return Failure.of(self.drive, self.drive.finding)

    def trace(self) -> Trace:
        contract = self.drive.judge.contract
        finding = self.finding
        trace = build_trace(
            contract,
            contract.properties.get(finding.name) if finding.kind == "property" else None,
            finding.operation,
            "fuzz",
            self.kind,
            finding.reason,
            self.start,
            self.steps,
            seed=self.world.seed,
            subject=self.drive.adapter.subject,
            name=finding.name,
            source=finding.span,
            violated=finding.clause,
        )
        if finding.invariant is not None:
            trace = replace(trace, source=finding.place, sentence=finding.invariant.sentence)
        return trace


class Disagreement(AssertionError):
    """A test failed over a finding.  The run is made small when the message is asked for, and only then."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.failure = failure
        self.told: str | None = None

    def __str__(self) -> str:
        if self.told is None:
            self.told = narrate(self.failure.smallest().trace())
        return self.told


def shortest(failures: Sequence[Failure]) -> Failure:
    """Of several runs to the same finding, the one with the fewest steps; the first of these."""
    return min(failures, key=lambda f: len(f.steps))
