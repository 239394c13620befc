"""What the tests of the fuzz engine share."""

import pytest

from vmaspace.checker.adapters.mutants import all_mutants
from vmaspace.checker.engines.standard import standard_contract
from vmaspace.checker.logic.contract import Contract

# Fuzzing finds these late on some seeds; a known answer finds them at once: `tests/engines/audit`.
BY_KNOWN_ANSWERS = ("GapBetweenNodesIsForgotten",)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "mutant" in metafunc.fixturenames:
        # What the contract sees. Mutants of what lies behind mappings are for the known answers: `tests/engines/audit`.
        subjects = ("regions", "mappings", "aspaces", "vdso")
        mutants = [m for m in all_mutants() if m.subject in subjects and m.name not in BY_KNOWN_ANSWERS]
        metafunc.parametrize("mutant", mutants, ids=[mutant.name for mutant in mutants])


@pytest.fixture(scope="session")
def contract() -> Contract:
    return standard_contract()
