"""Entries taken apart: every bit has a name or is said to have none, as the engine's own accounts of the manuals have it."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmaspace.checker.adapters.entries import ALL_TABLES, Kind, Tables
from vmaspace.checker.adapters.paging.fields import LAYOUTS, Decoded, Role, decode
from vmaspace.checker.adapters.paging.layout import Field, Layout
from vmaspace.model.constants import MAX_U64

WORDS = st.integers(0, MAX_U64) | st.integers(0, 0xFFFF) | st.integers(0, 63).map(lambda bit: 1 << bit)
EVERY = pytest.mark.parametrize("tables", ALL_TABLES, ids=lambda t: t.slug)


def all_layouts(tables: Tables) -> list[tuple[str, int, Layout]]:
    layouts = LAYOUTS[tables.regime.name]
    return [("leaf", level, layout) for level, layout in layouts.leaves.items()] + [
        ("table", level, layout) for level, layout in layouts.tables.items()
    ]


def overlapping(layout: Layout) -> int:
    """Bits that are two things at once."""
    seen = twice = 0
    for mask in (layout.frame, layout.ignored, *(field.mask for field in layout.fields)):
        twice |= seen & mask
        seen |= mask
    return twice


@EVERY
def test_no_bit_is_two_things(tables: Tables) -> None:
    for kind, level, layout in all_layouts(tables):
        assert not overlapping(layout), (kind, level, hex(overlapping(layout)))


def test_a_bit_that_is_two_things_is_seen() -> None:
    assert overlapping(Layout(0xFF00, (Field("P", 0), Field("RW", 0, 2)), 0)) == 1


@EVERY
def test_layouts_are_those_of_the_manuals(tables: Tables) -> None:
    """Double entry: the engine of entry claims tells the manuals a second time, by itself."""
    from vmaspace.checker.engines.entries.accounts import account_of

    account = account_of(tables)
    layouts = LAYOUTS[tables.regime.name]
    for ours, theirs in ((layouts.leaves, account.leaf), (layouts.tables, account.table)):
        assert ours.keys() == theirs.keys()
        for level, layout in ours.items():
            told = theirs[level]
            assert layout.frame == told.frame, level
            assert layout.reserved == told.zero, (level, hex(layout.reserved), hex(told.zero))
            assert told.described & ~(layout.frame | layout.named | told.zero) == 0, level


@EVERY
def test_every_bit_that_is_written_has_a_name(tables: Tables) -> None:
    regime = tables.regime
    for level in regime.leaf_levels:
        for flags in range(0x80):
            entry = regime.leaf(0, flags | 8, level)
            decoded = decode(regime, entry | regime.accessed | regime.dirty, level)
            assert decoded.role is Role.LEAF
            assert decoded.layout is not None
            assert not decoded.entry & ~decoded.layout.named, hex(decoded.entry)
            assert not decoded.reserved
    for level in range(1, regime.top_level + 1):
        decoded = decode(regime, regime.table(0), level)
        assert decoded.role is Role.TABLE
        assert decoded.layout is not None
        assert not decoded.entry & ~decoded.layout.named


def test_a_bit_without_a_name_is_seen() -> None:
    tables = next(t for t in ALL_TABLES if t.kind is Kind.USER)
    faulty = dataclasses.replace(tables.regime, leaf_fixed=tables.regime.leaf_fixed | 1 << 52)
    decoded = decode(faulty, faulty.leaf(0, 8, 0), 0)
    assert decoded.layout is not None
    assert decoded.entry & ~decoded.layout.named == 1 << 52
    assert "ignored 0x10000000000000" in decoded.text()


@given(word=WORDS, at=st.data())
def test_any_value_can_be_decoded(word: int, at: st.DataObject) -> None:
    tables = at.draw(st.sampled_from(ALL_TABLES))
    level = at.draw(st.integers(0, tables.regime.top_level))
    decoded = decode(tables.regime, word, level)
    assert decoded.text()
    assert accounted(decoded) == word


def accounted(decoded: Decoded) -> int:
    """What the decoded parts say, put together again."""
    word = decoded.reserved | decoded.ignored
    if decoded.layout is not None:
        word |= decoded.entry & decoded.layout.frame
    for part in decoded.parts:
        word |= part.value << part.field.low
    return word


@pytest.mark.parametrize(
    ("arch", "kind", "entry", "level", "text"),
    [
        ("x86_64", Kind.USER, 0x8000000023456067, 0, "P RW U/S A D NX WB"),
        ("x86_64", Kind.USER, 0x23456067, 1, "P RW U/S A ignored 0x40"),
        ("x86_64", Kind.USER, 0x200010E7, 1, "P RW U/S A D PS PAT WB"),
        ("x86_64", Kind.KERNEL, 0x8000000023456163, 0, "P RW A D G NX WB"),
        ("x86_64", Kind.USER, 0x22001 | 0x80, 3, "MALFORMED P RESERVED 0x80"),
        ("x86_64", Kind.USER, 0x1234000, 0, "not present, the rest is software's: 0x1234000"),
        ("x86_64", Kind.USER, 0, 0, "0"),
        ("x86_64", Kind.GUEST, 0x1037, 0, "R W X type=6 (WB)"),
        ("arm64", Kind.USER, 0x0060000012345F4B, 0,
         "type=3 (page) AttrIndx=2 (normal WB) AP=1 (EL0 rw, EL1 rw) SH=3 (inner) AF nG PXN UXN"),
        ("arm64", Kind.USER, 0x0080000012345003, 1, "type=3 (table) accessed"),
        ("riscv64", Kind.USER, 0x20000000048D14DB, 0, "V R X U A D PBMT=1 (NC)"),
        ("riscv64", Kind.USER, 0x048D1405, 0, "MALFORMED V W PBMT=0 (PMA)"),
    ],
)  # fmt: skip
def test_entries_in_a_line(arch: str, kind: Kind, entry: int, level: int, text: str) -> None:
    tables = next(
        t for t in ALL_TABLES if t.arch == arch and t.kind is kind and (arch != "riscv64" or t.has_svpbmt)
    )
    assert decode(tables.regime, entry, level).text() == text
