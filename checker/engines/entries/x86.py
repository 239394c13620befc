"""x86-64 entries by the manual: Intel SDM volume 3, 4-level paging, and the EPT translation mechanism.

Rules that a CPU adds across privileges (CR0.WP is on; SMEP, SMAP) are not in an entry and not here. Protection keys
and everything else that Zircon leaves off are ignored bits.
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

_PAGING = "Intel SDM volume 3, section 4.5 (4-level paging)"
_SECOND = 'Intel SDM volume 3, section "EPT Translation Mechanism"'
_FRAME = {0: span(51, 12), 1: span(51, 21), 2: span(51, 30)}

_FLAGS = (
    Field("P", 0), Field("RW", 1), Field("US", 2), Field("PWT", 3), Field("PCD", 4), Field("A", 5), Field("NX", 63),
)  # fmt: skip
_LEAF = (*_FLAGS, Field("D", 6), Field("G", 8))

_MMU_LEAVES = {
    0: Layout(f"{_PAGING}, table of the PTE", _FRAME[0], (*_LEAF, Field("PAT", 7)), 0),
    1: Layout(
        f"{_PAGING}, table of the 2-MByte PDE",
        _FRAME[1],
        (*_LEAF, Field("PS", 7), Field("PAT", 12)),
        span(20, 13),
    ),
    2: Layout(
        f"{_PAGING}, table of the 1-GByte PDPTE",
        _FRAME[2],
        (*_LEAF, Field("PS", 7), Field("PAT", 12)),
        span(29, 13),
    ),
}
_MMU_TABLES = {
    1: Layout(f"{_PAGING}, table of the PDE", _FRAME[0], (*_FLAGS, Field("PS", 7)), 0),
    2: Layout(f"{_PAGING}, table of the PDPTE", _FRAME[0], (*_FLAGS, Field("PS", 7)), 0),
    3: Layout(f"{_PAGING}, table of the PML4E", _FRAME[0], _FLAGS, 1 << 7),
}


def _is_leaf(entry: Word, level: int) -> Truth:
    if level in (0, 3):
        return z3.BoolVal(level == 0)
    return is_set(entry, 7)


def _leaf_fields(is_kernel: bool, flags: Flags, level: int) -> Mapping[str, Word]:
    fields = {
        "P": number(1),
        "RW": choice(flags.write, 1, 0),
        "US": choice(flags.user, 1, 0),
        "PWT": flags.by_cache(0, 1, 1, 1),  # index 0, 3, 3, 7 of the PAT
        "PCD": flags.by_cache(0, 1, 1, 1),
        "PAT": flags.by_cache(0, 0, 0, 1),
        "A": number(0),
        "D": number(0),
        "G": number(int(is_kernel)),
        "NX": choice(flags.execute, 0, 1),
    }
    return fields | ({"PS": number(1)} if level else {})


def _rights(tables: Sequence[Word], leaf: Word) -> Word:
    path = [*tables, leaf]
    user = z3.And(*(is_set(entry, 2) for entry in path))
    write = z3.And(*(is_set(entry, 1) for entry in path))
    execute = z3.Not(z3.Or(*(is_set(entry, 63) for entry in path)))
    return rights_word((user, z3.And(user, write), z3.And(user, execute)), (z3.BoolVal(True), write, execute))


def _grants(flags: Flags) -> Word:
    kernel = (z3.BoolVal(True), flags.write, flags.execute)
    return rights_word([z3.And(flags.user, may) for may in kernel], kernel)


def x86_account(is_kernel: bool) -> Account:
    """4-level paging; READ comes back always, UNCACHED_DEVICE as UNCACHED, NS never."""
    return Account(
        manual=_PAGING,
        width=48,
        half=Half.BOTH,
        leaf=_MMU_LEAVES,
        table=_MMU_TABLES,
        frame_shift=0,
        physical_bits=52,
        made=(0, 1, 2),
        is_leaf=_is_leaf,
        leaf_fields=lambda flags, level: _leaf_fields(is_kernel, flags, level),
        table_fields={"P": 1, "RW": 1, "US": 1},
        answer=lambda flags: READ | flags.kept(USER | WRITE | EXECUTE) | flags.by_cache(0, 1, 1, 3),
        grants=_grants,
        rights=_rights,
        accessed="A",
        dirty="D",
        marks=1 << 5,  # A of a table entry, by hardware
    )


# Extended page tables.

_EPT_TABLE = (Field("R", 0), Field("W", 1), Field("X", 2))
_EPT_LEAF = (*_EPT_TABLE, Field("memory type", 3, 3), Field("ignore PAT", 6), Field("A", 8), Field("D", 9))
_EPT_RESERVED = (
    ("a write without a read", lambda entry: z3.And(is_set(entry, 1), z3.Not(is_set(entry, 0)))),
    ("a reserved memory type", lambda entry: z3.Or(*((z3.LShR(entry, 3) & 7) == kind for kind in (2, 3, 7)))),
)

_EPT_LEAVES = {
    0: Layout(f"{_SECOND}, table of the EPT PTE", _FRAME[0], _EPT_LEAF, 0, _EPT_RESERVED),
    1: Layout(
        f"{_SECOND}, table of the 2-MByte EPT PDE", _FRAME[1], (*_EPT_LEAF, Field("large", 7)), span(20, 12),
        _EPT_RESERVED,
    ),
    2: Layout(
        f"{_SECOND}, table of the 1-GByte EPT PDPTE", _FRAME[2], (*_EPT_LEAF, Field("large", 7)), span(29, 12),
        _EPT_RESERVED,
    ),
}  # fmt: skip
_EPT_TABLES = {
    1: Layout(f"{_SECOND}, table of the EPT PDE", _FRAME[0], _EPT_TABLE, span(6, 3), _EPT_RESERVED[:1]),
    2: Layout(f"{_SECOND}, table of the EPT PDPTE", _FRAME[0], _EPT_TABLE, span(6, 3), _EPT_RESERVED[:1]),
    3: Layout(f"{_SECOND}, table of the EPT PML4E", _FRAME[0], _EPT_TABLE, span(7, 3), _EPT_RESERVED[:1]),
}


def _ept_leaf_fields(flags: Flags, level: int) -> Mapping[str, Word]:
    fields = {
        "R": number(1),
        "W": choice(flags.write, 1, 0),
        "X": choice(flags.execute, 1, 0),
        "memory type": flags.by_cache(6, 0, 0, 1),
        "ignore PAT": number(0),
        "A": number(0),
        "D": number(0),
    }
    return fields | ({"large": number(1)} if level else {})


def _ept_rights(tables: Sequence[Word], leaf: Word) -> Word:
    may = [z3.And(*(is_set(entry, bit) for entry in [*tables, leaf])) for bit in range(3)]
    return rights_word(may, may)


def _guest_grants(flags: Flags) -> Word:
    may = (z3.BoolVal(True), flags.write, flags.execute)
    return rights_word(may, may)


def ept_account() -> Account:
    """Extended page tables; USER and NS are lost. The accessed flag that Zircon's engine looks at means another thing here."""
    return Account(
        manual=_SECOND,
        width=48,
        half=Half.LOW,
        leaf=_EPT_LEAVES,
        table=_EPT_TABLES,
        frame_shift=0,
        physical_bits=52,
        made=(0, 1),
        is_leaf=_is_leaf,
        leaf_fields=_ept_leaf_fields,
        table_fields={"R": 1, "W": 1, "X": 1},
        answer=lambda flags: READ | flags.kept(WRITE | EXECUTE) | flags.by_cache(0, 1, 1, 3),
        grants=_guest_grants,
        rights=_ept_rights,
    )
