"""What the operators and built-in words of the language mean, as terms.

Sugar ends here: ranges are pairs of numbers, `round_up`, `wraps` and `disjoint` are arithmetic, flag sets are bits.  The type
checker has made sure that operands fit.
"""

from __future__ import annotations

from dataclasses import dataclass

from vmaspace.checker.logic import terms as tm
from vmaspace.checker.logic.terms import Term


@dataclass(frozen=True, slots=True)
class Range:
    """The half-open range [low, high)."""

    low: Term
    high: Term

    def is_empty(self) -> Term:
        return tm.le(self.high, self.low)


Value = Term | Range


def membership(left: Value, right: Value) -> Term:
    assert isinstance(left, Term)
    if isinstance(right, Range):
        return tm.and_(tm.le(right.low, left), tm.lt(left, right.high))
    return tm.subset(left, right)


def on_flags(op: str, a: Term, b: Term) -> Term:
    match op:
        case "|" | "&" | "-":
            return tm.bits({"|": "bitor", "&": "bitand", "-": "bitdiff"}[op], a, b)
        case "==":
            return tm.eq(a, b)
        case "!=":
            return tm.not_(tm.eq(a, b))
        case "<=":
            return tm.subset(a, b)
        case ">=":
            return tm.subset(b, a)
        case "<":
            return tm.and_(tm.subset(a, b), tm.not_(tm.eq(a, b)))
        case ">":
            return tm.and_(tm.subset(b, a), tm.not_(tm.eq(a, b)))
    raise AssertionError(f"flag sets have no {op}")


def on_terms(op: str, a: Term, b: Term) -> Term:
    match op:
        case "and":
            return tm.and_(a, b)
        case "or":
            return tm.or_(a, b)
        case "implies":
            return tm.implies(a, b)
        case "iff" | "==":
            return tm.eq(a, b)
        case "!=":
            return tm.not_(tm.eq(a, b))
        case "<=":
            return tm.le(a, b)
        case "<":
            return tm.lt(a, b)
        case ">=":
            return tm.le(b, a)
        case ">":
            return tm.lt(b, a)
        case "+":
            return tm.add(a, b)
        case "-":
            return tm.sub(a, b)
        case "*":
            return tm.scale(b, a.value) if a.op == "const" else tm.scale(a, b.value)
        case "/":
            return tm.div(a, b.value)
        case "mod":
            return tm.mod(a, b.value)
    raise AssertionError(f"no operator {op}")


def builtin(name: str, args: list[Value]) -> Term:
    match name, args:
        case "disjoint", [Range() as a, Range() as b]:
            return tm.not_(_overlap(a, b))
        case "overlaps", [Range() as a, Range() as b]:
            return _overlap(a, b)
        case "inside", [Range() as a, Range() as b]:
            return tm.and_(tm.le(b.low, a.low), tm.le(a.high, b.high))
        case "aligned", [Term() as a]:
            return tm.aligned(a, tm.number(12))
        case "aligned_pow2", [Term() as a, Term() as k]:
            return tm.aligned(a, k)
        case "round_up", [Term() as a]:
            up = tm.add(a, tm.mod(tm.scale(a, -1), tm.PAGE))
            return tm.ite(tm.le(a, tm.number(tm.WORD - tm.PAGE)), up, tm.number(0))
        case "wraps", [Term() as a, Term() as b]:
            return tm.le(tm.number(tm.WORD), tm.add(a, b))
        case (("page" | "pages"), [Term() as a]):
            return tm.div(a, tm.PAGE)
        case (("address_of" | "bytes_of"), [Term() as a]):
            return tm.scale(a, tm.PAGE)
        case "min", [Term() as a, Term() as b]:
            return tm.ite(tm.le(a, b), a, b)
        case "max", [Term() as a, Term() as b]:
            return tm.ite(tm.le(a, b), b, a)
    raise AssertionError(f"no built-in {name}")


def _overlap(a: Range, b: Range) -> Term:
    """They share a byte; an empty range shares none."""
    return tm.and_(tm.lt(a.low, b.high), tm.lt(b.low, a.high), tm.not_(a.is_empty()), tm.not_(b.is_empty()))
