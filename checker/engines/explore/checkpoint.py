"""Checkpoints: a search that is killed at any moment goes on where it last wrote one.

States and parents are only ever added to, so their files grow by what is new; then one small file, replaced in one go, says how
much of them counts.  Whatever was written behind that when the process died is written over.  The table of what is
known is not kept: it follows from the states.

With hash compaction there is a file of hashes too; of the file of states only those count that are still to be expanded, and
what was expanded before it could be written is a hole.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vmaspace.checker.engines.explore.core import AT
from vmaspace.checker.logic.packed.layout import ScopeError
from vmaspace.checker.logic.packed.program import CUT, FIRST_SLOT, UNSOUND

if TYPE_CHECKING:
    from vmaspace.checker.engines.explore.memory import Stretch
    from vmaspace.checker.engines.explore.result import Part
    from vmaspace.checker.engines.explore.search import Search
    from vmaspace.checker.engines.explore.worker import Worker

SCHEMA = "vmaspace.checkpoint/2"
INDEX = "checkpoint.json"
KEPT = (CUT, UNSOUND, AT["DEADLOCKS"], AT["FIRST_DEADLOCK"], AT["COUNT"])


@dataclass(frozen=True, slots=True)
class Place:
    """Where in its levels a search stands: the depth, and where the level at hand ends for each worker."""

    depth: int
    ends: list[int]
    first: int


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of a worker beside its files: how far it is, and the counts in its context, by their numbers."""

    done: int
    inspected: int
    slots: dict[int, int]


class Checkpoint:
    """The checkpoint of one search in a folder of its own; written every so many seconds."""

    def __init__(self, folder: Path, every: float) -> None:
        self.folder = folder
        self.every = every
        self.written = time.monotonic()
        self.kept: list[int] = []  # states that the files of each worker hold

    @property
    def is_due(self) -> bool:
        return time.monotonic() - self.written >= self.every

    def save(self, search: Search, place: Place) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        search.save_parts(self.folder, self.kept or [0] * len(search.parts))
        self.kept = [w.count for w in search.parts]
        index = {
            "schema": SCHEMA,
            "keeps": kept_by(search),
            "search": key_of(search),
            "place": [place.depth, place.ends, place.first],
            "workers": [[w.done, w.inspected, self._counters(search, w)] for w in search.parts],
        }
        draft = self.folder / f".{INDEX}"
        draft.write_text(json.dumps(index), encoding="utf-8")
        _sync(draft)
        draft.replace(self.folder / INDEX)
        self.written = time.monotonic()

    def load(self, search: Search) -> Place | None:
        """Put a search where its checkpoint says; None if there is no checkpoint yet."""
        try:
            index = json.loads((self.folder / INDEX).read_text(encoding="utf-8"))
            if (there := index.get("keeps", "states")) != kept_by(search):
                raise ScopeError(
                    f"{self.folder}: the checkpoint keeps {there}, and this search keeps {kept_by(search)}; "
                    "go on with the same --compact and --seed, or name another folder"
                )
            if index["search"] != key_of(search):
                raise ScopeError(f"{self.folder}: the checkpoint is of another search; name another folder or remove it")
            depth, ends, first = index["place"]
            search.enter(depth, ends)
            slots = self._slots(search)
            search.restore_parts(
                self.folder,
                [
                    Kept(done, inspected, dict(zip(slots, counters, strict=True)))
                    for done, inspected, counters in index["workers"]
                ],
            )
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise ScopeError(f"{self.folder}: the checkpoint cannot be read ({error}); remove the folder") from None
        self.kept = [w.count for w in search.parts]
        return Place(depth, ends, first)

    def _slots(self, search: Search) -> list[int]:
        return [*KEPT, *range(FIRST_SLOT, search.program.context_size)]

    def _counters(self, search: Search, w: Part) -> list[int]:
        return [w.slot(slot) for slot in self._slots(search)]


def save_part(folder: Path, w: Worker, kept: int) -> None:
    """Bring the files of a worker up to date; they hold so many states already."""
    for file, stretch, size, has in _files(folder, w):
        at = max(kept, has.start)
        _append(file, stretch.part(at * size, has.stop * size), at * size)


def restore_part(folder: Path, w: Worker, kept: Kept) -> None:
    """Put a worker where it was.  `ValueError`: a file is not what it should be."""
    w.done, w.inspected = kept.done, kept.inspected
    for slot, value in kept.slots.items():
        w.context.set_words(slot, [value])
    for file, stretch, size, has in _files(folder, w):
        if not file.exists():
            raise ValueError(f"{file.name} is missing")
        with file.open("rb") as stored:
            stored.seek(has.start * size)
            data = stored.read(len(has) * size)
        if len(data) != len(has) * size:
            raise ValueError(f"{file.name} is too short")
        stretch.put(data, has.start * size)
    w.rebuild_table()


def _files(folder: Path, w: Worker) -> list[tuple[Path, Stretch, int, range]]:
    """Each with its memory, the bytes of an entry, and the states of which it must have one."""
    every = range(w.count)
    files = [
        (folder / f"states.{w.number}", w.states, 8 * w.width, w.waiting if w.is_compact else every),
        (folder / f"parents.{w.number}", w.parents, 4, every),
    ]
    if w.is_compact:
        files.append((folder / f"hashes.{w.number}", w.kept, 8, every))
    return files


def kept_by(search: Search) -> str:
    """What a search keeps, in words."""
    c = search.compaction
    return "states" if c is None else f"hashes of {c.bits} bits (seed {c.seed})"


def key_of(search: Search) -> str:
    """What must be the same for a checkpoint to fit: the code, the first state, how many workers, how many steps."""
    parts = (search.text, repr(search.layout.to_working(search.start)), str(search.jobs), str(search.steps))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _append(file: Path, data: bytes, at: int) -> None:
    with file.open("r+b" if file.exists() else "w+b") as target:
        target.seek(at)
        target.write(data)
        target.flush()
        os.fsync(target.fileno())


def _sync(file: Path) -> None:
    with file.open("rb") as stored:
        os.fsync(stored.fileno())
