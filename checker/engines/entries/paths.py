"""Claims about table entries, about entries of any value, and about paths of entries."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from operator import and_

import z3

from vmaspace.checker.engines.entries.account import Flags
from vmaspace.checker.engines.entries.query import Claim, Look, Query, Shown, Subject, at_level
from vmaspace.checker.engines.entries.words import number, variable


def _table_levels(subject: Subject) -> range:
    return range(1, subject.account.top_level + 1)


def _table_address(subject: Subject) -> Iterator[Query]:
    for level in _table_levels(subject):
        address, given = subject.address(0)
        entry = subject.table(address)
        by_model, by_hardware = subject.regime.table_paddr(entry), subject.account.table_address(entry, level)
        yield Query(
            at_level(level),
            (given,),
            z3.And(by_model == address, by_hardware == address),
            (
                Shown("address", address),
                subject.show_table("table entry", entry, level),
                Shown("the model reads", by_model),
                Shown("hardware reads", by_hardware),
            ),
        )


def _table_recognised(subject: Subject) -> Iterator[Query]:
    for level in _table_levels(subject):
        address, given = subject.address(0)
        entry = subject.table(address)
        by_hardware = subject.account.is_legal_table(entry, level)
        shown = (Shown("address", address), subject.show_table("table entry", entry, level))
        yield Query(at_level(level), (given,), z3.And(subject.is_table(entry, level), by_hardware), shown)


def _table_fields(subject: Subject) -> Iterator[Query]:
    for level in _table_levels(subject):
        address, given = subject.address(0)
        entry, layout = subject.table(address), subject.account.table[level]
        wanted = {name: subject.account.table_fields.get(name, 0) for name in layout.by_name}
        right = [layout.by_name[name].of(entry) == value for name, value in wanted.items()]
        shown = (Shown("address", address), subject.show_table("table entry", entry, level))
        yield Query(at_level(level), (given,), z3.And(*right, entry & ~layout.described == 0), shown)


def _zero(subject: Subject) -> Iterator[Query]:
    """0 is what is written where nothing is: it is not present and holds no address, and all else is present."""
    nothing, regime = number(0), subject.regime
    addresses = [number(regime.table_paddr(nothing))]
    addresses += [number(regime.leaf_paddr(nothing, level)) for level in subject.account.made]
    holds = z3.And(z3.Not(subject.is_present(nothing)), *(address == 0 for address in addresses))
    yield Query("nothing", (), holds, ())
    for level in subject.account.made:
        flags, are_flags = subject.flags()
        address, is_address = subject.address(level)
        entry = variable("entry")
        for what, written in (
            ("a new leaf", subject.leaf(address, flags, level)),
            ("a protected leaf", number(regime.protected(entry, flags.word, level))),
        ):
            given = (are_flags, is_address, subject.account.is_legal_leaf(entry, level))
            shown = (Shown("MMU flags", flags.word, Look.FLAGS), subject.show_leaf(what, written, level))
            yield Query(f"{at_level(level)}, {what}", given, subject.is_present(written), shown)


def _told_apart(subject: Subject) -> Iterator[Query]:
    for level in range(subject.account.top_level + 1):
        entry = variable("entry")
        is_leaf = z3.And(subject.account.is_leaf(entry, level))
        given = (subject.account.is_legal(entry, level),)
        holds = z3.And(
            subject.is_leaf(entry, level) == is_leaf, subject.is_table(entry, level) == z3.Not(is_leaf)
        )
        yield Query(at_level(level), given, holds, (subject.show_leaf("entry", entry, level),))


def _any_address(subject: Subject) -> Iterator[Query]:
    for level in range(subject.account.top_level + 1):
        entry = variable("entry")
        if level in subject.account.made:
            by_model, by_hardware = (
                subject.regime.leaf_paddr(entry, level),
                subject.account.leaf_address(entry, level),
            )
            given = (subject.account.is_legal_leaf(entry, level),)
            shown = (
                subject.show_leaf("leaf", entry, level),
                Shown("the model reads", by_model),
                Shown("hardware reads", by_hardware),
            )
            yield Query(f"{at_level(level)}, leaf", given, by_model == by_hardware, shown)
        if level:
            by_model, by_hardware = (
                subject.regime.table_paddr(entry),
                subject.account.table_address(entry, level),
            )
            given = (subject.account.is_legal_table(entry, level),)
            shown = (
                subject.show_table("table entry", entry, level),
                Shown("the model reads", by_model),
                Shown("hardware reads", by_hardware),
            )
            yield Query(f"{at_level(level)}, table", given, by_model == by_hardware, shown)


def _path_grants(subject: Subject) -> Iterator[Query]:
    """Tables as Zircon makes them, marked or not, and a leaf."""
    for level in subject.account.made:
        flags, are_flags = subject.flags()
        address, is_address = subject.address(level)
        leaf = subject.leaf(address, flags, level)
        given, tables = [are_flags, is_address], []
        for above in range(subject.account.top_level, level, -1):
            place, is_place = subject.address(0, f"table{above}")
            marks = variable(f"marks{above}") & subject.account.marks
            tables.append(subject.table(place) | marks)
            given.append(is_place)
        granted = reduce(and_, map(subject.table_rights, tables), subject.leaf_rights(leaf))
        wanted = subject.account.grants(flags)
        yield Query(
            at_level(level),
            tuple(given),
            granted == wanted,
            (
                Shown("MMU flags", flags.word, Look.FLAGS),
                subject.show_leaf("leaf", leaf, level),
                *(
                    subject.show_table(
                        f"table entry of level {subject.account.top_level - i}",
                        entry,
                        subject.account.top_level - i,
                    )
                    for i, entry in enumerate(tables)
                ),
                Shown("the path grants", granted, Look.RIGHTS),
                Shown("the flags say", wanted, Look.RIGHTS),
            ),
        )


def _conjunction(subject: Subject) -> Iterator[Query]:
    """Entries of any value that hardware takes."""
    for level in subject.account.made:
        leaf = variable("leaf")
        given, tables, shown = [subject.account.is_legal_leaf(leaf, level)], [], []
        for above in range(subject.account.top_level, level, -1):
            entry = variable(f"table{above}")
            tables.append(entry)
            given.append(subject.account.is_legal_table(entry, above))
            shown.append(subject.show_table(f"table entry of level {above}", entry, above))
        granted = reduce(and_, map(subject.table_rights, tables), subject.leaf_rights(leaf))
        wanted = subject.account.rights(tables, leaf)
        shown += [
            subject.show_leaf("leaf", leaf, level),
            Shown("all entries let pass", granted, Look.RIGHTS),
            Shown("hardware grants", wanted, Look.RIGHTS),
        ]
        yield Query(at_level(level), tuple(given), granted == wanted, tuple(shown))


def _marks(subject: Subject) -> Iterator[Query]:
    """Accessed and dirty flags, and software's mark of a table: hardware's bits, and of no consequence otherwise."""
    account, regime = subject.account, subject.regime
    if account.accessed:
        fields = account.leaf[0].by_name
        wanted = (
            fields[account.accessed].mask,
            fields[account.dirty].mask if account.dirty else 0,
            account.marks,
        )
        found = regime.accessed, regime.dirty, regime.table_accessed
        yield Query("the bits", (), z3.BoolVal(found == wanted), ())
        changes = variable("changes")
        for level in account.made:
            entry = variable("leaf")
            after = entry ^ changes & (wanted[0] | wanted[1])
            same = z3.And(
                subject.is_leaf(after, level),
                account.is_legal_leaf(after, level),
                regime.leaf_paddr(after, level) == regime.leaf_paddr(entry, level),
                subject.mmu_flags(after, level) == subject.mmu_flags(entry, level),
                subject.is_known(after, level) == subject.is_known(entry, level),
                subject.leaf_rights(after) == subject.leaf_rights(entry),
            )
            shown = (subject.show_leaf("before", entry, level), subject.show_leaf("after", after, level))
            yield Query(at_level(level), (account.is_legal_leaf(entry, level),), same, shown)
        for level in _table_levels(subject) if account.marks else ():
            entry = variable("table")
            after = entry ^ changes & account.marks
            same = z3.And(
                subject.is_table(after, level),
                account.is_legal_table(after, level),
                regime.table_paddr(after) == regime.table_paddr(entry),
                subject.table_rights(after) == subject.table_rights(entry),
            )
            shown = (subject.show_table("before", entry, level), subject.show_table("after", after, level))
            yield Query(f"{at_level(level)}, table", (account.is_legal_table(entry, level),), same, shown)


def _flags_are_granted(subject: Subject) -> Iterator[Query]:
    """A leaf of any value that a query does not refuse."""
    for level in subject.account.made:
        leaf = variable("leaf")
        answer = subject.mmu_flags(leaf, level)
        claimed = subject.account.grants(Flags(answer))
        granted = subject.account.rights((), leaf)
        given = (subject.account.is_legal_leaf(leaf, level), subject.is_known(leaf, level))
        shown = (
            subject.show_leaf("leaf", leaf, level),
            Shown("a query answers", answer, Look.FLAGS),
            Shown("that stands for", claimed, Look.RIGHTS),
            Shown("hardware grants", granted, Look.RIGHTS),
        )
        yield Query(at_level(level), given, claimed & ~granted == 0, shown)


PATHS = (
    Claim(
        "a_table_entry_holds_its_address",
        "Model and hardware read from a table entry the address of the table.",
        "X2, A9, R2",
        _table_address,
    ),
    Claim(
        "a_table_entry_is_a_table",
        "Model and hardware take a new table entry for a table, without a reserved bit.",
        "X1, R21",
        _table_recognised,
    ),
    Claim(
        "a_table_entry_says_nothing_else",
        "A new table entry holds an address and the bits that Zircon's rules name, and no permission is taken away in it.",
        "X2, X3, A9, R2",
        _table_fields,
    ),
    Claim(
        "what_is_not_present_is_zero",
        "An entry that is not present is written as 0, which holds no address; every other entry that is written is present.",
        "X1, A1, L1TF",
        _zero,
    ),
    Claim(
        "leaves_and_tables_are_told_apart",
        "The model takes an entry of any value for a leaf or a table exactly as hardware does, never for both.",
        "R21, the manuals",
        _told_apart,
    ),
    Claim(
        "addresses_are_read_as_hardware_reads_them",
        "From an entry of any value that hardware takes, the model reads the address that hardware reads.",
        "the manuals",
        _any_address,
    ),
    Claim(
        "a_path_grants_what_its_flags_say",
        "Through tables as Zircon makes them, a leaf grants to user and kernel exactly what its flags say.",
        "X2, A9, A4, A5, R2",
        _path_grants,
    ),
    Claim(
        "rights_of_a_path_are_those_of_all_its_entries",
        "Through entries of any value, hardware grants what every single entry lets pass, and nothing else.",
        "the manuals",
        _conjunction,
    ),
    Claim(
        "a_query_answers_no_more_than_is_granted",
        "The flags that a query answers for a leaf of any value are granted by hardware.",
        "C20",
        _flags_are_granted,
    ),
    Claim(
        "accessed_flags_change_nothing_else",
        "Accessed and dirty flags are hardware's; with or without them, address, flags and rights are the same.",
        "X20, A2, A9, R1",
        _marks,
    ),
)
