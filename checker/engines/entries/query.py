"""A claim about entries, and the questions that it comes to for one format of page tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

import z3

from vmaspace.checker.adapters.entries import Regime, Tables, reach
from vmaspace.checker.engines.entries.account import FLAG_SETS, READ, Account, Flags, Layout
from vmaspace.checker.engines.entries.accounts import account_of
from vmaspace.checker.engines.entries.words import Truth, Word, number, truth, variable


class Look(Enum):
    """How a value of a counterexample is shown."""

    NUMBER = "number"
    ENTRY = "entry"
    FLAGS = "flags"
    RIGHTS = "rights"


@dataclass(frozen=True, slots=True)
class Shown:
    """A term whose value a counterexample shows. layout: how its bits are read, if it is an entry."""

    name: str
    term: Word
    look: Look = Look.NUMBER
    layout: Layout | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """`holds` must be true whatever its variables are, under what is given. where: the level, in words."""

    where: str
    given: tuple[Truth, ...]
    holds: Truth
    shown: tuple[Shown, ...]


class Subject:
    """One format of page tables under proof: the regime that runs, the account of it, and variables to speak with."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables

    @property
    def regime(self) -> Regime:
        return self.tables.regime

    @cached_property
    def account(self) -> Account:
        return account_of(self.tables)

    def flags(self, name: str = "flags") -> tuple[Flags, Truth]:
        """Any set of MMU flags with READ, without which nothing is mapped."""
        word = variable(name)
        return Flags(word), z3.And(z3.ULT(word, FLAG_SETS), word & READ != 0)

    def address(self, level: int, name: str = "address") -> tuple[Word, Truth]:
        """Any physical address that a leaf of `level` can lead to."""
        word = variable(name)
        return word, z3.And(z3.ULT(word, 1 << self.account.physical_bits), word & reach(level) - 1 == 0)

    def leaf(self, address: Word, flags: Flags, level: int) -> Word:
        return number(self.regime.leaf(address, flags.word, level))

    def table(self, address: Word) -> Word:
        return number(self.regime.table(address))

    def is_leaf(self, entry: Word, level: int) -> Truth:
        """Whether the model takes an entry for a present leaf."""
        return z3.And(self.is_present(entry), truth(self.regime.is_leaf(entry, level)))

    def is_table(self, entry: Word, level: int) -> Truth:
        """Whether the model takes an entry for a present table."""
        return z3.And(self.is_present(entry), z3.Not(truth(self.regime.is_leaf(entry, level))))

    def is_present(self, entry: Word) -> Truth:
        return entry & self.regime.present != 0

    def is_known(self, entry: Word, level: int) -> Truth:
        """Whether the model's query knows the leaf's memory type."""
        return number(self.regime.is_known(entry, level)) == 1

    def mmu_flags(self, entry: Word, level: int) -> Word:
        return number(self.regime.mmu_flags(entry, level))

    def leaf_rights(self, entry: Word) -> Word:
        return number(self.regime.leaf_rights(entry))

    def table_rights(self, entry: Word) -> Word:
        return number(self.regime.table_rights(entry))

    # What a counterexample shows.

    def show_leaf(self, name: str, entry: Word, level: int) -> Shown:
        return Shown(name, entry, Look.ENTRY, self.account.leaf.get(level))

    def show_table(self, name: str, entry: Word, level: int) -> Shown:
        return Shown(name, entry, Look.ENTRY, self.account.table.get(level))


@dataclass(frozen=True, slots=True)
class Claim:
    """A statement about the entries of every format. source: the rules that it stands for, by their numbers."""

    name: str
    sentence: str
    source: str
    queries: Callable[[Subject], Iterator[Query]]


def at_level(level: int) -> str:
    """`level 1 (2 MiB)`."""
    size = ("4 KiB", "2 MiB", "1 GiB", "512 GiB")[level]
    return f"level {level} ({size})"


def equal_fields(
    subject: Layout, entry: Word, wanted: dict[str, Word], names: Sequence[str] | None = None
) -> Truth:
    """Whether fields of an entry have these values."""
    values = subject.values(entry)
    return z3.And(*(values[name] == wanted[name] for name in (wanted if names is None else names)))
