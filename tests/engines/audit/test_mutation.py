"""The audit: who finds which mutant, and what becomes of one that nobody finds."""

import json
import os
from pathlib import Path

import pytest

from vmaspace.checker.adapters.mutants import SUBJECTS, Mutant, all_mutants, mutant_of
from vmaspace.checker.adapters.mutants.registry import mutant
from vmaspace.checker.cli import main
from vmaspace.checker.engines.audit import ENGINES, Audit, Row
from vmaspace.checker.engines.standard import standard_contract
from vmaspace.checker.report.verdict import Kind
from vmaspace.model import System

CASES = Path(__file__).parents[2] / "conformance" / "zircon.jsonl"


class Harmless(System):
    """Nothing is wrong with it."""


def test_every_subject_has_mutants_with_a_name_and_a_sentence_of_their_own() -> None:
    mutants = all_mutants()
    assert {m.subject for m in mutants} == set(SUBJECTS)
    assert len({m.name for m in mutants}) == len({m.sentence for m in mutants}) == len(mutants)
    assert all(m.sentence.endswith(".") for m in mutants)


def looked(mutant: Mutant, *engines: str, steps: int = 5000) -> Row:
    (row,) = Audit(standard_contract(), [CASES], steps=steps, jobs=1, engines=engines or tuple(ENGINES)).run([mutant])
    return row


def named(name: str) -> Mutant:
    return next(m for m in all_mutants() if m.name == name)


def test_a_mutant_is_found_and_told_by_whom() -> None:
    row = looked(named("AlignmentIsIgnored"), "fuzz")
    found = row.found
    assert found is not None and found.engine == "fuzz" and 0 < found.done <= 5000 and found.trace_steps
    assert found.finding is not None and found.finding.split("/")[0] in ("allocate", "map")
    assert row.verdict().verdict is Kind.PASSED and "found by fuzz" in row.verdict().scope
    told = json.loads(json.dumps(row.to_json()))
    assert told["mutant"] == "AlignmentIsIgnored" and told["found_by"] == "fuzz"


def test_engines_look_in_turn_and_only_until_one_finds_it() -> None:
    row = looked(named("AlignmentIsIgnored"))
    assert [look.engine for look in row.looks] == ["known answers"]  # its entries are the model's own
    row = looked(named("EveryLeafIsWritable"))
    assert [(look.engine, look.unit) for look in row.looks] == [("entries", "claims")]


def test_a_wrong_bit_is_found_by_proof_alone_in_the_formats_that_have_it() -> None:
    found = looked(named("UserLeavesAreGlobal"), "entries").found
    assert found is not None and found.finding == "x86-64/a_leaf_says_what_its_flags_say"


def test_a_mutant_that_nobody_finds_is_a_failure() -> None:
    row = looked(mutant_of(Harmless), steps=200)
    assert row.found is None and row.to_json()["found_by"] is None
    assert [look.engine for look in row.looks] == ["known answers", "fuzz"]
    verdict = row.verdict()
    assert verdict.verdict is Kind.FAILED and "Nothing is wrong with it." in verdict.reason
    nobody = looked(mutant_of(Harmless), "entries")  # whom nobody looks at is not found either
    assert nobody.looks == () and nobody.verdict().verdict is Kind.FAILED


@pytest.mark.parametrize("engine", ["tables", "fuzz"])
def test_with_ctrl_c_there_is_no_row_for_what_was_not_looked_at(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(self: object, *args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("vmaspace.checker.engines.tables.run.Run.step", stop)
    monkeypatch.setattr("vmaspace.checker.engines.fuzz.session.Session.take", stop)
    audit = Audit(standard_contract(), steps=100, jobs=1, engines=[engine])
    assert audit.run([named("SharedRootTableIsFreed")]) == [] and audit.interrupted


def test_mutants_are_registered_once_and_with_a_sentence() -> None:
    class Nameless(System):
        pass

    Nameless.__doc__ = None
    with pytest.raises(ValueError, match="needs a docstring"):
        mutant(Nameless)
    with pytest.raises(ValueError, match="two mutants called"):
        mutant(all_mutants()[0].system_class)


def test_the_command_prints_the_table(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CASES.parents[2])
    assert main(["audit", "--subject", "regions", "--mutant", "AlignmentIsIgnored", "--jobs", "1"]) == 0
    out = capsys.readouterr().out
    assert "AlignmentIsIgnored" in out and "cases" in out and "found by known answers 1" in out
    assert main(["audit", "--mutant", "AlignmentIsIgnord"]) == 2
    assert "did you mean AlignmentIsIgnored" in capsys.readouterr().err
    assert main(["audit", "--subject", "region"]) == main(["audit", "--engine", "fuz"]) == 2
    assert main(["audit", "--subject", "locks", "--mutant", "AlignmentIsIgnored"]) == 2
    assert "no mutant is left" in capsys.readouterr().err


def test_the_command_is_red_where_nobody_finds_a_mutant(capsys: pytest.CaptureFixture[str]) -> None:
    model = f"{__name__}:Harmless"
    assert main(["audit", "--model", model, "--engine", "answers", "--engine", "fuzz", "--steps", "100"]) == 1
    out = capsys.readouterr().out
    assert "NOT FOUND, looked: " in out and "found by nobody 1" in out


class Deadly(System):
    """Whoever looks at it dies."""

    def __init__(self, *args: object, **options: object) -> None:
        os._exit(1)


def test_a_worker_that_dies_leaves_its_mutant_undecided() -> None:
    rows = Audit(standard_contract(), steps=100, jobs=2, engines=["fuzz"]).run([mutant_of(Deadly), mutant_of(Deadly)])
    verdict = rows[0].verdict()
    assert verdict.verdict is Kind.UNKNOWN and "died" in verdict.reason
