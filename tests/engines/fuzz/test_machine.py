"""The state machine as users have it in pytest: `state_machine(system_class=…).TestCase`."""

import subprocess
import sys
import unittest
from pathlib import Path
from typing import Any

import pytest

from vmaspace.checker.adapters.mutants.aspaces import NameFillsItsBuffer
from vmaspace.checker.engines.fuzz import state_machine
from vmaspace.checker.engines.fuzz.failures import Disagreement
from vmaspace.checker.logic.contract import Contract
from vmaspace.model import System

PROJECT = """
from hypothesis import settings

from vmaspace.checker.engines.fuzz import state_machine
from vmaspace.model import System
from vmaspace.model.aspace import VmAspace


class MyAspace(VmAspace):
    __slots__ = ()

    def rename(self, name):
        super().rename(name)
        {body}


class MySystem(System):
    aspace_class = MyAspace


TestMine = state_machine(system_class=MySystem).TestCase
TestMine.settings = settings(TestMine.settings, max_examples={runs})
"""


class Sound(System):
    """The model as it is, under another name."""


TestSound = state_machine(system_class=Sound, arches=["x86_64"]).TestCase
TestSound.settings = TestSound.settings.__class__(TestSound.settings, max_examples=8)


def test_a_rule_for_each_operation(contract: Contract) -> None:
    machine = state_machine()
    rules = [name.split("_or_") for name in (r.function.__name__ for r in machine.setup_state().rules)]
    assert sorted(name for names in rules for name in names) == sorted(contract.operations)
    quiet = {name for names in rules if len(names) > 1 for name in names}
    assert {"access", "harvest_all_user_accessed_bits", "write_vmo"} <= quiet
    assert not quiet & {op.name for op in contract.operations.values() if op.success.has_effect}
    assert machine.__name__ == "FuzzSystem"


def failure_of(case: Any) -> Disagreement:
    """What a test case fails over, run as pytest runs it."""
    with pytest.raises(Disagreement) as caught:
        case("runTest").debug()
    return caught.value


def test_a_failing_model_fails_with_the_trace_told(capsys: pytest.CaptureFixture[str]) -> None:
    case = state_machine(system_class=NameFillsItsBuffer).TestCase
    assert issubclass(case, unittest.TestCase)
    text = str(failure_of(case))
    assert "conforms fails at rename" in text
    assert "  1. rename(" in text
    assert "  2. " not in text, "the run is made small"
    assert "name_length(aspace0): expected 0x1f, found 0x20" in text
    assert "names_fit_their_buffer" in text


@pytest.mark.parametrize(("body", "runs"), [("pass", 5), ("self._name = self._name[:9]", 20)])
def test_in_a_project_of_ones_own(tmp_path: Path, body: str, runs: int) -> None:
    project = PROJECT.replace("{body}", body).replace("{runs}", str(runs))
    (tmp_path / "test_mine.py").write_text(project, encoding="utf-8")
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_mine.py"],
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
    )
    if body == "pass":
        assert run.returncode == 0, run.stdout
    else:
        assert run.returncode == 1, run.stdout
        for words in ("conforms fails at rename", "1. rename(", "name_length(aspace0): expected"):
            assert words in run.stdout
