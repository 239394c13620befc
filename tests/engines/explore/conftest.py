"""The arena, as it stands and with one thing changed, and short ways to search a scope."""

import os
from pathlib import Path

import pytest

from vmaspace.checker.engines.explore.plain import PlainSearch
from vmaspace.checker.engines.explore.search import Search
from vmaspace.checker.language.check import check
from vmaspace.checker.language.parser import parse
from vmaspace.checker.logic.elaborate import elaborate
from vmaspace.checker.logic.execute import Interpreter

ARENA = Path(__file__).parents[3] / "benchmarks" / "arena" / "arena.aspec"
OVERLAP = "  requires for r: Region where is_child(r, v): not meets(r, from, to)\n"
BELOW = (
    ("fits(c, from, to), under(r, c):", "fits(c, from, to), r == c or is_child(r, c):"),
    ("for r: Region where under(r, v):\n    leaves(r)", "for r: Region where r == v or is_child(r, v):\n    leaves(r)"),
)


@pytest.fixture(scope="session")
def contract_of():
    return lambda text: elaborate(check(parse({"text.aspec": text})))


@pytest.fixture(scope="session")
def arena_text():
    return ARENA.read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def wide_text(arena_text):
    """The same states in two words each: room for places that no region ever has."""
    old = "ALL = {read}, base in 0..2, length"
    assert old in arena_text
    return arena_text.replace(old, "ALL = {read}, base in 0..5000, length")


@pytest.fixture(scope="session")
def arena(contract_of, arena_text):
    return contract_of(arena_text)


@pytest.fixture(scope="session")
def fault_a(arena_text):
    """`map` does not look whether there is something."""
    head, tail = arena_text.split("op map(")
    assert OVERLAP in tail
    return f"{head}op map({tail.replace(OVERLAP, '', 1)}"


@pytest.fixture(scope="session")
def fault_b(arena_text):
    """What lies below a child that goes stays."""
    text = arena_text
    for old, new in BELOW:
        assert text.count(old) == 1
        text = text.replace(old, new)
    return text


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    """Machine code that several tests use, and all processes of one run of tests."""
    base = tmp_path_factory.getbasetemp()
    return (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "code"


@pytest.fixture(scope="session")
def compiled(cache):
    def search(contract, scope, **options):
        return Search(contract, contract.scopes[scope], Interpreter(contract).initial, **{"cache": cache, **options})

    return search


@pytest.fixture(scope="session")
def plain():
    def search(contract, scope, **options):
        return PlainSearch(contract, contract.scopes[scope], Interpreter(contract).initial, **options)

    return search
