"""What an outcome does to a working state: its choices, one loop each, and its updates, one after the other.

Right sides read `S`, the state before; `T` starts as a copy of it.  A step that needs an element the scope does not have, or
a value outside what the scope allows, is cut: it is counted and leads nowhere.
"""

from __future__ import annotations

from collections.abc import Sequence

from vmaspace.checker.logic import terms as tm
from vmaspace.checker.logic.code import flatten
from vmaspace.checker.logic.contract import Choice, Outcome, Update
from vmaspace.checker.logic.packed.cases import EITHER, side_by_side
from vmaspace.checker.logic.packed.expressions import Expressions
from vmaspace.checker.logic.packed.intervals import is_wide
from vmaspace.checker.logic.packed.layout import PIECES
from vmaspace.checker.logic.packed.lines import Lines
from vmaspace.checker.logic.terms import Term


class Effects:
    """Writes outcomes of one operation."""

    def __init__(self, expressions: Expressions) -> None:
        self.code = expressions
        self.layout = expressions.layout

    # --- choices ---------------------------------------------------------------------------------------------------

    def choices(self, body: Lines, outcome: Outcome) -> None:
        """Opens a loop for each choice; what is added next runs once for every way to make them all."""
        counted: set[str] = set()
        for index, c in enumerate(outcome.choices):
            if c.kind == "new":
                self.new(body, c, counted)
            else:
                self.listed(body, outcome, index)

    def new(self, body: Lines, c: Choice, counted: set[str]) -> None:
        sort, own = c.symbol.type.name, self.code.bind(c.symbol)
        if sort not in counted:
            counted.add(sort)
            body.add(f"n_{sort} = existing(S, {self.layout.existence[sort]}, {self.layout.counts[sort]})")
        body.add(f"{own} = 0")
        body.open(f"if {self.code.expr(self.code.fold(c.when))}:")
        body.add(f"n_{sort} += 1")
        body.add(f"{own} = n_{sort}")
        body.close()
        body.open(f"if {own} > {self.layout.counts[sort]}:")
        body.add("cut(C)")
        body.add("continue" if body.depth > 2 else "return 0")  # other values of a choice before it may need none
        body.close()

    def listed(self, body: Lines, outcome: Outcome, index: int) -> None:
        """A choice among values: a function lists them."""
        c = outcome.choices[index]
        own = self.code.bind(c.symbol)
        call, most = self.choose(outcome, index)
        body.add(f"list_{own} = local({most})")
        body.add(f"n_{own} = {call.replace('OUT', f'list_{own}')}")
        body.open(f"for i_{own} in range(n_{own}):")
        value = f"list_{own}[i_{own}]"
        body.add(f"{own} = unsigned({value})" if is_wide(self.code.interval(c.symbol)) else f"{own} = {value}")

    def choose(self, outcome: Outcome, index: int) -> tuple[str, int]:
        """The call that lists what a "pick" or "some" may be into `OUT`, and how many there are at most."""
        c = outcome.choices[index]
        x, code = c.symbol, self.code
        when, condition = code.fold(c.when), code.fold(c.condition)
        lines = Lines()
        lines.add("m = 0")
        lines.open(f"if {code.expr(when)}:")
        mentioned = [when, condition]
        if x.type.kind == "sort":
            most = self.layout.counts[x.type.name] + 1
            code.over_elements(lines, x, 0)
        elif tm.is_numeric(x.type):
            formula = side_by_side(code.fold(t) for t in self.uses(outcome, index))
            self.settled(lines, x, condition)
            most = code.points(x, formula, frozenset(), frozenset())[1]
            code.over_points(lines, x, formula, frozenset())
            mentioned.append(formula)
        else:
            low, high = code.interval(x)
            most = high + 1
            lines.open(f"for {code.name(x)} in range({low}, {high + 1}):")
        code.test(lines, flatten(condition), set(), "continue")
        lines.add(f"OUT[m] = {code.name(x)}")
        lines.add("m += 1")
        if c.is_first:
            lines.add("break")
        lines.depth = 1
        if c.kind == "some" or c.when is not tm.TRUE:
            lines.open("if m == 0:" if c.kind == "some" else f"if not {code.expr(when)}:")
            lines.add("OUT[0] = 0")
            lines.add("m = 1")
            lines.close()
        lines.add("return m")
        later = {d.symbol for d in outcome.choices[index:]}
        frees = [s for s in code.free(*mentioned) if s not in later and s is not EITHER]
        key = code.key_of("choose", c, frees=frees)
        name = code.define("choose", key, frees, "OUT: Words", "Word", lines)
        return f"{name}({', '.join(['S', 'T', 'OUT', *map(code.name, frees)])})", most

    def settled(self, lines: Lines, x: Term, condition: Term) -> None:
        """Where a condition leaves one number only, there is nothing to search."""
        for part in flatten(condition):
            if part.op != "ite" or x in part.args[0].symbols:
                continue
            case, there, _ = part.args
            if there.op == "eq" and x in there.args:
                only = there.args[0] if there.args[1] is x else there.args[1]
                if x in only.symbols:
                    continue
                own = self.code.bind(x)
                lines.open(f"if {self.code.expr(case)}:")
                lines.add(f"{own}: {self.code.kind(x)} = {self.code.expr(only)}")
                lines.open(f"if {self.code.expr(condition)}:")
                lines.add(f"OUT[0] = {own}")
                lines.add("return 1")
                lines.close()
                lines.add("return 0")
                lines.close()

    def uses(self, outcome: Outcome, index: int) -> list[Term]:
        """Every formula in which something changes with a chosen number."""
        c = outcome.choices[index]
        rest = outcome.choices[index + 1 :]
        later = tuple(d.symbol for d in rest)
        uses = [c.condition]
        uses += [tm.exists(later, t) for d in rest for t in (d.when, d.condition)]
        uses += [tm.exists((*u.binders, *later), u.condition) for u in outcome.updates]
        return [u for u in uses if c.symbol in u.symbols]

    # --- updates ---------------------------------------------------------------------------------------------------

    def updates(self, body: Lines, outcome: Outcome) -> None:
        """Writes `T`, a copy of `S` so far."""
        for c in outcome.choices:
            if c.kind == "new":
                own, at = self.code.name(c.symbol), self.layout.existence[c.symbol.type.name]
                body.open(f"if {own} != 0:")
                body.add(f"T[{at} + {own}] = 1")
                body.close()
        for group in side_by_side_updates(self.code, outcome.updates):
            depth = body.depth
            if group[0].function.is_piecewise:
                self.pieces(body, group[0])
            else:
                self.values(body, group)
            body.depth = depth

    def values(self, body: Lines, group: Sequence[Update]) -> None:
        """Updates of different functions at the same elements, in one loop."""
        outer = group[0].binders
        parts = flatten(self.code.fold(group[0].condition))
        self.places(body, outer, parts)
        for u in group:
            depth = body.depth
            inner = u.binders[len(outer) :]
            if inner:
                more = [p for p in flatten(self.code.fold(u.condition)) if not p.symbols.isdisjoint(inner)]
                self.code.loops(body, inner, more, 0, "continue")
            self.value(body, u)
            body.depth = depth

    def value(self, body: Lines, u: Update) -> None:
        code, column = self.code, self.layout.columns[u.function]
        value = code.fold(u.value)
        low, high = code.interval(value)
        row = code.row(u.function, [code.fold(a) for a in u.args])
        if column.low <= low and high <= column.high:
            body.add(f"T[{row}] = {code.expr(value)}")
            return
        own = f"value{len(body.lines)}"  # a name keeps the width of its first value
        body.add(f"{own} = {code.expr(value)}")
        body.open(f"if {own} < {column.low} or {own} > {column.high}:")
        body.add("return cut(C)")
        body.close()
        body.add(f"T[{row}] = {own}")

    def places(self, body: Lines, binders: Sequence[Term], parts: list[Term]) -> None:
        """Loops over the elements that an update speaks of, and its conditions."""
        if not binders:
            body.open(f"if {self.code.expr(tm.and_(*parts))}:" if parts else "if True:")
            return
        ready = [p for p in parts if p.symbols.isdisjoint(binders)]
        body.open(f"if {self.code.expr(tm.and_(*ready))}:")
        self.code.loops(body, binders, [p for p in parts if p not in ready], 0, "continue")

    def pieces(self, body: Lines, u: Update) -> None:
        code = self.code
        place, condition = u.args[-1], code.fold(u.condition)
        elements = tuple(b for b in u.binders if b is not place)
        if place not in u.binders:  # a single address
            symbol = tm.fresh("place", u.function.params[-1])
            condition, place = tm.and_(condition, tm.eq(symbol, code.fold(place))), symbol
        parts = flatten(condition)
        inner = tm.and_(*(p for p in parts if place in p.symbols))
        value = code.fold(u.value)
        own = code.bind(place)
        self.places(body, elements, [p for p in parts if place not in p.symbols])
        formula = side_by_side((inner, tm.eq(value, tm.default(value.type))))
        call, most = code.points(place, formula, frozenset(), frozenset())
        tag = f"_{own}"
        body.add(f"row{tag} = {code.row(u.function, [code.fold(a) for a in u.args[:-1]])}")
        body.add(f"list{tag} = local({most + PIECES})")
        body.add(f"n{tag} = with_starts(T, row{tag}, list{tag}, {call.replace('OUT', f'list{tag}')})")
        body.add(f"values{tag} = local({most + PIECES})")
        body.open(f"for i{tag} in range(n{tag}):")
        body.add(f"{own} = unsigned(list{tag}[i{tag}])")
        old = f"piece_at(T, row{tag}, {own})"
        body.add(f"values{tag}[i{tag}] = {code.expr(value)} if {code.expr(inner)} else {old}")
        body.close()
        body.open(f"if not write_pieces(T, row{tag}, list{tag}, values{tag}, n{tag}):")
        body.add("return cut(C)")
        body.close()


def side_by_side_updates(code: Expressions, updates: Sequence[Update]) -> list[list[Update]]:
    """The updates in order, those together that can share loops and conditions.

    They follow each other and write different functions, and the later ones bind what the first does under the same
    conditions, perhaps more.  Every right side reads the state before, so which is written first makes no difference.
    """
    found: list[list[Update]] = []
    for u in updates:
        group = found[-1] if found else []
        if group and _fits(code, group, u):
            group.append(u)
        else:
            found.append([u])
    return found


def _fits(code: Expressions, group: list[Update], u: Update) -> bool:
    outer = group[0].binders
    if u.function.is_piecewise or group[0].function.is_piecewise or u.function in {v.function for v in group}:
        return False
    if u.binders[: len(outer)] != outer:
        return False
    parts = flatten(code.fold(u.condition))
    shared = {p for p in parts if p.symbols.isdisjoint(u.binders[len(outer) :])}
    return shared == set(flatten(code.fold(group[0].condition)))
