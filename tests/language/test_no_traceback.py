"""No text, however broken, shows anything but diagnostics: nothing but `LanguageError` ever comes out."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vmaspace.checker.language.check import check
from vmaspace.checker.language.diagnostics import LanguageError
from vmaspace.checker.language.loader import load
from vmaspace.checker.language.parser import parse
from vmaspace.checker.language.scanner import ITEM_WORDS, RESERVED

ROOT = Path(__file__).resolve().parents[2]
SMALL = (Path(__file__).parent / "contract.aspec").read_text(encoding="utf-8")
TEXTS = [
    *(p.read_text(encoding="utf-8") for p in sorted((ROOT / "spec").glob("*.aspec"))),
    *(p.read_text(encoding="utf-8") for p in sorted((Path(__file__).parent / "broken").glob("*.aspec"))),
    SMALL,
    SMALL,
    SMALL,
]
GRAMMAR = "let requires asserts may new picks some from except deviation on status"
NAMES = "r base size flags life alive Region Aspace VmarFlags compact dies destroy OK 0 1 2^64 0xff"
SIGNS = '( ) [ ] { } , : . .. = == != < <= > >= -> + - * / | & ^ && ! " // é ∀'
WORDS = [
    *sorted(ITEM_WORDS | RESERVED),
    *(word for words in (GRAMMAR, NAMES, SIGNS) for word in words.split(" ")),
    *("\n", "\n  ", "\n    ", "\n\n", "\t", "\x00"),
]


def outcome(files: dict[str, str]) -> None:
    """Parse, check and render; anything but success or a rendered `LanguageError` fails the test."""
    text = "fine"
    try:
        check(parse(files))
    except LanguageError as error:
        text = error.render()
    assert text and all(c.isprintable() or c == "\n" for c in text)


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A real text with a few pieces removed, doubled, moved or replaced."""
    pieces = re.findall(r"\w+|\s+|[^\w\s]+", draw(st.sampled_from(TEXTS)))
    for _ in range(draw(st.integers(1, 6))):
        if not pieces:
            break
        i = draw(st.integers(0, len(pieces) - 1))
        match draw(st.sampled_from(["cut", "double", "word", "other", "swap"])):
            case "cut":
                del pieces[i : i + draw(st.integers(1, 12))]
            case "double":
                pieces[i:i] = pieces[i : i + draw(st.integers(1, 40))]
            case "word":
                pieces[i] = draw(st.sampled_from(WORDS))
            case "other":
                pieces.insert(i, draw(st.sampled_from(pieces)))
            case "swap":
                j = draw(st.integers(0, len(pieces) - 1))
                pieces[i], pieces[j] = pieces[j], pieces[i]
    return "".join(pieces)


@settings(max_examples=200, derandomize=True)
@given(mutated())
def test_mutations_of_real_texts(text: str) -> None:
    outcome({"text.aspec": text})


@settings(max_examples=100, derandomize=True)
@given(mutated())
def test_mutations_beside_a_contract(text: str) -> None:
    outcome({"contract.aspec": SMALL, "text.aspec": text})


@settings(max_examples=150, derandomize=True)
@given(st.lists(st.sampled_from(WORDS), max_size=40))
def test_rows_of_words(words: list[str]) -> None:
    outcome({"text.aspec": " ".join(words)})


@settings(max_examples=150, derandomize=True)
@given(st.sampled_from(sorted(ITEM_WORDS)), st.lists(st.sampled_from(WORDS), max_size=30))
def test_items_of_words(first: str, words: list[str]) -> None:
    outcome({"text.aspec": " ".join([first, "x", *words]), "contract.aspec": SMALL})


@settings(max_examples=100, derandomize=True)
@given(st.text())
def test_any_text(text: str) -> None:
    outcome({"text.aspec": text})


@settings(max_examples=50, derandomize=True)
@given(data=st.binary())
def test_any_bytes(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("bytes") / "text.aspec"
    file.write_bytes(data)
    text = "fine"
    try:
        load([file])
    except LanguageError as error:
        text = error.render()
    assert text


NESTED: dict[str, Callable[[int], str]] = {
    "parentheses": lambda n: "(" * n + "true" + ")" * n,
    "negations": lambda n: "not " * n + "true",
    "sums": lambda n: "1" + " + 1" * n + " == 1",
    "conjunctions": lambda n: "true" + " and true" * n,
    "implications": lambda n: "true" + " implies true" * n,
    "branches": lambda n: "if true then true else " * n + "true",
    "quantifiers": lambda n: "".join(f"for r{i}: Region: " for i in range(n)) + "true",
    "witnesses": lambda n: "".join(f"exists r{i}: Region where " for i in range(n)) + "true",
    "calls": lambda n: "base(" + "parent(" * n + "null" + ")" * n + ") == 0",
    "olds": lambda n: "old(" * n + "true" + ")" * n,
    "ranges": lambda n: "0 in " + "[0, " * n + "1" + ")" * n,
    "flag sets": lambda n: "{" * n + "}" * n,
}


@pytest.mark.parametrize("depth", [10, 50, 100, 1000, 20000])
@pytest.mark.parametrize("form", NESTED)
def test_deep_nesting(form: str, depth: int) -> None:
    text = f'step deep "Deep." from "x"\n  {NESTED[form](depth)}\n'
    outcome({"text.aspec": text, "contract.aspec": SMALL})


def test_deep_blocks() -> None:
    lines = ["op deep(a: Aspace)"] + ["  " * i + "if destroyed(a):" for i in range(1, 200)]
    outcome({"text.aspec": "\n".join([*lines, "  " * 200 + "destroyed(a) = true"]), "contract.aspec": SMALL})


def test_long_chains_of_definitions() -> None:
    chain = "".join(f"def f{i}(p: address) = f{i + 1}(p)\n" for i in range(2000))
    last = 'def f2000(p: address) = p\ninvariant far "Far." from "x"\n  for p: address: f0(p) < 2^64\n'
    outcome({"text.aspec": chain + last})


def test_wide_definitions() -> None:
    """Unfolding is remembered, so that definitions which use each other twice stay cheap."""
    wide = "".join(f"def f{i}(p: address) = f{i + 1}(p) and f{i + 1}(p)\n" for i in range(60))
    last = 'def f60(p: address) = p < 5\ninvariant wide "Wide." from "x"\n  for p: address: f0(p)\n'
    outcome({"text.aspec": wide + last})


def test_a_file_that_is_not_utf8(tmp_path: Path) -> None:
    file = tmp_path / "text.aspec"
    file.write_bytes(b'sort Region\nsort Caf\xe9 "latin"\n')
    with pytest.raises(LanguageError) as caught:
        load([file])
    assert caught.value.diagnostics[0].code == "VMA002"
    assert (caught.value.diagnostics[0].span.line, caught.value.diagnostics[0].span.column) == (2, 9)


def test_a_nul_is_a_character_like_others() -> None:
    with pytest.raises(LanguageError) as caught:
        parse({"text.aspec": "sort Re\x00gion\n"})
    assert "U+0000" in caught.value.render()


def test_a_path_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(LanguageError) as caught:
        load([tmp_path / "nowhere", tmp_path / "neither.aspec", "bad\0name"])
    assert [d.code for d in caught.value.diagnostics] == ["VMA001"] * 3
    assert "no such file" in caught.value.render()
