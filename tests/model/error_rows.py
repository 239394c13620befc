"""Tables of errors as data: each row makes its status, and where two hold together the earlier one wins.

A row is an outcome and the *facts* that make its condition hold: arguments of the call, and what the machine looks like.
Facts that a row does not name are free. So two rows can be put together when they name no fact differently, and then both
conditions hold. Where two rows can hold together only with other values than either names, `both` says which.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest

from vmaspace.model.status import AssertionViolation, Status

ASSERTS = "asserts"
Facts = dict[str, Any]
Outcome = Status | str


def outcome_of(call: Callable[[], Any]) -> Outcome:
    """The status of a call, alone or first in a tuple; ASSERTS where the kernel would stop."""
    try:
        answer = call()
    except AssertionViolation:
        return ASSERTS
    return answer[0] if isinstance(answer, tuple) else answer


@dataclass(frozen=True)
class ErrorTable:
    """The rows of one operation in the order in which they are tested."""

    operation: Callable[..., Any]  # takes facts as keyword arguments, prepares a machine and makes the call
    rows: dict[str, tuple[Outcome, Facts]]
    both: dict[tuple[str, str], Facts] = field(default_factory=dict)
    # Neighbours that exclude each other, and why.
    apart: dict[tuple[str, str], str] = field(default_factory=dict)
    good: Facts = field(default_factory=dict)  # under which the call succeeds

    def answer(self, facts: Facts) -> Outcome:
        return outcome_of(lambda: self.operation(**facts))

    def together(self, first: str, second: str) -> Facts | None:
        """Facts under which both rows hold; None where there are none."""
        if (first, second) in self.both:
            return self.both[first, second]
        one, other = self.rows[first][1], self.rows[second][1]
        if any(one[name] != other[name] for name in one.keys() & other.keys()):
            return None
        return one | other

    def later(self, first: str) -> Iterator[tuple[str, Facts]]:
        """The later rows with another outcome that can hold together with `first`, and facts under which both do."""
        names = list(self.rows)
        for second in names[names.index(first) + 1 :]:
            facts = self.together(first, second)
            if facts is not None and self.rows[first][0] != self.rows[second][0]:
                yield second, facts

    def untested_neighbours(self) -> list[tuple[str, str]]:
        """Neighbours with different outcomes of which nobody says how, or that they cannot, hold together."""
        names = list(self.rows)
        return [
            pair
            for pair in pairwise(names)
            if self.rows[pair[0]][0] != self.rows[pair[1]][0]
            and (self.together(*pair) is None) != (pair in self.apart)
        ]


def row_params(tables: dict[str, ErrorTable]) -> list:
    return [
        pytest.param(table, facts, outcome, id=f"{operation}: {name}")
        for operation, table in tables.items()
        for name, (outcome, facts) in table.rows.items()
    ]


def pair_params(tables: dict[str, ErrorTable]) -> list:
    return [
        pytest.param(table, row, id=f"{operation}: {row}")
        for operation, table in tables.items()
        for row in table.rows
        if any(table.later(row))
    ]
