"""arm64 entries by the manual: Arm ARM section D8.3, 4 KiB granule, 48-bit addresses, stage 1, EL2 and stage 2.

Rules that a CPU adds across privileges (what EL0 may write EL1 does not execute; WXN, PAN) are not in an entry and not here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import z3

from vmaspace.checker.engines.entries.account import (
    EXECUTE,
    NS,
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

_STAGE1 = "Arm ARM, section D8.3.1 and D8.3.2 (stage 1 descriptors)"
_STAGE2 = "Arm ARM, section D8.3.1 and D8.3.2 (stage 2 descriptors)"
_TYPE = Field("type", 0, 2)
_FRAME = {0: span(47, 12), 1: span(47, 21), 2: span(47, 30)}
_RES0 = {0: span(50, 48), 1: span(50, 48) | span(20, 12), 2: span(50, 48) | span(29, 12)}
_LEVELS = (0, 1, 2)  # in Zircon's count; the manual counts 3, 2, 1 from the root
_PAGE_TYPE = ("level 3 knows no block", lambda entry: z3.Extract(1, 0, entry) != 3)
_SHAREABLE = ("the reserved shareability", lambda entry: z3.Extract(9, 8, entry) == 1)
_S2_TYPE = (
    "a reserved memory type",
    lambda entry: z3.And(z3.Extract(5, 4, entry) != 0, z3.Extract(3, 2, entry) == 0),
)

_COMMON = (_TYPE, Field("SH", 8, 2), Field("AF", 10), Field("DBM", 51), Field("Contiguous", 52))
_S1_LEAF = (
    *_COMMON, Field("AttrIndx", 2, 3), Field("NS", 5), Field("AP[1]", 6), Field("AP[2]", 7), Field("nG", 11),
    Field("PXN", 53), Field("UXN", 54),
)  # fmt: skip
_EL2_LEAF = (
    *_COMMON, Field("AttrIndx", 2, 3), Field("NS", 5), Field("AP[1]", 6), Field("AP[2]", 7), Field("XN", 54),
)  # fmt: skip
_S2_LEAF = (
    *_COMMON, Field("MemAttr", 2, 4), Field("S2AP[0]", 6), Field("S2AP[1]", 7), Field("XN[0]", 53), Field("XN[1]", 54),
)  # fmt: skip
_S1_TABLE = (
    _TYPE, Field("software accessed", 55), Field("PXNTable", 59), Field("UXNTable", 60), Field("APTable[0]", 61),
    Field("APTable[1]", 62), Field("NSTable", 63),
)  # fmt: skip
_EL2_TABLE = (
    _TYPE, Field("software accessed", 55), Field("XNTable", 60), Field("APTable[1]", 62), Field("NSTable", 63),
)  # fmt: skip
_S2_TABLE = (_TYPE, Field("software accessed", 55))


def _leaves(
    manual: str, fields: tuple[Field, ...], zero: int, *rules: tuple[str, Callable[[Word], Truth]]
) -> dict[int, Layout]:
    return {
        level: Layout(
            f"{manual}, {'page' if level == 0 else 'block'} descriptor of level {3 - level}",
            _FRAME[level], fields, _RES0[level] | zero, (_SHAREABLE, *rules, *(() if level else (_PAGE_TYPE,))),
        )
        for level in _LEVELS
    }  # fmt: skip


def _tables(manual: str, top: int, fields: tuple[Field, ...], zero: int) -> dict[int, Layout]:
    return {
        level: Layout(
            f"{manual}, table descriptor of level {3 - level}", _FRAME[0], fields, span(50, 48) | zero
        )
        for level in range(1, top + 1)
    }


def _is_leaf(entry: Word, level: int) -> Truth:
    return z3.BoolVal(True) if level == 0 else z3.Extract(1, 1, entry) == 0


def _common_fields(flags: Flags, level: int) -> dict[str, Word]:
    return {
        "type": number(1 if level else 3),
        "SH": flags.by_cache(3, 0, 0, 3),  # device memory is not shareable, normal memory inner shareable
        "AF": number(1),
        "DBM": number(0),
        "Contiguous": number(0),
    }


def _stage1_fields(is_user: bool, flags: Flags, level: int) -> Mapping[str, Word]:
    user_code = z3.And(flags.user, flags.execute)
    kernel_code = z3.And(z3.Not(flags.user), flags.execute)
    return _common_fields(flags, level) | {
        "AttrIndx": flags.by_cache(2, 0, 1, 3),
        "NS": choice(flags.has(NS), 1, 0),
        "AP[1]": choice(flags.user, 1, 0),
        "AP[2]": choice(flags.write, 0, 1),
        "nG": number(int(is_user)),
        "UXN": choice(user_code, 0, 1),
        "PXN": choice(kernel_code, 0, 1),
    }


def _stage1_rights(tables: Sequence[Word], leaf: Word) -> Word:
    """The leaf's attributes after what the tables above it take away (section D8.4.1)."""

    def nowhere(bit: int) -> Truth:
        return z3.Not(z3.Or(*(is_set(entry, bit) for entry in tables))) if tables else z3.BoolVal(True)

    user = z3.And(is_set(leaf, 6), nowhere(61))
    write = z3.And(z3.Not(is_set(leaf, 7)), nowhere(62))
    return rights_word(
        (user, z3.And(user, write), z3.And(z3.Not(is_set(leaf, 54)), nowhere(60))),
        (z3.BoolVal(True), write, z3.And(z3.Not(is_set(leaf, 53)), nowhere(59))),
    )


def _stage1_grants(flags: Flags) -> Word:
    return rights_word(
        (flags.user, z3.And(flags.user, flags.write), z3.And(flags.user, flags.execute)),
        (z3.BoolVal(True), flags.write, z3.And(z3.Not(flags.user), flags.execute)),
    )


def _keeps_the_type(old: Flags, new: Flags) -> Truth:
    return old.word & (3 | NS) == new.word & (3 | NS)


def stage1_account(is_user: bool) -> Account:
    """Stage 1 of EL1 and EL0; all flags come back."""
    return Account(
        manual=_STAGE1,
        width=48,
        half=Half.LOW if is_user else Half.HIGH,
        leaf=_leaves(_STAGE1, _S1_LEAF, 0),
        table=_tables(_STAGE1, 3, _S1_TABLE, 0),
        frame_shift=0,
        physical_bits=48,
        made=_LEVELS,
        is_leaf=_is_leaf,
        leaf_fields=lambda flags, level: _stage1_fields(is_user, flags, level),
        table_fields={"type": 3},
        answer=lambda flags: READ | flags.kept(USER | WRITE | EXECUTE | NS | 3),
        grants=_stage1_grants,
        rights=_stage1_rights,
        accessed="AF",
        marks=1 << 55,  # software's: hardware ignores it
        is_strict=False,
        replaces=frozenset({"AP[1]", "AP[2]", "UXN", "PXN"}),
        keeps=_keeps_the_type,
    )


# EL2: one privilege. AP[1] should be 1 there, and hardware ignores it; Zircon sets it with USER, as in stage 1.


def _el2_fields(flags: Flags, level: int) -> Mapping[str, Word]:
    return _common_fields(flags, level) | {
        "AttrIndx": flags.by_cache(2, 0, 1, 3),
        "NS": choice(flags.has(NS), 1, 0),
        "AP[1]": choice(flags.user, 1, 0),
        "AP[2]": choice(flags.write, 0, 1),
        "XN": choice(flags.execute, 0, 1),
    }


def _el2_rights(tables: Sequence[Word], leaf: Word) -> Word:
    def nowhere(bit: int) -> Truth:
        return z3.Not(z3.Or(*(is_set(entry, bit) for entry in tables))) if tables else z3.BoolVal(True)

    never = z3.BoolVal(False)
    write = z3.And(z3.Not(is_set(leaf, 7)), nowhere(62))
    execute = z3.And(z3.Not(is_set(leaf, 54)), nowhere(60))
    return rights_word((never, never, never), (z3.BoolVal(True), write, execute))


def _el2_grants(flags: Flags) -> Word:
    never = z3.BoolVal(False)
    return rights_word((never, never, never), (z3.BoolVal(True), flags.write, flags.execute))


def el2_account() -> Account:
    """Stage 1 of EL2."""
    return Account(
        manual=_STAGE1,
        width=39,
        half=Half.LOW,
        leaf=_leaves(_STAGE1, _EL2_LEAF, 1 << 53 | 1 << 11),
        table=_tables(_STAGE1, 2, _EL2_TABLE, 1 << 59 | 1 << 61),
        frame_shift=0,
        physical_bits=48,
        made=_LEVELS,
        is_leaf=_is_leaf,
        leaf_fields=_el2_fields,
        table_fields={"type": 3},
        answer=lambda flags: READ | flags.kept(USER | WRITE | EXECUTE | NS | 3),
        grants=_el2_grants,
        rights=_el2_rights,
        accessed="AF",
        marks=1 << 55,
        is_strict=False,
        replaces=frozenset({"AP[1]", "AP[2]", "XN"}),
        keeps=_keeps_the_type,
    )


# Stage 2: a change of protection removes the mapping, so no entry is ever protected.


def _stage2_fields(flags: Flags, level: int) -> Mapping[str, Word]:
    return _common_fields(flags, level) | {
        "MemAttr": flags.by_cache(0xF, 0, 1, 5),
        "S2AP[0]": number(1),
        "S2AP[1]": choice(flags.write, 1, 0),
        "XN[0]": number(0),
        "XN[1]": choice(flags.execute, 0, 1),
    }


def _stage2_rights(tables: Sequence[Word], leaf: Word) -> Word:
    may = (is_set(leaf, 6), is_set(leaf, 7), z3.Not(is_set(leaf, 54)))
    return rights_word(may, may)


def _stage2_grants(flags: Flags) -> Word:
    may = (z3.BoolVal(True), flags.write, flags.execute)
    return rights_word(may, may)


def stage2_account() -> Account:
    """Stage 2; USER and NS are lost. XN[0] is reserved without FEAT_XNX, which Zircon does not use."""
    return Account(
        manual=_STAGE2,
        width=36,
        half=Half.LOW,
        leaf=_leaves(_STAGE2, _S2_LEAF, 1 << 53 | 1 << 11, _S2_TYPE),
        table=_tables(_STAGE2, 2, _S2_TABLE, span(63, 59)),
        frame_shift=0,
        physical_bits=48,
        made=_LEVELS,
        is_leaf=_is_leaf,
        leaf_fields=_stage2_fields,
        table_fields={"type": 3},
        answer=lambda flags: READ | flags.kept(WRITE | EXECUTE | 3),
        grants=_stage2_grants,
        rights=_stage2_rights,
        accessed="AF",
        marks=1 << 55,
        is_strict=False,
        protects=False,
    )
