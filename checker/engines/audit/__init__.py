"""The audit: can the checks turn red?

Question it answers: is every planted fault noticed, by which engine, and how soon?
May import: the other engines, mutants through `checker.adapters`, the report.
May not import: cli, model.
Start reading at: `mutation`; `looking` has the engines that look at a mutant, in their order.
Tests: `tests/engines/audit/`.
"""

from vmaspace.checker.engines.audit.looking import ENGINES, Look
from vmaspace.checker.engines.audit.mutation import Audit, Row

__all__ = ["ENGINES", "Audit", "Look", "Row"]
