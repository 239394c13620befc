"""The prove engine.

Question it answers: does every operation keep every property, for any number of elements and the full 64-bit range?
May import: `checker.logic`, `checker.language`, `checker.report`.
May not import: cli, model.
Start reading at: `run` (the whole engine), then `induction` (one proof) and `bounded` (one search).
To add a way to refute: `worker.Worker.refute`.
Tests: `tests/engines/prove/`.
"""
