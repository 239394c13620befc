"""What generated functions call: pieces, test points, elements.  Text for `machine`."""

from __future__ import annotations

from vmaspace.checker.logic.packed.layout import PIECES

TEXT = f'''
PIECES = {PIECES}


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
    OUT[n] = value
    return n + 1


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


def sorted_once(OUT: Words, n: Word) -> Word:
    for i in range(1, n):
        value = OUT[i]
        j = i
        while j > 0 and unsigned(OUT[j - 1]) > unsigned(value):
            OUT[j] = OUT[j - 1]
            j -= 1
        OUT[j] = value
    m = 0
    for i in range(n):
        if m == 0 or OUT[m - 1] != OUT[i]:
            OUT[m] = OUT[i]
            m += 1
    return m


def with_starts(T: Words, row: Word, OUT: Words, n: Word) -> Word:
    for i in range(T[row]):
        OUT[n] = T[row + 1 + i]
        n += 1
    return sorted_once(OUT, n)


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
