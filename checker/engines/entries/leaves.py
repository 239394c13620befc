"""Claims about the leaves that Zircon makes of an address and MMU flags."""

from __future__ import annotations

from collections.abc import Iterator

import z3

from vmaspace.checker.engines.entries.account import Flags
from vmaspace.checker.engines.entries.query import Claim, Look, Query, Shown, Subject, at_level
from vmaspace.checker.engines.entries.words import Truth, Word


def _made(subject: Subject, level: int) -> tuple[Word, Flags, Word, tuple[Truth, ...], tuple[Shown, ...]]:
    """A leaf of any flags at any address."""
    flags, are_flags = subject.flags()
    address, is_address = subject.address(level)
    leaf = subject.leaf(address, flags, level)
    shown = (
        Shown("MMU flags", flags.word, Look.FLAGS),
        Shown("address", address),
        subject.show_leaf("leaf", leaf, level),
    )
    return address, flags, leaf, (are_flags, is_address), shown


def _levels(subject: Subject) -> Iterator[Query]:
    made, hardware = subject.account.made, subject.account.leaf
    right = tuple(subject.regime.leaf_levels) == made and set(made) <= set(hardware)
    right = right and subject.regime.top_level == subject.account.top_level
    right = right and subject.regime.width == subject.account.width
    holds = z3.BoolVal(right)
    yield Query("the levels", (), holds, ())


def _answers(subject: Subject) -> Iterator[Query]:
    for level in subject.account.made:
        _, flags, leaf, given, shown = _made(subject, level)
        answer = subject.mmu_flags(leaf, level)
        yield Query(
            at_level(level),
            given,
            answer == subject.account.answer(flags),
            (
                *shown,
                Shown("a query answers", answer, Look.FLAGS),
                Shown("it should answer", subject.account.answer(flags), Look.FLAGS),
            ),
        )


def _maps_the_same(subject: Subject) -> Iterator[Query]:
    for level in subject.account.made:
        address, _, leaf, given, shown = _made(subject, level)
        answer = Flags(subject.mmu_flags(leaf, level))
        again = subject.leaf(address, answer, level)
        what = Shown("a query answers", answer.word, Look.FLAGS)
        yield Query(
            at_level(level),
            given,
            again == leaf,
            (*shown, what, subject.show_leaf("mapped again", again, level)),
        )


def _address(subject: Subject) -> Iterator[Query]:
    for level in subject.account.made:
        address, _, leaf, given, shown = _made(subject, level)
        by_model = subject.regime.leaf_paddr(leaf, level)
        by_hardware = subject.account.leaf_address(leaf, level)
        yield Query(
            at_level(level),
            given,
            z3.And(by_model == address, by_hardware == address),
            (*shown, Shown("the model reads", by_model), Shown("hardware reads", by_hardware)),
        )


def _fields(subject: Subject) -> Iterator[Query]:
    for level in subject.account.made:
        _, flags, leaf, given, shown = _made(subject, level)
        layout = subject.account.leaf[level]
        wanted = subject.account.leaf_fields(flags, level)
        for name, field in layout.by_name.items():
            value = field.of(leaf)
            yield Query(
                f"{at_level(level)}, {name}",
                given,
                value == wanted[name],
                (*shown, Shown(f"{name} is", value), Shown(f"{name} should be", wanted[name])),
            )
        yield Query(f"{at_level(level)}, other bits", given, leaf & ~layout.described == 0, shown)


def _reserved(subject: Subject) -> Iterator[Query]:
    for level in subject.account.made:
        _, _, leaf, given, shown = _made(subject, level)
        layout = subject.account.leaf[level]
        reserved = Shown("reserved bits that are set", leaf & layout.zero)
        yield Query(at_level(level), given, leaf & layout.zero == 0, (*shown, reserved))
        for what, is_broken in layout.forbidden:
            yield Query(f"{at_level(level)}, {what}", given, z3.Not(is_broken(leaf)), shown)


def _recognised(subject: Subject) -> Iterator[Query]:
    for level in subject.account.made:
        _, _, leaf, given, shown = _made(subject, level)
        by_hardware = subject.account.is_legal_leaf(leaf, level)
        yield Query(at_level(level), given, z3.And(subject.is_leaf(leaf, level), by_hardware), shown)


def _known(subject: Subject) -> Iterator[Query]:
    for level in subject.account.made:
        _, _, leaf, given, shown = _made(subject, level)
        yield Query(at_level(level), given, subject.is_known(leaf, level), shown)


LEAVES = (
    Claim(
        "leaves_are_made_where_hardware_has_them",
        "Tables are as high and as wide as hardware has them, and leaves are made where Zircon does and hardware allows.",
        "X5, X6, A8",
        _levels,
    ),
    Claim(
        "a_leaf_answers_its_flags",
        "A query of a leaf answers the flags that were mapped, but for what the architecture loses.",
        "arch 3.10.1",
        _answers,
    ),
    Claim(
        "what_a_query_answers_maps_the_same",
        "The flags that a query answers make the same leaf again.",
        "arch 3.10.1",
        _maps_the_same,
    ),
    Claim(
        "a_leaf_holds_its_address",
        "Model and hardware read from a leaf the address that it was made for.",
        "X24, C17",
        _address,
    ),
    Claim(
        "a_leaf_says_what_its_flags_say",
        "Each field of a new leaf has the value that Zircon's rules give it, and no other bit is set.",
        "X3, X4, X20, A2 to A6, R1, R3",
        _fields,
    ),
    Claim(
        "a_leaf_has_no_reserved_bit",
        "A new leaf has no reserved bit and no reserved value.",
        "the manuals",
        _reserved,
    ),
    Claim("a_leaf_is_a_leaf", "Model and hardware take a new leaf for a leaf.", "X1, R21", _recognised),
    Claim(
        "a_leaf_has_a_known_type",
        "A query knows the memory type of every leaf made from flags.",
        "X7, A6",
        _known,
    ),
)
