"""Conformance: replays sequences of operations with known answers, and compares each answer.

Question it answers: does an implementation answer what Zircon's own tests assert?
May import: the model, through the operations of this folder; the report. May not import: other engines.
Start reading at: `runner.py`; a file's shape is in `cases.py`, what an operation is in `vocabulary.py`.
To add an operation: a function under `@operation(...)` in the module of its subject.
Tests: `tests/conformance/`.
"""

from vmaspace.checker.engines.conformance.error import ConformanceError
from vmaspace.checker.engines.conformance.results import CaseResult, Outcome, Report
from vmaspace.checker.engines.conformance.runner import run_file

__all__ = ["CaseResult", "ConformanceError", "Outcome", "Report", "run_file"]
