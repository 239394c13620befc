"""Independent tasks on a cluster: `engines.workers` by actors.

An actor gets its next task when it has done the one before.  One that dies is not replaced; its task is tried once more by
another, and given up if that dies too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from vmaspace.checker.engines.cluster.connection import Actor, Cluster, Crew, WorkerLost
from vmaspace.checker.engines.workers import POLL_SECONDS, Do, GoesOn, Lost

TRIES = 2


class Hand(Actor):
    """One worker, in a process of its own."""

    def prepare(self, make: Callable[[], Do]) -> None:
        self.work = make()

    def do(self, task: Any) -> Any:
        return self.work(task)


class Hands:
    """The workers of a cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def run(self, make: Callable[[], Do], tasks: Sequence[Any], goes_on: GoesOn) -> Iterator[tuple[Any, Any]]:
        crew = self.cluster.crew(Hand)
        under_way = _UnderWay(crew, make, tasks)
        try:
            while not under_way.is_done:
                if not goes_on():
                    crew.end()
                    return
                yield from under_way.finished()
        except KeyboardInterrupt:
            crew.end()  # they would finish what they have
            raise


class _UnderWay:
    """Tasks on their way through a crew."""

    def __init__(self, crew: Crew, make: Callable[[], Do], tasks: Sequence[Any]) -> None:
        self.crew = crew
        self.waiting = [(task, 1) for task in reversed(tasks)]  # each with the number of the try
        self.free: list[int] = []  # workers
        copy = crew.put(make)
        self.preparing = {crew.call(number, "prepare", copy): number for number in range(len(crew))}
        self.running: dict[Any, tuple[int, Any, int]] = {}  # by reference: worker, task, try
        self.reason = ""  # why the last worker was lost

    @property
    def is_done(self) -> bool:
        return not (self.waiting or self.running)

    def finished(self) -> Iterator[tuple[Any, Any]]:
        """What is done by now, or given up."""
        while self.waiting and self.free:
            task, tried = self.waiting.pop()
            number = self.free.pop()
            self.running[self.crew.call(number, "do", task)] = number, task, tried
        under_way = [*self.running, *self.preparing]
        if not under_way:  # nobody is left
            yield from ((task, Lost(self.reason)) for task, _ in reversed(self.waiting))
            self.waiting.clear()
            return
        for reference in self.crew.first(under_way, POLL_SECONDS):
            if reference in self.preparing:
                self._prepared(reference)
            else:
                yield from self._done(reference)

    def _prepared(self, reference: Any) -> None:
        number = self.preparing.pop(reference)
        try:
            self.crew.get(reference, number)
            self.free.append(number)
        except WorkerLost as lost:
            self.reason = str(lost)

    def _done(self, reference: Any) -> Iterator[tuple[Any, Any]]:
        number, task, tried = self.running.pop(reference)
        try:
            yield task, self.crew.get(reference, number)
            self.free.append(number)
        except WorkerLost as lost:
            self.reason = str(lost)
            if lost.number is None:  # it has failed at this, and goes on
                self.free.append(number)
                yield task, Lost(self.reason)
            elif tried < TRIES:
                self.waiting.append((task, tried + 1))
            else:
                yield task, Lost(self.reason)
