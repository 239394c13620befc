"""Terms as text for `machine`: formulas and numbers over working rows, with the width that each number needs (`intervals`).

`S` is the working state before a step and `T` the one after it.  A quantifier becomes a function of its own that loops
over elements that exist, each condition tested as soon as its variables are bound; a bound number runs through its test
points, as in `code`.  Numbers whose bounds leave 64 bits are wide, so arithmetic stays exact.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from vmaspace.checker.logic import terms as tm
from vmaspace.checker.logic.code import cost, flatten
from vmaspace.checker.logic.packed.cases import EITHER, cases
from vmaspace.checker.logic.packed.intervals import Intervals, is_wide
from vmaspace.checker.logic.packed.layout import PIECES, Layout, ScopeError
from vmaspace.checker.logic.packed.lines import Lines
from vmaspace.checker.logic.packed.runtime import MOST_POINTS
from vmaspace.checker.logic.points import Binders, NotLinear, Tests, tests_of
from vmaspace.checker.logic.terms import Term


class Expressions(Intervals):
    """Writes expressions; the functions that they call gather in `functions`."""

    def __init__(self, layout: Layout) -> None:
        super().__init__(layout)
        self.functions: list[str] = []
        self._made: dict[object, str] = {}
        self._texts: dict[str, str] = {}

    # --- expressions -----------------------------------------------------------------------------------------------

    def expr(self, t: Term) -> str:
        match t.op:
            case "const":
                if t.type.kind == "bool":
                    return str(bool(t.value))
                return str(t.value + (t.type.kind == "sort"))
            case "null":
                return "0"
            case "sym":
                return self.name(t)
            case "app":
                return self.application(t)
            case "not":
                return f"(not {self.expr(t.args[0])})"
            case "and" | "or":
                return "(" + f" {t.op} ".join(map(self.expr, sorted(t.args, key=cost))) + ")"
            case "eq":
                return f"({self.expr(t.args[0])} == {self.expr(t.args[1])})"
            case "le":
                return f"({self.expr(t.args[0])} <= {self.expr(t.args[1])})"
            case "ite":
                c, a, b = map(self.expr, t.args)
                return f"({a} if {c} else {b})"
            case "add":
                first, *rest = map(self.expr, t.args)
                return "(" + " + ".join((self.widened(t, first), *rest)) + ")"
            case "mul":
                return f"({self.widened(t, self.expr(t.args[0]))} * {t.factor})"
            case "div" | "mod":
                return f"({self.expr(t.args[0])} {'//' if t.op == 'div' else '%'} {self.divisor(t)})"
            case "bitand" | "bitor":
                return f"({self.expr(t.args[0])} {'&' if t.op == 'bitand' else '|'} {self.expr(t.args[1])})"
            case "bitdiff":
                return f"({self.expr(t.args[0])} & ~{self.expr(t.args[1])})"
            case "aligned":
                return self.alignment(*t.args)
            case "exists" | "count":
                return self.call(self.quantifier(t), t)
            case "forall":
                return f"(not {self.expr(tm.exists(t.binders, tm.not_(t.body), t.stage))})"
        raise AssertionError(t.op)

    def widened(self, t: Term, first: str) -> str:
        return f"wide({first})" if is_wide(self.interval(t)) else first

    def divisor(self, t: Term) -> int:
        if is_wide(self.interval(t.args[0])) and t.factor & (t.factor - 1):
            raise ScopeError(f"{t!r}: numbers beyond 64 bits are divided by powers of two only")
        return t.factor

    def alignment(self, x: Term, log2: Term) -> str:
        if log2.op == "const":
            return f"({self.expr(x)} & {(1 << log2.value) - 1} == 0)"
        return f"(wide({self.expr(x)}) & ((wide(1) << {self.expr(log2)}) - 1) == 0)"

    def application(self, t: Term) -> str:
        f, rows = t.function, "T" if t.stage else "S"
        if f.kind == "exists":
            name = f.params[0].name
            if name in self.layout.existence:
                return f"({rows}[{self.layout.existence[name]} + {self.expr(t.args[0])}] != 0)"
            return f"({self.expr(t.args[0])} != 0)"
        if f.is_piecewise:
            return f"piece_at({rows}, {self.row(f, t.args[:-1])}, wide({self.expr(t.args[-1])}))"
        value = f"{rows}[{self.row(f, t.args)}]"
        if f.result.kind == "bool":
            return f"({value} != 0)"
        return f"unsigned({value})" if self.layout.columns[f].is_raw else value

    def row(self, f: tm.Function, args: Sequence[Term]) -> str:
        """The index of a row."""
        column = self.layout.columns[f]
        parts = [str(column.at)]
        for a, stride in zip(args, column.strides, strict=True):
            step = stride * column.width
            parts.append(self.expr(a) if step == 1 else f"{step} * {self.expr(a)}")
        return " + ".join(parts)

    # --- functions -------------------------------------------------------------------------------------------------

    def free(self, *terms: Term) -> list[Term]:
        found = {s for t in terms for s in t.symbols}
        return sorted(found, key=lambda s: s.ident)

    def call(self, name: str, t: Term) -> str:
        return f"{name}({', '.join(['S', 'T', *map(self.name, self.free(t))])})"

    def define(self, prefix: str, key: object, frees: Sequence[Term], more: str, result: str, body: Lines) -> str:
        params = ["S: Words", "T: Words", *([more] if more else [])]
        params += [f"{self.name(s)}: {self.kind(s)}" for s in frees]
        text = "\n".join([f"({', '.join(params)}) -> {result}:", *body.lines, ""])
        same = bound_names_numbered(text)
        if same not in self._texts:
            self._texts[same] = f"{prefix}{len(self.functions)}"
            self.functions.append(f"def {self._texts[same]}{text}")
        self._made[key] = self._texts[same]
        return self._made[key]

    def key_of(self, *parts: object, frees: Iterable[Term]) -> object:
        """Parameters of operations share their names, so a function is also known by what they may be."""
        return (*parts, tuple(self.interval(s) for s in frees))

    def quantifier(self, t: Term) -> str:
        frees = self.free(t)
        key = self.key_of(t, frees=frees)
        if key in self._made:
            return self._made[key]
        counts = t.op == "count"
        body = Lines()
        if counts:
            body.add("total = 0")
        self.loops(body, t.binders, flatten(t.body), t.stage or 0, "return total" if counts else "return False")
        body.add("total += 1" if counts else "return True")
        body.depth = 1
        body.add("return total" if counts else "return False")
        return self.define("q", key, frees, "", "Word" if counts else "bool", body)

    def loops(
        self, body: Lines, binders: Sequence[Term], parts: Sequence[Term], stage: int, leave: str
    ) -> None:
        """Loops over the binders with every condition tested early; what is added next stands in the innermost."""
        bound = set(binders)
        pending = self.test(body, parts, bound, leave)
        for b in sorted(binders, key=lambda b: b.type.kind != "sort"):
            if b.type.kind == "sort":
                self.over_elements(body, b, stage)
            else:
                formula = tm.and_(*parts)
                self.over_points(body, b, formula, bound - {b})
            bound.discard(b)
            pending = self.test(body, pending, bound, "continue")

    def test(self, body: Lines, parts: Sequence[Term], bound: set[Term], leave: str) -> list[Term]:
        """Test the conditions that no unbound symbol is in; gives the others."""
        for p in sorted((p for p in parts if p.symbols.isdisjoint(bound) and not self.is_certain(p)), key=cost):
            body.open(f"if not {self.expr(p)}:")
            body.add(leave)
            body.close()
        return [p for p in parts if not p.symbols.isdisjoint(bound)]

    def over_elements(self, body: Lines, b: Term, stage: int, first: int = 1) -> None:
        own = self.bind(b)
        body.open(f"for {own} in range({first}, {self.layout.counts[b.type.name] + 1}):")
        at = self.layout.existence.get(b.type.name)
        if at is not None:
            null = f"{own} != 0 and " if first == 0 else ""
            body.open(f"if {null}{'T' if stage else 'S'}[{at} + {own}] == 0:")
            body.add("continue")
            body.close()

    # --- test points -----------------------------------------------------------------------------------------------

    def over_points(
        self, body: Lines, b: Term, formula: Term, unbound: set[Term] | frozenset[Term],
        around: frozenset[Term] = frozenset(),
    ) -> None:  # fmt: skip
        own = self.bind(b)
        call, most = self.points(b, formula, unbound, around)
        body.add(f"list_{own} = local({most})")
        body.add(f"n_{own} = {call.replace('OUT', f'list_{own}')}")
        body.open(f"for i_{own} in range(n_{own}):")
        value = f"list_{own}[i_{own}]"
        body.add(f"{own} = unsigned({value})" if is_wide(self.interval(b)) else f"{own} = {value}")

    def points(
        self, x: Term, formula: Term, unbound: set[Term] | frozenset[Term], around: frozenset[Term]
    ) -> tuple[str, int]:
        """The call that lists the test points of a bound number into `OUT`, and how many there are at most."""
        if x.type.kind == "int":
            raise NotLinear(f"{x.name}: an `int` cannot be searched; bind an address, bytes or a page")
        # A choice is tried at all its points, as in `code`: which of them a state keeps must not depend on who asks.
        chosen = EITHER in formula.symbols or around
        parts = [(tm.TRUE, formula)] if chosen else cases(x, formula, tm.TRUE)
        guarded = [(guard, tests_of(x, part, is_nested=True)) for guard, part in parts]
        for _, tests in guarded:
            for e in [e for e in tests.bounds if not e[0].symbols.isdisjoint(around)]:
                del tests.bounds[e]
            if any(not e.symbols.isdisjoint(unbound) for e, _ in tests.bounds):
                raise NotLinear(f"{x.name}: compared with another number that the same quantifier binds")
        unknown = around | unbound | {EITHER}  # a weaker guard only costs time
        guarded = [(tm.and_(*(c for c in flatten(g) if c.symbols.isdisjoint(unknown))), t) for g, t in guarded]
        frees = sorted({s for g, t in guarded for s in self._frees_of(g, t, x)}, key=lambda s: s.ident)
        key = self.key_of("points", x, formula, around, frees=frees)
        most = self.most_points([t for _, t in guarded], around | {x})
        if key not in self._made:
            self._define_points(key, x, guarded, frees, around | {x})
        return f"{self._made[key]}({', '.join(['S', 'T', 'OUT', *map(self.name, frees)])})", most

    def _frees_of(self, guard: Term, tests: Tests, x: Term) -> set[Term]:
        """Everything that the bounds mention and that is bound outside."""
        found = set(guard.symbols)
        inner: set[Term] = set()
        for e, binders in tests.bounds:
            found |= e.symbols
            inner |= {b for b, _ in binders}
        for _, _, args, shift, binders in tests.pieces:
            found |= shift.symbols.union(*(a.symbols for a in args))
            inner |= {b for b, _ in binders}
        for b in inner:
            if b.type.kind != "sort":
                found |= {s for s in tests.bodies[b].symbols if s not in inner}
        found |= {s for k in tests.alignments for s in k.symbols}
        return found - inner - {x, EITHER}

    def most_points(self, parts: Sequence[Tests], listed: frozenset[Term]) -> int:
        starts = 2
        for tests in parts:
            for _, inner in tests.bounds:
                starts += 2 * self._repeats(inner, tests, listed)
            for *_, inner in tests.pieces:
                starts += 2 * PIECES * self._repeats(inner, tests, listed)
        return min(MOST_POINTS, 1 + starts * (1 + 3 * sum(len(t.alignments) for t in parts)))

    def _repeats(self, inner: Binders, tests: Tests, listed: frozenset[Term]) -> int:
        total = 1
        for b, _ in inner:
            if b.type.kind == "sort":
                total *= self.layout.counts[b.type.name]
            else:
                total *= self.most_points([self._inner_tests(b, tests, listed)], listed | {b})
        return total

    def _inner_tests(self, b: Term, tests: Tests, listed: frozenset[Term]) -> Tests:
        found = tests_of(b, tests.bodies[b], is_nested=True)
        for e in [e for e in found.bounds if not e[0].symbols.isdisjoint(listed)]:
            del found.bounds[e]
        return found

    def _define_points(
        self, key: object, x: Term, guarded: list[tuple[Term, Tests]], frees: list[Term], listed: frozenset[Term]
    ) -> None:
        body = Lines()
        top = tm.WORD if x.type.kind in ("address", "bytes") else tm.WORD // tm.PAGE
        # Where one part asks for a bound and another for alignment, the aligned number after the bound counts.
        steps = [(self.expr(guard), self.expr(k)) for guard, tests in guarded for k in tests.alignments]
        body.add(f"steps = local({len(steps) + 1})")
        for i, (guard, k) in enumerate(steps):
            body.add(f"steps[{i}] = {k} if {guard} else 0")
        rest = f"steps, {len(steps)}, wide({top})"
        body.add(f"n = add_point(OUT, 0, wide(0), {rest})")
        for condition, tests in guarded:
            body.depth = 1
            body.open(f"if {self.expr(condition)}:")
            body.add("n = n + 0")
            self._add_points(body, tests, listed, rest)
        body.depth = 1
        body.add("return n")
        self.define("points", key, frees, "OUT: Words", "Word", body)

    def _add_points(self, body: Lines, tests: Tests, listed: frozenset[Term], rest: str) -> None:
        for e, inner in tests.bounds:
            depth = body.depth
            self._around(body, inner, tests, listed)
            body.add(f"n = add_point(OUT, n, wide({self.expr(e)}), {rest})")
            body.depth = depth
        for f, stage, args, shift, inner in tests.pieces:
            depth = body.depth
            self._around(body, inner, tests, listed)
            rows = "T" if stage else "S"
            body.add(f"row = {self.row(f, args)}")
            body.open(f"for i in range({rows}[row]):")
            body.add(f"n = add_point(OUT, n, unsigned({rows}[row + 1 + i]) - {self.expr(shift)}, {rest})")
            body.depth = depth

    def _around(self, body: Lines, inner: Binders, tests: Tests, listed: frozenset[Term]) -> None:
        for b, stage in inner:
            if b.type.kind == "sort":
                self.over_elements(body, b, stage or 0)
            else:
                self.over_points(body, b, tests.bodies[b], frozenset(), listed)


def bound_names_numbered(text: str) -> str:
    """Equal for functions that differ in the names of what they bind and take: the compiler needs one of them."""
    numbers: dict[str, str] = {}
    return re.sub(r"(?<![^\W_])b_\w+", lambda m: numbers.setdefault(m[0], f"b_{len(numbers)}"), text)
