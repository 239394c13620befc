"""Typed, hash-consed terms: the one form in which every engine reads the contract.

Two terms with the same structure are the same object, so equality is `is`, sharing is free, and translations memoise
by identity.  The constructors below simplify while they build (constant folding, flattening, absorption), and nothing
else in the code base creates a `Term`.

State is reached only through `app(function, args, stage)`: stage 0 is the state before an operation, stage 1 the state
after it; bounded model checking uses more.  A quantifier over a sort ranges over the elements that exist at its stage.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from vmaspace.checker.language.types import BOOL, INT, NUMERIC, Type

WORD = 1 << 64
PAGE = 4096


@dataclass(frozen=True, slots=True)
class Function:
    """A state variable (`kind` "var"), a given fact ("given"), or "exists": the elements of a sort that are there."""

    name: str
    params: tuple[Type, ...]
    result: Type
    kind: str = "var"

    @property
    def is_piecewise(self) -> bool:
        """Its last argument is an address: a piecewise constant function of it."""
        return bool(self.params) and self.params[-1].kind == "address"

    @property
    def leading(self) -> tuple[Type, ...]:
        """Its arguments, without the address of a piecewise one."""
        return self.params[:-1] if self.is_piecewise else self.params

    def __str__(self) -> str:
        return self.name


class Term:
    """A node of the term graph.  Compare with `is`.

    op: "const" (data: value), "null", "sym" (data: name), "app" (data: (Function, stage)), "not", "and", "or", "eq",
    "ite", "add", "mul" (data: int factor), "div" / "mod" (data: positive int), "le", "bitand", "bitor", "bitdiff",
    "aligned" (x, k: x is a multiple of 2^k), "forall" / "exists" / "count" (data: (binders, stage); args: (body,)).
    """

    symbols: frozenset[Term]
    __slots__ = ("op", "args", "data", "type", "ident", "symbols")

    def __init__(self, op: str, args: tuple[Term, ...], data: object, type_: Type, ident: int) -> None:
        self.op = op
        self.args = args
        self.data = data
        self.type = type_
        self.ident = ident
        free: frozenset[Term] = frozenset().union(*(a.symbols for a in args)) if args else frozenset()
        if op == "sym":
            free = frozenset((self,))
        elif op in QUANTIFIERS:
            free = free - frozenset(self.binders)
        self.symbols = free

    @property
    def function(self) -> Function:
        assert self.op == "app"
        return self.data[0]  # type: ignore[index,no-any-return]

    @property
    def stage(self) -> int | None:
        """The state that an "app" or a quantifier speaks of; None: every element, existing or not."""
        return self.data[1]  # type: ignore[index,no-any-return]

    @property
    def binders(self) -> tuple[Term, ...]:
        assert self.op in QUANTIFIERS
        return self.data[0]  # type: ignore[index,no-any-return]

    @property
    def body(self) -> Term:
        return self.args[0]

    @property
    def value(self) -> int:
        assert self.op == "const"
        return self.data  # type: ignore[return-value]

    @property
    def factor(self) -> int:
        """The constant of a "mul", "div" or "mod"."""
        assert self.op in ("mul", "div", "mod")
        return self.data  # type: ignore[return-value]

    @property
    def name(self) -> str:
        assert self.op == "sym"
        return self.data  # type: ignore[return-value]

    def __repr__(self) -> str:
        return show(self)


QUANTIFIERS = frozenset({"forall", "exists", "count"})
_table: dict[tuple[object, ...], Term] = {}
_fresh = [0]


def make(op: str, args: tuple[Term, ...], data: object, type_: Type) -> Term:
    key = (op, args, data, type_)
    found = _table.get(key)
    if found is None:
        found = _table[key] = Term(op, args, data, type_, len(_table))
    return found


# --- leaves --------------------------------------------------------------------------------------------------------


def const(value: int, type_: Type) -> Term:
    """A number, an enum member (its index), a flag set (its bits) or a truth value.

    Units are the type checker's business; here every computed number is an `int`.
    """
    return make("const", (), int(value), INT if type_.kind in NUMERIC else type_)


TRUE = const(1, BOOL)
FALSE = const(0, BOOL)


def truth(value: bool) -> Term:
    return TRUE if value else FALSE


def number(value: int) -> Term:
    return const(value, INT)


def null(sort: Type) -> Term:
    return make("null", (), None, sort)


def symbol(name: str, type_: Type) -> Term:
    """A parameter, choice, Skolem constant or bound variable."""
    return make("sym", (), name, type_)


def fresh(name: str, type_: Type) -> Term:
    """A symbol that occurs nowhere else."""
    _fresh[0] += 1
    return symbol(f"{name.split('#')[0]}#{_fresh[0]}", type_)


def app(function: Function, args: Iterable[Term], stage: int = 0) -> Term:
    rigid = function.kind == "given"
    return make("app", tuple(args), (function, 0 if rigid else stage), function.result)


def default(type_: Type) -> Term:
    """What a state variable holds where nothing was ever assigned."""
    return null(type_) if type_.kind == "sort" else const(0, type_)


# --- logic ---------------------------------------------------------------------------------------------------------


def not_(a: Term) -> Term:
    if a.op == "const":
        return truth(not a.value)
    if a.op == "not":
        return a.args[0]
    return make("not", (a,), None, BOOL)


def _junction(op: str, parts: Iterable[Term], unit: Term, zero: Term) -> Term:
    flat: dict[Term, None] = {}
    for part in parts:
        for p in part.args if part.op == op else (part,):
            if p is zero:
                return zero
            if p is not unit:
                flat[p] = None
    for p in flat:
        if p.op == "not" and (p.args[0] in flat or (op == "and" and _all_in(p.args[0], flat))):
            return zero
    if not flat:
        return unit
    if len(flat) == 1:
        return next(iter(flat))
    return make(op, tuple(flat), None, BOOL)


def _all_in(t: Term, flat: dict[Term, None]) -> bool:
    """A conjunction whose parts are all there: an earlier clause with the same condition."""
    return t.op == "and" and all(a in flat for a in t.args)


def and_(*parts: Term) -> Term:
    return _junction("and", parts, TRUE, FALSE)


def or_(*parts: Term) -> Term:
    return _junction("or", parts, FALSE, TRUE)


def implies(a: Term, b: Term) -> Term:
    return or_(not_(a), b)


def ite(c: Term, a: Term, b: Term) -> Term:
    if c is TRUE or a is b:
        return a
    if c is FALSE:
        return b
    if c.op == "not":
        return ite(c.args[0], b, a)
    if a.type == BOOL:
        if a is TRUE:
            return or_(c, b)
        if a is FALSE:
            return and_(not_(c), b)
        if b is TRUE:
            return or_(not_(c), a)
        if b is FALSE:
            return and_(c, a)
    if b.op == "ite" and b.args[0] is c:
        return ite(c, a, b.args[2])
    if a.op == "ite" and a.args[0] is c:
        return ite(c, a.args[1], b)
    return make("ite", (c, a, b), None, a.type)


def eq(a: Term, b: Term) -> Term:
    if a is b:
        return TRUE
    if a.op == "const" and b.op == "const":
        return truth(a.value == b.value)
    if {a.op, b.op} == {"const", "null"}:
        return FALSE
    if a.type == BOOL:
        if a.op == "const":
            return b if a.value else not_(b)
        if b.op == "const":
            return a if b.value else not_(a)
    for x, y in ((a, b), (b, a)):  # ite(c, 1, 2) == 1  ->  c
        if x.op == "ite" and y.op in ("const", "null"):
            then, other = eq(x.args[1], y), eq(x.args[2], y)
            if then.op == "const" or other.op == "const":
                return ite(x.args[0], then, other)
    if a.ident > b.ident:
        a, b = b, a
    return make("eq", (a, b), None, BOOL)


# --- numbers -------------------------------------------------------------------------------------------------------


def add(a: Term, b: Term) -> Term:
    total = 0
    factors: dict[Term, int] = {}
    for term in (a, b):
        for p in term.args if term.op == "add" else (term,):
            if p.op == "const":
                total += p.value
            elif p.op == "mul":
                factors[p.args[0]] = factors.get(p.args[0], 0) + p.factor
            else:
                factors[p] = factors.get(p, 0) + 1
    parts = [scale(p, n) for p, n in factors.items() if n]
    if total or not parts:
        parts.append(number(total))
    return parts[0] if len(parts) == 1 else make("add", tuple(parts), None, INT)


def scale(a: Term, factor: int) -> Term:
    if a.op == "const":
        return number(a.value * factor)
    if factor == 1:
        return a
    if factor == 0:
        return number(0)
    if a.op == "mul":
        return scale(a.args[0], a.factor * factor)
    if a.op == "add":
        return make("add", tuple(scale(p, factor) for p in a.args), None, INT)
    return make("mul", (a,), factor, INT)


def sub(a: Term, b: Term) -> Term:
    return add(a, scale(b, -1))


def div(a: Term, divisor: int) -> Term:
    """Floor division by a positive constant."""
    if a.op == "const":
        return number(a.value // divisor)
    return make("div", (a,), divisor, INT)


def mod(a: Term, divisor: int) -> Term:
    if a.op == "const":
        return number(a.value % divisor)
    return make("mod", (a,), divisor, INT)


def le(a: Term, b: Term) -> Term:
    if a is b:
        return TRUE
    if a.op == "const" and b.op == "const":
        return truth(a.value <= b.value)
    return make("le", (a, b), None, BOOL)


def lt(a: Term, b: Term) -> Term:
    return not_(le(b, a))


def aligned(a: Term, log2: Term) -> Term:
    """`a` is a multiple of 2^log2, for log2 in 0..63."""
    if log2.op == "const" and log2.value <= 0:
        return TRUE
    if a.op == "const" and log2.op == "const":
        return truth(a.value % (1 << log2.value) == 0)
    return make("aligned", (a, log2), None, BOOL)


# --- flag sets -----------------------------------------------------------------------------------------------------


def bits(op: str, a: Term, b: Term) -> Term:
    """op: "bitand", "bitor" or "bitdiff" (a without b)."""
    if a.op == "const" and b.op == "const":
        x, y = a.value, b.value
        return const({"bitand": x & y, "bitor": x | y, "bitdiff": x & ~y}[op], a.type)
    if b.op == "const" and b.value == 0:
        return b if op == "bitand" else a
    if a.op == "const" and a.value == 0:
        return b if op == "bitor" else a
    if a is b:
        return const(0, a.type) if op == "bitdiff" else a
    return make(op, (a, b), None, a.type)


def subset(a: Term, b: Term) -> Term:
    return eq(bits("bitdiff", a, b), const(0, a.type))


# --- quantifiers ---------------------------------------------------------------------------------------------------


def forall(binders: Iterable[Term], body: Term, stage: int | None = 0) -> Term:
    return quantify("forall", binders, body, stage)


def exists(binders: Iterable[Term], body: Term, stage: int | None = 0) -> Term:
    return quantify("exists", binders, body, stage)


def quantify(op: str, binders: Iterable[Term], body: Term, stage: int | None) -> Term:
    used = tuple(b for b in binders)
    if body is (TRUE if op == "forall" else FALSE):
        return body
    return make(op, (body,), (used, stage), BOOL) if used else body


def count(binders: Iterable[Term], body: Term, stage: int | None = 0) -> Term:
    """How many tuples of existing elements satisfy `body`."""
    return make("count", (body,), (tuple(binders), stage), INT)


# --- names ---------------------------------------------------------------------------------------------------------

_existence: dict[Type, Function] = {}


def existence(sort: Type) -> Function:
    """The predicate "this element exists" of a sort."""
    found = _existence.get(sort)
    if found is None:
        found = _existence[sort] = Function(f"exists.{sort.name}", (sort,), BOOL, "exists")
    return found


def is_numeric(type_: Type) -> bool:
    return type_.kind in NUMERIC


def show(t: Term) -> str:
    """A compact text, for messages and for reading generated obligations."""
    match t.op:
        case "const":
            return (
                str(bool(t.value)).lower()
                if t.type == BOOL
                else hex(t.value)
                if abs(t.value) > 9
                else str(t.value)
            )
        case "null":
            return "null"
        case "sym":
            return t.name
        case "app":
            prime = "'" * (t.stage or 0)
            inner = ", ".join(map(show, t.args))
            return f"{t.function}{prime}({inner})" if t.args else f"{t.function}{prime}"
        case "forall" | "exists" | "count":
            names = ", ".join(f"{b.name}: {b.type}" for b in t.binders)
            return f"({t.op} {names}: {show(t.body)})"
        case "not":
            return f"not {show(t.args[0])}"
        case "ite":
            return f"(if {show(t.args[0])} then {show(t.args[1])} else {show(t.args[2])})"
        case "mul":
            return f"{t.data} * {show(t.args[0])}"
        case "aligned":
            return f"aligned({show(t.args[0])}, {show(t.args[1])})"
        case "div" | "mod":
            return f"({show(t.args[0])} {t.op} {t.data})"
        case _:
            word = {"eq": "==", "le": "<=", "add": "+", "bitand": "&", "bitor": "|", "bitdiff": "-"}.get(
                t.op, t.op
            )
            return "(" + f" {word} ".join(map(show, t.args)) + ")"
