"""Page-table entries in words: where one leads, whom it lets pass what, and one taken apart by itself.

Not here: how it is laid out; that is `report.walk`.
"""

from __future__ import annotations

from collections.abc import Iterator

from vmaspace.checker.adapters.entries import Kind, Tables
from vmaspace.checker.adapters.paging.fields import LAYOUTS, Decoded, Role, decode
from vmaspace.checker.report.notation import rights_text, size_text
from vmaspace.checker.report.walk import EntryView, FieldRow, Remark


def leads_to(decoded: Decoded) -> str:
    """`table at 0x1000`, `page at 0x1000`, `2 MiB page at 0x200000`, or `nothing`."""
    if decoded.role is Role.TABLE:
        return f"table at {decoded.paddr:#x}"
    if decoded.role is Role.LEAF:
        return f"{'' if decoded.level == 0 else size_text(decoded.size) + ' '}page at {decoded.paddr:#x}"
    return "a fault" if decoded.role is Role.MALFORMED else "nothing"


def privileges(decoded: Decoded) -> tuple[str, ...]:
    """Whose rights the two halves of a set of rights are; guests have one."""
    return ("guest",) if decoded.regime.name in ("EPT", "arm64 stage 2") else ("user", "kernel")


def level_names(tables: Tables) -> tuple[str, ...]:
    """What the manual calls the tables of each level, from level 0 on."""
    return LAYOUTS[tables.regime.name].level_names


def entry_view(tables: Tables, entry: int, level: int) -> EntryView:
    """An entry of a table of `level` (0 is the last), taken apart without any memory around it."""
    decoded = decode(tables.regime, entry, level)
    layout = decoded.layout
    rows = [
        (part.field.low, FieldRow(part.field.bits, part.field.name, f"{part.value:#x}", part.meaning))
        for part in decoded.parts
    ]
    if layout is not None:
        if decoded.role in (Role.TABLE, Role.LEAF):
            shift = tables.regime.frame_shift
            rows += [
                (low, FieldRow(bits, "address", f"{value << low + shift:#x}", ""))
                for low, bits, value in _runs(layout.frame, entry, True)
            ]
        for label, mask in (("RESERVED", layout.reserved), ("ignored", layout.ignored)):
            what = "must be 0" if label == "RESERVED" else "hardware does not look"
            rows += [
                (low, FieldRow(bits, label, f"{value:#x}", what))
                for low, bits, value in _runs(mask, entry, False)
            ]
    rows.sort(key=lambda row: -row[0])
    return EntryView(
        tables.regime.name,
        level,
        level_names(tables)[level],
        entry,
        decoded.role.value,
        decoded.paddr,
        decoded.text(),
        tuple(row for _, row in rows),
        tuple(_entry_remarks(tables, decoded)),
    )


def _runs(mask: int, entry: int, is_shown_if_zero: bool) -> Iterator[tuple[int, str, int]]:
    """The stretches of a mask in which something is set: lowest bit, `51:12`, and what stands there."""
    low = 0
    while mask >> low:
        if not mask >> low & 1:
            low += 1
            continue
        width = 1
        while mask >> low + width & 1:
            width += 1
        value = entry >> low & (1 << width) - 1
        if value or is_shown_if_zero:
            yield low, str(low) if width == 1 else f"{low + width - 1}:{low}", value
        low += width


def _entry_remarks(tables: Tables, decoded: Decoded) -> Iterator[Remark]:
    yield Remark("leads to", leads_to(decoded))
    if decoded.memory:
        yield Remark("memory", decoded.memory)
    if decoded.role in (Role.TABLE, Role.LEAF):
        who = ("kernel",) if tables.kind is Kind.HYPERVISOR else privileges(decoded)
        rights = decoded.rights >> 3 if tables.kind is Kind.HYPERVISOR else decoded.rights
        yield Remark(
            "lets pass", rights_text(rights, ("hypervisor",) if tables.kind is Kind.HYPERVISOR else who)
        )
    if decoded.reserved:
        yield Remark("reserved", f"! bits that must be 0 are set: {decoded.reserved:#x}")
