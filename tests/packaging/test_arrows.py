"""Imports go one way. Each contract is kept by the tree, and broken by a planted import (must-fail twin)."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("spec", "model", "checker", "properties")

# (module in which the import is planted, what it imports, a word of the contract that must break)
PLANTED = [
    ("spec/planted.py", "vmaspace.checker.report", "the contract and the properties are text"),
    ("properties/planted.py", "z3", "the contract and the properties are text"),
    ("model/planted.py", "z3", "the model is an account of its own"),
    ("model/arch/planted.py", "vmaspace.spec", "the model is an account of its own"),
    ("checker/language/planted.py", "vmaspace.checker.logic", "the language knows neither"),
    ("checker/logic/planted.py", "vmaspace.checker.report", "the logic stands on the language"),
    ("checker/report/planted.py", "vmaspace.model", "the report stands on the logic"),
    ("checker/adapters/planted.py", "vmaspace.checker.engines", "the adapters reach the model"),
    ("checker/engines/planted.py", "vmaspace.model", "the engines reach the model"),
]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the four rooms as a real `vmaspace` folder, which shadows the installed one."""
    for room in ROOMS:
        shutil.copytree(
            ROOT / room, tmp_path / "vmaspace" / room, ignore=shutil.ignore_patterns("__pycache__", "build")
        )
    return tmp_path


def lint_imports(tree: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            sys.executable,
            "-c",
            "from importlinter.cli import lint_imports_command as command; command()",
            "--config",
            str(ROOT / "pyproject.toml"),
            "--no-cache",
        ],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree), "NO_COLOR": "1", "COLUMNS": "200"},
        check=False,
        capture_output=True,
        text=True,
    )


def test_every_arrow_is_kept(tree: Path) -> None:
    run = lint_imports(tree)
    assert run.returncode == 0, run.stdout + run.stderr
    assert " 0 broken" in run.stdout


@pytest.mark.parametrize(("file", "name", "contract"), PLANTED, ids=[row[0] for row in PLANTED])
def test_a_planted_import_is_caught(tree: Path, file: str, name: str, contract: str) -> None:
    (tree / "vmaspace" / file).write_text(f"import {name}\n", encoding="utf-8")
    run = lint_imports(tree)
    assert run.returncode == 1, run.stdout + run.stderr
    broken = [line for line in run.stdout.splitlines() if " BROKEN" in line]
    assert any(contract in line for line in broken), run.stdout
    assert f"vmaspace.{file.removesuffix('.py').replace('/', '.')}" in run.stdout


@pytest.mark.parametrize("name", ROOMS)
def test_a_bare_room_name_is_refused_by_ruff(name: str) -> None:
    run = subprocess.run(
        [
            sys.executable, "-m", "ruff", "check", "--config", str(ROOT / "pyproject.toml"),
            "--no-cache", "--output-format", "concise", "--stdin-filename", "planted.py", "-",
        ],
        input=f"import {name}\n\nprint({name})\n",
        check=False,
        capture_output=True,
        text=True,
    )  # fmt: skip
    assert run.returncode == 1
    assert "TID251" in run.stdout
    assert f"vmaspace.{name}" in run.stdout
