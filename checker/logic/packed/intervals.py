"""How large each number of a scope can be, and so which width it needs; and names for symbols.

Bounds are computed over the terms, from what the scope says of vars and the domains of types.  They are never too narrow.
"""

from __future__ import annotations

import re

from vmaspace.checker.logic import terms as tm
from vmaspace.checker.logic.packed.layout import Layout
from vmaspace.checker.logic.packed.runtime import MOST_POINTS
from vmaspace.checker.logic.points import NotLinear
from vmaspace.checker.logic.rewriting import rewrite
from vmaspace.checker.logic.terms import Term

Interval = tuple[int, int]


def is_wide(bounds: Interval) -> bool:
    return bounds[0] < -(1 << 63) or bounds[1] >= 1 << 63


class Intervals:
    """The bounds of terms in one layout, whose givens are known."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.intervals: dict[Term, Interval] = {}
        self._folded: dict[Term, Term] = {}

    # --- the world -------------------------------------------------------------------------------------------------

    def fold(self, t: Term) -> Term:
        """`t` in this world: givens without arguments are numbers."""
        tables = self.layout.world.tables

        def leaf(node: Term) -> Term | None:
            if node.op == "app" and node.function.kind == "given" and not node.args:
                value = tables[node.function.name][()]
                if node.type.kind == "sort" and value < 0:
                    return tm.null(node.type)
                return tm.const(value, node.type)
            return None

        return rewrite(t, leaf, self._folded)

    # --- intervals -------------------------------------------------------------------------------------------------

    def bind(self, symbol: Term, bounds: Interval | None = None) -> str:
        """A name for a symbol, and the values that it may have (default: those of its type)."""
        self.intervals[symbol] = bounds if bounds is not None else self.type_bounds(symbol)
        return self.name(symbol)

    def name(self, symbol: Term) -> str:
        prefix = "b_" if "#" in symbol.name else "x_"  # `x#7`, which is bound, and a parameter `x_7`
        return prefix + re.sub(r"\W", "_", symbol.name)

    def type_bounds(self, symbol: Term) -> Interval:
        contract = self.layout.contract
        match symbol.type.kind:
            case "bool":
                return 0, 1
            case "sort":
                return 0, self.layout.counts[symbol.type.name]
            case "enum":
                return 0, len(contract.enums[symbol.type.name]) - 1
            case "flags":
                return 0, (1 << 1 + max(contract.flags[symbol.type.name].values(), default=0)) - 1
            case "address" | "bytes":
                return 0, tm.WORD - 1
            case "page" | "pages":
                return 0, tm.WORD // tm.PAGE - 1
        raise NotLinear(f"{symbol.name}: an `int` cannot be searched; bind an address, bytes or a page")

    def interval(self, t: Term) -> Interval:
        """Bounds on the value of a term."""
        match t.op:
            case "const":
                value = t.value + (t.type.kind == "sort")
                return value, value
            case "sym":
                return self.intervals.get(t) or self.type_bounds(t)
            case "app" if t.function.kind != "exists":
                column = self.layout.columns[t.function]
                return column.low, column.high
            case "ite":
                return _hull(self.interval(t.args[1]), self.interval(t.args[2]))
            case "add":
                parts = [self.interval(a) for a in t.args]
                return sum(low for low, _ in parts), sum(high for _, high in parts)
            case "mul":
                return _hull(*((e * t.factor, e * t.factor) for e in self.interval(t.args[0])))
            case "div":
                low, high = self.interval(t.args[0])
                return low // t.factor, high // t.factor
            case "mod":
                return 0, t.factor - 1
            case "count":
                most = 1
                for b in t.binders:
                    most *= self.layout.counts.get(b.type.name, MOST_POINTS)
                return 0, most
            case "bitand" | "bitor" | "bitdiff":
                return 0, max(self.interval(a)[1] for a in t.args) * 2 + 1
        return 0, 1

    def is_certain(self, t: Term) -> bool:
        """A condition that the bounds alone make true."""
        match t.op:
            case "le":
                return self.interval(t.args[0])[1] <= self.interval(t.args[1])[0]
            case "not" if t.args[0].op == "le":
                return self.interval(t.args[0].args[0])[0] > self.interval(t.args[0].args[1])[1]
        return t is tm.TRUE

    def kind(self, symbol: Term) -> str:
        return "Wide" if is_wide(self.interval(symbol)) else "Word"


def _hull(*parts: Interval) -> Interval:
    return min(low for low, _ in parts), max(high for _, high in parts)
