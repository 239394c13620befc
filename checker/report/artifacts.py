"""What a run leaves on disk: one file for each trace, and the JSON and JUnit forms of the report.

Not here: when to write them. The entrances decide that.
"""

import os
import re
from pathlib import Path

from vmaspace.checker.report.as_json import TracePaths, report_text
from vmaspace.checker.report.verdict import Report, Verdict


def trace_file_name(verdict: Verdict) -> str:
    """`map/siblings_are_disjoint` found by prove is `map__siblings_are_disjoint.prove.json`."""
    stem = re.sub(r"[^A-Za-z0-9_.-]+", "_", verdict.id.replace("/", "__")).strip(".") or "trace"
    return f"{stem}.{re.sub(r'[^A-Za-z0-9_-]+', '_', verdict.engine)}.json"


def save_traces(report: Report, folder: str | os.PathLike[str]) -> list[Path | None]:
    """Write every trace of the report; the answer goes beside `report.verdicts`, one for one."""
    used: set[str] = set()
    paths: list[Path | None] = []
    for verdict in report.verdicts:
        if verdict.trace is None:
            paths.append(None)
            continue
        name = trace_file_name(verdict)
        number = 2
        while name in used:
            name = trace_file_name(verdict).removesuffix(".json") + f".{number}.json"
            number += 1
        used.add(name)
        paths.append(verdict.trace.save(Path(folder) / name))
    return paths


def write_json(report: Report, path: str | os.PathLike[str], paths: TracePaths | None = None) -> None:
    write_text(Path(path), report_text(report, paths))


def write_junit(report: Report, path: str | os.PathLike[str], paths: TracePaths | None = None) -> None:
    from vmaspace.checker.report.junit import junit_text  # XML takes a while to import, and few ask for it

    write_text(Path(path), junit_text(report, paths))


def write_text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
