"""One worker of the search: its part of the visited set, the memory for it, and what it does with it.

It calls machine code and nothing else, so it may be in a thread of its own or on another machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from vmaspace.checker.engines.explore.core import AT, ENTRY_EXTRA
from vmaspace.checker.engines.explore.memory import Stretch
from vmaspace.checker.logic.packed.program import Program

EXPORTED = ("advance", "gather", "inspect", "rehash", "first_state", "key_of", "too_many_points")
ROUND = 1 << 16  # entries for one owner after which a round ends
BUFFER = 1 << 22  # entries that one state may add beyond that
CACHE = 1 << 13
FIRST_TABLE = 12  # slots of the table, as a power of two
FULL = 0.7


@dataclass(frozen=True, slots=True)
class Shape:
    """What a worker must know of a scope beside its machine code, in words."""

    width: int  # of a packed state
    size: int  # of a working state, with the facts that never change
    state_size: int  # without them
    constants: tuple[int, ...]
    context_size: int
    is_compact: bool = False  # only a hash of a state is kept

    @staticmethod
    def of(program: Program, is_compact: bool = False) -> Shape:
        a = program.layout
        return Shape(a.words, a.size, a.state_size, tuple(a.constants()), program.context_size, is_compact)

    @property
    def entry(self) -> int:
        return self.width + ENTRY_EXTRA

    @property
    def kept(self) -> int:
        """Of what is looked up."""
        return 1 if self.is_compact else self.width


class Worker:
    """One part of the visited set, and the working memory to extend it."""

    def __init__(
        self, number: int, workers: int, shape: Shape, most_states: int, functions: Mapping[str, Any]
    ) -> None:
        self.number = number
        self.most_states = most_states
        self.functions = functions
        self.entry = shape.entry
        self.width = shape.width
        self.is_compact = shape.is_compact
        self.kept_width = shape.kept
        self.context = Stretch(8 * shape.context_size)
        self.states = Stretch(8 * self.width * most_states)
        self.kept = Stretch(8 * most_states) if self.is_compact else self.states
        self.parents = Stretch(4 * most_states)
        self.table = Stretch(4 << FIRST_TABLE)
        self.slot_bits = FIRST_TABLE
        self.cache = Stretch(8 * (self.width + 1) * CACHE)
        self.buffers = [Stretch(8 * self.entry * (ROUND + BUFFER)) for _ in range(workers)]
        self.rows = [Stretch(8 * shape.size) for _ in range(2)]
        for rows in self.rows:
            rows.set_words(shape.state_size, shape.constants)
        for name, value in (
            ("STATES", self.states.address), ("PARENTS", self.parents.address), ("TABLE", self.table.address),
            ("SLOT_BITS", FIRST_TABLE), ("CACHE", self.cache.address), ("CACHE_MASK", CACHE - 1), ("WORKER", number),
            ("WORKERS", workers), ("WORK", self.rows[0].address), ("WORK_NEXT", self.rows[1].address), ("LIMIT", ROUND),
            ("KEPT", self.kept.address),
        ):  # fmt: skip
            self.set(name, value)
        for owner, buffer in enumerate(self.buffers):
            self.context.set_words(AT["BUFFERS"] + owner, [buffer.address])
        self.done = 0  # states that are expanded
        self.inspected = 0
        self.is_full = False  # something was sent that there was no room for
        self.wanted = 1 << 64  # states from here on are never expanded
        self.released = [0, 0]  # bytes of states that are gone: up to here, and after those that are to be expanded

    def get(self, name: str) -> int:
        return self.context.words(AT[name], 1)[0]

    def set(self, name: str, value: int) -> None:
        self.context.set_words(AT[name], [value])

    def slot(self, slot: int) -> int:
        """A word of the context, by its number."""
        return self.context.words(slot, 1)[0]

    def filled(self, owner: int) -> int:
        """Entries in the buffer for an owner."""
        return self.context.words(AT["FILLED"] + owner, 1)[0]

    def set_filled(self, owner: int, count: int) -> None:
        self.context.set_words(AT["FILLED"] + owner, [count])

    @property
    def count(self) -> int:
        return self.get("COUNT")

    @property
    def memory(self) -> int:
        """Bytes that the part of the visited set takes."""
        waiting = len(self.waiting) if self.is_compact else 0
        return self.count * (8 * self.kept_width + 4) + (4 << self.slot_bits) + 8 * self.width * waiting

    @property
    def waiting(self) -> range:
        """The states that are still to be expanded."""
        return range(self.done, max(self.done, min(self.count, self.wanted)))

    def packed(self, index: int) -> tuple[int, ...]:
        """What is kept of a state."""
        return self.kept.words(index * self.kept_width, self.kept_width)

    def parent(self, index: int) -> int:
        half = self.parents.words(index // 2, 1)[0]
        return half >> (32 if index % 2 else 0) & 0xFFFFFFFF

    # --- work ------------------------------------------------------------------------------------------------------

    def begin(self, state: Iterable[int]) -> None:
        """Put the first state, a working one, in the buffer for its owner."""
        self.rows[0].set_words(0, state)
        self.functions["first_state"](self.context.address, 0, 0)

    def advance(self, end: int) -> None:
        """Expand states before `end`, until a buffer is full."""
        self.done = self.functions["advance"](self.context.address, self.done, end)

    def gather(self, buffer: int, count: int) -> None:
        """Look up so many states that another worker, or this one, has sent; what is new is kept."""
        for at in range(0, count, ROUND):
            part = min(ROUND, count - at)
            if self.count + part > self.most_states:
                self.is_full = True
                return
            self._make_room(part)
            self.functions["gather"](self.context.address, buffer + at * self.entry * 8, part)

    def inspect(self) -> None:
        """Judge the states that are new."""
        self.functions["inspect"](self.context.address, self.inspected, self.count)
        self.inspected = self.count
        if self.is_compact:
            self._release()

    def _release(self) -> None:
        """Keep no state but those that are still to be expanded."""
        size, waiting = 8 * self.width, self.waiting
        gone, spare = self.released
        spare = max(spare, waiting.stop * size)
        self.released = [
            self.states.release(gone, waiting.start * size),
            self.states.release(spare, self.count * size),
        ]

    def _make_room(self, more: int) -> None:
        bits = _slot_bits(self.count + more, self.slot_bits)
        if bits > self.slot_bits:
            self._rehash(bits)

    def rebuild_table(self) -> None:
        """The table of states that came from elsewhere."""
        self._rehash(_slot_bits(self.count, FIRST_TABLE))

    def _rehash(self, bits: int) -> None:
        table = Stretch(4 << bits)
        self.functions["rehash"](self.context.address, table.address, bits)
        self.table.free()
        self.table, self.slot_bits = table, bits


def _slot_bits(states: int, bits: int) -> int:
    """The least table from this one on that has room for so many states."""
    while states > FULL * (1 << bits):
        bits += 1
    return bits
