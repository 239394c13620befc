"""One state for each orbit, as text for `machine`: interchangeable elements in an order that does not depend on numbers.

Each element gets a key from its rows; keys do not change with the numbering, so sorting by them fixes the order, except among
elements with one key.  Those that nothing is known of and nothing refers to can stand anywhere.  Where many others have one
key, rounds add the keys of the elements that an element refers to or that refer to it.  Of those that are not told apart
every order is tried and the least packed state is taken.  So the form is exact whatever the keys are worth.
"""

from __future__ import annotations

from vmaspace.checker.logic.packed.blank import blank_text
from vmaspace.checker.logic.packed.layout import PIECES, WORD_BITS, Column, Field, Layout
from vmaspace.checker.logic.packed.lines import Lines
from vmaspace.checker.logic.packed.orbits import classes

ROUNDS = 2
TIED = 1  # with so few elements too many in groups, trying their orders takes less time than rounds

TEXT = """
def mixed(h: Word, value: Word) -> Word:
    h = (h ^ value) * -7046029254386353131
    return h ^ (h >> 29)


def next_order(order: Words, start: Word, size: Word) -> bool:
    i = start + size - 2
    while i >= start and order[i] >= order[i + 1]:
        i -= 1
    found = i >= start
    if found:
        j = start + size - 1
        while order[j] <= order[i]:
            j -= 1
        moved = order[i]
        order[i] = order[j]
        order[j] = moved
    low = i + 1
    high = start + size - 1
    while low < high:
        moved = order[low]
        order[low] = order[high]
        order[high] = moved
        low += 1
        high -= 1
    return found


def order_by_key(order: Words, keys: Words, first: Word, last: Word) -> Word:
    for i in range(first + 1, last):
        e = order[i]
        j = i
        while j > first and (keys[order[j - 1]] > keys[e]
                             or (keys[order[j - 1]] == keys[e] and order[j - 1] > e)):
            order[j] = order[j - 1]
            j -= 1
        order[j] = e
    return 0
"""


class Canonical:
    """Writes `canonical` for one layout."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.classes = classes(layout)
        self.salt = 0

    def text(self) -> str:
        body = Lines()
        for sort in self.classes:
            n = self.layout.counts[sort]
            for name in ("key", "more", "new", "old", "order"):
                body.add(f"{name}_{sort} = local({n + 1})")
        for sort in self.classes:
            self.first_keys(body, sort)
            body.open(f"for e in range({self.layout.counts[sort] + 1}):")
            body.add(f"order_{sort}[e] = e")
            body.close()
        self.orders(body)
        self.arrangements(body)
        head = "def canonical(C: Words, T: Words, P: Words) -> Word:"
        return "\n".join([TEXT, blank_text(self.layout), head, *body.lines, "    return 0", ""])

    # --- keys ------------------------------------------------------------------------------------------------------

    def fresh_salt(self) -> int:
        self.salt += 1
        return self.salt * 0x1E3779B97F4A7C15 & (1 << 62) - 1

    def first_keys(self, body: Lines, sort: str) -> None:
        """Everything about an element that is not an element."""
        body.add(f"key_{sort}[0] = 0")
        body.open(f"for e in range(1, {self.layout.counts[sort] + 1}):")
        rows = [(c, f"{c.at} + {c.width} * e") for c in self.layout.state_columns if c.leading == [sort]]
        first, *more = self.joined([(c, row) for c, row in rows if not c.function.is_piecewise and self.is_plain(c)])
        body.add(f"k = {first}")
        for word in more:
            body.add(f"k = mixed(k + {self.fresh_salt()}, {word})")
        for column, row in rows:
            if column.function.is_piecewise:
                self.piece_key(body, column, row)
        body.add(f"key_{sort}[e] = k")
        body.close()

    def joined(self, rows: list[tuple[Column, str]]) -> list[str]:
        """Words that hold the values of these rows side by side."""
        words, shift = ["0"], 0
        for column, row in rows:
            if shift + column.bits > WORD_BITS:
                words.append("0")
                shift = 0
            value = f"(T[{row}] - {column.low})" if column.low else f"T[{row}]"
            words[-1] = f"{words[-1]} | ({value} << {shift})" if shift else value
            shift += column.bits
        return words

    def is_plain(self, column: Column) -> bool:
        result = column.function.result
        return result.kind != "sort" or result.name not in self.classes

    def piece_key(self, body: Lines, column: Column, row: str) -> None:
        body.open(f"for i in range(T[{row}]):")
        body.add(f"k = mixed(k + {self.fresh_salt()}, T[{row} + 1 + i])")
        if self.is_plain(column):
            body.add(f"k = mixed(k, T[{row} + {1 + PIECES} + i])")
        body.close()

    def rounds(self, body: Lines) -> None:
        """Keys from relations."""
        for sort in self.classes:
            body.open(f"for e in range(1, {self.layout.counts[sort] + 1}):")
            body.add(f"key_{sort}[e] = mixed({self.fresh_salt()}, key_{sort}[e])")
            body.close()
        for _ in range(ROUNDS):
            for sort in self.classes:
                self.later_keys(body, sort)
            for sort in self.classes:
                body.open(f"for e in range(1, {self.layout.counts[sort] + 1}):")
                body.add(f"key_{sort}[e] = more_{sort}[e]")
                body.close()

    def later_keys(self, body: Lines, sort: str) -> None:
        """What the keys of related elements add."""
        body.open(f"for e in range(1, {self.layout.counts[sort] + 1}):")
        body.add(f"k = key_{sort}[e]")
        for column in self.layout.state_columns:
            self.relations(body, column, sort)
        body.add(f"more_{sort}[e] = k")
        body.close()

    def relations(self, body: Lines, column: Column, sort: str) -> None:
        leading = column.leading
        result = column.function.result
        leads = result.kind == "sort" and result.name in self.classes and not column.function.is_piecewise
        salt = self.fresh_salt()
        if leading == [sort] and leads:
            body.add(f"k = mixed(k + {salt}, key_{result.name}[T[{column.at} + e]])")
        if not leading and leads and result.name == sort:
            body.open(f"if T[{column.at}] == e:")
            body.add(f"k += {salt}")
            body.close()
        if len(leading) == 1 and leads and result.name == sort:
            key = f"key_{leading[0]}[x]" if leading[0] in self.classes else "x"
            body.open(f"for x in range(1, {self.layout.counts[leading[0]] + 1}):")
            body.open(f"if T[{column.at} + x] == e:")
            body.add(f"k += mixed({salt}, {key})")
            body.close()
            body.close()
        if len(leading) == 2:
            self.pairs(body, column, sort, salt)

    def pairs(self, body: Lines, column: Column, sort: str, salt: int) -> None:
        """A table of two elements: a sum over the other one, from either side."""
        result = column.function.result
        for side in (0, 1):
            if column.leading[side] != sort:
                continue
            other = column.leading[1 - side]
            body.open(f"for x in range(1, {self.layout.counts[other] + 1}):")
            own, far = (column.width * s for s in (column.strides[side], column.strides[1 - side]))
            body.add(f"v = T[{column.at} + {own} * e + {far} * x]")
            body.open("if v != 0:")
            key = f"key_{other}[x]" if other in self.classes else "x"
            value = "v"
            if result.kind == "sort" and result.name in self.classes and column.width == 1:
                value = f"key_{result.name}[v]"
            same = f"({salt + 7 + side} if x == e else {salt + side})" if other == sort else str(salt + side)
            body.add(f"k += mixed(mixed({same}, {key}), {value})")
            body.close()
            body.close()

    # --- orders ----------------------------------------------------------------------------------------------------

    def orders(self, body: Lines) -> None:
        """`order_SORT`: the elements as they shall stand; `start`, `size` and `owner`: `groups` of elements with one key."""
        most = sum(len(g) for groups in self.classes.values() for g in groups)
        for name in ("start", "size", "owner"):
            body.add(f"{name} = local({most + 1})")
        body.add("refined = False")
        body.open("while True:")
        body.add("groups = 0")
        body.add("tied = 0")
        for number, (sort, groups) in enumerate(self.classes.items()):
            for group in groups:
                self.order(body, sort, group, number)
        body.open(f"if refined or tied <= {TIED}:")
        body.add("break")
        body.close()
        body.add("refined = True")
        self.rounds(body)
        body.close()

    def order(self, body: Lines, sort: str, group: list[int], number: int) -> None:
        first, last = group[0], group[-1] + 1
        end = str(last)
        if sort in self.layout.existence:
            body.add(f"end = {first} + existing(T, {self.layout.existence[sort] + first - 1}, {len(group)})")
            end = "end"
        body.add(f"order_by_key(order_{sort}, key_{sort}, {first}, {end})")
        body.add(f"i = {first}")
        body.open(f"while i < {end}:")
        body.add("j = i + 1")
        body.open(f"while j < {end} and key_{sort}[order_{sort}[j]] == key_{sort}[order_{sort}[i]]:")
        body.add("j += 1")
        body.close()
        body.open("if j - i > 1:")
        body.add("n = i")
        body.open(f"while n < j and is_blank_{sort}(T, order_{sort}[n]):")
        body.add("n += 1")
        body.close()
        body.open("if n < j:")
        body.add("start[groups] = i")
        body.add("size[groups] = j - i")
        body.add(f"owner[groups] = {number}")
        body.add("groups += 1")
        body.add("tied += j - i - 1")
        body.close()
        body.close()
        body.add("i = j")
        body.close()

    def arrangements(self, body: Lines) -> None:
        """Pack in this order; with groups, in every order of each, and keep the least."""
        width = self.layout.words
        body.add(f"Q = local({width})")
        body.add("tried = 0")
        body.open("while True:")
        for sort in self.classes:
            body.add(f"new_{sort}[0] = 0")
            body.open(f"for i in range(1, {self.layout.counts[sort] + 1}):")
            body.add(f"old_{sort}[i] = order_{sort}[i]")
            body.add(f"new_{sort}[order_{sort}[i]] = i")
            body.close()
        words: dict[int, list[str]] = {i: [] for i in range(width)}
        for f in self.layout.fields:
            value = self.moved(f)
            value = f"({value} - {f.low})" if f.low else value
            words[f.word].append(f"({value} << {f.shift})" if f.shift else value)
        for word, parts in words.items():
            body.add(f"Q[{word}] = {' | '.join(parts) or 0}")
        body.add("less = tried == 0")
        body.open("if tried != 0:")
        body.open(f"for i in range({width}):")
        body.open("if Q[i] != P[i]:")
        body.add("less = Q[i] < P[i]")
        body.add("break")
        body.depth = 2
        body.open("if less:")
        body.add(f"copy(P, Q, {width})")
        body.close()
        body.add("tried = 1")
        body.add("g = 0")
        body.open("while g < groups:")
        for number, sort in enumerate(self.classes):
            body.open(f"if owner[g] == {number} and next_order(order_{sort}, start[g], size[g]):")
            body.add("break")
            body.close()
        body.add("g += 1")
        body.close()
        body.open("if g == groups:")
        body.add("return 0")
        body.depth = 1

    def moved(self, f: Field) -> str:
        """The value that a field has in the new order."""
        column = f.column
        row = [str(column.at + f.row - column.row(f.key))]
        for sort, k, stride in zip(column.leading, f.key, column.strides, strict=True):
            step = stride * column.width
            row.append(f"{step} * old_{sort}[{k}]" if sort in self.classes else str(step * k))
        value = f"T[{' + '.join(row)}]"
        result = column.function.result
        return f"new_{result.name}[{value}]" if f.is_element and result.name in self.classes else value
