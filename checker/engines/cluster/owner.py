"""One owner of states on a cluster: a worker of the search in a process of its own, which sends and is sent bytes.

It knows nothing of Ray, nor of the contract: the machine code is compiled from the text that the search was given, and what
this worker has sent lies in its buffers until it is fetched.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from pathlib import Path

from vmaspace.checker.engines.cluster.connection import Actor
from vmaspace.checker.engines.explore.checkpoint import Kept, restore_part, save_part
from vmaspace.checker.engines.explore.worker import EXPORTED, Shape, Worker
from vmaspace.checker.logic.packed.native import Native


@dataclass(frozen=True, slots=True)
class Plan:
    """What every owner is told.  most_states: how many each can hold."""

    text: str
    shape: Shape
    workers: int
    most_states: int
    cache: Path | None


@dataclass(frozen=True, slots=True)
class Status:
    """How far an owner is.  context: the words of its context, which have all the counts."""

    done: int
    memory: int
    is_full: bool
    has_too_many_points: bool
    context: bytes


class Owner(Actor):
    """An owner; `prepare` says which, and of what."""

    def prepare(self, number: int, plan: Plan) -> None:
        """Begin a search: what this owner had before is gone."""
        self.native = Native(plan.text, EXPORTED, plan.cache)
        self.functions = {name: self.native.function(name, 3) for name in EXPORTED}
        self.worker = Worker(number, plan.workers, plan.shape, plan.most_states, self.functions)
        self.workers = plan.workers

    def begin(self, state: tuple[int, ...]) -> list[object]:
        """The first state, a working one, to its owner.  What is sent to each owner, and the status."""
        self.worker.begin(state)
        return self._sent()

    def advance(self, end: int) -> list[object]:
        """Expand states before `end`, until a buffer is full.  What is sent to each owner, and the status."""
        self.worker.advance(end)
        return self._sent()

    def gather(self, *batches: bytes) -> Status:
        """Look up what every owner has sent here, in the order of their numbers."""
        w = self.worker
        for sender, batch in enumerate(batches):
            if sender == w.number:
                w.gather(w.buffers[sender].address, w.filled(sender))
                w.set_filled(sender, 0)
            elif batch:
                address = ctypes.cast(ctypes.c_char_p(batch), ctypes.c_void_p).value
                assert address is not None
                w.gather(address, len(batch) // (8 * w.entry))
        w.inspect()
        return self._status()

    def save(self, folder: Path, kept: int) -> None:
        """Bring the files of this owner up to date; they hold so many states."""
        folder.mkdir(parents=True, exist_ok=True)
        save_part(folder, self.worker, kept)

    def restore(self, folder: Path, kept: Kept) -> Status | str:
        """Put the owner where it was; what is wrong with its files, if something is."""
        try:
            restore_part(folder, self.worker, kept)
        except (ValueError, OSError) as error:
            return str(error)
        return self._status()

    def look(self, index: int) -> tuple[int, tuple[int, ...]]:
        """The number of the parent of a state, and the state, packed."""
        return self.worker.parent(index), self.worker.packed(index)

    def _sent(self) -> list[object]:
        """For itself an owner sends nothing: that stays where it is."""
        w = self.worker
        sent: list[object] = []
        for owner in range(self.workers):
            if owner == w.number:
                sent.append(b"")
                continue
            sent.append(w.buffers[owner].part(0, 8 * w.entry * w.filled(owner)))
            w.set_filled(owner, 0)
        return [*sent, self._status()]

    def _status(self) -> Status:
        w = self.worker
        too_many = bool(self.functions["too_many_points"](0, 0, 0))
        return Status(w.done, w.memory, w.is_full, too_many, w.context.part(0, w.context.size))
