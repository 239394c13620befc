"""Makes the published form of a run: a `report.Trace` from concrete states and moves.

Every engine that has run the contract or an implementation on concrete states ends here.

Not here: how a run is found, and how a trace is told or drawn.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from vmaspace.checker.language.syntax import Span
from vmaspace.checker.logic.contract import Contract, Operation, Property, TemporalProperty
from vmaspace.checker.logic.execute import CompiledOutcome
from vmaspace.checker.logic.state import NULL, Codec, State
from vmaspace.checker.report.trace import Step, Trace
from vmaspace.checker.report.verdict import Kind, Place

FAILS_AT = "failing_allocation"  # among the picks of a step: which allocation the environment let fail


class Move(Protocol):
    """One executed step: arguments and choices by symbol name, and the state after it."""

    @property
    def operation(self) -> str: ...
    @property
    def env(self) -> Mapping[str, int]: ...
    @property
    def outcome(self) -> CompiledOutcome | None: ...
    @property
    def state(self) -> State: ...


def build_trace(
    contract: Contract,
    property: Property | TemporalProperty | None,
    operation: str | None,
    engine: str,
    verdict: Kind,
    reason: str,
    start: State,
    moves: Sequence[Move],
    seed: int | None = None,
    subject: str | None = None,
    name: str = "conforms",
    source: Span | None = None,
    violated: str | None = None,
    loop: int | None = None,
) -> Trace:
    """A run as a trace.  The last step is the one that breaks `property`; with `loop`, the run as a whole does.

    Where it is no property that is broken, `name` and `source` stand for one, and `violated` says what the
    last step breaks.
    """
    codec = Codec(contract)
    steps = [as_step(contract, codec, move) for move in moves]
    if steps and loop is None and (verdict.is_red or verdict is Kind.DEVIATION):
        steps[-1] = marked(steps[-1], property.name if property is not None else violated or name)
    span = property.span if property is not None else source
    return Trace(
        property=property.name if property is not None else name,
        operation=operation,
        engine=engine,
        verdict=verdict.value,
        reason=reason,
        source=place_of(span),
        sentence=(property.sentence or None) if property is not None else None,
        arch=arch_of(contract, start),
        switches=tuple(sorted(contract.enabled)),
        given=codec.givens(start),  # type: ignore[arg-type]
        seed=seed,
        subject=subject,
        contract=digest(contract),
        initial=own_elements(contract, codec.state(start)),  # type: ignore[arg-type]
        steps=tuple(steps),
        loop=loop,
    )


def as_step(contract: Contract, codec: Codec, move: Move) -> Step:
    """One move.  An answer that the contract has no outcome for is told by the move's own `status`."""
    op = contract.operations[move.operation]
    args = {p.name: codec.show(move.env[p.name], p.type) for p in op.params}
    picks: dict[str, Any] = {}
    new: dict[str, Any] = {}
    if move.outcome is not None:
        for choice, *_ in move.outcome.choices:
            value = move.env.get(choice.symbol.name)
            if value is None or (value == NULL and choice.symbol.type.kind == "sort"):
                continue
            (new if choice.kind == "new" else picks)[choice.name] = codec.show(value, choice.symbol.type)
    fails_at = getattr(move, "fails_at", 0)
    if fails_at:
        picks[FAILS_AT] = fails_at
    status = getattr(move, "status", None) or (
        move.outcome.outcome.status if move.outcome is not None else "OK"
    )
    return Step(
        op=op.name,
        args=args,
        picks=picks,
        new=new,
        status=status,
        violated=getattr(move, "violated", None) or stopped(move),
        state=own_elements(contract, codec.state(move.state)),  # type: ignore[arg-type]
    )


def stopped(move: Move) -> str | None:
    """The sentence of the assertion that a move ran into."""
    if move.outcome is None or move.outcome.outcome.kind != "asserts":
        return None
    return move.outcome.outcome.sentence


def marked(step: Step, violated: str) -> Step:
    return Step(step.op, step.args, step.picks, step.new, step.status, violated, step.note, step.state)


def own_elements(contract: Contract, shown: dict[str, Any]) -> dict[str, Any]:
    """Sorts without elements are left out, given ones are in the world already."""
    return {
        "elements": {s: names for s, names in shown["elements"].items() if names and not contract.sorts[s]},
        "values": shown["values"],
    }


def arch_of(contract: Contract, state: State) -> str | None:
    table = state.tables.get("arch")
    return (
        contract.enums["Arch"][table.get((), 0)] if table is not None and "Arch" in contract.enums else None
    )


def place_of(span: Span | None) -> Place | None:
    return Place(span.file, span.line, span.column) if span is not None and span.file else None


def digest(contract: Contract) -> str:
    """The contract's text in a few digits; the same wherever the files lie."""
    total = hashlib.sha256()
    for file, text in sorted(contract.files.items(), key=lambda item: (item[0].rpartition("/")[2], item[1])):
        total.update(f"{file.rpartition('/')[2]}\0{text}\0".encode())
    return total.hexdigest()[:16]


def arguments_of(op: Operation, env: Mapping[str, int]) -> dict[str, int]:
    """The arguments alone, out of an environment that also holds choices."""
    return {p.name: env[p.name] for p in op.params}
