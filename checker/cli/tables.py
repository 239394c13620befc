"""Page tables by themselves, as commands let them be edited."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from typing import Any

from vmaspace.checker.adapters.table_machine import TableMachine
from vmaspace.checker.cli.error import UsageError
from vmaspace.checker.cli.subjects import system_class
from vmaspace.checker.engines.tables import ARCHES, run_tables
from vmaspace.checker.report.progress import Progress
from vmaspace.checker.report.verdict import Verdict
from vmaspace.model.system import System


def edit_tables(
    seed: int, edits: int | None, seconds: float | None, arches: Sequence[str] = (), model: str | None = None
) -> tuple[list[Verdict], dict[str, Any], bool]:
    """The verdicts, counts for the report, and whether Ctrl-C ended it."""
    make = partial(TableMachine, system_class=System if model is None else system_class(model))
    with Progress("tables", edits) as progress:
        result = run_tables(
            seed,
            tuple(arches) or ARCHES,
            edits=edits,
            seconds=seconds,
            make=make,
            progress=lambda done, arch: progress.update(done, arch),
        )
    return result.verdicts, result.statistics, result.is_interrupted


def refuse_texts(o: argparse.Namespace) -> None:
    """Page tables by themselves have no contract: property files would be judged by nobody."""
    if o.files:
        raise UsageError(f"--level arch judges no properties, so it has no use for {o.files[0]}; leave the files out")
    if o.oracle is not None:
        raise UsageError("--level arch does not ask the oracle; `vmaspace check --oracle unicorn` edits page tables beside it")
