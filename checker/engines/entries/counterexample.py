"""A counterexample in words: each value in hexadecimal, entries and flags taken apart."""

from __future__ import annotations

from collections.abc import Iterator

import z3

from vmaspace.checker.engines.entries.account import EXECUTE, NS, READ, USER, WRITE, Layout
from vmaspace.checker.engines.entries.query import Look, Query
from vmaspace.checker.report.notation import rights_text

_CACHE = ("cached", "uncached", "uncached-device", "write-combining")
_FLAGS = {USER: "user", READ: "read", WRITE: "write", EXECUTE: "execute", NS: "ns", 0x80: "invalid"}


def told(query: Query, model: z3.ModelRef) -> list[str]:
    """A line for each value that the query shows."""
    width = max((len(shown.name) for shown in query.shown), default=0)
    lines = []
    for shown in query.shown:
        value = model.eval(shown.term, model_completion=True).as_long()
        parts = {Look.ENTRY: f"{value:#018x}", Look.FLAGS: f"{value:#04x}", Look.RIGHTS: rights_text(value)}
        line = f"{shown.name:{width}}  {parts.get(shown.look, f'{value:#x}')}"
        if shown.look is Look.ENTRY and shown.layout is not None:
            line += f"  {entry_text(value, shown.layout)}"
        elif shown.look is Look.FLAGS:
            line += f"  {flags_text(value)}"
        lines.append(line)
    return lines


def entry_text(entry: int, layout: Layout) -> str:
    """The fields of an entry that are not 0, and where the rest of its bits stand."""
    return " ".join(_parts(entry, layout)) or "nothing"


def _parts(entry: int, layout: Layout) -> Iterator[str]:
    if entry & layout.frame:
        yield f"frame {entry & layout.frame:#x}"
    for field in layout.fields:
        value = entry >> field.low & (1 << field.width) - 1
        if value:
            yield field.name if field.width == 1 else f"{field.name}={value}"
    rest = entry & ~layout.described
    for what, bits in (("RESERVED", rest & layout.zero), ("ignored", rest & ~layout.zero)):
        if bits:
            yield f"{what} {bits:#x}"


def flags_text(flags: int) -> str:
    """`user read write, write-combining`."""
    names = [name for flag, name in _FLAGS.items() if flags & flag]
    return f"{' '.join(names) or 'nothing'}, {_CACHE[flags & 3]}"
