"""Reads files and folders of `.aspec` text into a checked program."""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike
from pathlib import Path

from vmaspace.checker.language import codes
from vmaspace.checker.language.check import CheckedProgram, check
from vmaspace.checker.language.diagnostics import Diagnostic, LanguageError
from vmaspace.checker.language.parser import parse
from vmaspace.checker.language.syntax import Span


def load(paths: Iterable[str | PathLike[str]]) -> CheckedProgram:
    """The checked program of all `.aspec` files in `paths`; a folder stands for all such files below it."""
    return check(parse(read(paths)))


def read(paths: Iterable[str | PathLike[str]]) -> dict[str, str]:
    """The text of each file, in sorted order of the names within each of `paths`; no file twice."""
    texts: dict[str, str] = {}
    seen: set[Path] = set()
    problems: list[Diagnostic] = []
    for path in paths:
        for file in _files(Path(path), problems):
            resolved = file.resolve()
            if resolved in seen:
                continue
            seen.add(resolved)
            text = _text(file, problems)
            if text is not None:
                texts[str(file)] = text
    if problems:
        raise LanguageError(problems, texts)
    return texts


def _files(path: Path, problems: list[Diagnostic]) -> list[Path]:
    try:
        if path.is_dir():
            found = sorted(f for f in path.rglob("*.aspec") if f.is_file())
            if found:
                return found
            reason = "there is no .aspec file in this folder"
        elif path.is_file():
            return [path]
        else:
            reason = "there is no such file or folder"
    except (OSError, ValueError) as error:
        reason = str(error)
    problems.append(_unreadable(path, reason))
    return []


def _text(file: Path, problems: list[Diagnostic]) -> str | None:
    try:
        data = file.read_bytes()
    except OSError as error:
        problems.append(_unreadable(file, error.strerror or str(error)))
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - (data.rfind(b"\n", 0, error.start) + 1) + 1
        problems.append(
            Diagnostic(
                codes.NOT_TEXT, "the file is not UTF-8 text", Span(str(file), line, column, line, column + 1),
                found=f"byte 0x{data[error.start]:02x}", hint="save the file as UTF-8",
            )
        )  # fmt: skip
        return None


def _unreadable(path: Path, reason: str) -> Diagnostic:
    return Diagnostic(codes.UNREADABLE, f"cannot read: {reason}", Span(str(path), 1, 1, 1, 1))
