"""The walk of one address, and one entry taken apart, as text for a terminal.

    level  index        entry at     entry               leads to
    PML4     0 (0x000)  0x100002000  0x0000000100003027  table at 0x100003000
             P RW U/S A
    ...
    translation  0x400123 -> 0x10000a123, in a page of 4 KiB

The flags stand on the line of their entry where the terminal is wide enough for all of them. Everything here is pure data,
made by an engine; addresses and entries are numbers, and become hexadecimal here.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from vmaspace.checker.report.narrative import Told, Tone

HEADS = ("level", "index", "entry at", "entry", "leads to", "flags")


class Row(NamedTuple):
    """One entry on the way. at: the physical address of the entry."""

    level: int
    name: str
    slot: int
    at: int
    entry: int
    leads_to: str
    flags: str


class Remark(NamedTuple):
    """One line of the conclusion. A line that is wrong in a sound kernel starts with an exclamation mark."""

    label: str
    text: str


@dataclass(frozen=True)
class WalkView:
    """One walk through the tables of one address space; paddr is None where it ends at nothing."""

    title: str
    aspace: str
    address: int
    root: int
    rows: tuple[Row, ...]
    paddr: int | None
    remarks: tuple[Remark, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "aspace": self.aspace,
            "address": hex(self.address),
            "root": hex(self.root),
            "entries": [
                {
                    "level": row.level,
                    "table": row.name,
                    "index": row.slot,
                    "at": hex(row.at),
                    "entry": hex(row.entry),
                    "leads_to": row.leads_to,
                    "flags": row.flags,
                }
                for row in self.rows
            ],
            "paddr": None if self.paddr is None else hex(self.paddr),
            "remarks": {remark.label: remark.text for remark in self.remarks},
        }


class FieldRow(NamedTuple):
    """A field of an entry, or a run of bits without a name. meaning: what the value says."""

    bits: str
    name: str
    value: str
    meaning: str


@dataclass(frozen=True)
class EntryView:
    """One entry, taken apart."""

    tables: str
    level: int
    name: str
    entry: int
    role: str
    paddr: int | None
    flags: str
    fields: tuple[FieldRow, ...]
    remarks: tuple[Remark, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "tables": self.tables,
            "level": self.level,
            "table": self.name,
            "entry": hex(self.entry),
            "is": self.role,
            "paddr": None if self.paddr is None else hex(self.paddr),
            "flags": self.flags,
            "fields": [row._asdict() for row in self.fields],
            "remarks": {remark.label: remark.text for remark in self.remarks},
        }


def tell_walk(view: WalkView, width: int) -> Iterator[Told]:
    """The walk as lines of at most `width` columns, as far as its words allow."""
    for line in textwrap.wrap(view.title, max(40, width), subsequent_indent="  ", break_long_words=False):
        yield Told(line, Tone.BROKEN)
    cells = [
        (
            row.name,
            f"{row.slot:3} ({row.slot:#05x})",
            f"{row.at:#x}",
            f"{row.entry:#018x}",
            row.leads_to,
            row.flags,
        )
        for row in view.rows
    ]
    widths = [max(map(len, column)) for column in zip(HEADS, *cells, strict=True)]
    is_wide = sum(widths) + 2 * len(widths) <= width
    count = len(HEADS) if is_wide else len(HEADS) - 1
    yield Told(_line(HEADS[:count], widths), Tone.QUIET)
    for cell in cells:
        yield Told(_line(cell[:count], widths))
        if not is_wide:
            indent = " " * (widths[0] + 4)
            for line in textwrap.wrap(cell[-1], max(40, width - len(indent)), break_long_words=False):
                yield Told(indent + line, Tone.QUIET)
    yield from tell_remarks(view.remarks, width)


def _line(cells: Sequence[str], widths: list[int]) -> str:
    return "  " + "  ".join(f"{cell:{width}}" for cell, width in zip(cells, widths, strict=False)).rstrip()


def tell_remarks(remarks: tuple[Remark, ...], width: int) -> Iterator[Told]:
    first = max((len(remark.label) for remark in remarks), default=0)
    for remark in remarks:
        tone = Tone.GONE if remark.text.startswith("!") else Tone.PLAIN
        lines = textwrap.wrap(
            remark.text, max(40, width - first - 4), break_long_words=False, break_on_hyphens=False
        )
        for number, line in enumerate(lines):
            yield Told(f"  {'' if number else remark.label:{first}}  {line}", tone)


def tell_entry(view: EntryView, width: int) -> Iterator[Told]:
    """An entry as a list of its fields, the highest bit first."""
    yield Told(f"{view.entry:#018x}  {view.tables}, level {view.level} ({view.name})", Tone.BROKEN)
    yield Told(f"  {view.flags}")
    widths = [max((len(row[i]) for row in view.fields), default=0) for i in range(3)]
    for row in view.fields:
        line = f"  {row.bits:>{widths[0]}}  {row.name:{widths[1]}}  {row.value:>{widths[2]}}  {row.meaning}"
        yield Told(line.rstrip(), Tone.GONE if row.name == "RESERVED" else Tone.PLAIN)
    yield from tell_remarks(view.remarks, width)
