"""From a trace back to concrete states and calls; whatever in it makes no sense is one `TraceError` with its place.

`report.trace` has already seen to the form of the document.  Here the contract has its say: which operations,
arguments and variables there are, and which values they take.

Not here: running what was read; that is `replay`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from vmaspace.checker.engines.traces import FAILS_AT
from vmaspace.checker.logic.code import evaluator
from vmaspace.checker.logic.contract import Contract, Operation
from vmaspace.checker.logic.execute import CompiledOutcome, Env
from vmaspace.checker.logic.state import Codec, State, empty_state
from vmaspace.checker.report.cursor import TraceError, nearest
from vmaspace.checker.report.trace import Step, Trace


class Reader:
    """Reads one trace in the terms of one contract."""

    def __init__(self, contract: Contract, trace: Trace, file: str) -> None:
        self.contract = contract
        self.trace = trace
        self.file = file
        self.codec = Codec(contract)

    def fail(self, where: str, message: str, hint: str = "") -> NoReturn:
        raise TraceError(self.file, where, message, hint)

    # --- states ----------------------------------------------------------------------------------------------------

    def givens(self) -> State:
        """The world, checked against what the contract assumes of it."""
        state = self.state("/given", self.trace.given, empty_state(self.contract))
        for name in self.contract.givens:
            f = self.contract.givens[name]
            if not f.params:  # a fact that is not listed holds its default
                state.tables[name] = {(): state.tables[name].get((), 0)}
        for assumption in self.contract.assumptions:
            if not evaluator(assumption)(state, state, {}):
                self.fail("/given", "no world is like this", f"the contract assumes {assumption!r}")
        return state

    def initial(self, givens: State) -> State:
        return self.state("/initial", self.trace.initial, givens)

    def recorded(self, index: int, givens: State) -> State:
        """The state after a step, as the trace has it."""
        return self.state(f"/steps/{index}/state", self.trace.steps[index].state, givens)

    def state(self, where: str, shown: Mapping[str, Any], into: State) -> State:
        try:
            return self.codec.read_state(shown, into)
        except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
            self.fail(where, f"cannot be read: {error}", "was the trace made with this contract?")

    # --- calls -----------------------------------------------------------------------------------------------------

    def operation(self, index: int) -> Operation:
        name = self.trace.steps[index].op
        found = self.contract.operations.get(name)
        if found is None:
            self.fail(
                f"/steps/{index}/op",
                f'unknown operation "{name}"',
                nearest(name, list(self.contract.operations)),
            )
        return found

    def arguments(self, index: int) -> Env:
        """The arguments of a step."""
        step, op = self.trace.steps[index], self.operation(index)
        names = [p.name for p in op.params]
        self.check_names(f"/steps/{index}/args", step.args, names)
        env: Env = {}
        for p in op.params:
            if p.name not in step.args:
                self.fail(
                    f"/steps/{index}/args", f'"{p.name}" is missing', f"{op.name} takes {', '.join(names)}"
                )
            env[p.name] = self.value(f"/steps/{index}/args/{p.name}", step.args[p.name], p.type)
        return env

    def choices(self, index: int, c: CompiledOutcome) -> dict[str, int]:
        """What the trace says of the choices of an outcome."""
        step = self.trace.steps[index]
        known: dict[str, int] = {}
        for choice, *_ in c.choices:
            for room, held in (("picks", step.picks), ("new", step.new)):
                if choice.name in held:
                    where = f"/steps/{index}/{room}/{choice.name}"
                    known[choice.name] = self.value(where, held[choice.name], choice.symbol.type)
        return known

    def fails_at(self, index: int) -> int:
        """Which allocation was made to fail."""
        value = self.trace.steps[index].picks.get(FAILS_AT, 0)
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            self.fail(
                f"/steps/{index}/picks/{FAILS_AT}", "expected the number of an allocation", "the first is 1"
            )
        return value

    def value(self, where: str, shown: Any, type_: Any) -> int:
        try:
            return self.codec.read(shown, type_)
        except (ValueError, TypeError) as error:
            self.fail(where, str(error), "" if type_.kind != "enum" else self.members(type_.name))

    def members(self, enum: str) -> str:
        return "known: " + ", ".join(self.contract.enums[enum])

    def check_names(self, where: str, held: Mapping[str, Any], known: Iterable[str]) -> None:
        names = list(known)
        for name in held:
            if name not in names:
                self.fail(f"{where}/{name}", f'unknown name "{name}"', nearest(name, names))

    def refuse(self, index: int, step: Step) -> NoReturn:
        """A call that no caller may make."""
        self.fail(
            f"/steps/{index}/args",
            f"{step.op} may not be called like this here",
            "an element is not there or of the wrong kind, or an argument is out of range",
        )
