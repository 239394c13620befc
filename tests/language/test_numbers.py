"""Bound numbers: what may be said about "every address", also through definitions and effects."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from vmaspace.checker.language.check import CheckedProgram
from vmaspace.checker.language.diagnostics import LanguageError

Check = Callable[[str], CheckedProgram]
Refuse = Callable[[str], LanguageError]

DEFS = """
def is_spot(v: Region, at: address, limit: address) = base(v) <= at and at + size(v) <= limit and aligned(at)
def covers(v: Region, at: address) = at in range(v)
def half(at: address) = at / 2
def next_page(at: address) = at + 4096
def twice(r: Region, at: address) = at + (at - base(r))
effect writes(r: Region, at: address):
  prot(r, at) = {write}
effect smears(r: Region, at: address):
  references(aspace(r)) = slot(at)
"""


@pytest.mark.parametrize(
    "text",
    [
        "for p: address where p in range(r): read in prot(r, p)",
        "for p: address where p < 2^48: p + size(r) != end(r)",
        "exists p: address where is_spot(r, p, end(r)), not covers(r, p)",
        "for p: address where aligned(p), aligned_pow2(p, 21): prot(r, p + 4096) == prot(r, p)",
        "for p: address where overlaps(range(r), [p, p + 4096)): p != 0",
        "for p: address: next_page(p) <= end(r) implies not wraps(p, size(r))",
        "for p: address: base(r) mod 4096 == 0 or p == base(r)",
        "for k: int where k < references(aspace(r)): k >= 0",
        "for p: address: min(p, base(r)) <= base(r)",
        "for p: address: (if p == 0 then p else p + 1) > base(r)",
        "for p: address, s: Region where p in range(r), p in range(s): r == s",
        "for p: page where p < page(base(r)): p + 1 <= page(base(r))",
    ],
)
def test_may_be_said(text: str, checked: Check) -> None:
    checked(f"{DEFS}def f(r: Region) = {text}")


@pytest.mark.parametrize(
    ("text", "how"),
    [
        ("for p: address: p mod 4096 == 0", "is divided"),
        ("for p: address: p / 4096 == 0", "is divided"),
        ("for n: bytes: n * 2 == size(r)", "is multiplied"),
        ("for p: address: p + (p - base(r)) == base(r)", "is counted 2 times"),
        ("for p: address: p - base(r) == base(r) - p", "is counted 2 times"),
        ("for p: address: half(p) == 0", "is divided"),
        ("for p: address: twice(r, p) == base(r)", "is counted 2 times"),
        ("for p: address: slot(next_page(p)) == 0", "is divided"),
        ("for p: address: page(p) == page(base(r))", "is divided"),
        ("for p: page: address_of(p) in range(r)", "is multiplied"),
        ("for n: bytes: round_up(n) == size(r)", "is rounded"),
        ("for p: address: aligned(p + size(r))", "is not alone where its alignment is asked for"),
        ("for k: int: aligned_pow2(base(r), k)", "is a power"),
        ("for p, q: address: p < q", "is compared together with the bound number `q`"),
        ("for p: address: exists q: address where q < p", "is compared together with the bound number `q`"),
        ("for o: bytes, v: Vmo: blob(o, v) == 0", "is an argument of `blob`, and not the last"),
        ("for p: address: looked_up(p) == 0", "is an argument of something that is not a var"),
    ],
)
def test_may_not_be_said(text: str, how: str, refused: Refuse) -> None:
    more = "var blob: bytes, Vmo -> int\ngiven looked_up(at: address): int\n"
    error = refused(f"{DEFS}{more}def f(r: Region) = {text}")
    assert {d.code for d in error.diagnostics} == {"VMA084"}, error.render()
    assert how in error.diagnostics[0].message


def test_what_a_definition_does_is_a_note(refused: Refuse) -> None:
    error = refused(f"{DEFS}def f(r: Region) = for p: address where p in range(r): half(p) == 0")
    (d,) = error.diagnostics
    assert d.span.line == 11
    ((text, place),) = d.notes
    assert "divided" in text and place.line == 4


def test_effects_are_looked_into(checked: Check, refused: Refuse) -> None:
    op = "op o(r: Region)\n  for p: address where p in range(r):\n    {}(r, p)\n"
    checked(DEFS + op.format("writes"))
    error = refused(DEFS + op.format("smears"))
    assert [d.code for d in error.diagnostics] == ["VMA084"]


@pytest.mark.parametrize("type_", ["bool", "Life", "VmarFlags"])
def test_only_elements_and_numbers_are_bound(type_: str, refused: Refuse) -> None:
    assert [d.code for d in refused(f"def f() = for x: {type_}: true").diagnostics] == ["VMA040"]


def test_numbers_are_not_counted(refused: Refuse) -> None:
    assert [d.code for d in refused("def f() = count p: address where p < 4").diagnostics] == ["VMA040"]
