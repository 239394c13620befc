"""The entry proofs.

Question they answer: are page-table entries written and read as the manuals and Zircon's rules say, whatever their bits are?
May import: `checker.adapters`, `checker.report`.
May not import: cli, model.
Start reading at: `run`, then `query` (what is asked), `account` (what manuals say), and the claims: `leaves`, `paths`, `changes`.
To add a claim: a function that yields queries, and a line in the tuple at the end of its module.
Tests: `tests/engines/entries/`.
"""

from vmaspace.checker.engines.entries.run import CLAIMS, prove_entries

__all__ = ["CLAIMS", "prove_entries"]
