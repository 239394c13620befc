"""The state machine that Hypothesis drives: a rule for each operation of the contract, or for a few quiet ones.

Each rule draws one number, which the session unfolds into calls of its operation (see `dice`): a draw for
every argument would cost more than the call and its judgement.  So Hypothesis decides which operations are
run, how often and in which mix; making a failing run small is the business of `minimise`.

`state_machine` is the entrance for pytest:

    from vmaspace.checker.engines.fuzz import state_machine
    TestMine = state_machine(system_class=MySystem).TestCase
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from vmaspace.checker.adapters.model import ModelAdapter
from vmaspace.checker.engines.fuzz.dice import FACES
from vmaspace.checker.engines.fuzz.failures import Disagreement, Failure
from vmaspace.checker.engines.fuzz.findings import Finding
from vmaspace.checker.engines.fuzz.session import Session
from vmaspace.checker.engines.standard import standard_contract
from vmaspace.checker.logic.contract import Contract

# Hypothesis would shrink a run by leaving steps out, over and over; `minimise` makes it small once, when it is told.
TEST_SETTINGS = settings(
    deadline=None,
    stateful_step_count=40,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow],
)
# Hypothesis also draws numbers that it finds in the source of the modules that happen to be imported.  Out here there are
# none, so that a seed means the same wherever it is used.
LOWEST = 3**50
QUIET_SHARE = 3  # operations without an effect to a rule
NUMBERS = st.integers(LOWEST, LOWEST + FACES - 1)


class Watcher(Protocol):
    """What follows a campaign while it runs; either member may raise to end it."""

    def before_step(self, session: Session) -> None: ...

    def found(self, session: Session, finding: Finding) -> None:
        """Something is wrong.  If this returns, the next step begins a new run."""


def machine_class(session: Session, watcher: Watcher, name: str = "Fuzz") -> type[RuleBasedStateMachine]:
    """A state machine with a rule for each operation of the session's contract."""

    def begin(self: Any, number: int) -> None:
        start(session, watcher, number - LOWEST)

    members: dict[str, Any] = {"begin_run": initialize(number=NUMBERS)(begin)}
    for operations in _shares(session.contract):
        members["_or_".join(operations)] = _rule(session, watcher, operations)
    return type(name, (RuleBasedStateMachine,), members)


def _shares(contract: Contract) -> list[tuple[str, ...]]:
    """The operations that one rule each stands for: what changes nothing that the contract sees shares its turn."""
    loud = [(op.name,) for op in contract.operations.values() if op.success.has_effect]
    quiet = [op.name for op in contract.operations.values() if not op.success.has_effect]
    return loud + [tuple(quiet[i : i + QUIET_SHARE]) for i in range(0, len(quiet), QUIET_SHARE)]


def _rule(session: Session, watcher: Watcher, operations: tuple[str, ...]) -> Any:
    def step(self: Any, number: int) -> None:
        number, which = divmod(number - LOWEST, len(operations))
        operation = operations[which]
        watcher.before_step(session)
        if session.drive.is_over:
            start(session, watcher, number)
            return
        finding = session.take(operation, number)
        if finding is not None:
            watcher.found(session, finding)

    step.__name__ = "_or_".join(operations)
    return rule(number=NUMBERS)(step)


def start(session: Session, watcher: Watcher, number: int) -> None:
    finding = session.begin(number)
    if finding is not None:
        watcher.found(session, finding)


def state_machine(
    *,
    system_class: type[Any] | None = None,
    contract: Contract | None = None,
    switches: Sequence[str] = (),
    arches: Sequence[str] = (),
) -> type[RuleBasedStateMachine]:
    """A state machine for a class derived from `vmaspace.model.System`, to be used as `.TestCase` in pytest.

    switches: judge what is documented instead of what is implemented, where the two are known to differ.
    """
    contract = standard_contract(switches) if contract is None else contract
    adapter = ModelAdapter(contract) if system_class is None else ModelAdapter(contract, system_class)
    name = "Fuzz" + adapter.subject.rpartition(":")[2].rpartition(".")[2]
    machine = machine_class(Session(contract, adapter, arches), FailingTest(), name)
    machine.TestCase.settings = TEST_SETTINGS
    return machine


class FailingTest:
    """Lets a test fail over the first finding, with its shortest run told in the message."""

    def before_step(self, session: Session) -> None:
        """A test has Hypothesis's own budget."""

    def found(self, session: Session, finding: Finding) -> None:
        raise Disagreement(Failure.of(session.drive, finding))
