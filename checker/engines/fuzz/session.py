"""What all runs of one campaign share: the implementation, the judge, the source of calls, and what was seen so far.

A session turns numbers into worlds and calls.  Whoever draws the numbers decides what is run; Hypothesis does in `machine`.

Not here: rules, budgets and verdicts.
"""

from __future__ import annotations

from collections.abc import Sequence

from vmaspace.checker.adapters.interface import ASSERTION, Adapter
from vmaspace.checker.engines.fuzz.arguments import Arguments
from vmaspace.checker.engines.fuzz.coverage import Coverage
from vmaspace.checker.engines.fuzz.dice import FACES, Dice
from vmaspace.checker.engines.fuzz.drive import Drive
from vmaspace.checker.engines.fuzz.findings import Finding
from vmaspace.checker.engines.fuzz.judge import Judge
from vmaspace.checker.engines.fuzz.worlds import draw_world
from vmaspace.checker.logic.contract import Contract
from vmaspace.checker.logic.execute import Interpreter

FAILURE_PERCENT = 15  # how often an allocation of a call is made to fail
ALLOCATIONS = (1, 1, 1, 2, 2, 3, 4, 5)  # which one
RATION = 3  # operations that make nothing and have no range are due every so many steps: most of them destroy


class Session:
    """One implementation under test."""

    def __init__(self, contract: Contract, adapter: Adapter, arches: Sequence[str] = ()) -> None:
        self.contract = contract
        self.arches = tuple(arches) or contract.enums["Arch"]
        interpreter = Interpreter(contract)
        self.arguments = Arguments(interpreter)
        self.drive = Drive(adapter, Judge(interpreter))
        self.coverage = Coverage(contract)
        self.rationed = {
            name: k
            for k, (name, plan) in enumerate(self.arguments.plans.items())
            if not plan.has_range and not plan.makes_new
        }
        self.turn = 0

    def begin(self, number: int) -> Finding | None:
        """Start a run in the world that a number stands for."""
        self.turn = number
        self.coverage.runs += 1
        return self.drive.begin(draw_world(Dice(number), self.arches, self.contract.enabled))

    def is_due(self, operation: str) -> bool:
        """Whether an operation may be called now; the same until the next turn."""
        k = self.rationed.get(operation)
        return k is None or (self.turn + k) % RATION == 0

    def take(self, operation: str, number: int) -> Finding | None:
        """Make the call that a number stands for, if there is one in this state; what is wrong with it.

        Where the kernel stopped, as the contract says it must, the machine is booted again.
        """
        self.turn += 1
        drive = self.drive
        # Hypothesis likes to draw a number again, which should not stand for the same call over and over.
        dice = Dice(number * FACES + self.turn)
        call = self.arguments.call(operation, drive.state, dice)
        if call is None:
            return None
        fails_at = 0
        if call.may_run_out and dice.chance(FAILURE_PERCENT):
            fails_at = dice.pick(ALLOCATIONS)
        taken = drive.step(operation, call.env, fails_at, call.allowed)
        self.coverage.count(operation, taken.outcome.outcome if taken.outcome is not None else None)
        if drive.finding is None and taken.status == ASSERTION:
            return self.begin(number)
        return drive.finding
