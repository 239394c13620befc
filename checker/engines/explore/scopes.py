"""Several scopes, one answer: what each of them says of a property, put together and held against what prove says.

A scope has one machine and one set of facts, so no single one shows everything; a profile has those whose names begin with
its own.  A property is broken if any scope breaks it, and a deviation is seen if any scope shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from vmaspace.checker.engines.explore.result import Progress
from vmaspace.checker.engines.explore.run import Explorer, Options
from vmaspace.checker.logic.contract import Contract, Scope
from vmaspace.checker.report.verdict import Kind, Verdict

# From the answer that says most to the one that says least.
WEIGHT = (
    Kind.FAILED, Kind.VIOLATED, Kind.DEVIATION, Kind.REACHED, Kind.UNKNOWN, Kind.LIKELY, Kind.PASSED, Kind.UNREACHED,
    Kind.UNSUPPORTED,
)  # fmt: skip


def chosen(contract: Contract, name: str) -> list[Scope]:
    """The scope of that name if it says what the world is, and all whose names begin with it and `_`."""
    family = [s for s in contract.scopes.values() if s.name.startswith(f"{name}_")]
    own = contract.scopes.get(name)
    return [own, *family] if own is not None and (own.givens or own.values or not family) else family


def explore_all(
    contract: Contract,
    scopes: Iterable[Scope],
    options: Options,
    tell: Callable[[str, Progress | None], None] = lambda name, reached: None,
    apart: bool = False,
) -> tuple[list[Verdict], dict[str, Any]]:
    """The verdicts of all scopes together, and the numbers of each; with `apart`, every scope has its `shares`."""
    verdicts: list[Verdict] = []
    rows: list[dict[str, Any]] = []
    for scope, part in shares(contract, list(scopes)) if apart else [(s, contract) for s in scopes]:
        tell(scope.name, None)
        found, row = Explorer(part, scope, options).explore(lambda p, name=scope.name: tell(name, p))  # type: ignore[misc]
        verdicts += found
        rows.append(row)
        if "interrupted" in row["reason"]:
            break
    totals = {key: sum(row[key] for row in rows) for key in ("states", "transitions", "cut", "deadlocks")}
    depth = max((row["depth"] for row in rows), default=0)
    return together(verdicts), {**totals, "depth": depth, "complete": all(r["complete"] for r in rows), "scopes": rows}


def shares(contract: Contract, scopes: list[Scope]) -> list[tuple[Scope, Contract]]:
    """What the main job asks of each scope: of those that bound the number of steps all but runs, of others nothing but runs."""
    if all(s.steps for s in scopes):
        return [(s, contract) for s in scopes]
    states, runs = replace(contract, temporals={}), replace(contract, properties={})
    asked = [(s, states if s.steps else runs) for s in scopes]
    return [(s, part) for s, part in asked if part.properties or part.temporals]


def together(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """One verdict for each obligation."""
    found: dict[str, list[Verdict]] = {}
    for v in verdicts:
        found.setdefault(v.id, []).append(v)
    return [_joined(same) for same in found.values()]


def _joined(same: list[Verdict]) -> Verdict:
    best = min(same, key=lambda v: WEIGHT.index(v.verdict))
    if best.verdict in (Kind.PASSED, Kind.LIKELY):
        scope = "; ".join(dict.fromkeys(v.scope for v in same if v.verdict is best.verdict))
    else:
        scope = best.scope
    return replace(best, scope=scope, seconds=sum(v.seconds for v in same))


def disagreements(proved: Iterable[Verdict], explored: Iterable[Verdict]) -> list[Verdict]:
    """What an executed run breaks although a proof says that nothing can: one of the two engines is wrong."""
    safe = {v.id for v in proved if v.verdict in (Kind.PROVED, Kind.DEVIATION_GONE)}
    return [
        replace(
            v, id=f"{v.id}/agreement", engine="explore", verdict=Kind.FAILED,
            reason=f"prove says that {v.property} holds here, and this run breaks it",
        )
        for v in explored
        if v.id in safe and v.verdict in (Kind.VIOLATED, Kind.DEVIATION)
    ]  # fmt: skip
