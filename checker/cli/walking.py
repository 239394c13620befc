"""`vmaspace show`: an address space and the walk of one address, or one entry taken apart."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vmaspace.checker.adapters.entries import ALL_TABLES, Kind, Tables
from vmaspace.checker.cli.error import UsageError
from vmaspace.checker.cli.subjects import modules_here, system_class
from vmaspace.checker.engines.decoding import entry_view, level_names
from vmaspace.checker.engines.example import example
from vmaspace.checker.engines.rerun import Rerun, rerun
from vmaspace.checker.engines.walks import WalkError, chosen_aspaces, part_of, walks
from vmaspace.checker.report.drawing import draw_state
from vmaspace.checker.report.narrative import Told, Tone, counted, prose, tell_step
from vmaspace.checker.report.terminal import make_console, put_told
from vmaspace.checker.report.trace import Trace
from vmaspace.checker.report.walk import WalkView, tell_entry, tell_walk

SCHEMA = "vmaspace.show/1"
HEXADECIMAL = re.compile(r"(0[xX])?[0-9a-fA-F]+(_[0-9a-fA-F]+)*")
ARCH = "x86_64"


def show(o: argparse.Namespace) -> int:
    """Look at an entry, a trace or an example; nothing is judged, so all that can be shown is exit code 0."""
    _check_combination(o)
    return _show_entry(o) if o.entry is not None else _show_run(o)


def _check_combination(o: argparse.Namespace) -> None:
    given = {
        "--step": o.step, "--aspace": o.aspace, "--at": o.at, "--arch": o.arch, "--seed": o.seed, "--level": o.level,
        "--tables": o.tables, "--model": o.model,
    }  # fmt: skip
    useless: tuple[str, ...]
    if o.entry is not None:
        useless, what = ("--step", "--aspace", "--at", "--seed", "--model"), "an entry is shown by itself"
        if o.file is not None:
            raise UsageError("either a trace or --entry, not both")
    elif o.file is not None:
        useless, what = ("--arch", "--seed", "--level", "--tables"), "the trace says where it runs"
    else:
        useless, what = ("--step", "--level", "--tables"), "there is no trace and no --entry"
    for option in useless:
        if given[option] is not None:
            raise UsageError(f"{option} makes no sense here: {what}")


def word(text: str, option: str) -> int:
    """A 64-bit number in hexadecimal, with or without 0x; underscores may group the digits."""
    if not HEXADECIMAL.fullmatch(text):
        raise UsageError(f"{option} {text}: not a hexadecimal number, such as 0x400000")
    value = int(text.replace("_", ""), 16)
    if value >> 64:
        raise UsageError(f"{option} {text}: more than 64 bits")
    return value


# --- one entry --------------------------------------------------------------------------------------------------------


def _show_entry(o: argparse.Namespace) -> int:
    entry = word(o.entry, "--entry")
    tables = _tables(o.arch or ARCH, Kind(o.tables or Kind.USER))
    level = _level(o.level or "0", tables)
    view = entry_view(tables, entry, level)
    if o.json:
        _print_json({"entry": view.to_json()})
    else:
        console = make_console()
        put_told(console, tell_entry(view, console.width))
    return 0


def _tables(arch: str, kind: Kind) -> Tables:
    """The format of entries: on riscv64 Sv39 with Svpbmt, as Zircon has it."""
    formats = [t for t in ALL_TABLES if t.arch == arch and (arch != "riscv64" or t.has_svpbmt)]
    for tables in formats:
        if tables.kind is kind:
            return tables
    known = ", ".join(dict.fromkeys(t.kind for t in formats))
    raise UsageError(f"--tables {kind}: there are none on {arch}; there are {known}")


def _level(text: str, tables: Tables) -> int:
    """By number, counted from the last one, or by the name that the manual gives."""
    names = level_names(tables)
    level = (
        names.index(text.upper()) if text.upper() in names else int(text) if text.isdecimal() else len(names)
    )
    if level >= len(names):
        known = ", ".join(f"{number} ({name})" for number, name in enumerate(names))
        raise UsageError(f"--level {text}: {tables.regime.name} has the levels {known}")
    return level


# --- a run ------------------------------------------------------------------------------------------------------------


def _show_run(o: argparse.Namespace) -> int:
    at = None if o.at is None else word(o.at, "--at")
    modules_here()
    chosen = None if o.model is None else system_class(o.model)
    if o.file is None:
        run, worth = example(o.arch or ARCH, o.seed or 0, chosen)
        at = worth if at is None and o.aspace is None else at
        head = f"an example on {run.world.arch}, seed {run.world.seed}"
    else:
        trace = Trace.load(Path(o.file))
        count = len(trace.steps)
        if o.step is not None and o.step > count:
            raise UsageError(
                f"--step {o.step}: the trace has {counted(count, 'step')}; 0 is before the first"
            )
        run = rerun(trace, upto=o.step, system_class=chosen, file=o.file)
        head = f"{o.file} after step {len(run.steps)} of {count}, on {run.world.arch}"
    try:
        aspaces = chosen_aspaces(run, o.aspace, at)
        views = [] if at is None else walks(run, aspaces, at)
    except WalkError as error:
        raise UsageError(str(error)) from None
    if o.json:
        _print_json(_run_to_json(run, aspaces, views))
    else:
        console = make_console()
        put_told(console, _tell_run(head, run, aspaces, views, console.width, is_example=o.file is None))
    return 0


def _tell_run(
    head: str, run: Rerun, aspaces: list[str], views: list[WalkView], width: int, *, is_example: bool
) -> Iterator[Told]:
    yield Told(head, Tone.BROKEN)
    first = 1 if is_example else max(1, len(run.steps))
    for number, step in enumerate(run.steps[first - 1 :], first):
        yield from tell_step(number, step, width)
    for note in run.notes:
        yield from prose(f"note: {note}", width, Tone.CHANGED)
    yield Told("")
    for line in draw_state(part_of(run.state, aspaces)).splitlines():
        yield Told(f"  {line}")
    for view in views:
        yield Told("")
        yield from tell_walk(view, width)


def _run_to_json(run: Rerun, aspaces: list[str], views: list[WalkView]) -> dict[str, Any]:
    return {
        "arch": run.world.arch,
        "step": len(run.steps),
        "notes": list(run.notes),
        "aspaces": aspaces,
        "state": part_of(run.state, aspaces),
        "walks": [view.to_json() for view in views],
    }


def _print_json(fields: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps({"schema": SCHEMA, **fields}, indent=1) + "\n")
