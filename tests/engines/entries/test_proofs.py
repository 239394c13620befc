"""The claims about page-table entries: they hold, they are not empty, and they are about the code that runs."""

import random
from pathlib import Path

import pytest
import z3

from vmaspace.checker.adapters.entries import ALL_TABLES, Kind, Tables
from vmaspace.checker.engines.entries import CLAIMS, prove_entries
from vmaspace.checker.engines.entries.query import Query, Subject
from vmaspace.checker.engines.entries.run import prove_claim, write_claims
from vmaspace.checker.engines.entries.words import TERM_BITS, Field, number, span, variable
from vmaspace.checker.report.verdict import Kind as Answer

NAMES = [tables.regime.name for tables in ALL_TABLES]
every_format = pytest.mark.parametrize("tables", ALL_TABLES, ids=NAMES)


# Extended page tables have no accessed flag that Zircon uses; stage 2 entries are never protected.
SILENT = {
    "EPT": {"accessed_flags_change_nothing_else"},
    "arm64 stage 2": {
        "protect_keeps_the_address",
        "protect_gives_the_new_flags",
        "protect_replaces_what_is_documented",
    },
}


@every_format
def test_every_claim_is_proved_but_those_that_say_nothing_of_a_format(tables: Tables) -> None:
    verdicts, is_late = prove_entries(tables=[tables])
    assert not is_late
    assert [(v.id, v.reason) for v in verdicts if v.verdict is not Answer.PROVED] == []
    assert {v.id for v in verdicts} == {f"{tables.slug}/{name}" for name in CLAIMS.keys() - SILENT.get(tables.regime.name, set())}
    assert len(verdicts) >= 22


@every_format
def test_no_claim_is_proved_for_want_of_cases(tables: Tables) -> None:
    queries = [(claim.name, query) for claim in CLAIMS.values() for query in claim.queries(Subject(tables))]
    cases = {tuple(fact.get_id() for fact in query.given): (name, query) for name, query in queries}
    for name, query in cases.values():  # many queries are given the same
        solver = z3.SolverFor("QF_BV")
        solver.add(*query.given)
        assert solver.check() == z3.sat, (name, query.where)


def test_names_and_sentences() -> None:
    assert len({tables.slug for tables in ALL_TABLES}) == len(ALL_TABLES) == 15
    for claim in CLAIMS.values():
        assert claim.name.isidentifier()
        assert claim.sentence.endswith(".")
        assert claim.source


# Terms compute as integers do.


@every_format
def test_terms_and_integers_agree(tables: Tables) -> None:
    dice, regime = random.Random(1), tables.regime
    for _ in range(40):
        # Entries of few and of many bits, and those that Zircon makes.
        entry = dice.choice(
            (dice.getrandbits(64), dice.getrandbits(64) & dice.getrandbits(64), 1 << dice.randrange(64))
        )
        flags, index, level = dice.randrange(256), dice.randrange(512), dice.choice(regime.leaf_levels)
        paddr = dice.getrandbits(52) & ~0xFFF
        as_terms = number(entry), number(flags), number(index), number(paddr)
        for by_integers, by_terms in (
            (regime.leaf(paddr, flags, level), regime.leaf(as_terms[3], as_terms[1], level)),
            (regime.table(paddr), regime.table(as_terms[3])),
            (regime.mmu_flags(entry, level), regime.mmu_flags(as_terms[0], level)),
            (regime.is_known(entry, level), regime.is_known(as_terms[0], level)),
            (regime.protected(entry, flags, level), regime.protected(as_terms[0], as_terms[1], level)),
            (regime.child_leaf(entry, 1, index), regime.child_leaf(as_terms[0], 1, as_terms[2])),
            (regime.leaf_paddr(entry, level), regime.leaf_paddr(as_terms[0], level)),
            (regime.table_paddr(entry), regime.table_paddr(as_terms[0])),
            (regime.leaf_rights(entry), regime.leaf_rights(as_terms[0])),
            (regime.table_rights(entry), regime.table_rights(as_terms[0])),
        ):
            assert z3.simplify(number(by_terms)).as_long() == by_integers
            assert 0 <= by_integers < 1 << 64


def test_a_shift_brings_in_zeros_as_it_does_for_integers() -> None:
    top = number(1 << 63)
    assert z3.simplify(top >> 63).as_long() == 1
    assert z3.simplify(z3.BitVecVal(1 << 63, 64) >> 63).as_long() != 1  # why a term has more bits than a word


def test_a_result_that_leaves_64_bits_is_seen() -> None:
    word = variable("word")
    solver = z3.Solver()
    solver.add(z3.UGE(word << 4, 1 << 64))
    assert solver.check() == z3.sat
    assert word.size() == TERM_BITS


def test_fields_and_spans_are_written_as_in_manuals() -> None:
    assert span(51, 12) == 0x000FFFFFFFFFF000
    assert Field("memory type", 3, 3).mask == 0x38
    assert z3.simplify(Field("memory type", 3, 3).of(number(0x30))).as_long() == 6


# What a proof does when it cannot.


def test_a_time_out_is_not_green() -> None:
    a, b = (z3.BitVec(name, 64) for name in "ab")
    hard = Query(
        "hard",
        (z3.UGT(a, 1), z3.UGT(b, 1), z3.ULT(a, 1 << 32), z3.ULT(b, 1 << 32)),
        a * b != 0xFFFFFFFE00000001 - 30,
        (),
    )
    claim = next(iter(CLAIMS.values()))
    slow = type(claim)("slow", "Factors are found.", "none", lambda subject: iter([hard]))
    verdict = prove_claim(slow, Subject(ALL_TABLES[0]), timeout=0.001)
    assert verdict is not None
    assert verdict.verdict is Answer.UNKNOWN
    assert "no answer within 0.001 s" in verdict.reason


def test_a_budget_that_ran_out_is_not_green() -> None:
    verdicts, is_late = prove_entries(budget=0.0)
    assert is_late
    assert {v.verdict for v in verdicts} == {Answer.UNKNOWN}
    assert len(verdicts) == len(CLAIMS) * len(ALL_TABLES)


def test_queries_are_written_for_another_solver(tmp_path) -> None:
    count = write_claims(["an_address_is_its_indices", "a_leaf_holds_its_address"], tmp_path)
    files = sorted(tmp_path.glob("*.smt2"))
    assert len(files) == count == 30
    for file in files[:4]:
        solver = z3.Solver()
        solver.from_file(str(file))
        assert solver.check() == z3.unsat


def test_kinds_of_tables() -> None:
    assert {tables.kind for tables in ALL_TABLES} == set(Kind)


def test_every_claim_is_in_the_guide() -> None:
    guide = (Path(__file__).parents[3] / "docs" / "page-tables.md").read_text(encoding="utf-8")
    for claim in CLAIMS.values():
        assert f"| `{claim.name}` | {claim.sentence} | {claim.source} |" in guide
    assert f"{len(CLAIMS)} **claims**" in guide
