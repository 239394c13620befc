"""The shape of a conformance file: JSON Lines, one case each.

Everything that is wrong with a file is found here or when a step is decoded, and is one `ConformanceError` with
a place.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from vmaspace.checker.engines.conformance.error import ConformanceError, nearest

ARCHES: Final = {"any": "x86_64", "x86": "x86_64", "x86_64": "x86_64", "arm64": "arm64", "riscv64": "riscv64"}
_STEP_KEYS: Final = frozenset({"op", "args", "bind", "expect"})


@dataclass(frozen=True, slots=True)
class Step:
    """One operation with what it must answer."""

    op: str
    args: dict[str, Any]
    expect: dict[str, Any]
    bind: str | None = None
    extra_keys: tuple[str, ...] = ()  # keys of the step that have no meaning here


@dataclass(frozen=True, slots=True)
class Case:
    """One series of operations, from nothing."""

    id: str
    area: str
    arch: str  # as the case says; `ARCHES` has the machine it is run on
    steps: tuple[Step, ...]
    line: int
    params: dict[str, Any] = field(default_factory=dict)
    variants: tuple[dict[str, Any], ...] = ()  # each a set of values that the case is run with; none: it is run once


def load_cases(path: Path) -> list[Case]:
    """The cases of the file, in order."""
    cases: list[Case] = []
    lines_of_ids: dict[str, int] = {}
    for number, line in _lines(path):
        case = _Reader(path, number).case(line)
        if case.id in lines_of_ids:
            raise ConformanceError(
                path, number, f"the id {case.id!r} is used twice", f"first on line {lines_of_ids[case.id]}"
            )
        lines_of_ids[case.id] = number
        cases.append(case)
    if not cases:
        raise ConformanceError(path, 0, "there is no case in the file", "each line is one JSON object")
    return cases


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines that are not blank, with their numbers."""
    try:
        data = path.read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConformanceError(path, 0, f"can not be read: {reason}", "check the path") from None
    for number, raw in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        try:
            line = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise ConformanceError(
                path, number, f"byte {error.start + 1} of the line is not UTF-8", "save the file as UTF-8"
            ) from None
        if line.strip():
            yield number, line


class _Reader:
    """Reads one line; knows its place."""

    def __init__(self, path: Path, line: int) -> None:
        self.path = path
        self.line = line

    def error(self, message: str, hint: str = "") -> ConformanceError:
        return ConformanceError(self.path, self.line, message, hint)

    def case(self, text: str) -> Case:
        try:
            data = json.loads(text)
        except json.JSONDecodeError as error:
            raise self.error(
                f"broken JSON at character {error.colno}: {error.msg.lower()}", "each line is one JSON object"
            ) from None
        except (ValueError, RecursionError):
            raise self.error("broken JSON: a number too long, or nesting too deep") from None
        if not isinstance(data, dict):
            raise self.error(f"a case is an object, not {_type_name(data)}", "each line is one JSON object")
        arch = self.text(data, "arch", "the case")
        if arch not in ARCHES:
            raise self.error(f"unknown arch {arch!r}", nearest(arch, list(ARCHES)))
        steps = self.get(data, "steps", list, "the case")
        if not steps:
            raise self.error("the case has no steps: nothing would be compared")
        params = data.get("params", {})
        if not isinstance(params, dict):
            raise self.error(f"params is an object, not {_type_name(params)}")
        return Case(
            self.text(data, "id", "the case"),
            self.text(data, "area", "the case"),
            arch,
            tuple(self.step(step, f"step {index}") for index, step in enumerate(steps)),
            self.line,
            params,
            self.variants(data.get("variants", [])),
        )

    def variants(self, data: Any) -> tuple[dict[str, Any], ...]:
        """Those that give values; one that is only described is the machine itself."""
        if not isinstance(data, list | dict):
            return ()
        return tuple(one for one in (data if isinstance(data, list) else data.values()) if isinstance(one, dict))

    def step(self, data: Any, where: str) -> Step:
        if not isinstance(data, dict):
            raise self.error(f"{where} is an object, not {_type_name(data)}")
        bind = data.get("bind")
        if bind is not None and not isinstance(bind, str):
            raise self.error(f"{where}: bind is a string, not {_type_name(bind)}")
        return Step(
            self.text(data, "op", where),
            self.get(data, "args", dict, where),
            self.get(data, "expect", dict, where),
            bind,
            tuple(sorted(data.keys() - _STEP_KEYS)),
        )

    def text(self, data: dict[str, Any], key: str, where: str) -> str:
        value: str = self.get(data, key, str, where)
        if not value:
            raise self.error(f"{where}: {key} is empty")
        return value

    def get(self, data: dict[str, Any], key: str, kind: type, where: str) -> Any:
        if key not in data:
            raise self.error(f"{where} has no {key!r}", nearest(key, list(data)))
        if not isinstance(data[key], kind):
            raise self.error(f"{where}: {key} is {_type_name(kind())}, not {_type_name(data[key])}")
        return data[key]


def _type_name(value: object) -> str:
    names = {
        str: "a string", bool: "a truth value", int: "a number", float: "a number", list: "a list",
        dict: "an object", type(None): "null",
    }  # fmt: skip
    return names.get(type(value), type(value).__name__)
