"""What the tests of the fuzz engine share."""

import pytest

from vmaspace.checker.adapters.mutants import all_mutants
from vmaspace.checker.engines.standard import standard_contract
from vmaspace.checker.logic.contract import Contract


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "fault" in metafunc.fixturenames:
        faults = [mutant.system_class for mutant in all_mutants()]
        metafunc.parametrize("fault", faults, ids=[f.__name__ for f in faults])


@pytest.fixture(scope="session")
def contract() -> Contract:
    return standard_contract()
