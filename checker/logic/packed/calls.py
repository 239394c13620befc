"""Every call that a caller may make in a state: loops over the arguments of an operation.

An argument's values come from its type, from the scope, or from the guard itself: of `low(v) <= from and from < to and
to <= high(v)` the bounds of `from` are found by eliminating `to`, so that only ranges inside containers are looked at, and
not the product of all values.  Every condition is tested as soon as its arguments are known.
"""

from __future__ import annotations

from collections.abc import Callable

from vmaspace.checker.logic import terms as tm
from vmaspace.checker.logic.code import flatten
from vmaspace.checker.logic.contract import Operation
from vmaspace.checker.logic.packed.expressions import Expressions
from vmaspace.checker.logic.packed.intervals import is_wide
from vmaspace.checker.logic.packed.layout import ScopeError
from vmaspace.checker.logic.packed.lines import Lines
from vmaspace.checker.logic.terms import Term

MOST_VALUES = 1 << 16  # of an argument that only its type bounds


class Calls:
    """Writes the loops for one operation."""

    def __init__(self, expressions: Expressions, operation: Operation) -> None:
        self.code = expressions
        self.operation = operation
        conditions = (expressions.fold(operation.domain), expressions.fold(operation.requires))
        self.parts = [p for c in conditions for p in flatten(c)]
        self.values: dict[str, range | tuple[int, ...]] = {}  # what each argument but elements may be at all
        self.facts = {f: p for p in self.parts for f in at_most_zero(p)}
        self.kept: set[Term] = set()  # conditions that the bounds of a loop already are

    def write(self, body: Lines) -> None:
        """Opens the loops; what is added next runs once for every call."""
        unbound = list(self.operation.params)
        pending = self.code.test(body, self.parts, set(unbound), "return 0")
        while unbound:
            p = next((p for p in unbound if self.loop(body, p, unbound)), None)
            if p is None:
                raise ScopeError(
                    f"scope {self.code.layout.scope.name} does not say which values "
                    f"`{self.operation.name}.{unbound[0].name}` takes; write `{unbound[0].name} in [value, …]`"
                )
            unbound.remove(p)
            pending = [t for t in pending if t not in self.kept]
            pending = self.code.test(body, pending, set(unbound), "continue")

    def loop(self, body: Lines, p: Term, unbound: list[Term]) -> bool:
        """Open the loop over one argument, if its values are known by now."""
        layout, name = self.code.layout, f"{self.operation.name}.{p.name}"
        # A var of the same name is meant by the plain name.
        names = (name,) if p.name in layout.contract.variables else (name, p.name)
        said = layout.values_of(*names)
        if p.type.kind == "sort":
            self.code.over_elements(body, p, 0, first=0 if p in self.operation.nullable else 1)
        elif said is not None and not layout.scope.ranges.isdisjoint(names):
            self.over_range(body, p, str(said[0]), str(said[1]), (said[0], said[1]))
        elif said is not None:
            self.over_list(body, p, said)
        elif p.name in self.operation.bounds:
            low, high = self.operation.bounds[p.name]
            self.over_range(body, p, str(low), str(high), (low, high))
        elif tm.is_numeric(p.type):
            return self.over_bounds(body, p, unbound)
        else:
            self.over_type(body, p, unbound)
        return True

    def over_type(self, body: Lines, p: Term, unbound: list[Term]) -> None:
        """Every member of an enumeration, or every set of flags: of those that the guard leaves, if it is known."""
        own = self.code.bind(p)
        high = self.code.interval(p)[1]
        values: range | tuple[int, ...] = range(high + 1)
        body.open(f"for {own} in range({self.superset(p, unbound) or high} + 1):")
        if p.type.kind == "flags":
            declared = sum(1 << bit for bit in self.code.layout.contract.flags[p.type.name].values())
            values = tuple(v for v in values if v & ~declared == 0)
            if len(values) <= high:
                body.open(f"if {own} & {high & ~declared} != 0:")
                body.add("continue")
                body.close()
        self.values[p.name] = values

    def over_list(self, body: Lines, p: Term, values: tuple[int, ...]) -> None:
        self.values[p.name] = values
        own = self.code.bind(p, (min(values), max(values)))
        body.add(f"list_{own} = local({len(values)})")
        for i, value in enumerate(values):
            body.add(f"list_{own}[{i}] = {value}")
        body.open(f"for i_{own} in range({len(values)}):")
        wide = is_wide(self.code.interval(p))
        body.add(f"{own} = unsigned(list_{own}[i_{own}])" if wide else f"{own} = list_{own}[i_{own}]")

    def over_range(self, body: Lines, p: Term, low: str, high: str, bounds: tuple[int, int]) -> None:
        self.values[p.name] = range(bounds[0], bounds[1] + 1)
        own = self.code.bind(p, bounds)
        body.open(f"for {own} in range({low}, {high} + 1):")

    def superset(self, p: Term, unbound: list[Term]) -> str | None:
        """A known set that a set of flags must lie in: no larger number can."""
        for part in self.parts:
            if part.op == "eq" and part.args[1].op == "const" and part.args[1].value == 0:
                part = tm.eq(part.args[1], part.args[0])
            if part.op != "eq":
                continue
            for inside in part.args:
                if inside.op == "bitdiff" and inside.args[0] is p and inside.args[1].symbols.isdisjoint(unbound):
                    return self.code.expr(inside.args[1])
        return None

    # --- bounds from the guard -------------------------------------------------------------------------------------

    def over_bounds(self, body: Lines, p: Term, unbound: list[Term]) -> bool:
        lows, highs = self.bounds(p, unbound)
        if not lows or not highs or all(t.op == "const" and t.value > MOST_VALUES for t in highs):
            return False
        own = self.code.name(p)
        spans = [[self.code.interval(t) for t in side] for side in (lows, highs)]
        bounds = max(low for low, _ in spans[0]), max(0, min(high for _, high in spans[1]))
        for word, side, sign in (("low", lows, ">"), ("high", highs, "<")):
            body.add(f"{word}_{own} = {self.code.expr(side[0])}")
            for t in side[1:]:
                body.open(f"if {self.code.expr(t)} {sign} {word}_{own}:")
                body.add(f"{word}_{own} = {self.code.expr(t)}")
                body.close()
        self.over_range(body, p, f"low_{own}", f"high_{own}", bounds)
        return True

    def bounds(self, p: Term, unbound: list[Term]) -> tuple[list[Term], list[Term]]:
        """What is known to be at most, and at least, as large as an argument, in terms of what is bound."""
        facts = list(self.facts)
        for other in unbound:
            if other is not p:
                facts += eliminate(other, facts)
        lows: dict[Term, None] = {}
        highs: dict[Term, None] = {}
        for fact in facts:
            factor, rest = split(p, fact)
            if factor in (1, -1) and rest.symbols.isdisjoint(unbound):
                if factor == 1:
                    highs[tm.scale(rest, -1)] = None
                else:
                    lows[rest] = None
                if fact in self.facts and self.facts[fact].op != "eq":
                    self.kept.add(self.facts[fact])
        return self.strongest(list(lows), max), self.strongest(list(highs), min)

    def strongest(self, found: list[Term], best: Callable[..., int]) -> list[Term]:
        """Of several constants only one counts, and none where another bound is never weaker."""
        numbers = [t.value for t in found if t.op == "const"]
        others = [t for t in found if t.op != "const"]
        if not numbers:
            return others
        number = best(numbers)
        ends = [self.code.interval(t)[0 if best is max else 1] for t in others]
        return others if any(best(end, number) == end for end in ends) else [*others, tm.number(number)]


def at_most_zero(part: Term) -> list[Term]:
    """The sums that a condition says are at most 0."""
    match part.op:
        case "le":
            return [tm.sub(part.args[0], part.args[1])]
        case "not" if part.args[0].op == "le":
            return [tm.add(tm.sub(part.args[0].args[1], part.args[0].args[0]), tm.number(1))]
        case "eq" if tm.is_numeric(part.args[0].type):
            return [tm.sub(part.args[0], part.args[1]), tm.sub(part.args[1], part.args[0])]
    return []


def split(x: Term, total: Term) -> tuple[int, Term]:
    """`total` as a multiple of `x` and the rest; 0 also where `x` hides in something else."""
    factor, rest = 0, tm.number(0)
    for part in total.args if total.op == "add" else (total,):
        core, times = (part.args[0], part.factor) if part.op == "mul" else (part, 1)
        if core is x:
            factor += times
        elif x in part.symbols:
            return 0, total
        else:
            rest = tm.add(rest, part)
    return factor, rest


def eliminate(y: Term, facts: list[Term]) -> list[Term]:
    """What follows for the others from facts about `y`: each upper bound against each lower one."""
    highs = [rest for factor, rest in (split(y, f) for f in facts) if factor == 1]
    lows = [rest for factor, rest in (split(y, f) for f in facts) if factor == -1]
    return [tm.add(low, high) for low in lows for high in highs]
