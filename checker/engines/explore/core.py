"""The inner loops of the search, as text for `machine`: what becomes of a new state.

Every worker owns the states whose hash falls to it: an array of packed states in the order in which they were found, the
number of the parent of each, and a table of 32-bit slots: a number, counted from 1, in as many bits as number the slots,
and part of the hash above it.  `advance` takes states from the owner's queue and leaves successors in one buffer for each
owner; `gather` looks them up there.  States that were just sent are remembered in a small cache and not sent again.

What is kept to be looked up is the states themselves; with `compaction`, their hashes: a state then counts in the array of
states from when it is found until it is expanded.
"""

from __future__ import annotations

from vmaspace.checker.engines.explore.compaction import Compaction
from vmaspace.checker.logic.packed.program import FIRST_SLOT

MOST_WORKERS = 64
ENTRY_EXTRA = 2  # words of a buffer entry before the state: its hash, its parent

# Words of the context, after those of `program`.
NAMES = (
    "STATES", "COUNT", "PARENTS", "TABLE", "SLOT_BITS", "CACHE", "CACHE_MASK", "WORKER", "WORKERS", "WORK", "WORK_NEXT",
    "LIMIT", "DEADLOCKS", "FIRST_DEADLOCK", "SENT", "KEPT",
)  # fmt: skip
FIRST = 8
AT = {name: FIRST + i for i, name in enumerate(NAMES)}
AT["BUFFERS"] = 24  # one address for each owner
AT["FILLED"] = 24 + MOST_WORKERS  # entries in each
assert AT["FILLED"] + MOST_WORKERS <= FIRST_SLOT

HASH = '''
def hash_of(P: Words) -> Word:
    h = 7046029254386353131
    for i in range(WIDTH):
        h = (h ^ P[i]) * -7046029254386353131
        h = h ^ (h >> 32)
    h = h * -4658895280553007687
    return h ^ (h >> 29)
'''

TEXT = '''
def emit(C: Words, T: Words) -> Word:
    P = local(WIDTH_LITERAL)
    canonical(C, T, P)
    h = hash_of(P)
    cache = words(C[CACHE])
    slot = ((h >> 20) & C[CACHE_MASK]) * (WIDTH + 1)
    if cache[slot + WIDTH] == h:
        same = True
        for i in range(WIDTH):
            if cache[slot + i] != P[i]:
                same = False
        if same:
            return 0
    copy(words(C[CACHE] + slot * 8), P, WIDTH)
    cache[slot + WIDTH] = h
    owner = ((h >> 32) * C[WORKERS]) >> 32
    n = C[FILLED + owner]
    C[FILLED + owner] = n + 1
    C[SENT] += 1
    place = words(C[BUFFERS + owner] + n * ENTRY * 8)
    place[0] = h
    place[1] = C[PARENT]
    for i in range(WIDTH):
        place[2 + i] = P[i]
    return 1


def advance(context: Word, first: Word, last: Word) -> Word:
    C = words(context)
    S = words(C[WORK])
    T = words(C[WORK_NEXT])
    for index in range(first, last):
        for owner in range(C[WORKERS]):
            if C[FILLED + owner] >= C[LIMIT]:
                return index
        unpack(words(C[STATES] + index * WIDTH * 8), S)
        C[INDEX] = index
        C[PARENT] = index * C[WORKERS] + C[WORKER]
        before = steps_of(C)
        expand(C, S, T)
        if steps_of(C) == before:
            C[DEADLOCKS] += 1
            if C[FIRST_DEADLOCK] == 0:
                C[FIRST_DEADLOCK] = index + 1
    return last


def place_of(D: Words, h: Word, K: Words) -> Word:
    table = halves(D[TABLE])
    kept = words(D[KEPT])
    bits = D[SLOT_BITS]
    mask = (1 << bits) - 1
    mark = (h >> 32) >> bits
    slot = h & mask
    while table[slot] != 0:
        found = table[slot]
        if found >> bits == mark:
            at = ((found & mask) - 1) * KEPT_WIDTH
            known = True
            for j in range(KEPT_WIDTH):
                if kept[at + j] != K[j]:
                    known = False
            if known:
                return slot
        slot = (slot + 1) & mask
    return slot


def gather(context: Word, buffer: Word, count: Word) -> Word:
    C = words(context)
    table = halves(C[TABLE])
    states = words(C[STATES])
    kept = words(C[KEPT])
    parents = halves(C[PARENTS])
    bits = C[SLOT_BITS]
    mask = (1 << bits) - 1
    entries = words(buffer)
    for i in range(count):
        ahead = i + 12
        if ahead < count:
            prefetch(table, entries[ahead * ENTRY] & mask)
        ahead = i + 6
        if ahead < count:
            there = table[entries[ahead * ENTRY] & mask] & mask
            prefetch(kept, (there - 1) * KEPT_WIDTH)
        K = words(buffer + (i * ENTRY + KEPT_FROM) * 8)
        h = entries[i * ENTRY]
        slot = place_of(C, h, K)
        if table[slot] == 0:
            number = C[COUNT]
            C[COUNT] = number + 1
            table[slot] = (((h >> 32) >> bits) << bits) | (number + 1)
            parents[number] = entries[i * ENTRY + 1]
            for j in range(KEPT_WIDTH):
                kept[number * KEPT_WIDTH + j] = K[j]
            if COMPACT:
                P = words(buffer + (i * ENTRY + 2) * 8)
                for j in range(WIDTH):
                    states[number * WIDTH + j] = P[j]
    return C[COUNT]


def inspect(context: Word, first: Word, last: Word) -> Word:
    C = words(context)
    S = words(C[WORK])
    T = words(C[WORK_NEXT])
    for index in range(first, last):
        C[INDEX] = index
        unpack(words(C[STATES] + index * WIDTH * 8), S)
        check(C, S, T)
    return 0


def rehash(context: Word, address: Word, bits: Word) -> Word:
    C = words(context)
    table = halves(address)
    mask = (1 << bits) - 1
    for number in range(C[COUNT]):
        h = words(C[KEPT])[number] if COMPACT else hash_of(words(C[STATES] + number * WIDTH * 8))
        slot = h & mask
        while table[slot] != 0:
            slot = (slot + 1) & mask
        table[slot] = (((h >> 32) >> bits) << bits) | (number + 1)
    C[TABLE] = address
    C[SLOT_BITS] = bits
    return 0


def first_state(context: Word) -> Word:
    C = words(context)
    return emit(C, words(C[WORK]))


def key_of(context: Word, target: Word) -> Word:
    C = words(context)
    P = words(target)
    canonical(C, words(C[WORK]), P)
    if COMPACT:
        P[0] = hash_of(P)
    return 0
'''


def core_text(width: int, counters: list[int], compaction: Compaction | None = None) -> str:
    """The text for packed states of so many words; `counters` are the words that count calls."""
    kept = {"COMPACT": 0, "KEPT_WIDTH": width, "KEPT_FROM": ENTRY_EXTRA}
    if compaction is not None:
        kept = {"COMPACT": 1, "KEPT_WIDTH": 1, "KEPT_FROM": 0}
    constants = {**AT, **kept, "WIDTH": width, "ENTRY": width + ENTRY_EXTRA}
    lines = [f"{name} = {value}" for name, value in constants.items()]
    total = " + ".join(f"C[{i}]" for i in counters) or "0"
    steps = f"\n\ndef steps_of(C: Words) -> Word:\n    return {total}\n"
    hashing = HASH if compaction is None else "\n\n" + compaction.text(width)
    return "\n".join(lines) + steps + hashing + TEXT.replace("WIDTH_LITERAL", str(width))
