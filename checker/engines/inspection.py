"""Judges a dump: every invariant that it says enough about.

An invariant that reads something which a dump does not tell is not judged, and that is said: it is neither green nor red.
One that is known to deviate is not judged either.

Not here: how a dump is read; that is `checker.adapters.dumps`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from vmaspace.checker.adapters.dumps import Told
from vmaspace.checker.engines.fuzz.properties import Properties
from vmaspace.checker.engines.traces import place_of
from vmaspace.checker.logic import terms as tm
from vmaspace.checker.logic.contract import Contract, Property
from vmaspace.checker.logic.execute import Interpreter
from vmaspace.checker.logic.state import Codec
from vmaspace.checker.report.cursor import Cursor
from vmaspace.checker.report.drawing import draw_state
from vmaspace.checker.report.state import read_state
from vmaspace.checker.report.verdict import Kind, Verdict

ENGINE = "inspect"


@dataclass(frozen=True, slots=True)
class Inspection:
    """verdicts: of the invariants that were judged. unjudged: the others, each with the reason."""

    verdicts: list[Verdict]
    unjudged: dict[str, str]


def inspect(contract: Contract, told: Told, file: str, names: Iterable[str] | None = None) -> Inspection:
    """Judge the invariants of the contract, or the named ones, on what a dump tells."""
    interpreter = Interpreter(contract)
    judge = Properties(interpreter)
    chosen = None if names is None else set(names)
    judged = {p.name for p in judge.judged}
    verdicts, unjudged = [], {}
    for p in contract.properties.values():
        if p.kind != "invariant" or (chosen is not None and p.name not in chosen):
            continue
        missing = sorted(_read(p) - told.variables)
        if p.name not in judged:
            unjudged[p.name] = "Zircon is known to deviate from it"
        elif missing:
            unjudged[p.name] = f"a dump does not tell {', '.join(missing)}"
        elif not told.is_whole and _looks_for_an_aspace(p):
            unjudged[p.name] = "the dump does not hold every address space: there is no kernel's"
        else:
            verdicts.append(_verdict(interpreter, judge, p, told, file))
    return Inspection(verdicts, unjudged)


def _read(p: Property) -> set[str]:
    """The variables and given facts that a property is about."""
    return {f.name for f in tm.functions_of(p.body) if f.kind != "exists"}


def _looks_for_an_aspace(p: Property) -> bool:
    """Whether it matters to a property that an address space was not printed."""
    return any(
        t.op in ("exists", "count") and any(b.type.name == "Aspace" for b in t.binders)
        for t in tm.walk(p.body)
    )


def _verdict(interpreter: Interpreter, judge: Properties, p: Property, told: Told, file: str) -> Verdict:
    state, place = told.state, place_of(p.span)
    if interpreter.property(p.name)(state, state, {}):
        return Verdict(p.name, p.name, None, ENGINE, Kind.PASSED, scope="this dump", source=place)
    success = next(iter(interpreter.contract.operations.values())).success
    lines = ["the dump breaks it"]
    for name, (value, type_) in judge.witness(p, {}, success, state, state).items():
        found = told.lines.get((type_.name, value))
        if found is not None:
            lines.append(f"{name}: line {found[0]} of {file}, {found[1]:#x}")
        elif type_.kind != "sort":
            lines.append(f"{name} = {value:#x}")
    variables = [name for name in interpreter.contract.variables if name in told.variables]
    shown = read_state(Cursor(Codec(interpreter.contract).state(state, variables), file))
    lines += ["", *draw_state(shown).splitlines()]
    return Verdict(
        p.name, p.name, None, ENGINE, Kind.VIOLATED, 0.0, "this dump", place, None, "\n".join(lines)
    )
