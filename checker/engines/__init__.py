"""The engines.

Question they answer: is the contract sound, and does an implementation keep it?
May import: `checker.logic`, `checker.language`, `checker.report`, and implementations through `checker.adapters`.
May not import: cli, model.
Start reading at: `prove.run`, `fuzz`, `replay`, `conformance`.
To add one: a module or folder here whose entry returns `report.verdict.Verdict`s.
Tests: `tests/engines/`.
"""
