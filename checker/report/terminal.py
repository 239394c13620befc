"""A report on the terminal: one line for each property, then everything that is not green in full, then the sum.

Clean without a terminal too: no colours, no cursor movements, lines that are never cut or wrapped.

Not here: the words about one verdict, which are `narrative`'s, and the line that moves while engines work, `progress`.
"""

import os
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.text import Text

from vmaspace.checker.report.narrative import Told, Tone, counted, tell_trace, tell_verdict
from vmaspace.checker.report.trace import Trace
from vmaspace.checker.report.verdict import Exit, Kind, Report, Verdict

STYLES = {
    Tone.HEAD: "bold red",
    Tone.PLAIN: "",
    Tone.QUIET: "dim",
    Tone.GONE: "red",
    Tone.NEW: "green",
    Tone.CHANGED: "yellow",
    Tone.BROKEN: "bold",
}
PLAIN_WIDTH = 120
MIN_WIDTH = 40
NO_PLACE = "elsewhere"
# Of engines whose verdicts stand in no text.
FAMILIES = {
    "entries": "page-table entries", "tables": "page tables", "oracle": "hardware oracle", "audit": "planted faults",
}


class _Console(Console):
    """What becomes of a reader that has gone is for the entrance to say: rich would end the program, as if something were red."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def make_console(stream: TextIO | None = None) -> Console:
    """A console that writes what it is given: no markup, no guessing of colours for numbers."""
    target = stream if stream is not None else sys.stdout
    encoding = getattr(target, "encoding", None) or "utf-8"
    if not encoding.lower().replace("-", "").startswith("utf") and hasattr(target, "reconfigure"):
        target.reconfigure(errors="replace")        # a tree without its branches is better than a traceback
    columns = os.environ.get("COLUMNS", "")
    width = None if target.isatty() else max(MIN_WIDTH, int(columns)) if columns.isdecimal() else PLAIN_WIDTH
    return _Console(file=target, highlight=False, markup=False, emoji=False, width=width)


def put(console: Console, text: str = "", style: str = "") -> None:
    """One line, however long; control characters from a trace do not reach the terminal."""
    safe = "".join(letter if letter.isprintable() else "\ufffd" for letter in text)
    console.print(Text(safe, style=style), soft_wrap=True)


def put_told(console: Console, told: Iterable[Told]) -> None:
    for line in told:
        put(console, line.text.rstrip(), STYLES[line.tone])


def print_trace(console: Console, trace: Trace, file: str | Path | None = None) -> None:
    put_told(console, tell_trace(trace, file, width=console.width))


def print_verdict(console: Console, verdict: Verdict, file: str | Path | None = None) -> None:
    put_told(console, tell_verdict(verdict, file, width=console.width))


def print_report(
    console: Console, report: Report, paths: Sequence[Path | None] | None = None, *, slowest: int = 5
) -> None:
    """The whole report. `paths` say where the traces were saved, beside `report.verdicts`."""
    files = paths if paths is not None else [None] * len(report.verdicts)
    print_table(console, report.verdicts)
    for verdict, file in at_once(zip(report.verdicts, files, strict=True)):
        put(console)
        print_verdict(console, verdict, file)
    if slowest:
        print_slowest(console, report.verdicts, slowest)
    put(console)
    put(console, summary_line(report), "bold green" if report.exit is Exit.GREEN else "bold red")


def at_once(verdicts: Iterable[tuple[Verdict, Path | None]]) -> list[tuple[Verdict, Path | None]]:
    """What is not green; operations at which a property is undecided for one reason are one verdict, with all their names."""
    told: dict[object, list[tuple[Verdict, Path | None]]] = {}
    for verdict, file in verdicts:
        if not verdict.is_green:
            is_alone = not verdict.is_undecided or verdict.trace is not None or verdict.operation is None
            same = (verdict.property, verdict.engine, verdict.verdict, verdict.scope, verdict.reason, verdict.notes)
            told.setdefault(object() if is_alone else same, []).append((verdict, file))
    found = []
    for (first, file), *others in told.values():
        names = [first.operation, *(verdict.operation for verdict, _ in others)]
        found.append((replace(first, operation=", ".join(map(str, names)), source=None) if others else first, file))
    return found


# --- the table ----------------------------------------------------------------------------------------------


def print_table(console: Console, verdicts: Sequence[Verdict]) -> None:
    """Properties by the file they stand in, in the order in which they were judged."""
    families: dict[str, dict[str, list[Verdict]]] = {}
    for verdict in verdicts:
        family = verdict.source.file if verdict.source else FAMILIES.get(verdict.engine, NO_PLACE)
        families.setdefault(family, {}).setdefault(verdict.property, []).append(verdict)
    width = max((len(name) for rows in families.values() for name in rows), default=0)
    for family, rows in families.items():
        put(console, family, "bold")
        for name, own in rows.items():
            mark, style = mark_of(own)
            seconds = sum(verdict.seconds for verdict in own)
            line = f"  {mark:4}  {name:{width}}  {seconds:8.2f} s  {answers(own)}"
            put(console, line, style)


def mark_of(verdicts: Sequence[Verdict]) -> tuple[str, str]:
    """The worst that was said, as a word and its colour."""
    if any(verdict.is_red for verdict in verdicts):
        return "FAIL", "red"
    if any(verdict.is_undecided for verdict in verdicts):
        return "?", "yellow"
    if any(verdict.verdict is Kind.DEVIATION for verdict in verdicts):
        return "dev", "cyan"
    if any(verdict.verdict is Kind.LIKELY for verdict in verdicts):
        return "~ok", "cyan"
    return "ok", ""


def answers(verdicts: Sequence[Verdict]) -> str:
    """`prove 13 proved, 1 violated (map); explore passed`."""
    engines: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        engines.setdefault(verdict.engine, []).append(verdict)
    return "; ".join(f"{engine} {answers_of_one(own)}" for engine, own in engines.items())


def answers_of_one(verdicts: Sequence[Verdict]) -> str:
    counts = Counter(verdict.verdict for verdict in verdicts)
    parts = []
    for kind in (kind for kind in Kind if counts[kind]):
        part = kind.replace("_", " ")
        if len(verdicts) > 1:
            part = f"{counts[kind]} {part}"
        if kind is Kind.DEVIATION or not kind.is_green:
            where = [verdict.operation for verdict in verdicts if verdict.verdict is kind and verdict.operation]
            part += f" ({', '.join(where)})" if where else ""
        parts.append(part)
    return ", ".join(parts)


# --- the sum ------------------------------------------------------------------------------------------------


def print_slowest(console: Console, verdicts: Sequence[Verdict], count: int) -> None:
    """Where the time went; of a handful of verdicts the table has told it already."""
    if len(verdicts) <= count:
        return
    put(console)
    put(console, "slowest", "bold")
    for verdict in sorted(verdicts, key=lambda verdict: -verdict.seconds)[:count]:
        put(console, f"  {verdict.seconds:8.2f} s  {verdict.id} ({verdict.engine})")


def summary_line(report: Report) -> str:
    """`14 properties, 196 verdicts: 195 proved, 1 violated. 12.3 s. exit 1`."""
    properties = len({verdict.property for verdict in report.verdicts})
    counts = ", ".join(f"{count} {kind.replace('_', ' ')}" for kind, count in report.counts.items())
    parts = [f"{counted(properties, 'property', 'properties')}, {counted(len(report.verdicts), 'verdict')}"]
    parts[0] += f": {counts}" if counts else ""
    if report.out_of_budget:
        parts.append("The budget ran out")
    if report.seconds is not None:
        parts.append(f"{report.seconds:.1f} s")
    return ". ".join([*parts, f"exit {int(report.exit)}"])
