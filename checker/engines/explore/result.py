"""What a search says of itself: while it runs, and in the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from vmaspace.checker.engines.explore.graph import Graph
from vmaspace.checker.logic.packed.program import Program
from vmaspace.checker.logic.state import State


@dataclass(frozen=True, slots=True)
class Progress:
    """What is known while a search runs."""

    depth: int
    states: int
    queue: int
    transitions: int
    seconds: float
    shares: tuple[int, ...] = ()  # states of each worker, where workers are far away

    def __str__(self) -> str:
        rate = self.states / self.seconds if self.seconds else 0.0
        shares = f", by worker {' + '.join(f'{n:,}' for n in self.shares)}" if self.shares else ""
        return f"depth {self.depth}, {self.queue:,} in the queue, {rate:,.0f} states a second{shares}"


@dataclass(slots=True)
class Result:
    """What a search found; `reason` says why it ended before every state was looked at.

    failures: by property and operation (None: a state by itself), the number of the state where it happens first.
    omission: with hash compaction, how probable it is at most that a state was omitted; None if every state was kept whole.
    """

    states: int = 0
    transitions: int = 0
    depth: int = 0
    cut: int = 0
    deadlocks: int = 0
    first_deadlock: int | None = None
    calls: dict[str, int] = field(default_factory=dict)
    outcomes: dict[tuple[str, int], int] = field(default_factory=dict)
    failures: dict[tuple[str, str | None], int] = field(default_factory=dict)
    reason: str = ""
    bytes_a_state: float = 0.0
    seconds: float = 0.0
    compile_seconds: float = 0.0
    omission: float | None = None


class Stopped(Exception):
    """A search cannot go on; the message is the reason."""


class Part(Protocol):
    """What one worker has of the visited set, wherever it is."""

    number: int

    @property
    def done(self) -> int: ...  # states that are expanded
    @property
    def inspected(self) -> int: ...  # states that are judged
    @property
    def is_full(self) -> bool: ...
    @property
    def count(self) -> int: ...
    @property
    def memory(self) -> int: ...
    def slot(self, slot: int) -> int: ...
    def parent(self, index: int) -> int: ...
    def packed(self, index: int) -> tuple[int, ...]: ...


class Searching(Protocol):
    """A search: by machine code, or plain."""

    program: Program
    start: State

    def run(self, tell: Callable[[Progress], None] = ...) -> Result: ...
    def key(self, state: State) -> tuple[int, ...]: ...
    def keys_to(self, number: int) -> list[tuple[int, ...]]: ...
    def graph(self, most: int) -> Graph | None: ...
