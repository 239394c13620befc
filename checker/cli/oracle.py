"""The hardware oracle, as commands ask for it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from vmaspace.checker.adapters.touched import SAME_WALK
from vmaspace.checker.cli.error import UsageError
from vmaspace.checker.cli.profiles import Profile
from vmaspace.checker.engines.oracle import Amount, OracleMissing, Watch, run_oracle, unicorn
from vmaspace.checker.report.progress import Progress
from vmaspace.checker.report.verdict import Kind, Verdict


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


def watched(verdicts: Sequence[Verdict], watch: Watch) -> tuple[list[Verdict], dict[str, Any]]:
    """The verdicts of a campaign with how much the oracle compared, and the counts. Nothing compared is not green."""
    counts = watch.counts()
    count = counts["comparisons"]
    told = []
    for verdict in verdicts:
        if verdict.property == SAME_WALK.number:
            scope = f"{verdict.scope}; {count:,} comparisons, {counts['per_second']:,} a second"
            verdict = replace(verdict, scope=scope)
            if verdict.is_green and not count:
                verdict = replace(verdict, verdict=Kind.UNKNOWN, reason="no step wrote into page tables")
        told.append(verdict)
    return told, counts
