"""The cases that are known not to pass, one by one, with the reason.

They stand in `known_gaps.toml` beside the file of cases: a table for each case, named by its id, with a `reason`.
The list is strict: a listed case that passes is a failure, and so is an id that no case has.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from vmaspace.checker.engines.conformance.error import ConformanceError, nearest

FILE_NAME: Final = "known_gaps.toml"


def load_gaps(cases_path: Path, ids: Iterable[str]) -> dict[str, str]:
    """The reason of each listed case. No file means that every case is to pass."""
    path = cases_path.with_name(FILE_NAME)
    if not path.exists():
        return {}
    text, data = _read(path)
    known = list(ids)
    gaps: dict[str, str] = {}
    for case_id, entry in data.items():
        line = _line_of(text, case_id)
        if case_id not in known:
            raise ConformanceError(path, line, f"no case is called {case_id!r}", nearest(case_id, known))
        reason = entry.get("reason") if isinstance(entry, dict) else None
        if not isinstance(reason, str) or not reason.strip():
            raise ConformanceError(
                path, line, f"{case_id} has no reason", f'write [{case_id}] and below it reason = "..."'
            )
        extra = sorted(entry.keys() - {"reason"})
        if extra:
            raise ConformanceError(path, line, f"{case_id} has an unknown key {extra[0]!r}", "known: reason")
        gaps[case_id] = reason
    return gaps


def _read(path: Path) -> tuple[str, dict[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8")
        return text, tomllib.loads(text)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConformanceError(path, 0, f"can not be read: {reason}", "check the path") from None
    except UnicodeDecodeError:
        raise ConformanceError(path, 0, "is not UTF-8", "save the file as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise ConformanceError(path, 0, f"is not TOML: {error}", "each case is a table with a reason") from None


def _line_of(text: str, case_id: str) -> int:
    """The line of the case's table, as a person would look for it; 0 when it is written in another way."""
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip().removeprefix("[").removesuffix("]").strip("\"' ") == case_id:
            return number
    return 0
