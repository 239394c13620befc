"""The logic of a finite scope, packed: terms as machine code.

Question it answers: how does a processor evaluate this contract, in a scope whose elements can be counted?
May import: `checker.language`, the other modules of `checker.logic`, and llvmlite (`native` and `machine` only).
May not import: engines, adapters, report, cli, model.
Start reading at: `program` (the whole text of a scope), then `expressions` and `layout`.
To add an operation on terms: `expressions.expr` and `expressions.interval`.
Tests: `tests/logic/packed/`, `tests/engines/explore/`.
"""
