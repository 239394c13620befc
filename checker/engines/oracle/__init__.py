"""The hardware oracle.

Question it answers: does an MMU that somebody else wrote make of page tables what ours makes of them, and what was asked for?
May import: `checker.adapters`, `checker.report`; the package `unicorn`, if it is there.
May not import: cli, model.
Start reading at: `run`, then `bench` (one comparison), `machine` (what is asked of an emulated CPU) and `deviations`.
To add a comparison: a function that takes a `Bench`, and a line in `run.COMPARISONS`.
Tests: `tests/engines/oracle/`.
"""

from vmaspace.checker.engines.oracle.library import OracleMissing, unicorn
from vmaspace.checker.engines.oracle.run import ARCHES, Amount, run_oracle
from vmaspace.checker.engines.oracle.watch import Watch

__all__ = ["ARCHES", "Amount", "OracleMissing", "Watch", "run_oracle", "unicorn"]
