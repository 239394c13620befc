"""The hardware oracle, as commands ask for it."""

from __future__ import annotations

import argparse
from typing import Any

from vmaspace.checker.cli.error import UsageError
from vmaspace.checker.cli.profiles import Profile
from vmaspace.checker.engines.oracle import Amount, OracleMissing, run_oracle, unicorn
from vmaspace.checker.report.progress import Progress
from vmaspace.checker.report.verdict import Verdict


def demand_oracle(o: argparse.Namespace) -> bool:
    """Whether the oracle is asked for; before anything else is done, so that a missing package is told at once."""
    if o.oracle is None:
        return False
    try:
        unicorn()
    except OracleMissing as error:
        raise UsageError(str(error)) from None
    return True


def ask_oracle(
    profile: Profile, seed: int, budget: float | None
) -> tuple[list[Verdict], dict[str, Any], bool]:
    """The verdicts, counts for the report, and whether the budget (in seconds) ran out."""
    with Progress("oracle") as progress:

        def tell(done: int, total: int, what: str) -> None:
            progress.total = total
            progress.update(done, what)

        try:
            return run_oracle(
                Amount(profile.oracle, profile.name == "nightly"), seed, budget=budget, progress=tell
            )
        except OracleMissing as error:
            raise UsageError(str(error)) from None
