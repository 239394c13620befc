"""What generated functions call: pieces, test points, elements.  Text for `machine`."""

from __future__ import annotations

from vmaspace.checker.logic.packed.layout import PIECES

MOST_POINTS = 1024  # places at which one bound number is looked at

TEXT = f'''
PIECES = {PIECES}
MOST_POINTS = {MOST_POINTS}
SHARED = shared(1)


def piece_at(S: Words, row: Word, address: Wide) -> Word:
    n = S[row]
    found = 0
    for i in range(n):
        if unsigned(S[row + 1 + i]) > address:
            break
        found = S[row + 1 + PIECES + i]
    return found


def put_point(OUT: Words, n: Word, value: Wide, top: Wide) -> Word:
    if value < 0 or value >= top:
        return n
    i = 0
    after = n
    while i < after:
        middle = (i + after) // 2
        if unsigned(OUT[middle]) < value:
            i = middle + 1
        else:
            after = middle
    if i < n and unsigned(OUT[i]) == value:
        return n
    if n == MOST_POINTS:
        SHARED[0] = 1
        return n
    j = n
    while j > i:
        OUT[j] = OUT[j - 1]
        j -= 1
    OUT[i] = value
    return n + 1


def too_many_points(context: Word, a: Word, b: Word) -> Word:
    return SHARED[0]


def add_point(OUT: Words, n: Word, bound: Wide, steps: Words, count: Word, top: Wide) -> Word:
    for more in range(2):
        start = bound + more
        if start < 0:
            start = wide(0)
        n = put_point(OUT, n, start, top)
        for i in range(count):
            log2 = steps[i]
            if log2 > 0:
                step = wide(1) << log2
                up = (start + step - 1) & ~(step - 1)
                n = put_point(OUT, n, up, top)
                n = put_point(OUT, n, up + step, top)
                n = put_point(OUT, n, start + 1, top)
    return n


def with_starts(T: Words, row: Word, OUT: Words, n: Word) -> Word:
    for i in range(T[row]):
        n = put_point(OUT, n, unsigned(T[row + 1 + i]), wide(18446744073709551616))
    return n


def write_pieces(T: Words, row: Word, starts: Words, values: Words, n: Word) -> bool:
    m = 0
    last = 0
    for i in range(n):
        if values[i] != last:
            if m == PIECES:
                return False
            T[row + 1 + m] = starts[i]
            T[row + 1 + PIECES + m] = values[i]
            last = values[i]
            m += 1
    T[row] = m
    for i in range(m, PIECES):
        T[row + 1 + i] = 0
        T[row + 1 + PIECES + i] = 0
    return True


def existing(S: Words, at: Word, most: Word) -> Word:
    found = 0
    for i in range(1, most + 1):
        found += S[at + i]
    return found


def cut(C: Words) -> Word:
    C[CUT] += 1
    return 0
'''
