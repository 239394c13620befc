"""What an engine asks of an implementation: start it in a world, call an operation, look at all of it.

Everything that crosses this border is a small integer of the contract: elements are numbered by sort in the
order in which they were first seen, and the contract's first elements are 0.  Statuses are names.

Not here: how the answers are judged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from vmaspace.checker.adapters.world import World
from vmaspace.checker.logic.state import State

ASSERTION = "ASSERT"
CRASH = "CRASH"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call came to.

    status: a status of the contract, ASSERTION (the kernel would stop; `violated` says over what) or CRASH
    (the implementation itself broke; `violated` says how).  results: the elements that the call returned, by
    the operation's names for them.
    """

    status: str
    violated: str | None = None
    results: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Invariant:
    """Something that holds of the implementation's objects, in which the contract has no part.

    number: `subject-n`, as in `docs/invariants.md`.  source: the kernel's file.  also: another number of the same.
    """

    number: str
    sentence: str
    source: str
    also: str = ""


@dataclass(frozen=True, slots=True)
class Broken:
    """An invariant that does not hold, and of what."""

    invariant: Invariant
    what: str


class Adapter(Protocol):
    """An implementation that can be driven.

    It is looked at after the start and after each call: an element has a number from then on.
    """

    @property
    def subject(self) -> str:
        """The implementation, as `package.module:Class`."""

    def start(self, world: World) -> None:
        """Begin afresh, in a state that corresponds to the contract's first one."""

    def call(self, op: str, args: Mapping[str, int], fails_at: int = 0) -> Answer:
        """Run one operation.  Its `fails_at`-th allocation, of an object or a page, fails, counted from 1; none does for 0."""

    def observe(self) -> State:
        """All that the contract speaks of, freshly read, in the normal form of `logic.execute.apply`."""

    def invariants(self) -> Sequence[Invariant]:
        """The implementation's own invariants, as far as they are checked."""

    def broken_invariants(self) -> Sequence[Broken]:
        """Those that do not hold now, or did not hold inside a call since this was asked last."""


class BrokenImplementation(Exception):
    """The implementation can not be looked at: what it holds is no value of the contract."""
