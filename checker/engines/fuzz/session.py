"""What all runs of one campaign share: the implementation, the judge, the source of calls, and what was seen so far.

A session turns numbers into worlds and calls.  Whoever draws the numbers decides what is run; Hypothesis does
in `machine`.

Not here: rules, budgets and verdicts.
"""

from __future__ import annotations

from collections.abc import Sequence

from vmaspace.checker.adapters.interface import Adapter
from vmaspace.checker.engines.fuzz.arguments import ANYTHING, Arguments, Focus, refuses
from vmaspace.checker.engines.fuzz.coverage import Coverage
from vmaspace.checker.engines.fuzz.dice import FACES, Dice
from vmaspace.checker.engines.fuzz.drive import Drive
from vmaspace.checker.engines.fuzz.findings import Finding
from vmaspace.checker.engines.fuzz.judge import Judge
from vmaspace.checker.engines.fuzz.worlds import draw_world
from vmaspace.checker.logic.contract import Contract, Operation
from vmaspace.checker.logic.execute import Interpreter

FAILURE_PERCENT = 22  # how often an allocation of a call is made to fail that would come to something
LATE_FAILURE_PERCENT = 3  # the same of a call that is refused: it may allocate before it is
VISIT_PERCENT = 60  # how often what was put there is accessed at once
STIR_PERCENT = 40  # how often something happens to what is shown then
USED_STIR_PERCENT = 90  # the same where pages were used that come and go
UNITING_PERCENT = 25  # of runs, how many begin with something that is made of several
PARAMETERS_A_CALL = 2.2  # an operation is called once for so many parameters
IDLE_PERCENT = 15  # how often one is called that can not meet anything
MADE_FIRST = (0, 1, 2, 3, 3, 4)  # calls at the start of a run of what needs nothing to be there
STIR_TRIES = 3  # operations that are tried until one fits
USED_STIR_TRIES = 6  # the same where pages were used that come and go, but all of them are called that fit
PARTS_FIRST = 6  # calls at the start of a run that makes one of several
UNITED_FIRST = 2  # calls that do
SET_FIRST = (0, 1)  # calls that say how something of the world behaves
FILLED_FIRST = (0, 2, 3, 4, 6, 8, 16)  # calls after these that put something into what is there
JOINING_CALLS = 6  # in a row, of what makes one of several
ALLOCATIONS = (1, 1, 1, 2, 2, 3, 4, 5)  # which one


def joins_elements(o: Operation) -> bool:
    """Whether an operation makes one of several elements, each of which a call of its own has to prepare."""
    return all(p.type.kind == "sort" for p in o.params) and any(
        {"some", "new"} <= {c.kind for c in x.choices} for x in o.outcomes
    )


class Session:
    """One implementation under test."""

    def __init__(self, contract: Contract, adapter: Adapter, arches: Sequence[str] = ()) -> None:
        self.contract = contract
        self.arches = tuple(arches) or contract.enums["Arch"]
        interpreter = Interpreter(contract)
        self.arguments = Arguments(interpreter)
        self.drive = Drive(adapter, Judge(interpreter))
        self.coverage = Coverage(contract)
        self.bursts = {
            o.name: max(1, round(len(o.params) / PARAMETERS_A_CALL)) for o in contract.operations.values()
        }
        for o in contract.operations.values():
            if joins_elements(o):
                self.bursts[o.name] = JOINING_CALLS
        self.makers = [
            name for name, plan in self.arguments.plans.items() if plan.makes_new and not plan.elements
        ]
        self.fillers = [name for name, plan in self.arguments.plans.items() if plan.makes_new and plan.flags]
        plans = self.arguments.plans
        self.settings = [name for name, plan in plans.items() if plan.is_setting]
        self.visitors = [name for name, plan in plans.items() if plan.is_at and len(plan.others) > 1]
        self.stirrers = [
            name
            for name, plan in plans.items()
            if any(e.refuses and contract.sorts[e.param.type.name] for e in plan.elements) and not plan.makes_new
        ]
        self.uniters = [name for name, plan in plans.items() if plan.makes_new and len(plan.elements) > 1 and not plan.others]
        self.turn = 0

    def begin(self, number: int) -> Finding | None:
        """Start a run in the world that a number stands for, with a few things made to work on."""
        self.coverage.runs += 1
        dice = Dice(number)
        finding = self.drive.begin(draw_world(dice, self.arches, self.contract.enabled))
        if dice.chance(UNITING_PERCENT):
            first = [self.makers] * PARTS_FIRST + [self.uniters] * UNITED_FIRST
        else:
            first = [self.makers] * dice.pick(MADE_FIRST)
        first += [self.settings] * dice.pick(SET_FIRST) + [self.fillers] * dice.pick(FILLED_FIRST)
        for self.turn, operations in enumerate(first):
            if operations and finding is None and not self.drive.is_over:
                finding = self.step(dice.pick(operations), dice.below(FACES)) or self.visit_filled(number)
        self.turn = number
        return finding

    def take(self, operation: str, number: int) -> Finding | None:
        """Make the call that a number stands for, if there is one in this state; what is wrong with it.

        An operation with many parameters is called several times in a row: there is more to get wrong, and regions need
        neighbours to get wrong about.  Where the kernel stopped, as the contract says it must, the machine is booted again.
        """
        for _ in range(self.bursts[operation]):
            self.turn += 1
            finding = self.step(operation, number) or self.visit_filled(number)
            if finding is not None:
                return finding
            if self.drive.is_over:
                return self.begin(number)
        if operation in self.fillers and self.visitors:
            return self.visit(number)
        return self.stir(operation, number) if operation in self.visitors else None

    def filled(self) -> Focus:
        """Where the last call has put an object whose pages come and go, if it has."""
        last = self.drive.steps[-1] if self.drive.steps else None
        if last is None or last.operation not in self.fillers or last.status != "OK":
            return ANYTHING
        return self.arguments.places.filled(last.env, last.state)

    def visit_filled(self, number: int) -> Finding | None:
        """Access what the last call has put there, if its pages come and go."""
        return self.visit(number) if not self.drive.is_over and self.filled() else None

    def visit(self, number: int) -> Finding | None:
        """Access something in what was put there, perhaps, and let something happen to the pages that are shown."""
        self.turn += 1
        dice = Dice(number * FACES + self.turn)
        filled = self.filled()
        visitor = dice.pick(self.visitors) if self.visitors and (filled or dice.chance(VISIT_PERCENT)) else None
        finding = None if visitor is None else self.step(visitor, number, filled)
        return self.stir(visitor, number) if finding is None and not self.drive.is_over else finding

    def stir(self, visitor: str | None, number: int) -> Finding | None:
        """Let something happen that the objects shown are made for, perhaps: locks, pagers, reclamation.

        It happens to the object whose pages `visitor` has just used, if they come and go, and more than once then.
        """
        dice = Dice(number * FACES + self.turn + 1)
        last, steps, finding = self.drive.steps[-1:], self.coverage.steps, None
        used = {}
        if visitor is not None and last and last[0].operation == visitor and last[0].status == "OK":
            used = self.arguments.places.used(last[0].env, last[0].state)
        if not self.stirrers or not dice.chance(USED_STIR_PERCENT if used else STIR_PERCENT):
            return None
        for _ in range(USED_STIR_TRIES if used else STIR_TRIES):
            if finding is None and not self.drive.is_over and (used or self.coverage.steps == steps):
                self.turn += 1
                finding = self.step(dice.pick(self.stirrers), number, used)
        return finding

    def step(self, operation: str, number: int, about: Focus = ANYTHING) -> Finding | None:
        """Make a call of an operation, if there is one in this state that is about the elements that it is to be about."""
        drive = self.drive
        # Hypothesis likes to draw a number again, which should not stand for the same call over and over.
        dice = Dice(number * FACES + self.turn)
        if self.is_idle(operation) and not dice.chance(IDLE_PERCENT):
            return None
        call = self.arguments.call(operation, drive.state, dice, about)
        if call is None:
            return None
        fails_at = 0
        percent = LATE_FAILURE_PERCENT if refuses(call.allowed[-1].outcome) else FAILURE_PERCENT
        if call.may_run_out and dice.chance(percent):
            fails_at = dice.pick(ALLOCATIONS)
        taken = drive.step(operation, call.env, fails_at, call.allowed)
        self.coverage.count(operation, taken.outcome.outcome if taken.outcome is not None else None)
        return drive.finding

    def is_idle(self, operation: str) -> bool:
        """Whether an operation is about what lies in a range, and nothing lies anywhere."""
        arguments = self.arguments
        return arguments.plans[operation].is_about_old and not arguments.places.is_inhabited(self.drive.state)
