"""The run of a trace on the model, as far as somebody wants to look.

Unlike `replay`, nothing is judged: a run that breaks a property is run to the step that was asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vmaspace.checker.adapters.interface import ASSERTION, CRASH, BrokenImplementation
from vmaspace.checker.adapters.model import ModelAdapter
from vmaspace.checker.adapters.subject import SubjectError, system_class_of
from vmaspace.checker.adapters.world import World, world_of
from vmaspace.checker.engines.reading import Reader
from vmaspace.checker.engines.replay import contract_for
from vmaspace.checker.logic.contract import Contract
from vmaspace.checker.logic.execute import Interpreter
from vmaspace.checker.logic.state import Codec
from vmaspace.checker.report.state import State
from vmaspace.checker.report.trace import Step, Trace


@dataclass(frozen=True)
class Rerun:
    """A run that has stopped somewhere. steps: those that were made; notes: what was not as recorded."""

    adapter: ModelAdapter
    world: World
    steps: tuple[Step, ...]
    notes: tuple[str, ...] = ()

    @property
    def state(self) -> State:
        """What the contract sees of the model now, in the form of traces."""
        return Codec(self.adapter.contract).state(self.adapter.observe())  # type: ignore[return-value]


def rerun(
    trace: Trace,
    contract: Contract | None = None,
    *,
    upto: int | None = None,
    system_class: type[Any] | None = None,
    file: str = "<trace>",
) -> Rerun:
    """Make the first `upto` calls of a trace, or all; `TraceError` if they can not be made.

    contract and system_class are as for `replay`. A trace of the contract runs on the reference model, which may choose other
    places than the contract did; that is a note.
    """
    contract = contract_for(trace, contract, file)
    reader = Reader(contract, trace, file)
    if system_class is None and trace.subject is not None:
        try:
            system_class = system_class_of(trace.subject)
        except SubjectError as error:
            reader.fail("/subject", error.message, error.hint)
    adapter = ModelAdapter(contract) if system_class is None else ModelAdapter(contract, system_class)
    givens = reader.givens()
    world = world_of(contract, givens, trace.switches, trace.seed or 0)
    where = "/initial"
    try:
        adapter.start(world)
    except Exception as error:  # a faulty implementation may raise anything
        reader.fail("/subject", f"{adapter.subject} does not start: {type(error).__name__}: {error}")
    try:
        if not adapter.observe().same_as(reader.initial(givens)):
            reader.fail(
                "/initial",
                "the run does not start where a machine starts, so the model cannot be brought there",
                f"`vmaspace replay {file}` draws it as it is recorded",
            )
        count = len(trace.steps) if upto is None else upto
        interpreter, notes = Interpreter(contract), list[str]()
        made = 0
        for index, step in enumerate(trace.steps[:count]):
            where, env = f"/steps/{index}", reader.arguments(index)
            if not interpreter.enabled(step.op, adapter.observe(), env):
                reader.refuse(index, step)
            answer = adapter.call(step.op, env, reader.fails_at(index))
            made += 1
            if answer.status != step.status:
                notes.append(f"step {made} answers {answer.status}; the trace says {step.status}")
            if answer.status in (ASSERTION, CRASH):
                notes.append(f"the kernel stopped in step {made}: {answer.violated}")
                break
            if not notes and not adapter.observe().same_as(reader.recorded(index, givens)):
                notes.append(f"after step {made} the model is in another state than the trace says")
    except BrokenImplementation as error:
        reader.fail(where, f"the implementation cannot be looked at: {error}")
    return Rerun(adapter, world, trace.steps[:made], tuple(notes))
