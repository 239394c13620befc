"""Page tables, edited at random: what `ArchVmAspace` itself does, large pages, unified roots and TLBs included.

Question it answers: do page tables say what their callers asked for, whatever was asked before?
May import: the machine that is edited, through `checker.adapters`; the report.
May not import: cli, model.
Start reading at: `run`; `account` says what should come of an edit.
Tests: `tests/engines/tables/`.
"""

from vmaspace.checker.engines.tables.run import ARCHES, TablesResult, run_tables

__all__ = ["ARCHES", "TablesResult", "run_tables"]
