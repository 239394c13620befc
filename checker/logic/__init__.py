"""The logic core.

Question it answers: what does the contract say, as terms, and what do terms mean?
May import: `checker.language`.
May not import: engines, adapters, report, cli, model.
Start reading at: `terms` (the term graph), then `contract` (operations and properties as terms), `rewriting` (walks over terms).
To add a built-in word: `language.types.BUILTINS`, then `operators.builtin`; every interpretation gets it from there.
Tests: `tests/logic/`; the interpretations are compared with each other in `tests/logic/test_agreement.py`.
"""
