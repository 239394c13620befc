"""The audit: who finds which mutant, and what becomes of one that nobody finds."""

import json
from pathlib import Path

import pytest

from vmaspace.checker.adapters.mutants import SUBJECTS, all_mutants, mutant_of
from vmaspace.checker.adapters.mutants.registry import mutant
from vmaspace.checker.cli import main
from vmaspace.checker.engines.audit import Audit
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


def test_a_mutant_is_found_and_told_by_whom() -> None:
    chosen = next(m for m in all_mutants() if m.name == "AlignmentIsIgnored")
    (row,) = Audit(standard_contract(), [CASES], steps=5000, jobs=1).run([chosen])
    assert row.is_found and row.steps is not None and 0 < row.steps <= 5000
    assert row.finding == "allocate/conforms" or row.finding == "map/conforms"
    assert row.case is not None and row.failed_cases >= 1
    assert row.verdict().verdict is Kind.PASSED
    assert json.loads(json.dumps(row.to_json()))["mutant"] == "AlignmentIsIgnored"


def test_a_mutant_that_nobody_finds_is_a_failure() -> None:
    (row,) = Audit(standard_contract(), [CASES], steps=200, jobs=1).run([mutant_of(Harmless)])
    assert not row.is_found and row.steps is None and row.case is None
    verdict = row.verdict()
    assert verdict.verdict is Kind.FAILED and "Nothing is wrong with it." in verdict.reason


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
    assert main(["audit", "--mutant", "AlignmentIsIgnored", "--steps", "4000", "--jobs", "1"]) == 0
    out = capsys.readouterr().out
    assert "AlignmentIsIgnored" in out and "steps" in out and "known answers" in out
    assert main(["audit", "--mutant", "AlignmentIsIgnord"]) == 2
    assert "did you mean AlignmentIsIgnored" in capsys.readouterr().err
