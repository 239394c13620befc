"""Expressions of the checked syntax tree as terms: definitions unfolded, names resolved.

Ranges become pairs, and sugar (`round_up`, `wraps`, `disjoint`, flag sets) becomes terms.
"""

from __future__ import annotations

from collections.abc import Sequence

from vmaspace.checker.language import codes
from vmaspace.checker.language import syntax as ast
from vmaspace.checker.language.check import CheckedProgram
from vmaspace.checker.language.diagnostics import Diagnostic, LanguageError
from vmaspace.checker.language.runs import is_temporal
from vmaspace.checker.language.types import Type
from vmaspace.checker.logic import temporal as tp
from vmaspace.checker.logic import terms as tm
from vmaspace.checker.logic.contract import STATUS_SYMBOL, STATUS_TYPE
from vmaspace.checker.logic.operators import Range, Value, builtin, membership, on_flags, on_terms
from vmaspace.checker.logic.terms import Function, Term

Names = dict[object, Value]  # a Binder or Let declaration -> what it stands for


class Unfolding:
    """The expressions of one program, with the switches in `enabled` on."""

    def __init__(self, program: CheckedProgram, enabled: frozenset[str]) -> None:
        self.program = program
        self.enabled = enabled
        self.variables = {
            d.name: Function(d.name, tuple(d.params), known(d.type)) for d in program.vars.values()
        }
        self.givens = {
            d.name: Function(d.name, tuple(known(b.type) for b in d.params), known(d.type), "given")
            for d in program.givens.values()
        }
        self.status_index = {name: i for i, name in enumerate(program.statuses)}
        self.unfolded: dict[tuple[object, ...], Value] = {}
        self.nullable: set[Term] = set()  # parameters of the operation at hand that may be null

    # --- expressions -----------------------------------------------------------------------------------------------

    def term(self, e: ast.Expr, names: Names, stage: int = 0) -> Term:
        value = self.value(e, names, stage)
        assert isinstance(value, Term), f"{e.span}: a range where a term is needed"
        return value

    def value(self, e: ast.Expr, names: Names, stage: int) -> Value:
        match e:
            case ast.Bool():
                return tm.truth(e.value)
            case ast.Number():
                return tm.number(e.value)
            case ast.Null():
                return tm.null(known(e.type))
            case ast.Name():
                return self.name(e, names, stage)
            case ast.Call():
                return self.call(e, names, stage)
            case ast.Unary():
                return tm.not_(self.term(e.operand, names, stage))
            case ast.Binary():
                return self.binary(e, names, stage)
            case ast.Conditional():
                return self.conditional(e, names, stage)
            case ast.FlagSet():
                total = 0
                for member in e.members:
                    assert isinstance(member.ref, ast.FlagMember)
                    total |= 1 << member.ref.bit
                return tm.const(total, known(e.type))
            case ast.RangeOf():
                return Range(self.term(e.low, names, stage), self.term(e.high, names, stage))
            case ast.Quantifier():
                return self.quantifier(e, names, stage)
            case ast.Old():
                return self.value(e.operand, names, 0)
            case _:
                raise AssertionError(f"no meaning for {type(e).__name__}")

    def name(self, e: ast.Name, names: Names, stage: int) -> Value:
        ref = e.ref
        match ref:
            case ast.Binder() | ast.Let():
                return names[ref]
            case ast.EnumMember():
                return tm.const(ref.value, Type("enum", ref.owner.name))
            case ast.FlagMember():
                return tm.const(1 << ref.bit, Type("flags", ref.owner.name))
            case ast.StatusDecl():
                return tm.const(self.status_index[ref.name], STATUS_TYPE)
            case ast.ConstDecl():
                assert ref.value is not None
                return self.value(ref.value, {}, stage)
            case ast.GivenDecl():
                return tm.app(self.givens[ref.name], ())
            case ast.SwitchDecl():
                return tm.truth(ref.name in self.enabled)
            case ast.VarDecl():
                return tm.app(self.variables[ref.name], (), stage)
            case _:
                assert e.name == "status", e.name
                return STATUS_SYMBOL

    def call(self, e: ast.Call, names: Names, stage: int) -> Value:
        args = [self.value(a, names, stage) for a in e.args]
        match e.ref:
            case ast.VarDecl():
                return tm.app(self.variables[e.name], terms_of(args), stage)
            case ast.GivenDecl():
                return tm.app(self.givens[e.name], terms_of(args), stage)
            case ast.DefDecl():
                return self.unfold(e.ref, args, stage)
            case _:
                return builtin(e.name, args)

    def forget(self) -> None:
        """Bound symbols are shared within a declaration only, so that formulas of one never capture those of another."""
        self.unfolded.clear()

    def unfold(self, d: ast.DefDecl, args: Sequence[Value], stage: int) -> Value:
        key = (d, stage, *args)
        found = self.unfolded.get(key)
        if found is None:
            assert d.body is not None
            found = self.value(d.body, dict(zip(d.params, args, strict=True)), stage)
            self.unfolded[key] = found
        return found

    def conditional(self, e: ast.Conditional, names: Names, stage: int) -> Value:
        c = self.term(e.condition, names, stage)
        a, b = self.value(e.then, names, stage), self.value(e.otherwise, names, stage)
        if isinstance(a, Range) and isinstance(b, Range):
            return Range(tm.ite(c, a.low, b.low), tm.ite(c, a.high, b.high))
        assert isinstance(a, Term) and isinstance(b, Term)
        return tm.ite(c, a, b)

    def binary(self, e: ast.Binary, names: Names, stage: int) -> Value:
        left, right = self.value(e.left, names, stage), self.value(e.right, names, stage)
        if e.op == "in":
            return membership(left, right)
        assert isinstance(left, Term) and isinstance(right, Term)
        if left.type.kind == "flags":
            return on_flags(e.op, left, right)
        if e.op == "*" and "const" not in (left.op, right.op):
            raise LanguageError(
                [
                    Diagnostic(
                        code=codes.PRODUCT,
                        message="a product of two values that both vary",
                        span=e.span,
                        expected="a number on one side of `*`",
                        found=None,
                        hint="only multiples by a number can be decided: write a sum, or compare the factors",
                    )
                ],
                self.program.files,
            )
        return on_terms(e.op, left, right)

    def quantifier(self, e: ast.Quantifier, names: Names, stage: int) -> Term:
        inner = dict(names)
        bound = self.bind(e.binders, inner)
        where = [self.term(w, inner, stage) for w in e.where]
        if e.kind == "count":
            return tm.count(bound, tm.and_(*where), stage)
        if e.kind == "exists":
            return tm.exists(bound, tm.and_(*where), stage)
        assert e.body is not None
        return tm.forall(bound, tm.implies(tm.and_(*where), self.term(e.body, inner, stage)), stage)

    def bind(self, binders: Sequence[ast.Binder], names: Names) -> list[Term]:
        bound = []
        for b in binders:
            symbol = tm.fresh(b.name, known(b.type))
            names[b] = symbol
            bound.append(symbol)
        return bound

    # --- formulas about runs ---------------------------------------------------------------------------------------

    def formula(self, e: ast.Expr, names: Names) -> tp.Formula:
        """What an expression says of a run; the largest parts that speak of one state are its atoms."""
        if not is_temporal(e):
            return tp.atom(self.term(e, names))
        match e:
            case ast.Temporal(op="leads_to", operands=[left, right]):
                return tp.leads_to(self.formula(left, names), self.formula(right, names))
            case ast.Temporal():
                return tp.Formula(e.op, tuple(self.formula(o, names) for o in e.operands))
            case ast.Unary():
                return tp.negation(self.formula(e.operand, names))
            case ast.Binary():
                return self.joined(e.op, self.formula(e.left, names), self.formula(e.right, names))
            case ast.Conditional():
                c, a, b = (self.formula(x, names) for x in (e.condition, e.then, e.otherwise))
                return tp.both((tp.implication(c, a), tp.either((c, b))))
            case ast.Quantifier():
                inner = dict(names)
                bound = tuple(self.bind(e.binders, inner))
                where = [self.formula(w, inner) for w in e.where]
                if e.kind == "exists":
                    return tp.Formula("exists", (tp.both(where),), None, bound)
                assert e.body is not None
                body = self.formula(e.body, inner)
                said = tp.implication(tp.both(where), body) if where else body
                return tp.Formula("forall", (said,), None, bound)
            case _:
                raise AssertionError(f"no meaning for {type(e).__name__}")

    def joined(self, op: str, left: tp.Formula, right: tp.Formula) -> tp.Formula:
        match op:
            case "and":
                return tp.both((left, right))
            case "or":
                return tp.either((left, right))
            case "implies":
                return tp.implication(left, right)
        assert op == "iff", op
        return tp.both((tp.implication(left, right), tp.implication(right, left)))


def known(type_: Type | None) -> Type:
    assert type_ is not None, "the program was not checked"
    return type_


def terms_of(values: Sequence[Value]) -> tuple[Term, ...]:
    found = tuple(v for v in values if isinstance(v, Term))
    assert len(found) == len(values), "a range where a term is needed"
    return found
