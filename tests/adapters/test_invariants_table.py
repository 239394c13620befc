"""`docs/invariants.md` says of each numbered invariant where it is checked, and is right."""

import re
from pathlib import Path

import pytest

from vmaspace.checker.adapters.invariants.journal import INVARIANTS
from vmaspace.checker.adapters.invariants.observed import observed
from vmaspace.checker.engines.standard import standard_contract
from vmaspace.model import System

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/invariants.md").read_text()
ROW = re.compile(r"^\| (\w+-\d+) \| (.+?) \| `(zircon/kernel/\S+)` \| (.+) \|$", re.MULTILINE)
ROWS = ROW.findall(TEXT)
HOW_MANY = {"aspace": 34, "vmar": 40, "faults": 27, "tables": 20, "vmos": 5}
LEAST_CHECKED = 90


def test_every_number_is_there_once_and_in_order() -> None:
    assert observed(System)  # all checks are declared
    assert [row[0] for row in ROWS] == [f"{s}-{n}" for s, count in HOW_MANY.items() for n in range(1, count + 1)]


def test_enough_of_them_are_checked() -> None:
    checked = [row for row in ROWS if not row[3].startswith("not checked: ")]
    assert len(checked) >= LEAST_CHECKED
    assert f"{len(ROWS)} statements, of which {len(checked)} are" in TEXT


@pytest.mark.parametrize(("number", "sentence", "source", "where"), ROWS, ids=[row[0] for row in ROWS])
def test_a_row(number: str, sentence: str, source: str, where: str) -> None:
    kind, _, rest = where.partition(" ")
    targets = re.findall(r"`(\S+?)`", rest)
    if number in INVARIANTS:
        check = INVARIANTS[number]
        assert (kind, targets) == ("check", [check.number])
        assert (sentence, source) == (check.sentence, check.source)
    elif kind == "property":
        judged = standard_contract().properties
        assert targets
        for name in targets:
            assert judged[name].kind != "reach" and judged[name].deviation is None
    else:
        assert kind == "not" and rest.startswith("checked: ")
        for file in targets:
            assert (ROOT / file).is_file()


def test_every_check_is_in_the_table() -> None:
    assert INVARIANTS.keys() <= {row[0] for row in ROWS}
