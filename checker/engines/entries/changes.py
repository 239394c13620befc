"""Claims about the leaves that a split or a new protection makes of a leaf, and about the way addresses become indices."""

from __future__ import annotations

from collections.abc import Iterator

import z3

from vmaspace.checker.adapters.entries import ENTRIES, index_at, reach, shift_of
from vmaspace.checker.engines.entries.account import Half
from vmaspace.checker.engines.entries.query import Claim, Look, Query, Shown, Subject, at_level
from vmaspace.checker.engines.entries.words import (
    WORD_BITS,
    Truth,
    Word,
    choice,
    is_set,
    lowest,
    number,
    span,
    truth,
    variable,
)

# Splits.


def _split(subject: Subject, level: int) -> tuple[Word, Word, Word, tuple[Truth, ...], tuple[Shown, ...]]:
    """Any leaf that hardware takes, any index, and the leaf that then stands there."""
    leaf, index = variable("leaf"), variable("index")
    child = number(subject.regime.child_leaf(leaf, level, index))
    given = (subject.account.is_legal_leaf(leaf, level), z3.ULT(index, ENTRIES))
    shown = (
        subject.show_leaf("leaf", leaf, level),
        Shown("index", index),
        subject.show_leaf("split into", child, level - 1),
    )
    return leaf, index, child, given, shown


def _split_levels(subject: Subject) -> list[int]:
    return [level for level in subject.account.made if level]


def _split_translates(subject: Subject) -> Iterator[Query]:
    for level in _split_levels(subject):
        leaf, index, child, given, shown = _split(subject, level)
        va = variable("va")
        before = subject.account.leaf_address(leaf, level) + (va & lowest(shift_of(level)))
        after = subject.account.leaf_address(child, level - 1) + (va & lowest(shift_of(level - 1)))
        yield Query(
            at_level(level),
            (*given, number(index_at(va, level - 1)) == index),
            before == after,
            (Shown("va", va), *shown, Shown("led to", before), Shown("leads to", after)),
        )


def _split_keeps(subject: Subject) -> Iterator[Query]:
    for level in _split_levels(subject):
        leaf, _, child, given, shown = _split(subject, level)
        old, new = subject.account.leaf[level], subject.account.leaf[level - 1]
        for name in [n for n in old.by_name if n in new.by_name and n != "type"]:
            before, after = old.by_name[name].of(leaf), new.by_name[name].of(child)
            what = (*shown, Shown(f"{name} was", before), Shown(f"{name} is", after))
            yield Query(f"{at_level(level)}, {name}", given, before == after, what)
        was, now = subject.mmu_flags(leaf, level), subject.mmu_flags(child, level - 1)
        same = z3.And(
            was == now,
            subject.is_known(leaf, level) == subject.is_known(child, level - 1),
            subject.leaf_rights(leaf) == subject.leaf_rights(child),
        )
        what = (*shown, Shown("a query answered", was, Look.FLAGS), Shown("a query answers", now, Look.FLAGS))
        yield Query(f"{at_level(level)}, flags and rights", given, same, what)


def _split_leaves(subject: Subject) -> Iterator[Query]:
    for level in _split_levels(subject):
        _, _, child, given, shown = _split(subject, level)
        holds = z3.And(subject.is_leaf(child, level - 1), subject.account.is_legal_leaf(child, level - 1))
        yield Query(at_level(level), given, holds, shown)


# Protection.


def _protect_address(subject: Subject) -> Iterator[Query]:
    for level in subject.account.made if subject.account.protects else ():
        leaf = variable("leaf")
        flags, are_flags = subject.flags()
        after = number(subject.regime.protected(leaf, flags.word, level))
        before_address = subject.account.leaf_address(leaf, level)
        after_address = subject.account.leaf_address(after, level)
        holds = z3.And(
            before_address == after_address,
            subject.regime.leaf_paddr(after, level) == after_address,
            subject.is_leaf(after, level),
        )
        shown = (
            subject.show_leaf("leaf", leaf, level),
            Shown("MMU flags", flags.word, Look.FLAGS),
            subject.show_leaf("protected", after, level),
        )
        yield Query(at_level(level), (are_flags, subject.account.is_legal_leaf(leaf, level)), holds, shown)


def _protect_flags(subject: Subject) -> Iterator[Query]:
    """A leaf as Zircon made it, with accessed and dirty flags as they may be by now, and a caller that keeps the type."""
    account, regime = subject.account, subject.regime
    for level in account.made if account.protects else ():
        old, old_are = subject.flags("old")
        new, new_are = subject.flags("new")
        address, is_address = subject.address(level)
        changes = variable("changes")
        marks = regime.accessed | regime.dirty if account.accessed else 0
        leaf = subject.leaf(address, old, level) ^ changes & marks
        after = number(regime.protected(leaf, new.word, level))
        fresh = subject.leaf(address, new, level)
        yield Query(
            at_level(level),
            (old_are, new_are, is_address, account.keeps(old, new)),
            after == fresh,
            (
                Shown("MMU flags before", old.word, Look.FLAGS),
                subject.show_leaf("leaf", leaf, level),
                Shown("MMU flags", new.word, Look.FLAGS),
                subject.show_leaf("protected", after, level),
                subject.show_leaf("mapped anew", fresh, level),
            ),
        )


def _protect_keeps(subject: Subject) -> Iterator[Query]:
    """Any leaf that hardware takes, and any flags, of another type too."""
    account = subject.account
    for level in account.made if account.protects else ():
        leaf = variable("leaf")
        flags, are_flags = subject.flags()
        after = number(subject.regime.protected(leaf, flags.word, level))
        layout, fresh = account.leaf[level], account.leaf_fields(flags, level)
        for name, field in layout.by_name.items():
            replaced = account.replaces is None or name in account.replaces
            wanted = fresh[name] if replaced else field.of(leaf) | fresh[name]
            shown = (
                subject.show_leaf("leaf", leaf, level),
                Shown("MMU flags", flags.word, Look.FLAGS),
                subject.show_leaf("protected", after, level),
                Shown(f"{name} is", field.of(after)),
                Shown(f"{name} should be", wanted),
            )
            given = (are_flags, account.is_legal_leaf(leaf, level))
            yield Query(f"{at_level(level)}, {name}", given, field.of(after) == wanted, shown)


# Addresses.


def _canonical(subject: Subject, low: Word) -> Word:
    """The canonical address whose low bits, as many as the tables translate, are these."""
    upper, width = span(WORD_BITS - 1, subject.account.width), subject.account.width
    half = subject.account.half
    if half is Half.BOTH:
        return choice(is_set(low, width - 1), low | upper, low)
    return low | upper if half is Half.HIGH else low


def _levels(subject: Subject) -> range:
    return range(subject.account.top_level + 1)


def _index_bits(subject: Subject, level: int) -> int:
    """How many bits the index of a level has in a canonical address."""
    return min(9, subject.account.width - 12 - 9 * level)


def _rebuilt(subject: Subject) -> Iterator[Query]:
    va = variable("va")
    given = va == _canonical(subject, va & lowest(subject.account.width))
    indices = {level: number(index_at(va, level)) for level in _levels(subject)}
    low = va & reach(0) - 1
    for level, index in indices.items():
        low = low | (index & lowest(_index_bits(subject, level))) << 12 + 9 * level
    top = subject.account.top_level
    in_root = indices[top] & lowest(_index_bits(subject, top))
    holds = z3.And(
        _canonical(subject, low) == va,
        *(z3.ULT(index, ENTRIES) for index in indices.values()),
        truth(subject.regime.is_root_index_valid(in_root)),
    )
    shown = (Shown("va", va), *(Shown(f"index of level {level}", index) for level, index in indices.items()))
    yield Query("every level", (given,), holds, shown)
    sizes = [
        shift_of(level) == 12 + 9 * level and reach(level) == 4096 << 9 * level for level in _levels(subject)
    ]
    yield Query("sizes", (), z3.BoolVal(all(sizes)), ())


def _reached(subject: Subject) -> Iterator[Query]:
    offset = variable("offset")
    indices = {level: variable(f"index{level}") for level in _levels(subject)}
    top = subject.account.top_level
    is_in_root = z3.ULT(indices[top], 1 << _index_bits(subject, top))
    low = offset
    for level, index in indices.items():
        low = low | index << 12 + 9 * level
    va = _canonical(subject, low)
    shown = (
        Shown("va", va),
        Shown("offset", offset),
        *(Shown(f"index of level {n}", i) for n, i in indices.items()),
    )
    within = (z3.ULT(offset, reach(0)), *(z3.ULT(index, ENTRIES) for index in indices.values()))
    found = [number(index_at(va, level)) == index for level, index in indices.items()]
    yield Query("every level", (*within, is_in_root), z3.And(*found, va & reach(0) - 1 == offset), shown)
    same = truth(subject.regime.is_root_index_valid(indices[top])) == is_in_root
    yield Query("the root", within, same, shown)


CHANGES = (
    Claim(
        "a_split_keeps_every_translation",
        "After a split every address of a large leaf leads to where it led before.",
        "X19, R16",
        _split_translates,
    ),
    Claim(
        "a_split_keeps_every_attribute",
        "The leaves of a split have the large leaf's permissions, memory type and flags, accessed and dirty too.",
        "X19, R16",
        _split_keeps,
    ),
    Claim(
        "a_split_makes_leaves",
        "Model and hardware take the leaves of a split for leaves, without a reserved bit.",
        "X1, R16",
        _split_leaves,
    ),
    Claim(
        "protect_keeps_the_address",
        "A new protection leaves the address of any leaf as it is.",
        "C17",
        _protect_address,
    ),
    Claim(
        "protect_gives_the_new_flags",
        "A protection that keeps the type makes of Zircon's own leaf the leaf that a map with the new flags makes.",
        "arch 3.9",
        _protect_flags,
    ),
    Claim(
        "protect_replaces_what_is_documented",
        "In any leaf a protection replaces the documented fields, and the others get the new value or-ed to the old.",
        "A2, A3, A6, X3, R1, R3, arch 3.9",
        _protect_keeps,
    ),
    Claim(
        "an_address_is_its_indices",
        "A canonical address is made up again from its indices and its offset, and each index is one of a table's.",
        "arch 2",
        _rebuilt,
    ),
    Claim(
        "indices_are_an_address",
        "Every choice of indices and an offset is that of one canonical address.",
        "arch 2",
        _reached,
    ),
)
