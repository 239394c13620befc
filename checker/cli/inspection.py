"""`vmaspace inspect`: read a dump, judge it, show the result."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from vmaspace.checker.adapters.dumps import DumpError, read_dump, told_of
from vmaspace.checker.cli.error import UsageError
from vmaspace.checker.cli.showing import show
from vmaspace.checker.cli.sources import known, load_program
from vmaspace.checker.engines.inspection import inspect as inspect_dump
from vmaspace.checker.logic.elaborate import elaborate


def inspect(o: argparse.Namespace) -> int:
    """Judge the invariants that a dump tells enough about."""
    start = time.monotonic()
    program = load_program(o.spec, o.properties, o.files, o.alone)
    names = known(o.property or (), program.properties, "property") or None
    name = "standard input" if o.dump == "-" else o.dump
    raw = sys.stdin.buffer.read() if o.dump == "-" else Path(o.dump).read_bytes()
    contract = elaborate(program)
    try:
        aspaces = read_dump(raw.decode("utf-8", "replace"), name)
    except DumpError as error:
        raise UsageError(str(error)) from None
    found = inspect_dump(contract, told_of(contract, aspaces, o.arch), name, names)
    block = {"aspaces": len(aspaces), "judged": len(found.verdicts), "not_judged": found.unjudged}
    return show(o, found.verdicts, {"inspect": block}, start, False)
