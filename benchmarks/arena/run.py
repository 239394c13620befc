"""The arena: one small model, every checker that is installed, one after the other.

    python benchmarks/arena [SIZE …] [--rounds N] [--tool NAME …] [--builds] [--slow]

SIZE is a scope of `arena.aspec` such as p3r3b1s3 (default: p2r2b1s1 and p3r3b1s3).  In each round all tools run in turn,
each as a process of its own from start to exit; ours compiles every time.  Ratios are taken within a round and their median
is printed, because a machine's speed drifts.  Peers compile a model before it runs: that counts with --builds only.
Exit code 1 if any count differs from the reference, 2 for bad usage.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from counts import REFERENCE, Size, size_of
from tools import MIB, TOOLS, Failed, Run, Tool

SIZES = ("p2r2b1s1", "p3r3b1s3")


@dataclass(slots=True)
class Row:
    """One tool at one size: how long its build took, and every run."""

    tool: Tool
    folder: Path
    build_seconds: float = 0.0
    runs: list[Run] = field(default_factory=list)
    problem: str = ""

    def seconds(self, number: int, builds: bool) -> float:
        return self.runs[number].seconds + (self.build_seconds if builds else 0.0)


def run_size(size: Size, tools: list[Tool], rounds: int, builds: bool, folder: Path) -> bool:
    """Run everything at one size and print the table; says whether all counts are right."""
    rows = [Row(tool, folder / f"{size}-{number}") for number, tool in enumerate(tools)]
    for row in rows:
        row.folder.mkdir()
        attempt(build, row, size)
    for number in range(rounds):
        for row in rows:
            if not row.problem:
                print(f"\r{size}, round {number + 1} of {rounds}: {row.tool.name:24}", end="", file=sys.stderr, flush=True)
                attempt(one_run, row, size)
    print(f"\r{'':60}\r", end="", file=sys.stderr)
    table(size, rows, builds)
    return not any(row.problem for row in rows)


def attempt(act: Callable[[Row, Size], None], row: Row, size: Size) -> None:
    try:
        act(row, size)
    except Failed as error:
        row.problem = str(error)


def build(row: Row, size: Size) -> None:
    began = time.monotonic()
    row.tool.build(size, row.folder)
    row.build_seconds = time.monotonic() - began


def one_run(row: Row, size: Size) -> None:
    run = row.tool.run(size, row.folder)
    row.runs.append(run)
    row.problem = row.tool.wrong(size, run)


def table(size: Size, rows: list[Row], builds: bool) -> None:
    counts = REFERENCE[size]
    orbits = f"{counts.orbits:,}" if counts.orbits else "unknown"
    print(f"{size}: {counts.states:,} states, {counts.transitions:,} transitions, orbits {orbits}")
    base = next((row for row in rows if row.runs and not row.problem), None)
    ratio = f"x {base.tool.name}" if base else "ratio"
    print(f"  {'tool':20} {'median s':>9} {ratio:>10} {'states':>11} {'transitions':>13} {'peak MiB':>9} {'bytes/state':>11}"
          f" {'build s':>8}")  # fmt: skip
    for row in rows:
        print(f"  {row.tool.name:20} {line(row, base, builds)}")
    print(flush=True)


def line(row: Row, base: Row | None, builds: bool) -> str:
    if row.problem:
        return f"WRONG: {row.problem}"
    assert base is not None
    numbers = range(len(row.runs))
    seconds = median(row.seconds(n, builds) for n in numbers)
    ratio = median(row.seconds(n, builds) / base.seconds(n, builds) for n in numbers)
    last, peak = row.runs[-1], max(r.peak for r in row.runs)
    return (f"{seconds:9.2f} {ratio:10.3f} {last.states:11,} {last.transitions:13,.0f} {peak / MIB:9.1f}"
            f" {peak / last.states:11.0f} {row.build_seconds:8.2f}")  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python benchmarks/arena", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("sizes", nargs="*", metavar="SIZE", default=SIZES, help=", ".join(map(str, REFERENCE)))
    parser.add_argument("--rounds", type=int, default=3, help="how often everything runs (default: 3)")
    names = [t.name for t in TOOLS]
    parser.add_argument("--tool", action="append", choices=names, metavar="NAME", help=f"one of {', '.join(names)}; repeatable")
    parser.add_argument("--builds", action="store_true", help="count the time in which peers compile the model")
    parser.add_argument("--slow", action="store_true", help="also runs that take minutes")
    o = parser.parse_args(arguments)
    if o.rounds < 1:
        parser.error("--rounds must be 1 or more")
    try:
        sizes = [size_of(text) for text in o.sizes]
    except ValueError as error:
        parser.error(str(error))
    tools = [t for t in TOOLS if not o.tool or t.name in o.tool]
    for t in tools:
        if t.missing():
            print(f"{t.name} is left out: {t.missing()}")
    tools = [t for t in tools if not t.missing()]
    if not tools:
        parser.error("no tool is left to run")
    fine = True
    with tempfile.TemporaryDirectory(prefix="arena-") as folder:
        for size in sizes:
            these = [t for t in tools if o.slow or REFERENCE[size].transitions <= t.most]
            for t in tools:
                if t not in these:
                    print(f"{t.name} is left out at {size}: it would take minutes (--slow)")
            fine &= run_size(size, these, o.rounds, o.builds, Path(folder))
    return 0 if fine else 1
