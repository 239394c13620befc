"""What no contract covers is found by known answers alone: faults, clones, accounting and locks."""

from pathlib import Path

import pytest

from vmaspace.checker.adapters.mutants import Mutant, all_mutants
from vmaspace.checker.engines.conformance.results import Outcome
from vmaspace.checker.engines.conformance.runner import run_cases

CASES = Path(__file__).parents[2] / "conformance" / "zircon.jsonl"
SUBJECTS = ("faults", "clones", "accounting", "locks")
NAMES = ("GapBetweenNodesIsForgotten",)  # which fuzzing may find late
MUTANTS = [mutant for mutant in all_mutants() if mutant.subject in SUBJECTS or mutant.name in NAMES]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_known_answers_notice(mutant: Mutant) -> None:
    """Some case fails, and of the model without a mutant none does: `tests/conformance`."""
    assert any(case.outcome is Outcome.FAILED for case in run_cases(CASES, mutant.system_class))
