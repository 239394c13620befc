"""Writes conformance files."""

import json
from pathlib import Path

import pytest


@pytest.fixture
def write(tmp_path: Path):
    """`write(step, ...)`: a file with one case of these steps, `(op, args, expect, bind)`."""

    def write(*steps: tuple, **fields: object) -> Path:
        path = tmp_path / "cases.jsonl"
        listed = [
            {"op": step[0], "args": step[1], "expect": step[2], **({"bind": step[3]} if step[3:] else {})}
            for step in steps
        ]
        case = {"id": "T-1", "area": "map", "arch": "any", "steps": listed, **fields}
        path.write_text(json.dumps(case) + "\n", encoding="utf-8")
        return path

    return write


@pytest.fixture
def write_text(tmp_path: Path):
    """`write_text(text)`: a file with exactly this, a string or bytes."""

    def write_text(text: str | bytes) -> Path:
        path = tmp_path / "cases.jsonl"
        path.write_bytes(text.encode("utf-8") if isinstance(text, str) else text)
        return path

    return write_text
