"""What no contract covers is found by known answers alone: faults, clones, accounting and locks."""

from pathlib import Path

import pytest

from vmaspace.checker.adapters.mutants import Mutant, all_mutants
from vmaspace.checker.engines.conformance.results import Outcome
from vmaspace.checker.engines.conformance.runner import run_file
from vmaspace.model import System

CASES = Path(__file__).parents[2] / "conformance" / "zircon.jsonl"
SUBJECTS = ("faults", "clones", "accounting", "locks")
NAMES = ("GapBetweenNodesIsForgotten",)  # which fuzzing may find late
MUTANTS = [mutant for mutant in all_mutants() if mutant.subject in SUBJECTS or mutant.name in NAMES]


def failed(system_class: type[System]) -> set[str]:
    return {case.id for case in run_file(CASES, system_class).cases if case.outcome is Outcome.FAILED}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_known_answers_notice(mutant: Mutant) -> None:
    assert failed(mutant.system_class)


def test_and_nothing_else_fails() -> None:
    assert failed(System) == set()
