"""Where the contract, the properties and the settings of a run come from.

By default the contract and the library that are installed with vmaspace; `--spec` and `--properties` name folders to use in
their place, and every further file is judged together with the library.  `[tool.vmaspace]` in the nearest pyproject.toml
names the known-answer files that `check` replays.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from vmaspace.checker.cli.error import UsageError
from vmaspace.checker.engines.standard import standard_texts
from vmaspace.checker.language.check import CheckedProgram, check
from vmaspace.checker.language.loader import read
from vmaspace.checker.language.parser import parse


@dataclass(frozen=True, slots=True)
class Settings:
    """`[tool.vmaspace]`: known-answer files, as paths that exist."""

    conformance: tuple[Path, ...] = ()


def load_program(
    spec: str | None, properties: str | None, files: Iterable[str], alone: bool = False
) -> CheckedProgram:
    """The checked program; `LanguageError` if any of the texts is broken.  alone: of `files` only."""
    if alone:
        if spec is not None or properties is not None or not list(files):
            raise UsageError("--alone takes the files that it shall read, and neither --spec nor --properties")
        return check(parse(read(files)))
    texts: dict[str, str] = {}
    shipped = standard_texts()
    for room, folder in (("spec", spec), ("properties", properties)):
        if folder is None:
            texts |= {name: text for name, text in shipped.items() if name.startswith(f"{room}/")}
        else:
            texts |= read([folder])
    given = {Path(name).resolve() for name in texts if Path(name).is_file()}
    extra = [f for f in files if Path(f).resolve() not in given]
    if extra:
        texts |= read(extra)
    return check(parse(texts))


def known(names: Iterable[str], choices: Iterable[str], what: str) -> list[str]:
    """The names, if all of them are choices."""
    found, every = list(names), list(choices)
    for name in found:
        if name not in every:
            close = get_close_matches(name, every, n=2)
            hint = (
                f"did you mean {' or '.join(close)}?"
                if close
                else f"known: {', '.join(sorted(every)[:12])}, …"
            )
            raise UsageError(f"there is no {what} {name!r}; {hint}")
    return found


def settings(start: Path | None = None) -> Settings:
    """The settings of the nearest pyproject.toml that has any."""
    folder = (start or Path.cwd()).resolve()
    for candidate in (folder, *folder.parents):
        file = candidate / "pyproject.toml"
        if file.is_file():
            try:
                tools = tomllib.loads(file.read_text(encoding="utf-8")).get("tool")
            except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
                raise UsageError(f"{file}: cannot be read as TOML: {error}") from None
            if isinstance(tools, dict) and "vmaspace" in tools:
                return _settings(file, tools["vmaspace"])
    return Settings()


def _settings(file: Path, table: object) -> Settings:
    if not isinstance(table, dict):
        raise UsageError(f"{file}: [tool.vmaspace] should be a table")
    unknown = set(table) - {"conformance"}
    if unknown:
        raise UsageError(f"{file}: [tool.vmaspace] has no setting {min(unknown)!r}; known: conformance")
    listed = table.get("conformance", [])
    if not isinstance(listed, list) or not all(isinstance(f, str) for f in listed):
        raise UsageError(
            f'{file}: [tool.vmaspace] conformance should be a list of files, such as ["cases.jsonl"]'
        )
    paths = tuple(file.parent / f for f in listed)
    for p in paths:
        if not p.is_file():
            raise UsageError(f"{file}: [tool.vmaspace] conformance names {p.name!r}, which is not there")
    return Settings(paths)
