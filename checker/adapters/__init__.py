"""The adapters.

Question they answer: how is an implementation driven, and what does the contract see of it?
May import: `model`, `checker.logic`, `checker.language`.
May not import: report, engines, cli.
Start reading at: `interface` (what an engine asks for), then `model` (our own reference model, and yours).
To add one: a class with the three members of `interface.Adapter`, tested by comparing a run with the contract's.
Tests: `tests/adapters/`.
"""
