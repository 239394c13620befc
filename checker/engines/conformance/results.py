"""What a replay found, case by case."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Outcome(StrEnum):
    """How a case went."""

    PASSED = "passed"
    FAILED = "failed"
    UNSUPPORTED = "unsupported"
    KNOWN_GAP = "known gap"  # did not pass, and is listed as not passing


@dataclass(frozen=True, slots=True)
class CaseResult:
    """One case; unless it passed, the step at which it stopped."""

    id: str
    area: str
    outcome: Outcome
    step: int | None = None  # index, from 0
    op: str | None = None
    expected: str | None = None
    got: str | None = None
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """The result as plain data."""
        return {
            "id": self.id,
            "area": self.area,
            "outcome": self.outcome.value,
            "step": self.step,
            "op": self.op,
            "expected": self.expected,
            "got": self.got,
            "reason": self.reason,
        }

    def __str__(self) -> str:
        if self.outcome is Outcome.PASSED:
            return f"{self.id} passed"
        place = "" if self.step is None else f" at step {self.step} ({self.op})"
        text = f"{self.id} {self.outcome.value}{place}: {self.reason}"
        if self.outcome is Outcome.FAILED and self.expected is not None:
            text += f"\n  expected: {self.expected}\n  got:      {self.got}"
        return text


@dataclass(slots=True)
class Report:
    """The results of one file, in its order."""

    cases: list[CaseResult] = field(default_factory=list)

    def count(self, outcome: Outcome) -> int:
        """How many cases went this way."""
        return sum(case.outcome is outcome for case in self.cases)

    @property
    def passed(self) -> int:
        """How many cases passed."""
        return self.count(Outcome.PASSED)

    @property
    def failed(self) -> int:
        """How many cases failed."""
        return self.count(Outcome.FAILED)

    @property
    def unsupported(self) -> int:
        """How many cases use something that is not there yet."""
        return self.count(Outcome.UNSUPPORTED)

    @property
    def known_gaps(self) -> int:
        """How many cases did not pass and are listed."""
        return self.count(Outcome.KNOWN_GAP)

    def by_area(self) -> dict[str, Counter[Outcome]]:
        """The counts of each area."""
        areas: dict[str, Counter[Outcome]] = {}
        for case in self.cases:
            areas.setdefault(case.area, Counter())[case.outcome] += 1
        return areas

    def to_json(self) -> dict[str, Any]:
        """The report as plain data."""
        return {
            "cases": len(self.cases),
            "passed": self.passed,
            "failed": self.failed,
            "unsupported": self.unsupported,
            "known_gaps": self.known_gaps,
            "list": [case.to_json() for case in self.cases],
        }
