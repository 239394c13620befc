"""riscv64 entries by the manual: Privileged Specification, Sv39 and Sv48, with and without Svpbmt.

Rules that a CPU adds across privileges (SUM, MXR; a supervisor never executes a user's page) are not in an entry and not here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import z3

from vmaspace.checker.engines.entries.account import (
    EXECUTE,
    READ,
    USER,
    WRITE,
    Account,
    Flags,
    Half,
    Layout,
    rights_word,
)
from vmaspace.checker.engines.entries.words import Field, Truth, Word, choice, is_set, number, span

_SPEC = "RISC-V Privileged Specification, chapter Supervisor-Level ISA, sections Sv39 and Sv48"
_SVPBMT = '"Svpbmt" Standard Extension for Page-Based Memory Types'
_LOW = (
    Field("V", 0), Field("R", 1), Field("W", 2), Field("X", 3), Field("U", 4), Field("G", 5), Field("A", 6), Field("D", 7),
    Field("RSW", 8, 2),
)  # fmt: skip
_TABLE = (Field("V", 0), Field("R", 1), Field("W", 2), Field("X", 3), Field("G", 5), Field("RSW", 8, 2))
_PBMT = Field("PBMT", 61, 2)
_RESERVED = (
    ("a write without a read", lambda entry: z3.And(is_set(entry, 2), z3.Not(is_set(entry, 1)))),
    ("the reserved memory type", lambda entry: z3.Extract(62, 61, entry) == 3),
)


_LAST = ("a pointer in the last level", lambda entry: z3.Extract(3, 1, entry) == 0)


def _leaf_layout(level: int, has_svpbmt: bool) -> Layout:
    misaligned = span(9 + 9 * level, 10) if level else 0
    fields = (*_LOW, _PBMT) if has_svpbmt else _LOW
    zero = 1 << 63 | span(60, 54) | misaligned | (0 if has_svpbmt else _PBMT.mask)
    source = f"{_SPEC}; {_SVPBMT}" if has_svpbmt else _SPEC
    return Layout(
        f"{source}; a leaf of level {level}",
        span(53, 10) & ~misaligned,
        fields,
        zero,
        (*_RESERVED, *(() if level else (_LAST,))),
    )


def _table_layout(level: int) -> Layout:
    zero = 1 << 63 | span(62, 54) | 1 << 7 | 1 << 6 | 1 << 4
    return Layout(f"{_SPEC}; a pointer of level {level}", span(53, 10), _TABLE, zero)


def _is_leaf(entry: Word, level: int) -> Truth:
    return z3.BoolVal(True) if level == 0 else z3.Extract(3, 1, entry) != 0


def _leaf_fields(is_kernel: bool, has_svpbmt: bool, flags: Flags) -> Mapping[str, Word]:
    fields = {
        "V": number(1),
        "R": choice(flags.has(READ), 1, 0),
        "W": choice(flags.write, 1, 0),
        "X": choice(flags.execute, 1, 0),
        "U": choice(flags.user, 1, 0),
        "G": number(int(is_kernel)),
        "A": number(1),
        "D": number(1),
        "RSW": number(0),
    }
    return fields | ({"PBMT": flags.by_cache(0, 1, 2, 1)} if has_svpbmt else {})


def _rights(tables: Sequence[Word], leaf: Word) -> Word:
    """Pointers take nothing away."""
    kernel = [is_set(leaf, bit) for bit in (1, 2, 3)]
    return rights_word([z3.And(is_set(leaf, 4), may) for may in kernel], kernel)


def _grants(flags: Flags) -> Word:
    kernel = (flags.has(READ), flags.write, flags.execute)
    return rights_word([z3.And(flags.user, may) for may in kernel], kernel)


def _keeps(old: Flags, new: Flags) -> Truth:
    """The type stays, and USER, which can be added, is not taken away."""
    return z3.And(old.cache == new.cache, z3.Implies(old.user, new.user))


def riscv64_account(width: int, is_kernel: bool, has_svpbmt: bool) -> Account:
    """Sv39 or Sv48; NS is lost, WRITE_COMBINING comes back as UNCACHED, and without Svpbmt everything as CACHED."""
    top = 2 if width == 39 else 3
    cached = (0, 1, 2, 1) if has_svpbmt else (0, 0, 0, 0)
    return Account(
        manual=_SPEC,
        width=width,
        half=Half.BOTH,
        leaf={level: _leaf_layout(level, has_svpbmt) for level in range(top + 1)},
        table={level: _table_layout(level) for level in range(1, top + 1)},
        frame_shift=2,
        physical_bits=56,
        made=(0, 1, 2),
        is_leaf=_is_leaf,
        leaf_fields=lambda flags, level: _leaf_fields(is_kernel, has_svpbmt, flags),
        table_fields={"V": 1} | ({"G": 1} if is_kernel else {}),
        answer=lambda flags: flags.kept(READ | USER | WRITE | EXECUTE) | flags.by_cache(*cached),
        grants=_grants,
        rights=_rights,
        accessed="A",
        dirty="D",
        replaces=frozenset("RWX"),
        keeps=_keeps,
    )
