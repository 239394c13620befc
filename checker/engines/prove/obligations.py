"""Obligations and what became of them: one per (property, operation), plus one per property for the first state.

`Obligation.id` is the name that proofs, traces, reports and tests share: `map/siblings_are_disjoint`.
"""

from __future__ import annotations

import builtins
from collections.abc import Iterable
from dataclasses import dataclass, field

from vmaspace.checker.engines.prove.induction import INIT
from vmaspace.checker.logic.contract import Contract, Property
from vmaspace.checker.report.trace import Trace


@dataclass(frozen=True, slots=True, order=True)
class Obligation:
    """One thing to prove.

    switch: the switch under which it is to hold; "" means as implemented.  expected: a deviation is expected to break it.
    """

    property: str
    operation: str
    switch: str = ""
    expected: bool = False

    @builtins.property  # `property` is a field of this class
    def id(self) -> str:
        name = f"{self.operation}/{self.property}"
        return f"{name}[{self.switch}]" if self.switch else name


@dataclass(slots=True)
class Result:
    """kind: "proved", "violated", "not_inductive", "unknown", "reached" or "unreached"."""

    obligation: Obligation
    kind: str
    seconds: float
    scope: str
    reason: str = ""
    used: frozenset[str] = frozenset()
    trace: Trace | None = None
    notes: tuple[str, ...] = field(default=())


def obligations(contract: Contract, wanted: Iterable[Property]) -> list[Obligation]:
    """Everything to prove for these properties, with a deviation's two sides."""
    found: list[Obligation] = []
    for p in wanted:
        if p.kind == "reach":
            found.append(Obligation(p.name, ""))
            continue
        operations = [n for n in contract.operations if p.speaks_of(n)]
        if p.kind == "invariant":
            operations.insert(0, INIT)
        for name in operations:
            broken = p.deviation is not None and name in p.deviation.operations
            found.append(Obligation(p.name, name, "", broken))
            if p.deviation is not None and broken:
                found.append(Obligation(p.name, name, p.deviation.switch))
    return found
