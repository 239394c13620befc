"""Files and folders: what is read, in which order, and what is said about what cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from vmaspace.checker.language import LanguageError, load
from vmaspace.checker.language.loader import read


def test_a_folder_stands_for_its_files_in_sorted_order(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("b.aspec", "a.aspec", "sub/c.aspec", "notes.txt"):
        (tmp_path / name).write_text(f"// {name}\n", encoding="utf-8")
    assert [Path(f).name for f in read([tmp_path])] == ["a.aspec", "b.aspec", "c.aspec"]


def test_no_file_is_read_twice(tmp_path: Path) -> None:
    (tmp_path / "a.aspec").write_text("sort Region\n", encoding="utf-8")
    assert list(load([tmp_path, tmp_path / "a.aspec", str(tmp_path)]).sorts) == ["Region"]


def test_a_file_may_be_called_anything(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("sort Region\n", encoding="utf-8")
    assert load([tmp_path / "mine.txt"]).sorts


def test_an_empty_program_is_a_program(tmp_path: Path) -> None:
    (tmp_path / "nothing.aspec").touch()
    program = load([tmp_path])
    assert program.ops == {} and program.init is None


def test_a_folder_without_a_file_of_ours_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no text of ours", encoding="utf-8")
    with pytest.raises(LanguageError, match="there is no"):
        load([tmp_path])


def test_every_missing_path_is_named(tmp_path: Path) -> None:
    with pytest.raises(LanguageError) as caught:
        load([tmp_path / "x", tmp_path / "y"])
    assert [Path(d.span.file).name for d in caught.value.diagnostics] == ["x", "y"]
