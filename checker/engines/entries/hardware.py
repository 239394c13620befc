"""The claim about the model's MMU: it takes every entry as the manuals say, so that what Zircon writes is what a walk finds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import z3

from vmaspace.checker.adapters.entries import mmu_levels
from vmaspace.checker.engines.entries.query import Claim, Look, Query, Shown, Subject, at_level
from vmaspace.checker.engines.entries.words import Truth, Word, variable


def _is_one_of(entry: Word, low_bytes: Sequence[int]) -> Truth:
    """Whether the low byte of an entry is one of these."""
    byte = z3.Extract(7, 0, entry)
    return z3.Or(*(byte == value for value in low_bytes))


def _mmu(subject: Subject) -> Iterator[Query]:
    account = subject.account
    for stage in mmu_levels(subject.tables, account.physical_bits):
        level, entry = stage.level, variable("entry")
        allowed = z3.BoolVal(True)
        if stage.leaf_not_all:
            allowed = entry & stage.leaf_not_all != stage.leaf_not_all
        taken = {
            "leaf": z3.And(_is_one_of(entry, stage.leaf_bytes), entry & stage.leaf_reserved == 0, allowed),
            "table": z3.And(_is_one_of(entry, stage.table_bytes), entry & stage.table_reserved == 0),
        }
        nothing = z3.BoolVal(False)
        legal = {
            "leaf": account.is_legal_leaf(entry, level) if level in account.leaf else nothing,
            "table": account.is_legal_table(entry, level) if level in account.table else nothing,
        }
        for what, layout in (("leaf", account.leaf.get(level)), ("table", account.table.get(level))):
            agrees = taken[what] == legal[what] if account.is_strict else z3.Implies(legal[what], taken[what])
            shown = (Shown("entry", entry, Look.ENTRY, layout),)
            # Zircon's present bit; an EPT knows others, which Zircon never sets alone.
            yield Query(f"{at_level(level)}, {what}", (subject.is_present(entry),), agrees, shown)
            if layout is not None:
                frame = stage.leaf_frame if what == "leaf" else stage.table_frame
                same = entry & frame == entry & layout.frame
                yield Query(f"{at_level(level)}, address of a {what}", (legal[what],), same, shown)
    asked = variable("table")
    alone = subject.table_rights(asked) == subject.table_rights(asked & stage.rights_bits)
    yield Query("rights of a table entry", (), alone, (Shown("table entry", asked, Look.ENTRY),))
    fields = account.leaf[0].by_name
    marks = tuple(fields[name].mask if name else 0 for name in (account.accessed, account.dirty))
    yield Query("accessed flags", (), z3.BoolVal((stage.accessed, stage.dirty) == marks), ())


HARDWARE = (
    Claim(
        "the_mmu_takes_entries_as_the_manuals_say",
        "For an entry of any value the model's MMU finds a leaf, a table or a fault as the manuals say, with the same address.",
        "the manuals",
        _mmu,
    ),
)
