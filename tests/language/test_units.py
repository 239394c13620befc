"""Units: what arithmetic gives, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from vmaspace.checker.language import syntax as ast
from vmaspace.checker.language.check import CheckedProgram
from vmaspace.checker.language.diagnostics import LanguageError

Check = Callable[[str], CheckedProgram]
Refuse = Callable[[str], LanguageError]

PARAMS = "a: address, b: address, n: bytes, m: bytes, i: int, j: int, p: page, q: page, s: pages, r: Region"


@pytest.mark.parametrize(
    ("text", "type_"),
    [
        ("a - b", "bytes"),
        ("a + n", "address"),
        ("n + a", "address"),
        ("a - n", "address"),
        ("a + 1", "address"),
        ("1 + a", "address"),
        ("a - 1", "address"),
        ("2^64 - a", "bytes"),
        ("n + m", "bytes"),
        ("n - 1", "bytes"),
        ("2^64 - n", "bytes"),
        ("0 + n", "bytes"),
        ("n * i", "bytes"),
        ("3 * n", "bytes"),
        ("i * j", "int"),
        ("i + 1", "int"),
        ("a / 2^39", "int"),
        ("a / PAGE_SIZE", "int"),
        ("n / PAGE_SIZE", "int"),
        ("n / 4096", "int"),
        ("i / 2", "int"),
        ("a mod 2^64", "address"),
        ("a mod PAGE_SIZE", "address"),
        ("n mod 3", "bytes"),
        ("i mod 3", "int"),
        ("p - q", "pages"),
        ("p + s", "page"),
        ("p + 1", "page"),
        ("s + 1", "pages"),
        ("s * 2", "pages"),
        ("page(a)", "page"),
        ("pages(n)", "pages"),
        ("address_of(p)", "address"),
        ("bytes_of(s)", "bytes"),
        ("address_of(page(a) + 1)", "address"),
        ("round_up(n)", "bytes"),
        ("round_up(a)", "address"),
        ("min(a, b)", "address"),
        ("max(n, 4096)", "bytes"),
        ("max(0, i)", "int"),
        ("1 + 2", "int"),
        ("if true then a else 0", "address"),
        ("if true then 0 + n else a", "address"),
        ("if true then 0 + n else if true then a + n else 0", "address"),
        ("if true then 0 + n else m", "bytes"),
        ("[a, a + n)", "range"),
        ("[0, n - m + a)", "range"),
        ("count x: Region where true", "int"),
        ("(a + n - 1) mod 2^64", "address"),
    ],
)
def test_the_type_of(text: str, type_: str, checked: Check) -> None:
    d = checked(f"def f({PARAMS}) = {text}").defs["f"]
    assert str(d.type) == type_
    assert d.body is not None and d.body.type == d.type


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a + b", "VMA041"),
        ("n - a", "VMA041"),
        ("a * 2", "VMA041"),
        ("n * m", "VMA041"),
        ("a + i", "VMA041"),
        ("n + i", "VMA041"),
        ("i + n", "VMA041"),
        ("a + p", "VMA041"),
        ("n + s", "VMA041"),
        ("p + q", "VMA041"),
        ("a / b", "VMA041"),
        ("n / m", "VMA047"),
        ("n mod m", "VMA047"),
        ("i / 0", "VMA047"),
        ("r + 1", "VMA040"),
        ("true + 1", "VMA040"),
        ("flags(r) + flags(r)", "VMA040"),
        ("a < n", "VMA040"),
        ("n == i", "VMA040"),
        ("p <= a", "VMA040"),
        ("a == null", "VMA040"),
        ("r == 0", "VMA040"),
        ("r < r", "VMA044"),
        ("life(r) < dead", "VMA044"),
        ("range(r) <= range(r)", "VMA044"),
        ("if true then a else n", "VMA040"),
        ("if a then 0 else 1", "VMA040"),
        ("page(n)", "VMA040"),
        ("aligned(i)", "VMA040"),
        ("aligned_pow2(a, n)", "VMA040"),
        ("wraps(a, b)", "VMA040"),
        ("round_up(p)", "VMA040"),
        ("min(a, n)", "VMA040"),
        ("max(r, r)", "VMA040"),
        ("inside(a, range(r))", "VMA040"),
        ("n in range(r)", "VMA040"),
        ("[n, a)", "VMA040"),
        ("null", "VMA043"),
        ("{}", "VMA043"),
        ("null == null", "VMA043"),
        ("a or true", "VMA040"),
        ("flags(r) | 1", "VMA040"),
        ("true & false", "VMA040"),
        ("flags(r) | prot(r, a)", "VMA040"),
    ],
)
def test_is_refused(text: str, code: str, refused: Refuse) -> None:
    error = refused(f"def f({PARAMS}) = {text}")
    assert [d.code for d in error.diagnostics] == [code], error.render()


def test_one_mistake_is_reported_once(refused: Refuse) -> None:
    error = refused("def f(a: address) = (a + a) + size(a + a) < (if a + a == 3 then 0 else a) + parnt(a)")
    codes = [d.code for d in error.diagnostics]
    assert codes == ["VMA041", "VMA041", "VMA041", "VMA020"], error.render()


@pytest.mark.parametrize(
    ("text", "types"),
    [
        ("base(r) == 2^64 - 1", ["address", "bytes"]),
        ("size(r) > 2 * 4096", ["bytes", "int"]),
        ("base(r) - 4096 >= 0", ["bytes", "address"]),
        ("4096 - base(r) >= 0", ["address", "bytes"]),
        ("references(root_of(r)) == 7", ["int"]),
        ("1 < 2", ["int", "int"]),
        ("base(r) mod 4096 == 0", ["int", "address"]),
        ("base(r) / 4096 == 1", ["bytes", "int"]),
    ],
)
def test_literals_take_the_unit_that_is_asked_for(text: str, types: list[str], checked: Check) -> None:
    d = checked(f"def root_of(r: Region) = aspace(r)\ndef f(r: Region) = {text}").defs["f"]
    assert d.body is not None
    assert [str(n.type) for n in numbers(d.body)] == types


def numbers(e: ast.Expr) -> list[ast.Number]:
    match e:
        case ast.Number():
            return [e]
        case ast.Binary():
            return [*numbers(e.left), *numbers(e.right)]
    return []


def test_null_and_the_empty_set_take_their_type(checked: Check) -> None:
    body = checked("def f(r: Region) = if true then parent(r) == null else {} == flags(r)").defs["f"].body
    assert isinstance(body, ast.Conditional)
    assert isinstance(body.then, ast.Binary) and str(body.then.right.type) == "Region"
    assert isinstance(body.otherwise, ast.Binary) and str(body.otherwise.left.type) == "VmarFlags"
