"""The explore engine.

Question it answers: does every property hold in every state that can be reached within a scope?
May import: `checker.logic`, `checker.language`, `checker.report`.
May not import: cli, model.
Start reading at: `run` (the whole engine), then `search` (breadth first) and `core` (its inner loops).
To add a reduction: a text of its own for `canonical`, and a test that compares the counts.
Tests: `tests/engines/explore/`.
"""
