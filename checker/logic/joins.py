"""Formulas as Python functions for states of thousands of elements.

`code` runs a quantifier over several elements as loops in one another: n elements make n² pairs. Here the inner loop runs
only through those elements that can satisfy a condition which relates them to the ones already chosen:

* `R(x, y)`: the elements that the table of `R` holds beside `x`;
* `low(y) <= B` and `A <= high(y)`: the elements whose range reaches into [A, B], by a search tree over the ranges;
* `f(y) == E`: the elements with that value.

An index only passes over elements for which its condition is false, and every condition is tested all the same. So the
answer is that of the plain loops, and so is their order: a search finds the same elements first. What a bound number
demands of the other variables, `A < B` where A <= p and p < B, is added as a condition of its own, so that nobody tries
numbers for a pair that has none in common.

Indexes cost time to make; on states of a few elements plain loops are faster.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from vmaspace.checker.logic import terms as tm
from vmaspace.checker.logic.code import Evaluator, Source, build
from vmaspace.checker.logic.terms import Term

_BOTTOM = -(1 << 80)  # below every number that a formula computes of 64-bit words


class Ranges:
    """Elements with a lowest and a highest number each, by what a range of numbers meets."""

    def __init__(self, rows: Iterable[tuple[int, int, int]]) -> None:
        """rows: (lowest, highest, element); highest may lie below lowest."""
        ordered = sorted(rows)
        self._lowest = [row[0] for row in ordered]
        self._elements = [row[2] for row in ordered]
        # A heap of maxima: the children of node i are 2i and 2i + 1, the leaves begin at `_leaves`.
        self._leaves = 1 << max(0, (len(ordered) - 1).bit_length())
        self._highest = [_BOTTOM] * (2 * self._leaves)
        self._highest[self._leaves : self._leaves + len(ordered)] = [row[1] for row in ordered]
        for i in range(self._leaves - 1, 0, -1):
            self._highest[i] = max(self._highest[2 * i], self._highest[2 * i + 1])

    def meeting(self, low: int, high: int) -> list[int]:
        """The elements with lowest <= high and highest >= low, ascending."""
        count = bisect_right(self._lowest, high)
        found: list[int] = []
        highest, leaves = self._highest, self._leaves
        stack = [(1, 0, leaves)] if count else []
        while stack:
            node, start, width = stack.pop()
            if start >= count or highest[node] < low:
                continue
            if node >= leaves:
                found.append(self._elements[start])
                continue
            half = width // 2
            stack.append((2 * node, start, half))
            stack.append((2 * node + 1, start + half, half))
        found.sort()
        return found


def grouped(rows: Iterable[tuple[Any, int]]) -> dict[Any, list[int]]:
    """Elements by a value; in each group in the order of the rows."""
    groups: dict[Any, list[int]] = {}
    for value, element in rows:
        groups.setdefault(value, []).append(element)
    return groups


RUNTIME: dict[str, Callable[..., Any]] = {"Ranges": Ranges, "grouped": grouped}


class JoinedSource(Source):
    """As `Source`, with indexes for inner loops."""

    def __init__(self) -> None:
        super().__init__()
        self.indexes: dict[str, str] = {}  # the expression that makes one, and its name

    def clauses(self, binders: tuple[Term, ...], parts: list[Term], stage: int) -> str:
        return super().clauses(binders, [*parts, *implied(binders, parts)], stage)

    def elements(self, symbol: Term, conditions: Sequence[Term], stage: int) -> str:
        own = [c for c in conditions if c.symbols == {symbol}]
        joins = [c for c in conditions if symbol in c.symbols and len(c.symbols) > 1]
        return (
            self.related(symbol, own, joins, stage)
            or self.overlapping(symbol, own, joins, stage)
            or self.equal(symbol, own, joins, stage)
            or super().elements(symbol, conditions, stage)
        )

    # --- the three indexes -----------------------------------------------------------------------------------------

    def related(self, symbol: Term, own: list[Term], joins: list[Term], stage: int) -> str:
        for c in joins:
            if c.op != "app" or len(c.args) != 2 or symbol not in c.args or c.function.is_piecewise:
                continue
            other = c.args[1 - c.args.index(symbol)]
            if symbol in other.symbols:
                continue
            # The rows of the table, in the order of the elements; nothing is known of an order in the table.
            table, domain = self.table(c.function, c.stage or 0), self.domain(symbol.type.name, stage)
            k, o = ("k[0]", "k[1]") if c.args[0] is symbol else ("k[1]", "k[0]")
            rows = f"sorted((({o}, {k}) for k, v in {table}.items() if v and {k} in s), key=lambda r: r[1])"
            index = self.index(f"(lambda s: grouped({rows}))(frozenset({domain}))")
            return f"{index}.get({self.expr(other)}, ())"
        return ""

    def overlapping(self, symbol: Term, own: list[Term], joins: list[Term], stage: int) -> str:
        below = above = None  # (number of the element, number of the others)
        for c in joins:
            small, big = ends(c)
            if small.symbols == {symbol} and symbol not in big.symbols:
                below = below or (small, big)
            elif big.symbols == {symbol} and symbol not in small.symbols:
                above = above or (big, small)
        if below is None or above is None:
            return ""
        (low, upto), (high, since) = below, above
        rows = f"({self.expr(low)}, {self.expr(high)}, {self.name(symbol)}){self.rows(symbol, own, stage)}"
        return f"{self.index(f'Ranges({rows})')}.meeting({self.expr(since)}, {self.expr(upto)})"

    def equal(self, symbol: Term, own: list[Term], joins: list[Term], stage: int) -> str:
        for c in joins:
            if c.op != "eq":
                continue
            for mine, other in (c.args, c.args[::-1]):
                if mine.symbols == {symbol} and symbol not in other.symbols:
                    rows = f"({self.expr(mine)}, {self.name(symbol)}){self.rows(symbol, own, stage)}"
                    return f"{self.index(f'grouped({rows})')}.get({self.expr(other)}, ())"
        return ""

    def rows(self, symbol: Term, own: list[Term], stage: int) -> str:
        """The loop over the elements of an index: those that fulfil what is asked of them alone."""
        tests = "".join(f" if {self.expr(c)}" for c in own)
        return f" for {self.name(symbol)} in {self.domain(symbol.type.name, stage)}{tests}"

    def index(self, made: str) -> str:
        return self.indexes.setdefault(made, f"i{len(self.indexes)}")

    def prelude(self) -> list[str]:
        # In the order of their making: one may use another.
        return [*super().prelude(), *(f"    {name} = {made}" for made, name in self.indexes.items())]


def ends(c: Term) -> tuple[Term, Term]:
    """(a, b) for a condition that implies a <= b; two constants for any other."""
    if c.op == "le":
        return c.args[0], c.args[1]
    if c.op == "not" and c.args[0].op == "le":
        return c.args[0].args[1], c.args[0].args[0]
    return tm.TRUE, tm.TRUE


def implied(binders: tuple[Term, ...], parts: Sequence[Term]) -> list[Term]:
    """What bound numbers demand of what they lie between: A < B, or A <= B, where A .. p and p .. B."""
    found: dict[Term, None] = {}
    for p in (b for b in binders if b.type.kind != "sort"):
        lower = [c for c in parts if ends(c)[1] is p and p not in ends(c)[0].symbols]
        upper = [c for c in parts if ends(c)[0] is p and p not in ends(c)[1].symbols]
        for a in lower:
            for b in upper:
                is_strict = a.op == "not" or b.op == "not"
                small, big = ends(a)[0], ends(b)[1]
                found[tm.lt(small, big) if is_strict else tm.le(small, big)] = None
    return [c for c in found if c is not tm.TRUE]


def joined(t: Term) -> Evaluator:
    """`t` as `code.evaluator` gives it, for large states."""
    code = JoinedSource()
    body = code.expr(t)
    function: Evaluator = _function(code, f"return {body}")
    return function


def first(search: Term) -> Callable[[Any, Any, Mapping[str, int]], tuple[int, ...]]:
    """The first values for which an `exists` holds, in the order of its loops; empty if it does not hold."""
    code = JoinedSource()
    names = "".join(code.name(b) + ", " for b in search.binders)
    loops = code.loops(f"({names})", search)
    function: Callable[[Any, Any, Mapping[str, int]], tuple[int, ...]]
    function = _function(code, f"return next(iter({loops}), ())")
    return function


def _function(code: JoinedSource, body: str) -> Any:
    return build("\n".join(["def f(S, T, e):", *code.prelude(), f"    {body}", ""]), runtime=RUNTIME)
