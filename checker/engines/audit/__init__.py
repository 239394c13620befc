"""The audit: can the checks turn red?

Question it answers: is every planted fault noticed, by whom, and how soon?
May import: `checker.engines.fuzz` and `checker.engines.conformance`, mutants through `checker.adapters`, the report.
May not import: cli, model.
Start reading at: `mutation`.
Tests: `tests/engines/audit/`.
"""

from vmaspace.checker.engines.audit.mutation import Audit, Row

__all__ = ["Audit", "Row"]
