"""A walk and an entry as text, in a wide and in a narrow terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest

from vmaspace.checker.report.narrative import Told, Tone
from vmaspace.checker.report.walk import EntryView, FieldRow, Remark, Row, WalkView, tell_entry, tell_walk


@pytest.fixture
def view() -> WalkView:
    """arm64, as it is the widest; the last address has many digits."""
    return WalkView(
        title="walk of 0x230c28d123 in aspace1, arm64, TTBR0_EL1 0x2000100001000",
        aspace="aspace1",
        address=0x230C28D123,
        root=0x1_0000_1000,
        rows=(
            Row(3, "L0", 0, 0x1_0000_1000, 0x0080_0001_0000_3003, "table at 0x100003000", "type=3 (table) accessed"),
            Row(2, "L1", 140, 0x1_0000_3460, 0x0060_0001_4000_0F49, "1 GiB page at 0x140000000", "type=1 (block) AF nG PXN UXN"),
        ),
        paddr=0x1_4C28_D123,
        remarks=(
            Remark("translation", "0x230c28d123 -> 0x14c28d123, in a page of 1 GiB"),
            Remark("page", "! page 0 of vmo0 is not there, and 0x14c28d000 is mapped; words enough to fill more than one line"),
        ),
    )  # fmt: skip


@pytest.fixture
def entry() -> EntryView:
    rows = (FieldRow("63", "NX", "0x1", "no execute"), FieldRow("51:12", "address", "0x23456000", ""),
            FieldRow("7", "RESERVED", "0x1", "must be 0"), FieldRow("0", "P", "0x1", "present"))  # fmt: skip
    remarks = (Remark("leads to", "page at 0x23456000"),)
    return EntryView("x86-64", 0, "PT", 0x8000000023456001, "leaf", 0x23456000, "P NX", rows, remarks)


def text(told: Iterable[Told]) -> str:
    return "\n".join(line.text for line in told) + "\n"


def test_golden(view: WalkView, entry: EntryView, golden: Callable[[str, str], None]) -> None:
    parts = [text(tell_walk(view, 120)), text(tell_walk(view, 80)), text(tell_entry(entry, 80))]
    golden("walk.txt", "\n".join(parts))


@pytest.mark.parametrize("width", [80, 100, 120, 200])
def test_lines_keep_to_the_width(view: WalkView, width: int) -> None:
    assert max(len(line.text) for line in tell_walk(view, width)) <= width


def test_columns_stand_under_each_other(view: WalkView) -> None:
    head, *rows = text(tell_walk(view, 120)).splitlines()[1:4]
    for column, cells in (
        ("entry at", ("0x1000", "0x1000")),
        ("leads to", ("table", "1 GiB")),
        ("flags", ("type=3", "type=1")),
    ):
        for row, cell in zip(rows, cells, strict=True):
            assert row.startswith(cell, head.index(column))


def test_what_is_wrong_is_toned(view: WalkView) -> None:
    tones = [line.tone for line in tell_walk(view, 200)]
    assert tones[-1] is Tone.GONE
    assert Tone.GONE not in [line.tone for line in tell_walk(replace(view, remarks=view.remarks[:1]), 200)]


def test_json(view: WalkView, entry: EntryView) -> None:
    found = view.to_json()
    assert found["entries"][1] == {
        "level": 2, "table": "L1", "index": 140, "at": "0x100003460", "entry": "0x60000140000f49",
        "leads_to": "1 GiB page at 0x140000000", "flags": "type=1 (block) AF nG PXN UXN",
    }  # fmt: skip
    assert found["paddr"] == "0x14c28d123"
    assert replace(view, paddr=None).to_json()["paddr"] is None
    assert entry.to_json()["fields"][0] == {
        "bits": "63",
        "name": "NX",
        "value": "0x1",
        "meaning": "no execute",
    }
