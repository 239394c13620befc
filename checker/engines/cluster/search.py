"""The search on a cluster: the levels and rounds of `explore.search`, with owners that are actors.

A round is two calls of every owner.  In the first it expands states, and what it sends to each other owner becomes an object
of its own in the object store; in the second it is handed what was sent to it.  So states go from owner to owner and
never come here, and the next round begins when everybody is done with this one.  A level is done when every state that it began
with is expanded, and the search when a level has found nothing new.  Owners find their states in the same order as the threads
of a search with as many workers: counts and counterexamples are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from vmaspace.checker.engines.cluster.connection import Cluster, Crew, WorkerLost
from vmaspace.checker.engines.cluster.owner import Owner, Plan, Status
from vmaspace.checker.engines.explore.checkpoint import Kept
from vmaspace.checker.engines.explore.core import AT
from vmaspace.checker.engines.explore.result import Part, Progress, Result, Stopped
from vmaspace.checker.engines.explore.search import Search
from vmaspace.checker.engines.explore.worker import Worker
from vmaspace.checker.logic.contract import Contract, Scope
from vmaspace.checker.logic.state import State

Key = tuple[int, ...]
WORD = 8


class Remote:
    """What is known here of one owner: how far it was when it was last heard of, and its states one by one."""

    def __init__(self, number: int, look: Callable[[int, int], tuple[int, Key]]) -> None:
        self.number = number
        self.status = Status(0, 0, False, False, b"")
        self._look = look
        self._seen: dict[int, tuple[int, Key]] = {}

    @property
    def done(self) -> int:
        return self.status.done

    @property
    def inspected(self) -> int:
        return self.count  # an owner judges what it has found before it answers

    @property
    def is_full(self) -> bool:
        return self.status.is_full

    @property
    def memory(self) -> int:
        return self.status.memory

    @property
    def count(self) -> int:
        return self.slot(AT["COUNT"])

    def slot(self, slot: int) -> int:
        return int.from_bytes(self.status.context[slot * WORD : slot * WORD + WORD], "little")

    def parent(self, index: int) -> int:
        return self.look(index)[0]

    def packed(self, index: int) -> Key:
        return self.look(index)[1]

    def look(self, index: int) -> tuple[int, Key]:
        if index not in self._seen:
            self._seen[index] = self._look(self.number, index)
        return self._seen[index]


class ClusterSearch(Search):
    """One search of one scope; the options are those of `Search`, `jobs` the workers of the cluster."""

    owner = Owner
    is_quick = False  # owners on this machine find good code in the cache

    def __init__(
        self, cluster: Cluster, contract: Contract, scope: Scope, start: Callable[[State], State], **options: Any
    ) -> None:
        self.cluster = cluster
        self.cache = options.get("cache")
        super().__init__(contract, scope, start, jobs=cluster.workers, **options)
        self.desk = Worker(0, 1, self.shape, 1, self.functions)  # for `key`, which no owner need be asked for
        self.crew: Crew | None = None
        self.keys: dict[int, list[Key]] = {}

    def _make_parts(self) -> Sequence[Part]:
        self.remotes = [Remote(i, self._look) for i in range(self.jobs)]
        return self.remotes

    # --- the run ---------------------------------------------------------------------------------------------------

    def run(self, tell: Callable[[Progress], None] = lambda _: None) -> Result:
        self.crew = self.cluster.crew(self.owner)
        return super().run(tell)

    def enter(self, depth: int, ends: list[int]) -> None:
        """Owners keep what the last level finds: they are not told which one that is."""

    def save_parts(self, folder: Path, kept: Sequence[int]) -> None:
        assert self.crew is not None
        self._get([self.crew.call(i, "save", folder.absolute(), count) for i, count in enumerate(kept)])

    def restore_parts(self, folder: Path, kept: Sequence[Kept]) -> None:
        assert self.crew is not None
        self._prepare()
        answers = self._get([self.crew.call(i, "restore", folder.absolute(), own) for i, own in enumerate(kept)])
        for w, answer in zip(self.remotes, answers, strict=True):
            if isinstance(answer, str):
                raise ValueError(f"worker {w.number}, {self.crew.places[w.number]}: {answer}")
            w.status = answer

    def _prepare(self) -> None:
        assert self.crew is not None
        plan = Plan(self.text, self.shape, self.jobs, self.most_states, self.cache)
        self._get([self.crew.call(i, "prepare", i, plan) for i in range(self.jobs)])

    def _begin(self) -> None:
        assert self.crew is not None
        self._prepare()
        words = tuple(self.layout.to_working(self.start))
        sent = [[b""] * self.jobs for _ in self.remotes]
        sent[0] = self.crew.call(0, "begin", words, results=self.jobs + 1)[:-1]
        self._hand_out(sent)
        self.first = next(w.number for w in self.remotes if w.count)

    def _round(self, ends: list[int]) -> None:
        assert self.crew is not None
        answers = [self.crew.call(i, "advance", end, results=self.jobs + 1) for i, end in enumerate(ends)]
        self._hand_out([a[:-1] for a in answers])

    def _hand_out(self, sent: list[Any]) -> None:
        """Hand every owner what was sent to it, a row of references for each sender; wait until all have looked it up."""
        assert self.crew is not None
        answers = [self.crew.call(i, "gather", *(row[i] for row in sent)) for i in range(self.jobs)]
        for w, status in zip(self.remotes, self._get(answers), strict=True):
            w.status = status

    def _get(self, references: Any) -> Any:
        assert self.crew is not None
        try:
            return self.crew.get(references)
        except WorkerLost as error:
            again = "" if self.checkpoint is None else " (the same call goes on from the checkpoint)"
            raise Stopped(f"{error}{again}") from None

    def _look(self, number: int, index: int) -> tuple[int, Key]:
        assert self.crew is not None
        found: tuple[int, Key] = self._get(self.crew.call(number, "look", index))
        return found

    def _progress(self, reached: Progress) -> Progress:
        return replace(reached, shares=tuple(w.count for w in self.remotes))

    def _has_too_many_points(self) -> bool:
        return any(w.status.has_too_many_points for w in self.remotes)

    # --- what was found --------------------------------------------------------------------------------------------

    def result(self, depth: int, reason: str) -> Result:
        """What was found, with the states on the way to it: the owners are not there any more when a run is made of them."""
        found = self.counts(depth, reason)
        gone: list[str] = []

        def number_of(slot: int, name: str) -> int | None:
            try:
                if (number := self._first(slot)) is not None:
                    self.keys[number] = super(ClusterSearch, self).keys_to(number)
                return number
            except Stopped as stopped:
                found.reason = found.reason or str(stopped)
                gone.append(name)
                return None

        found.first_deadlock = number_of(AT["FIRST_DEADLOCK"], "a deadlock")
        for key, slot in self.program.failures.items():
            if (number := number_of(slot, key[0])) is not None:
                found.failures[key] = number
        if gone:
            found.reason += f"; {', '.join(dict.fromkeys(gone))}: seen, and the way there is lost"
        return found

    def keys_to(self, number: int) -> list[Key]:
        return self.keys[number]

    def key(self, state: State) -> Key:
        self.desk.rows[0].set_words(0, self.layout.to_working(state))
        self.functions["key_of"](self.desk.context.address, self.scratch.address, 0)
        return self.scratch.words(0, self.shape.kept)
