"""The executable reference model of Zircon's `VmAspace`, in plain typed Python.

Question it answers: what does the kernel do, step by step, for this operation in this state?
May import: the standard library. May not import: any other room, and no tool (z3, hypothesis, lark, pytest).
Start reading at: `system.py` (what there is), then `aspace.py`, `vmar.py`, `mapping.py`.
To add an operation: a method where the kernel has it, checks in the kernel's order, each naming its status.
Tests: `tests/model/`, and the known answers of `tests/conformance/`.
"""

from vmaspace.model.status import AssertionViolation, Status
from vmaspace.model.system import System

__all__ = ["AssertionViolation", "Status", "System"]
