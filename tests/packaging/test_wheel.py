"""The built wheel: one top-level name, every package, and the data files without which nothing runs."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("spec", "model", "checker", "properties")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """A wheel built, without any network, from a copy of the tree: a stale `build/` must not reach it."""
    source = tmp_path_factory.mktemp("source")
    for room in ROOMS:
        shutil.copytree(ROOT / room, source / room, ignore=shutil.ignore_patterns("__pycache__", "build"))
    for name in ("pyproject.toml", "LICENSE", "README.md"):
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, source)
    target = tmp_path_factory.mktemp("wheel")
    run = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(target), str(source)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    (built,) = target.glob("*.whl")
    return zipfile.ZipFile(built)


def test_the_top_level_is_vmaspace_alone(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}
    (info,) = (top for top in tops if top.endswith(".dist-info"))
    assert tops == {"vmaspace", info}
    top_level = wheel.read(f"{info}/top_level.txt").decode()
    assert top_level.split() == ["vmaspace"]


def test_vmaspace_is_a_namespace(wheel: zipfile.ZipFile) -> None:
    assert "vmaspace/__init__.py" not in wheel.namelist()


@pytest.mark.parametrize("pattern", ["*.py", "*.aspec", "*.lark", "*.schema.json", "py.typed"])
def test_every_source_and_data_file_is_packed(wheel: zipfile.ZipFile, pattern: str) -> None:
    expected = {
        f"vmaspace/{path.relative_to(ROOT).as_posix()}" for room in ROOMS for path in (ROOT / room).rglob(pattern)
    }
    assert expected, f"the tree holds no {pattern} at all"
    assert expected - set(wheel.namelist()) == set()


def test_the_command_is_an_entry_point(wheel: zipfile.ZipFile) -> None:
    (entries,) = (name for name in wheel.namelist() if name.endswith("entry_points.txt"))
    assert "vmaspace = vmaspace.checker.__main__:entrance" in wheel.read(entries).decode()
