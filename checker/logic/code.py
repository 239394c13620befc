"""Terms as Python functions over concrete states.

A formula becomes the source of one function `f(S, T, e)`: S is the state at stage 0, T the one at stage 1, e maps symbol names
to values.  Quantifiers become loops over the elements that exist, each condition tested as soon as its variables are
bound; a bound number runs through its test points (see `points`).  The source is made from checked terms only, every name
in it is ours, and `source` shows it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from types import CodeType
from typing import Any

from vmaspace.checker.logic import terms as tm
from vmaspace.checker.logic.points import Binders, NotLinear, Tests, candidates, tests_of
from vmaspace.checker.logic.state import EMPTY, NULL, State
from vmaspace.checker.logic.terms import Function, Term

Evaluator = Callable[[State, State, Mapping[str, int]], Any]


def is_aligned(x: int, log2: int) -> bool:
    return log2 <= 0 or x & ((1 << min(log2, 64)) - 1) == 0


RUNTIME: dict[str, Any] = {"EMPTY": EMPTY, "points": candidates, "is_aligned": is_aligned}


class Source:
    """Collects what one generated function needs: tables, domains, parameters."""

    def __init__(self) -> None:
        self.tables: dict[tuple[str, int], str] = {}
        self.domains: dict[tuple[str, int], str] = {}
        self.params: dict[Term, str] = {}
        self.names: dict[Term, str] = {}
        self.taken: set[str] = set()

    # --- names -----------------------------------------------------------------------------------------------------

    def name(self, symbol: Term) -> str:
        found = self.names.get(symbol)
        if found is None:
            found = "x_" + re.sub(r"\W", "_", symbol.name)
            while found in self.taken:  # `x#7`, which is bound, and a parameter `x_7`
                found += "_"
            self.taken.add(found)
            self.names[symbol] = found
        return found

    def table(self, f: Function, stage: int) -> str:
        stage = 0 if f.kind == "given" else stage
        return self.tables.setdefault((f.name, stage), f"t{len(self.tables)}")

    def domain(self, sort: str, stage: int) -> str:
        return self.domains.setdefault((sort, stage), f"d{len(self.domains)}")

    # --- expressions -----------------------------------------------------------------------------------------------

    def expr(self, t: Term) -> str:
        match t.op:
            case "const":
                return str(bool(t.value)) if t.type.kind == "bool" else str(t.value)
            case "null":
                return str(NULL)
            case "sym":
                if t not in self.names:
                    self.params[t] = self.name(t)
                return self.names[t]
            case "app":
                return self.application(t)
            case "not":
                return self.negation(t.args[0])
            case "and" | "or":
                return "(" + f" {t.op} ".join(map(self.expr, t.args)) + ")"
            case "eq":
                return f"({self.expr(t.args[0])} == {self.expr(t.args[1])})"
            case "le":
                return f"({self.expr(t.args[0])} <= {self.expr(t.args[1])})"
            case "ite":
                c, a, b = map(self.expr, t.args)
                return f"({a} if {c} else {b})"
            case "add":
                return "(" + " + ".join(map(self.expr, t.args)) + ")"
            case "mul":
                return f"({t.factor} * {self.expr(t.args[0])})"
            case "div":
                return f"({self.expr(t.args[0])} // {t.factor})"
            case "mod":
                return f"({self.expr(t.args[0])} % {t.factor})"
            case "bitand":
                return f"({self.expr(t.args[0])} & {self.expr(t.args[1])})"
            case "bitor":
                return f"({self.expr(t.args[0])} | {self.expr(t.args[1])})"
            case "bitdiff":
                return f"({self.expr(t.args[0])} & ~{self.expr(t.args[1])})"
            case "aligned":
                x, k = t.args
                if k.op == "const":
                    return f"({self.expr(x)} & {(1 << k.value) - 1} == 0)"
                return f"is_aligned({self.expr(x)}, {self.expr(k)})"
            case "exists":
                return f"any({self.loops('True', t)})"
            case "forall":
                return f"(not {self.negation(t)})"
            case "count":
                return f"sum({self.loops('1', t)})"
        raise AssertionError(t.op)

    def negation(self, t: Term) -> str:
        """`not t`; a universal becomes a search for a counterexample."""
        match t.op:
            case "eq":
                return f"({self.expr(t.args[0])} != {self.expr(t.args[1])})"
            case "le":
                return f"({self.expr(t.args[0])} > {self.expr(t.args[1])})"
            case "forall":
                search = tm.exists(t.binders, tm.not_(t.body), t.stage)
                return f"any({self.loops('True', search)})"
            case _:
                return f"(not {self.expr(t)})"

    def application(self, t: Term) -> str:
        f, stage = t.function, t.stage or 0
        if f.kind == "exists":
            return f"({self.expr(t.args[0])} in {self.domain(f.params[0].name, stage)})"
        nothing = NULL if f.result.kind == "sort" else 0
        table = self.table(f, stage)
        if f.is_piecewise:
            key = self.key(t.args[:-1])
            return f"{table}.get({key}, EMPTY).at({self.expr(t.args[-1])})"
        return f"{table}.get({self.key(t.args)}, {nothing})"

    def key(self, args: tuple[Term, ...]) -> str:
        if len(args) == 1:
            return self.expr(args[0])
        return "(" + "".join(self.expr(a) + ", " for a in args) + ")"

    # --- quantifiers -----------------------------------------------------------------------------------------------

    def loops(self, yields: str, t: Term) -> str:
        """`yields for x in … if … for y in … if …`."""
        return f"{yields}{self.clauses(t.binders, flatten(t.body), t.stage or 0)}"

    def clauses(self, binders: tuple[Term, ...], parts: list[Term], stage: int) -> str:
        ordered = sorted(binders, key=lambda b: b.type.kind != "sort")
        bound: set[Term] = set(binders)
        pending = list(parts)
        text = []
        first = [p for p in pending if p.symbols.isdisjoint(bound)]
        pending = [p for p in pending if p not in first]
        if first:
            text.append(" for _ in (0,) if " + " and ".join(map(self.expr, first)))
        for b in ordered:
            own = self.name(b)
            bound.discard(b)
            ready = [p for p in pending if p.symbols.isdisjoint(bound)]
            pending = [p for p in pending if p not in ready]
            if b.type.kind == "sort":
                text.append(f" for {own} in {self.elements(b, ready, stage)}")
            else:
                text.append(f" for {own} in {self.points(b, tm.and_(*parts), bound)}")
            if ready:
                text.append(" if " + " and ".join(map(self.expr, sorted(ready, key=cost))))
        return "".join(text)

    def elements(self, symbol: Term, conditions: Sequence[Term], stage: int) -> str:
        """Where the values of a bound element come from, in ascending order: no one that fulfils the conditions is left out.

        conditions: what is tested of it next; all other symbols in them have their values already.
        """
        return self.domain(symbol.type.name, stage)

    def points(
        self,
        x: Term,
        formula: Term,
        unbound: set[Term] | frozenset[Term] = frozenset(),
        around: frozenset[Term] = frozenset(),
    ) -> str:
        """The source of the list of test points of a bound number.

        around: numbers whose own test points are being listed; what `x` is compared with must not mention them.
        """
        if x.type.kind == "int":
            raise NotLinear(f"{x.name}: an `int` cannot be searched; bind an address, bytes or a page")
        tests = tests_of(x, formula, is_nested=True)
        for e in [e for e in tests.bounds if not e[0].symbols.isdisjoint(around)]:
            del tests.bounds[e]
        if any(not e.symbols.isdisjoint(unbound) for e, _ in tests.bounds):
            raise NotLinear(f"{x.name}: compared with another number that the same quantifier binds")
        top = tm.WORD if x.type.kind in ("address", "bytes") else tm.WORD // tm.PAGE
        log2s = ", ".join(self.expr(k) for k in tests.alignments)
        return f"points({self.bounds(tests, around | {x})}, [{log2s}], {top})"

    def bounds(self, tests: Tests, listed: frozenset[Term]) -> str:
        """The source of the list of bounds that the tests name."""
        parts = []
        for e, inner in tests.bounds:
            loops = self.around(inner, tests, listed)  # first: it names the variables that `e` mentions
            parts.append(f"*[{self.expr(e)}{loops}]" if inner else self.expr(e))
        for f, stage, args, shift, inner in tests.pieces:
            names = self.around(inner, tests, listed)
            start = f"*[s - {self.expr(shift)} for s in {self.table(f, stage)}.get({self.key(args)}, EMPTY).starts]"
            if inner:
                start = f"*[s - {self.expr(shift)}{names} for s in {self.table(f, stage)}.get({self.key(args)}, EMPTY).starts]"
            parts.append(start)
        return "[" + ", ".join(parts) + "]"

    def around(self, inner: Binders, tests: Tests, listed: frozenset[Term]) -> str:
        loops = []
        for b, stage in inner:
            if b.type.kind == "sort":
                values = self.domain(b.type.name, stage or 0)
            else:
                values = self.points(b, tests.bodies[b], around=listed)
            loops.append(f" for {self.name(b)} in {values}")
        return "".join(loops)

    # --- the function ----------------------------------------------------------------------------------------------

    def prelude(self) -> list[str]:
        lines = [
            f"    {local} = {'T' if stage else 'S'}.tables[{name!r}]"
            for (name, stage), local in self.tables.items()
        ]
        lines += [
            f"    {local} = {'T' if stage else 'S'}.domains[{name!r}]"
            for (name, stage), local in self.domains.items()
        ]
        lines += [f"    {local} = e[{symbol.name!r}]" for symbol, local in self.params.items()]
        return lines


def flatten(t: Term) -> list[Term]:
    """Conjuncts, through negated disjunctions."""
    if t.op == "and":
        return [p for a in t.args for p in flatten(a)]
    if t.op == "not" and t.args[0].op == "or":
        return [p for a in t.args[0].args for p in flatten(tm.not_(a))]
    return [] if t is tm.TRUE else [t]


def cost(t: Term) -> int:
    """Cheap tests first: quantifiers last."""
    if t.op in tm.QUANTIFIERS:
        return 1000
    return 1 + sum(map(cost, t.args))


def source(t: Term, name: str = "f") -> str:
    """The Python text of the function that evaluates a formula or a number."""
    code = Source()
    body = code.expr(t)
    return "\n".join([f"def {name}(S, T, e):", *code.prelude(), f"    return {body}", ""])


def build(text: str, name: str = "f", runtime: Mapping[str, Any] | None = None) -> Any:
    """The function that a generated text defines. runtime: further names that it uses."""
    space = {**RUNTIME, **(runtime or {})}
    exec(_compiled(text, name), space)
    return space[name]


@lru_cache(maxsize=4096)
def _compiled(text: str, name: str) -> CodeType:
    """Every interpreter of a contract generates the same texts, and compiling them is most of what it takes to make one."""
    return compile(text, f"<generated {name}>", "exec")


def evaluator(t: Term) -> Evaluator:
    """`t` as a function of (state before, state after, symbols)."""
    if t.op == "const":
        fixed: Any = bool(t.value) if t.type.kind == "bool" else t.value
        return lambda S, T, e: fixed
    return build(source(t))  # type: ignore[no-any-return]
