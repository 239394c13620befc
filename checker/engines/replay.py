"""Runs a recorded trace again and says whether it still shows what it showed.

A trace of an implementation runs on that implementation, judged step by step.  A trace of the contract runs
on the contract: each answer is computed again from the arguments and choices, each state is compared, and the
property has the last word.

Not here: how a trace is read; that is `reading`.
"""

from __future__ import annotations

import time
from dataclasses import replace as with_changes
from typing import Any

from vmaspace.checker.adapters.model import ModelAdapter
from vmaspace.checker.adapters.subject import SubjectError, system_class_of
from vmaspace.checker.adapters.world import World, world_of
from vmaspace.checker.engines.explore.temporal import lasso_of
from vmaspace.checker.engines.fuzz.drive import Drive
from vmaspace.checker.engines.fuzz.failures import Failure
from vmaspace.checker.engines.fuzz.findings import CONFORMS, Wording
from vmaspace.checker.engines.fuzz.judge import Judge
from vmaspace.checker.engines.reading import Reader
from vmaspace.checker.engines.standard import standard_contract
from vmaspace.checker.engines.traces import digest, place_of
from vmaspace.checker.logic.contract import Contract, Property, TemporalProperty
from vmaspace.checker.logic.execute import CompiledOutcome, Env, Interpreter
from vmaspace.checker.logic.state import State
from vmaspace.checker.logic.temporal import holds_on
from vmaspace.checker.report.cursor import TraceError, nearest
from vmaspace.checker.report.trace import Trace
from vmaspace.checker.report.verdict import Kind, Verdict

ENGINE = "replay"
STILL_BROKEN = frozenset({Kind.VIOLATED, Kind.NOT_INDUCTIVE, Kind.DEVIATION})


def replay(
    trace: Trace,
    contract: Contract | None = None,
    *,
    system_class: type[Any] | None = None,
    file: str = "<trace>",
) -> Verdict:
    """The verdict on a trace today; `TraceError` if it can not be run.

    contract: with the switches of the trace on; the one that is shipped, if none is given.  system_class: run
    the trace on this implementation instead of the one that it names.  file: where the trace was read from,
    for messages.
    """
    began = time.monotonic()
    contract = contract_for(trace, contract, file)
    reader = Reader(contract, trace, file)
    if trace.subject is not None or system_class is not None:
        found = _on_implementation(reader, system_class)
    else:
        found = _on_contract(reader)
    notes = found.notes
    if trace.contract is not None and trace.contract != digest(contract):
        notes = (*notes, "the contract has changed since the trace was made")
    return with_changes(found, seconds=time.monotonic() - began, notes=notes)


def contract_for(trace: Trace, contract: Contract | None, file: str) -> Contract:
    """The contract that a trace is read by: the one that is shipped, if none is given, with the trace's switches on."""
    known = contract if contract is not None else standard_contract()
    for i, name in enumerate(trace.switches):
        if name not in known.switches:
            raise TraceError(
                file, f"/switches/{i}", f'unknown switch "{name}"', nearest(name, list(known.switches))
            )
    if contract is None:
        return standard_contract(trace.switches)
    if contract.enabled != frozenset(trace.switches):
        on = ", ".join(sorted(contract.enabled)) or "none"
        raise TraceError(
            file, "/switches", "the trace has other switches on than the contract", f"on here: {on}"
        )
    return contract


# --- on an implementation ------------------------------------------------------------------------------------------


def _on_implementation(reader: Reader, system_class: type[Any] | None) -> Verdict:
    trace, contract = reader.trace, reader.contract
    if system_class is None:
        assert trace.subject is not None
        try:
            system_class = system_class_of(trace.subject)
        except SubjectError as error:
            reader.fail("/subject", error.message, error.hint)
    drive = Drive(ModelAdapter(contract, system_class), Judge(Interpreter(contract)))
    notes = _drive(reader, drive, world_of(contract, reader.givens(), trace.switches, trace.seed or 0))
    steps = f"{len(drive.steps)} steps on {drive.adapter.subject}"
    if drive.finding is None:
        return _verdict(reader, Kind.PASSED, steps, ("this run shows nothing wrong any more", *notes))
    failure = Failure.of(drive, drive.finding)
    if drive.finding.name != trace.property:
        notes.append(f"the trace was made for {trace.property}")
    return Verdict(
        id=drive.finding.id,
        property=drive.finding.name,
        operation=drive.finding.operation,
        engine=ENGINE,
        verdict=failure.kind,
        scope=steps,
        source=drive.finding.place,
        trace=failure.trace(),
        reason=drive.finding.reason,
        notes=tuple(notes),
    )


def _drive(reader: Reader, drive: Drive, world: World) -> list[str]:
    """Make the calls of the trace until something is wrong; what else was not as recorded."""
    notes: list[str] = []
    if drive.begin(world) is not None:
        return notes
    for index, step in enumerate(reader.trace.steps):
        env = reader.arguments(index)
        if drive.is_over:
            notes.append(f"the kernel stopped after step {index}: the rest was not run")
            break
        if not drive.judge.interpreter.enabled(step.op, drive.state, env):
            reader.refuse(index, step)
        taken = drive.step(step.op, env, reader.fails_at(index))
        if taken.status != step.status:
            notes.append(f"step {index + 1} answers {taken.status}; the trace says {step.status}")
        if drive.finding is not None:
            break
    return notes


# --- on the contract -----------------------------------------------------------------------------------------------


def _on_contract(reader: Reader) -> Verdict:
    trace, contract = reader.trace, reader.contract
    p = contract.properties.get(trace.property)
    of_runs = contract.temporals.get(trace.property)
    if p is None and of_runs is None:
        known = [*contract.properties, *contract.temporals]
        reader.fail("/property", f'unknown property "{trace.property}"', nearest(trace.property, known))
    if (trace.loop is None) is not (of_runs is None):
        what = "a run without end: it needs a loop" if of_runs is not None else "finitely many steps: it has no loop"
        reader.fail("/loop", f"{trace.property} is about {what}", "was the trace made with this contract?")
    interpreter = Interpreter(contract)
    givens = reader.givens()
    before = state = reader.initial(givens)
    states = [state]
    env: Env = {}
    outcome: CompiledOutcome | None = None
    for index in range(len(trace.steps)):
        recorded = reader.recorded(index, givens)
        found = _step(reader, interpreter, index, state, recorded)
        if isinstance(found, str):
            return _verdict(reader, Kind.FAILED, f"{index + 1} steps on the contract", (), found)
        before, state = state, recorded
        states.append(state)
        env, outcome = found
    if of_runs is not None:
        return _on_run(reader, of_runs, states)
    assert p is not None
    kind = _kind(reader, interpreter, p, before, state, env, outcome)
    scope = f"{len(trace.steps)} steps on the contract"
    if kind is Kind.PASSED:
        return _verdict(reader, kind, scope, (f"{p.name} holds at the end of this run",))
    reason = trace.reason or f"{p.name} does not hold at the end of this run"
    return _verdict(reader, kind, scope, (), "" if kind is Kind.REACHED else reason)


def _step(
    reader: Reader, interpreter: Interpreter, index: int, state: State, recorded: State
) -> tuple[Env, CompiledOutcome] | str:
    """The outcome of a step with its choices; or in what the contract says otherwise than the trace."""
    step = reader.trace.steps[index]
    env = reader.arguments(index)
    if not interpreter.enabled(step.op, state, env):
        reader.refuse(index, step)
    allowed = interpreter.allowed(step.op, state, env)
    matching = [c for c in allowed if c.outcome.status == step.status]
    if not matching:
        answers = " or ".join(dict.fromkeys(c.outcome.status for c in allowed))
        return f"step {index + 1}: the trace says that {step.op} answers {step.status}, and the contract says {answers}"
    best: State | None = None
    for c in reversed(matching):
        if c.outcome.kind == "asserts":
            return env, c
        for chosen, after in interpreter.successors(c, state, env, reader.choices(index, c)):
            if after.same_as(recorded):
                return chosen, c
            best = after if best is None else best
    if best is None:
        return f"step {index + 1}: the contract does not allow what the trace says {step.op} chose"
    lines = [f"step {index + 1}: the state after {step.op} is not what the trace says"]
    return "\n".join([*lines, *Wording(reader.contract).differences(best, recorded)])


def _kind(
    reader: Reader,
    interpreter: Interpreter,
    p: Property,
    before: State,
    after: State,
    env: Env,
    outcome: CompiledOutcome | None,
) -> Kind:
    """What the end of the run says of the property."""
    if p.kind == "after" and (outcome is None or reader.trace.steps[-1].op != p.operation):
        reader.fail("/steps", f"{p.name} is about {p.operation}, and the trace does not end with it")
    holds = interpreter.holds(p, before, after, env, outcome.outcome if outcome is not None else None)
    if p.kind == "reach":
        return Kind.REACHED if holds else Kind.UNREACHED
    if holds:
        return Kind.PASSED
    recorded = Kind(reader.trace.verdict)
    return recorded if recorded in STILL_BROKEN else Kind.VIOLATED


def _on_run(reader: Reader, p: TemporalProperty, states: list[State]) -> Verdict:
    """The loop leads back to its start, and the run that goes round it for ever breaks the property."""
    trace, loop = reader.trace, reader.trace.loop
    assert loop is not None
    scope = f"{len(trace.steps)} steps on the contract, {len(trace.steps) - loop} of them again and again"
    if loop < len(trace.steps) and not states.pop().same_as(states[loop]):
        reason = f"the state after the last step is not the one before step {loop + 1}, so the run does not go round"
        return _verdict(reader, Kind.FAILED, scope, (), reason)
    if holds_on(p.formula, lasso_of(states, loop)):
        return _verdict(reader, Kind.PASSED, scope, (f"{p.name} holds of this run",))
    notes = (f"that the run is fair to {', '.join(p.fair)} is not looked at again",) if p.fair else ()
    return _verdict(reader, Kind.VIOLATED, scope, notes, trace.reason or f"{p.name} does not hold of this run")


def _verdict(reader: Reader, kind: Kind, scope: str, notes: tuple[str, ...], reason: str = "") -> Verdict:
    """A verdict that carries the trace as it was recorded, if that is what is red."""
    trace = reader.trace
    p = reader.contract.properties.get(trace.property) or reader.contract.temporals.get(trace.property)
    shown = None if kind is Kind.PASSED else with_changes(trace, verdict=kind.value, reason=reason)
    return Verdict(
        id=f"{trace.operation}/{trace.property}" if trace.operation else trace.property,
        property=trace.property,
        operation=trace.operation,
        engine=ENGINE,
        verdict=kind,
        scope=scope,
        source=place_of(p.span) if p is not None and trace.property != CONFORMS else trace.source,
        trace=shown,
        reason=reason,
        notes=notes,
    )
