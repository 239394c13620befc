"""Which entry claims a command proves, and their proof."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from vmaspace.checker.cli.sources import known
from vmaspace.checker.engines.entries import CLAIMS, prove_entries
from vmaspace.checker.language.check import CheckedProgram
from vmaspace.checker.report.progress import Progress
from vmaspace.checker.report.verdict import Verdict

Names = list[str] | None  # None: all there are


def chosen_names(o: argparse.Namespace, program: CheckedProgram) -> tuple[Names, Names]:
    """What `--property` names: properties of the contract, and claims about page-table entries.

    Claims are of no operation, and of the model rather than of any text: `--operation` and `--alone` leave them out.
    """
    left_out = o.alone or bool(getattr(o, "operation", None))
    if not o.property:
        return None, [] if left_out else None
    names = known(o.property, [*program.properties, *(() if left_out else CLAIMS)], "property")
    claims = [] if left_out else [name for name in names if name in CLAIMS]
    return [name for name in names if name in program.properties], claims


def prove_claims(claims: Names, timeout: float, budget: float | None) -> tuple[list[Verdict], bool]:
    """The verdicts, and whether the budget (in seconds) ran out."""
    if claims is not None and not claims:
        return [], False
    with Progress("entries") as progress:

        def tell(done: int, total: int, what: str) -> None:
            progress.total = total
            progress.update(done, what)

        return prove_entries(claims, timeout=timeout, budget=budget, progress=tell)


def is_asked(names: Sequence[str] | None) -> bool:
    """Whether there is anything to do: all, or some."""
    return names is None or bool(names)
