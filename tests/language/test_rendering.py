"""How a diagnostic looks: the place, the source line, the caret, and nothing that disturbs a terminal."""

from __future__ import annotations

from vmaspace.checker.language.diagnostics import WIDTH, Diagnostic, LanguageError, render
from vmaspace.checker.language.syntax import Span


def test_everything_in_its_place() -> None:
    d = Diagnostic(
        "VMA000", "it is wrong", Span("a.aspec", 2, 3, 2, 6), expected="this", found="that", hint="do so",
        notes=(("look here", Span("b.aspec", 7, 1, 7, 2)),),
    )  # fmt: skip
    assert render(d, {"a.aspec": "one\n  two three\n"}).splitlines() == [
        "VMA000 it is wrong",
        "  a.aspec:2:3",
        "      2 |   two three",
        "        |   ^^^",
        "  expected  this",
        "  found     that",
        "  hint      do so",
        "  note      look here, b.aspec:7:1",
    ]


def test_a_place_over_several_lines_is_underlined_to_the_end_of_the_first() -> None:
    d = Diagnostic("VMA000", "wrong", Span("a", 1, 5, 3, 2))
    assert render(d, {"a": "one two\nthree\nfour"}).splitlines()[-1] == "        |     ^^^"


def test_without_the_text_there_is_only_the_place() -> None:
    d = Diagnostic("VMA000", "wrong", Span("a", 9, 1, 9, 2))
    assert render(d, {}) == render(d, {"a": "short"}) == "VMA000 wrong\n  a:9:1"


def test_a_caret_behind_the_end_of_the_line() -> None:
    d = Diagnostic("VMA000", "wrong", Span("a", 1, 4, 1, 5))
    assert render(d, {"a": "one"}).splitlines()[-1] == "        |    ^"


def test_long_lines_are_cut_round_the_place() -> None:
    text = "x" * 300 + "HERE" + "y" * 300
    d = Diagnostic("VMA000", "wrong", Span("a", 1, 301, 1, 305))
    source, carets = render(d, {"a": text}).splitlines()[-2:]
    assert len(source) == len("      1 | ") + WIDTH
    assert source[carets.index("^") : carets.rindex("^") + 1] == "HERE"
    assert source.endswith("y…") and " | …x" in source
    for column in (1, 2, WIDTH, WIDTH + 1, 600, 604):
        lines = render(
            Diagnostic("VMA000", "wrong", Span("a", 1, column, 1, column + 1)), {"a": text}
        ).splitlines()
        assert len(lines[-2]) <= len("      1 | ") + WIDTH and lines[-1].count("^") == 1


def test_nothing_disturbs_the_terminal() -> None:
    d = Diagnostic("VMA000", "\x1b[31mred\x00", Span("\x07", 1, 1, 1, 2), hint="\u202e\ud800")
    text = render(d, {"\x07": "\x1b[2Jgone\x85\u2028"})
    assert all(c.isprintable() or c == "\n" for c in text)
    text.encode()


def test_diagnostics_stand_in_the_order_of_the_text() -> None:
    places = [("b", 1), ("a", 9), ("a", 2)]
    error = LanguageError([Diagnostic("VMA000", "x", Span(f, n, 1, n, 2)) for f, n in places], {})
    assert [d.place[:2] for d in error.diagnostics] == [("a", 2), ("a", 9), ("b", 1)]
    assert str(error) == error.render() and error.render().count("VMA000") == 3
