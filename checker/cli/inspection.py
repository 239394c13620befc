"""`vmaspace inspect`: read dumps, judge them, show the result."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

from vmaspace.checker.adapters.dumps import DumpedAspace, DumpError, lacking, read_dump, told_of
from vmaspace.checker.cli.error import UsageError
from vmaspace.checker.cli.showing import show
from vmaspace.checker.cli.sources import known, load_program
from vmaspace.checker.engines.inspection import ORDER, TREES
from vmaspace.checker.engines.inspection import inspect as inspect_dump
from vmaspace.checker.logic.elaborate import elaborate
from vmaspace.checker.report.verdict import Verdict


def inspect(o: argparse.Namespace) -> int:
    """Judge the invariants that the dumps tell enough about. What ends in .aspec are properties, all else are dumps."""
    start = time.monotonic()
    dumps = [file for file in o.files if not file.endswith(".aspec")]
    if not dumps:
        raise UsageError("there is no dump among the files; - reads one from standard input")
    program = load_program(o.spec, o.properties, [f for f in o.files if f.endswith(".aspec")], o.alone)
    names = known(o.property or (), (*program.properties, ORDER, TREES), "property") or None
    contract = elaborate(program)
    missing = lacking(contract)
    if missing:
        raise UsageError(f"a dump is judged in the words of the installed contract; here there is no {missing[0]}")
    verdicts: list[Verdict] = []
    blocks: list[dict[str, Any]] = []
    for name, aspaces in _read(dumps).items():
        found = inspect_dump(contract, told_of(contract, aspaces, o.arch), name, names)
        verdicts += found.verdicts
        blocks.append({
            "file": name,
            "aspaces": len(aspaces),
            "judged": len(found.verdicts),
            "not_judged": found.unjudged,
            "left_out": found.left_out,
        })  # fmt: skip
    return show(o, verdicts, {"inspect": blocks}, start, False)


def _read(dumps: list[str]) -> dict[str, list[DumpedAspace]]:
    """The dumps by name. If any cannot be read none is judged, and all refusals are said."""
    read, refusals = {}, []
    for dump in dict.fromkeys(dumps):
        name = "standard input" if dump == "-" else dump
        raw = sys.stdin.buffer.read() if dump == "-" else Path(dump).read_bytes()
        try:
            # Every byte is kept: the kernel cuts names without a look at letters.
            read[name] = read_dump(raw.decode("utf-8", "surrogateescape"), name)
        except DumpError as error:
            refusals.append(str(error))
    if refusals:
        raise UsageError("\n".join(refusals))
    return read
