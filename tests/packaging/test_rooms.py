"""The four rooms are one import package: the list in `pyproject.toml` is true, and no generic name leaks."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("spec", "model", "checker", "properties")
GENERIC_NAMES = (*ROOMS, "report", "logic", "language", "engines", "adapters")

with (ROOT / "pyproject.toml").open("rb") as settings:
    SETUPTOOLS = tomllib.load(settings)["tool"]["setuptools"]


def folders_with_init(root: Path) -> set[str]:
    """The packages that the tree holds, as import names."""
    return {
        ".".join(("vmaspace", *init.parent.relative_to(root).parts))
        for room in ROOMS
        for init in (root / room).rglob("__init__.py")
    }


def test_listed_packages_are_the_folders_with_an_init() -> None:
    listed = SETUPTOOLS["packages"]
    assert len(listed) == len(set(listed))
    assert set(listed) == folders_with_init(ROOT)


def test_a_forgotten_package_is_seen(tmp_path: Path) -> None:
    (tmp_path / "model" / "arch" / "extra").mkdir(parents=True)
    (tmp_path / "model" / "arch" / "extra" / "__init__.py").touch()
    assert folders_with_init(tmp_path) == {"vmaspace.model.arch.extra"}


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_is_mapped_typed_and_linked(room: str) -> None:
    assert SETUPTOOLS["package-dir"][f"vmaspace.{room}"] == room
    assert (ROOT / room / "py.typed").is_file()
    link = ROOT / ".typing" / "vmaspace" / room
    assert link.is_symlink()
    assert link.resolve() == ROOT / room


def find(name: str, where: Path) -> str:
    """Where a fresh interpreter, started in `where`, finds the module `name`; empty if nowhere."""
    program = (
        "import importlib.util, sys\n"
        "found = importlib.util.find_spec(sys.argv[1])\n"
        "print('' if found is None else found.origin or list(found.submodule_search_locations))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program, name], cwd=where, check=True, capture_output=True, text=True
    )
    return run.stdout.strip()


@pytest.mark.parametrize("name", GENERIC_NAMES)
def test_no_generic_name_is_importable_outside_the_repository(name: str, tmp_path: Path) -> None:
    assert find(name, tmp_path) == ""


def test_the_probe_sees_a_generic_name_inside_the_repository() -> None:
    assert find("checker", ROOT) == str(ROOT / "checker" / "__init__.py")


@pytest.mark.parametrize("room", ROOMS)
def test_the_real_names_are_importable_everywhere(room: str, tmp_path: Path) -> None:
    assert find(f"vmaspace.{room}", tmp_path) == str(ROOT / room / "__init__.py")
