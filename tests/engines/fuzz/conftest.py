"""What the tests of the fuzz engine share."""

import pytest

from vmaspace.checker.adapters.mutants import all_mutants
from vmaspace.checker.engines.standard import standard_contract
from vmaspace.checker.logic.contract import Contract


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "fault" in metafunc.fixturenames:
        # What the contract sees. Mutants of what lies behind mappings are for the known answers: `tests/engines/audit`.
        subjects = ("regions", "mappings", "aspaces", "vdso")
        faults = [mutant.system_class for mutant in all_mutants() if mutant.subject in subjects]
        metafunc.parametrize("fault", faults, ids=[f.__name__ for f in faults])


@pytest.fixture(scope="session")
def contract() -> Contract:
    return standard_contract()
