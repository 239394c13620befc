"""The expressions that stand for numbers."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmaspace.checker.engines.conformance.error import BadStep
from vmaspace.checker.engines.conformance.expressions import parse_condition, parse_expression


class Values:
    def name(self, name: str, index: int | None) -> int:
        return {"m": 0x5000, "p.vmar": 0x200000, "r.size": 7, "n": 100}[name] + (index or 0)

    def constant(self, name: str) -> int:
        return {"USER_ASPACE_SIZE": 0x8000, "C": 3}[name]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("42", 42),
        ("0x1F", 31),
        ("$m", 0x5000),
        ("$m+4096-1", 0x5FFF),
        ("9000000-$p.vmar", 9000000 - 0x200000),
        ("$n[3]", 103),
        ("$r.size", 7),
        ("@USER_ASPACE_SIZE/4096", 8),
        ("@C - 10", -7),
        ("-1 + 3", 2),
        ("1 - 2 - 3", -4),
        ("2 - (3 - 4)", 3),
        ("roundup($m+1,0x1000)", 0x6000),
        ("roundup(4096,4096)", 4096),
        ("$m+20480-roundup($m,16)-1", 20479),
        ("next_page_table($m)", 0x200000),
        ("next_page_table($p.vmar)", 0x400000),
        (" 1\t+ 2 ", 3),
    ],
)
def test_values(text: str, value: int) -> None:
    assert parse_expression(text).evaluate(Values()) == value


@pytest.mark.parametrize(
    ("text", "holds"),
    [("@C>3", 0), ("@C >= 3", 1), ("1 < 2", 1), ("1==1", 1), ("1 != 1", 0), ("$m <= 0", 0), ("7", 7)],
)
def test_conditions(text: str, holds: int) -> None:
    assert parse_condition(text).evaluate(Values()) == holds


@pytest.mark.parametrize(
    "text", ["1 < 2", "1 +", "+ 1", "()", "roundup(1)", "$n[x]", "$n[", "@", "1,2", "a.b", "１"]
)
def test_what_is_no_expression(text: str) -> None:
    with pytest.raises(BadStep, match="bad expression"):
        parse_expression(text)


def test_names_are_listed() -> None:
    assert parse_condition("$a.b + roundup($c[1], 4) > @D - $e").names() == {"a.b", "c", "e"}


@given(st.text(alphabet="0123456789abcx$@+-/()[], .<>=_rounduptge", max_size=40))
def test_no_text_does_anything_but_parse_or_be_refused(text: str) -> None:
    with suppress(BadStep):
        parse_condition(text)
