"""Twins of the shipped contract: the same text with one thing changed."""

import pickle
from functools import cache

import pytest

from vmaspace.checker.engines.prove.induction import Induction
from vmaspace.checker.engines.prove.obligations import Obligation
from vmaspace.checker.engines.prove.run import Prover
from vmaspace.checker.engines.prove.worker import Budget, Worker
from vmaspace.checker.engines.standard import standard_contract, standard_texts
from vmaspace.checker.language.check import check
from vmaspace.checker.language.parser import parse
from vmaspace.checker.language.syntax import Program
from vmaspace.checker.logic.elaborate import elaborate


def edited(*changes: tuple[str, str, str]) -> dict[str, str]:
    """The shipped texts; each change is (file, what stands there exactly once, what is to stand there)."""
    texts = standard_texts()
    for file, old, new in changes:
        assert texts[file].count(old) == 1, f"{old!r} stands {texts[file].count(old)} times in {file}"
        texts[file] = texts[file].replace(old, new)
    return texts


@cache
def parsed(file: str, text: str) -> bytes:
    """Most files of a twin are those of the others; checking writes into what was parsed, so that each needs its own."""
    return pickle.dumps(parse({file: text}).declarations)


class Twin:
    """A changed contract, and what the prove engine says of it."""

    def __init__(self, texts: dict[str, str]) -> None:
        declarations = [d for file, text in texts.items() for d in pickle.loads(parsed(file, text))]
        self.program = check(Program(declarations=declarations, files=texts))
        self._contract = elaborate(self.program)

    def contract(self):
        return self._contract

    def discharge(self, name: str, budget: Budget | None = None):
        operation, _, wanted = name.partition("/")
        worker = Worker({"": self.contract()}, budget or Budget(induction=30.0, search=60.0))
        return worker.discharge(Obligation(wanted, operation), frozenset(), True)

    def prove(self, names, operations=None, budget: Budget | None = None):
        return Prover(self.program, budget or Budget(induction=30.0, search=60.0), jobs=0).prove(names, operations)


@cache
def twin_of(*changes: tuple[str, str, str]) -> Twin:
    return Twin(edited(*changes))


@pytest.fixture
def twin():
    return twin_of


@pytest.fixture
def shipped():
    return twin_of()


@pytest.fixture(scope="session")
def induction():
    return Induction(standard_contract(), timeout=60.0)
