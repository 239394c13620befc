"""How much work a run does: the profiles `quick`, `ci` and `nightly`."""

from __future__ import annotations

from dataclasses import dataclass

from vmaspace.checker.engines.prove.worker import Budget


@dataclass(frozen=True, slots=True)
class Profile:
    """prove: budgets per obligation.  fuzz_seconds: how long to fuzz."""

    name: str
    prove: Budget
    fuzz_seconds: float


PROFILES = {
    "quick": Profile("quick", Budget(induction=5.0, search=10.0, steps=4), 5.0),
    "ci": Profile("ci", Budget(), 20.0),
    "nightly": Profile("nightly", Budget(induction=60.0, search=120.0, steps=6), 900.0),
}
