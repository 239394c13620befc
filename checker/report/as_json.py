"""The `--json` form of a report, `vmaspace.report/1`. The published form is `report.schema.json`.

Not here: traces. They are files of their own (`artifacts`), and the report names them.
"""

import json
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from vmaspace.checker.report.verdict import Place, Report, Verdict

SCHEMA = "vmaspace.report/1"
OWN_NAMES = frozenset({"schema", "verdicts", "summary", "exit", "seconds", "out_of_budget"})

TracePaths = Sequence[Path | None]      # beside the verdicts of a report, one for one


def report_to_json(report: Report, paths: TracePaths | None = None) -> dict[str, Any]:
    """The report as a JSON object; `paths` say where `artifacts.save_traces` put the traces."""
    taken = OWN_NAMES & report.blocks.keys()
    if taken:
        raise ValueError(f"a block may not be called {sorted(taken)[0]!r}: the report itself has that name")
    files = paths if paths is not None else [None] * len(report.verdicts)
    return {
        "schema": SCHEMA,
        "verdicts": [verdict_to_json(*pair) for pair in zip(report.verdicts, files, strict=True)],
        "summary": {kind.value: count for kind, count in report.counts.items()},
        "exit": int(report.exit),
        "seconds": None if report.seconds is None else round(report.seconds, 3),
        "out_of_budget": report.out_of_budget,
        **report.blocks,
    }


def verdict_to_json(verdict: Verdict, path: Path | None) -> dict[str, Any]:
    return {
        "id": verdict.id,
        "property": verdict.property,
        "operation": verdict.operation,
        "engine": verdict.engine,
        "verdict": verdict.verdict.value,
        "seconds": round(verdict.seconds, 6),
        "scope": verdict.scope,
        "source": place_to_json(verdict.source),
        "trace": None if path is None else path.as_posix(),
        "reason": verdict.reason,
        "notes": list(verdict.notes),
    }


def place_to_json(place: Place | None) -> dict[str, Any] | None:
    return None if place is None else {"file": place.file, "line": place.line, "column": place.column}


def report_text(report: Report, paths: TracePaths | None = None) -> str:
    return json.dumps(report_to_json(report, paths), indent=1, ensure_ascii=False) + "\n"


def published_schema(name: str) -> dict[str, Any]:
    """The JSON Schema of `trace` or `report`, as installed."""
    text = resources.files("vmaspace.checker.report").joinpath(f"{name}.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema
