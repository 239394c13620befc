"""Which outcomes of the contract a campaign has seen, and how often.

An outcome is one clause of an operation.  Two `may` clauses with one status and without an effect can not be
told apart from outside: seeing one counts for both.

Not here: what was found wrong.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from vmaspace.checker.logic import terms as tm
from vmaspace.checker.logic.contract import Contract, Outcome


class Coverage:
    """Counts steps by operation and outcome."""

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        self.steps = 0
        self.runs = 0
        self.seen: Counter[int] = Counter()  # by the identity of an outcome
        self.calls: Counter[str] = Counter()

    def count(self, operation: str, outcome: Outcome | None) -> None:
        self.steps += 1
        self.calls[operation] += 1
        if outcome is not None:
            self.seen[id(outcome)] += 1

    def hits(self) -> dict[str, int]:
        """How often each outcome was seen, by name; those that are impossible are left out."""
        found = {}
        for op in self.contract.operations.values():
            for o in op.outcomes:
                if o.condition is not tm.FALSE:
                    found[name_of(op.name, o)] = sum(
                        self.seen[id(like)] for like in op.outcomes if is_like(like, o)
                    )
        return found

    def never(self) -> list[str]:
        """The outcomes that were not seen."""
        return [name for name, count in self.hits().items() if count == 0]

    def to_json(self) -> dict[str, Any]:
        return {"steps": self.steps, "runs": self.runs, "outcomes": self.hits(), "never_seen": self.never()}


def is_like(a: Outcome, b: Outcome) -> bool:
    """Whether nobody can tell from outside which of two outcomes it was."""
    return a is b or (
        a.kind == b.kind == "may" and a.status == b.status and not (a.has_effect or b.has_effect)
    )


def name_of(operation: str, o: Outcome) -> str:
    """`map: INVALID_ARGS (spec/mappings.aspec:41) a flag that …`."""
    words = f"{operation}: {'may ' if o.kind == 'may' else ''}{o.status} ({o.span.file}:{o.span.line})"
    return words if o.sentence in (o.status, "success") else f"{words} {o.sentence}"
