"""Green, red, undecided, and the exit code that follows."""

from collections.abc import Callable

import pytest

from vmaspace.checker.report.messages import HEADLINES, code_of, headline
from vmaspace.checker.report.verdict import Exit, Kind, Place, Report, Verdict

COLOURS = {
    "green": [Kind.PROVED, Kind.PASSED, Kind.LIKELY, Kind.REACHED, Kind.DEVIATION],
    "red": [Kind.VIOLATED, Kind.NOT_INDUCTIVE, Kind.DEVIATION_GONE, Kind.FAILED],
    "undecided": [Kind.UNREACHED, Kind.UNKNOWN, Kind.UNSUPPORTED],
}

Make = Callable[..., Verdict]


def test_every_kind_has_exactly_one_colour() -> None:
    assert sorted(kind for kinds in COLOURS.values() for kind in kinds) == sorted(Kind)


@pytest.mark.parametrize(("colour", "kind"), [(colour, kind) for colour, kinds in COLOURS.items() for kind in kinds])
def test_colours(colour: str, kind: Kind, verdict: Make) -> None:
    one = verdict(kind)
    assert {"green": one.is_green, "red": one.is_red, "undecided": one.is_undecided} == {
        name: name == colour for name in COLOURS
    }


@pytest.mark.parametrize(
    ("kinds", "code"),
    [
        ([Kind.PROVED, Kind.DEVIATION, Kind.REACHED, Kind.PASSED], Exit.GREEN),
        ([Kind.PROVED, Kind.VIOLATED], Exit.RED),
        ([Kind.UNKNOWN, Kind.DEVIATION_GONE], Exit.RED),
        ([Kind.PROVED, Kind.UNREACHED], Exit.UNDECIDED),
        ([Kind.UNSUPPORTED], Exit.UNDECIDED),
        ([], Exit.UNDECIDED),
    ],
)
def test_exit_code(kinds: list[Kind], code: Exit, verdict: Make) -> None:
    assert Report(tuple(verdict(kind) for kind in kinds)).exit is code


def test_a_run_out_of_budget_is_not_green(verdict: Make) -> None:
    assert Report((verdict(Kind.PROVED),), out_of_budget=True).exit is Exit.UNDECIDED
    assert Report((verdict(Kind.FAILED),), out_of_budget=True).exit is Exit.RED


def test_counts_follow_the_order_of_kinds(mixed_report: Report) -> None:
    assert list(mixed_report.counts.items()) == [
        (Kind.PROVED, 2), (Kind.PASSED, 1), (Kind.DEVIATION, 1), (Kind.VIOLATED, 1), (Kind.UNKNOWN, 1),
    ]  # fmt: skip


def test_a_place_reads_like_a_compilers() -> None:
    assert str(Place("properties/regions.aspec", 31, 5)) == "properties/regions.aspec:31:5"


def test_every_kind_has_one_code_and_two_headlines() -> None:
    assert set(HEADLINES) == set(Kind)
    assert len({code_of(kind) for kind in Kind}) == len(Kind)
    for kind in Kind:
        assert code_of(kind).startswith("VMA5")
        assert "map" in headline(kind, "p", "map") and "map" not in headline(kind, "p", None)


def test_headlines() -> None:
    assert headline(Kind.VIOLATED, "walks_agree", "map") == "VMA501 walks_agree does not survive map"
    assert headline(Kind.UNREACHED, "a_unified_space", None) == "VMA503 a_unified_space was not reached"
