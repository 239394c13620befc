"""What the tests of the fuzz engine share."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from vmaspace.checker.engines.standard import standard_contract
from vmaspace.checker.logic.contract import Contract

NAME = "vmaspace_planted_faults"


def planted_faults() -> ModuleType:
    """The module `faults`, under a name by which a replayed trace finds it again."""
    found = sys.modules.get(NAME)
    if found is None:
        spec = importlib.util.spec_from_file_location(NAME, Path(__file__).with_name("faults.py"))
        assert spec is not None
        assert spec.loader is not None
        found = sys.modules[NAME] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(found)
    return found


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "fault" in metafunc.fixturenames:
        faults = planted_faults().FAULTS
        metafunc.parametrize("fault", faults, ids=[f.__name__ for f in faults])


@pytest.fixture(scope="session")
def contract() -> Contract:
    return standard_contract()


@pytest.fixture(scope="session")
def faults() -> ModuleType:
    return planted_faults()
