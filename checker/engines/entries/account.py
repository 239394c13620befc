"""What a manual and Zircon's rules say of page-table entries: an account beside the model's, and apart from it.

As in double-entry accounts, bits stand here a second time: by name and place, level by level, as the manual has them. The
model computes entries; claims compare the two.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import z3

from vmaspace.checker.engines.entries.words import Field, Truth, Word, choice, is_set, number

# ARCH_MMU_FLAG_*, a second time.
CACHED, UNCACHED, UNCACHED_DEVICE, WRITE_COMBINING = range(4)
USER, READ, WRITE, EXECUTE, NS = 0x04, 0x08, 0x10, 0x20, 0x40
FLAG_SETS = 256


class Half(StrEnum):
    """Which addresses are canonical: the low ones, the high ones, or both halves of one table."""

    LOW = "low"
    HIGH = "high"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Flags:
    """MMU flags as a solver term, taken apart."""

    word: Word

    def has(self, flag: int) -> Truth:
        return self.word & flag != 0

    @property
    def user(self) -> Truth:
        return self.has(USER)

    @property
    def write(self) -> Truth:
        return self.has(WRITE)

    @property
    def execute(self) -> Truth:
        return self.has(EXECUTE)

    @property
    def cache(self) -> Word:
        return self.word & 3

    def by_cache(self, *values: int) -> Word:
        """One value for each of the four cache policies, in the order of their numbers."""
        cached, uncached, device, combining = values
        return choice(
            self.cache == CACHED,
            cached,
            choice(
                self.cache == UNCACHED, uncached, choice(self.cache == UNCACHED_DEVICE, device, combining)
            ),
        )

    def kept(self, flags: int) -> Word:
        """These flags as they are; the others clear."""
        return self.word & flags


@dataclass(frozen=True)
class Layout:
    """One kind of entry at one level: where the manual says so, its address bits, fields, and what must be 0.

    forbidden: combinations that the manual reserves, each with a word for it.
    """

    source: str
    frame: int
    fields: tuple[Field, ...]
    zero: int
    forbidden: tuple[tuple[str, Callable[[Word], Truth]], ...] = ()

    @cached_property
    def by_name(self) -> Mapping[str, Field]:
        return {field.name: field for field in self.fields}

    @property
    def described(self) -> int:
        """The bits that have a meaning here."""
        mask = self.frame
        for field in self.fields:
            mask |= field.mask
        return mask

    def values(self, entry: Word) -> dict[str, Word]:
        """Every field's value."""
        return {field.name: field.of(entry) for field in self.fields}

    def is_legal(self, entry: Word) -> Truth:
        """Whether no reserved bit is set and nothing reserved is asked for."""
        return z3.And(entry & self.zero == 0, *(z3.Not(broken(entry)) for _, broken in self.forbidden))


@dataclass(frozen=True)
class Account:
    """One format of page tables.

    width: bits of an address that is translated. leaf, table: the layouts by level; a level that is missing has none.
    frame_shift: an address stands so far right of where it would. physical_bits: of an address that is led to.
    made: at which levels Zircon makes leaves. is_leaf: whether the manual takes a present entry of a level for a leaf.
    leaf_fields: what Zircon's rules put in each field, from the flags and the level. table_fields: what a table entry
    holds, the address and fields of 0 left out. answer: the flags that a query gives back for those that were mapped.
    grants: the rights that flags stand for. rights: what the attributes along a path let pass, as the manual combines
    them; tables first. accessed, dirty: the fields' names in a leaf; marks: bits that a table entry may have besides.
    replaces: the fields that a protection replaces, the others being or-ed; None: all. keeps: what a caller of Protect
    leaves as it was. protects: whether these tables are ever protected at all. is_strict: hardware faults at what is
    reserved; else software shall not write it, and hardware may ignore it.
    """

    manual: str
    width: int
    half: Half
    leaf: Mapping[int, Layout]
    table: Mapping[int, Layout]
    frame_shift: int
    physical_bits: int
    made: tuple[int, ...]
    is_leaf: Callable[[Word, int], Truth]
    leaf_fields: Callable[[Flags, int], Mapping[str, Word]]
    table_fields: Mapping[str, int]
    answer: Callable[[Flags], Word]
    grants: Callable[[Flags], Word]
    rights: Callable[[Sequence[Word], Word], Word]
    accessed: str = ""
    dirty: str = ""
    marks: int = 0
    replaces: frozenset[str] | None = None
    keeps: Callable[[Flags, Flags], Truth] = lambda old, new: z3.BoolVal(True)
    protects: bool = True
    is_strict: bool = True

    @property
    def top_level(self) -> int:
        return max(self.table)

    def is_legal(self, entry: Word, level: int) -> Truth:
        """Whether hardware takes a present entry of `level`, as a leaf or as a table."""
        leaf, table = self.leaf.get(level), self.table.get(level)
        return z3.And(
            is_set(entry, 0),
            z3.If(
                self.is_leaf(entry, level),
                z3.BoolVal(False) if leaf is None else leaf.is_legal(entry),
                z3.BoolVal(False) if table is None else table.is_legal(entry),
            ),
        )

    def is_legal_leaf(self, entry: Word, level: int) -> Truth:
        return z3.And(is_set(entry, 0), self.is_leaf(entry, level), self.leaf[level].is_legal(entry))

    def is_legal_table(self, entry: Word, level: int) -> Truth:
        return z3.And(is_set(entry, 0), z3.Not(self.is_leaf(entry, level)), self.table[level].is_legal(entry))

    def leaf_address(self, entry: Word, level: int) -> Word:
        """The address that hardware takes from a leaf."""
        return (entry & self.leaf[level].frame) << self.frame_shift

    def table_address(self, entry: Word, level: int) -> Word:
        """The address that hardware takes from a table entry."""
        return (entry & self.table[level].frame) << self.frame_shift


def rights_word(user: Sequence[Truth], kernel: Sequence[Truth]) -> Word:
    """Six bits: read, write and execute of a user, then the same of the kernel."""
    word = number(0)
    for bit, may in enumerate([*user, *kernel]):
        word = word | choice(may, 1 << bit, 0)
    return word
