"""The fuzz engine: an implementation is driven at random and judged against the contract after each step.

Question it answers: does this implementation do what the contract says, wherever we have looked?
May import: `checker.logic`, `checker.report`, implementations through `checker.adapters`, and Hypothesis.
May not import: cli, model.
Start reading at: `judge` (one step against the contract), then `machine` (the rules), then `run` (budgets, verdicts).
To use it on a model of your own: `TestMine = state_machine(system_class=MySystem).TestCase` in a pytest file.
Tests: `tests/engines/fuzz/`; its planted faults are `checker.adapters.mutants`.
"""

from vmaspace.checker.engines.fuzz.machine import state_machine
from vmaspace.checker.engines.fuzz.run import FuzzResult, fuzz

__all__ = ["FuzzResult", "fuzz", "state_machine"]
