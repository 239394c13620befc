"""From the checked syntax tree to terms: definitions unfolded, names resolved, clauses ordered.

What expressions become is said in `unfolding`.  The one thing checked here is what only shows after unfolding: every variable
of a `for` block must be an argument of the variable that the block assigns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from vmaspace.checker.language import codes
from vmaspace.checker.language import syntax as ast
from vmaspace.checker.language.check import CheckedProgram
from vmaspace.checker.language.diagnostics import Diagnostic, LanguageError
from vmaspace.checker.language.types import INT
from vmaspace.checker.logic import terms as tm
from vmaspace.checker.logic.contract import (
    Choice,
    Contract,
    Deviation,
    Operation,
    Outcome,
    Property,
    Scope,
    TemporalProperty,
    Update,
    in_word,
)
from vmaspace.checker.logic.terms import Term
from vmaspace.checker.logic.unfolding import Names, Unfolding, known, terms_of


def elaborate(program: CheckedProgram, enabled: frozenset[str] = frozenset()) -> Contract:
    """The contract with the switches in `enabled` on and all others off."""
    return _Elaborator(program, enabled).contract()


@dataclass(slots=True)
class _Draft:
    """An outcome's effect while it is being read."""

    choices: list[Choice] = field(default_factory=list)
    updates: list[Update] = field(default_factory=list)


class _Elaborator(Unfolding):
    """Everything but expressions."""

    # --- effects ---------------------------------------------------------------------------------------------------

    def run(
        self,
        body: Sequence[ast.Statement],
        names: Names,
        draft: _Draft,
        when: Term,
        binders: tuple[Term, ...] = (),
    ) -> None:
        """Add what the statements do, under the condition `when`, for all `binders`.  Extends `names`."""
        for s in body:
            match s:
                case ast.Assign():
                    self.assign(s, names, draft, when, binders)
                case ast.ForEach():
                    inner = dict(names)
                    bound = tuple(self.bind(s.binders, inner))
                    where = tm.and_(when, *(self.term(w, inner) for w in s.where))
                    self.run(s.body, inner, draft, where, binders + bound)
                case ast.If():
                    c = self.term(s.condition, names)
                    self.run(s.then, dict(names), draft, tm.and_(when, c), binders)
                    self.run(s.otherwise, dict(names), draft, tm.and_(when, tm.not_(c)), binders)
                case ast.Some():
                    symbol = self.choose("some", s.binder, s.where, names, draft, when, s.first)
                    there = tm.not_(tm.eq(symbol, tm.null(symbol.type)))
                    self.run(s.body, dict(names), draft, tm.and_(when, there), binders)
                case ast.New():
                    self.choose("new", s.binder, (), names, draft, when)
                case ast.Pick():
                    self.choose("pick", s.binder, s.where, names, draft, when)
                case ast.Apply():
                    assert s.ref is not None
                    given: Names = {}
                    for b, a in zip(s.ref.params, s.args, strict=True):
                        given[b] = self.value(a, names, 0)
                    self.run(s.ref.body, given, draft, when, binders)

    def choose(
        self,
        kind: str,
        binder: ast.Binder,
        where: Sequence[ast.Expr],
        names: Names,
        draft: _Draft,
        when: Term,
        is_first: bool = False,
    ) -> Term:
        # An outcome's choices are told apart by name, also when an effect that makes some is applied twice.
        taken, name = {c.name for c in draft.choices}, binder.name
        for n in range(2, len(taken) + 2):
            name = f"{binder.name}_{n}" if name in taken else name
        symbol = tm.fresh(name, known(binder.type))
        names[binder] = symbol
        condition = tm.and_(*(self.term(w, names) for w in where))
        if kind == "pick":
            condition = tm.and_(in_word(symbol), condition)
        draft.choices.append(Choice(kind, symbol, condition, when, is_first))
        return symbol

    def assign(
        self, s: ast.Assign, names: Names, draft: _Draft, when: Term, binders: tuple[Term, ...]
    ) -> None:
        args = (
            terms_of([self.value(a, names, 0) for a in s.target.args]) if isinstance(s.target, ast.Call) else ()
        )
        used = when.symbols.union(*(a.symbols for a in args)) if args else when.symbols
        value = self.term(s.value, names)
        needed = tuple(b for b in binders if b in args or b in used or b in value.symbols)
        for b in needed:
            if b not in args:
                name = b.name.split("#")[0]
                raise LanguageError(
                    [
                        Diagnostic(
                            code=codes.UNBOUND_TARGET,
                            message=f"`{name}` ranges over many values here, but `{s.target.name}` is assigned one",
                            span=s.span,
                            expected=f"`{name}` as an argument on the left side",
                            found=None,
                            hint=f"assign `{s.target.name}` in a block that does not quantify `{name}`, "
                            f"or use `some {name}: … where …:`",
                        )
                    ],
                    self.program.files,
                )
        # Assigning through null changes nothing: arguments that may be null say so.
        tests = [
            tm.not_(tm.eq(a, tm.null(a.type)))
            for a in args
            if a.type.kind == "sort" and (a.op != "sym" or a in self.nullable or _may_be_null(a, draft))
        ]
        function = self.variables[s.target.name]
        draft.updates.append(Update(function, args, needed, tm.and_(when, *tests), value))

    # --- operations ------------------------------------------------------------------------------------------------

    def operation(self, d: ast.OpDecl) -> Operation:
        self.forget()
        self.nullable.clear()
        names: Names = {}
        params: list[Term] = []
        domain: list[Term] = []
        bounds: dict[str, tuple[int, int]] = {}
        for b in d.params:
            symbol = tm.symbol(f"{b.name}", known(b.type))
            names[b] = symbol
            params.append(symbol)
            if b.low is not None and b.high is not None:
                low, high = self.term(b.low, {}), self.term(b.high, {})
                bounds[b.name] = (low.value, high.value)
                domain += [tm.le(low, symbol), tm.le(symbol, high)]
            elif symbol.type.kind == "sort":
                there = tm.app(tm.existence(symbol.type), (symbol,))
                if b.nullable:
                    self.nullable.add(symbol)
                    there = tm.or_(tm.eq(symbol, tm.null(symbol.type)), there)
                domain.append(there)
            elif tm.is_numeric(symbol.type):
                domain.append(in_word(symbol))
        requires: list[Term] = []
        outcomes: list[Outcome] = []
        blocked: list[Term] = []
        for c in d.clauses:
            match c:
                case ast.Let():
                    names[c] = self.value(c.value, names, 0)
                case ast.Requires():
                    requires += [self.term(r, names) for r in c.conditions]
                case ast.Fails() | ast.May() | ast.Asserts():
                    outcomes.append(self.clause(c, names, blocked))
        draft = _Draft()
        self.run(d.effects, names, draft, tm.TRUE)
        outcomes.append(
            Outcome(
                "ok",
                "OK",
                tm.TRUE,
                tm.and_(*blocked),
                "success",
                d.span,
                tuple(draft.choices),
                tuple(draft.updates),
            )
        )
        results = tuple(b.name for b in d.results)
        return Operation(
            d.name, tuple(params), tm.and_(*domain), tm.and_(*requires), tuple(outcomes), results,
            d.sentence or "", d.span, bounds, frozenset(p for p in params if p in self.nullable),
        )  # fmt: skip

    def clause(self, c: ast.Fails | ast.May | ast.Asserts, names: Names, blocked: list[Term]) -> Outcome:
        """One clause as an outcome; deterministic ones add to `blocked`, the conditions under which later ones count."""
        draft = _Draft()
        match c:
            case ast.Fails():
                condition = self.term(c.condition, names)
                condition = tm.not_(condition) if c.negated else condition
                kind, status = "fails", c.status
            case ast.Asserts():
                condition = tm.not_(self.term(c.condition, names))
                kind, status = "asserts", "ASSERT"
            case ast.May():
                condition = tm.TRUE if c.condition is None else self.term(c.condition, names)
                kind, status = "may", c.status
        guard = tm.and_(*blocked, condition)
        if not isinstance(c, ast.Asserts):
            self.run(c.body, dict(names), draft, tm.TRUE)
        if kind != "may":
            blocked.append(tm.not_(condition))
        return Outcome(
            kind,
            status,
            condition,
            guard,
            c.sentence or status,
            c.span,
            tuple(draft.choices),
            tuple(draft.updates),
        )

    # --- properties ------------------------------------------------------------------------------------------------

    def property(self, d: ast.PropertyDecl, operations: dict[str, Operation]) -> Property:
        self.forget()
        names: Names = {}
        results: list[Term] = []
        if d.kind == "after":
            assert d.op_name is not None
            op = operations[d.op_name]
            names.update(zip(d.params, op.params, strict=False))
            for i, b in enumerate(d.results):
                names[b] = tm.symbol(f"result.{op.results[i]}", known(b.type))
                results.append(tm.symbol(f"result.{op.results[i]}", known(b.type)))
        assert d.body is not None
        body = self.term(d.body, names, 1 if d.kind in ("step", "after") else 0)
        deviation = None
        if d.deviation is not None:
            deviation = Deviation(
                d.deviation.switch_name, tuple(d.deviation.op_names), d.deviation.consequence or ""
            )
        return Property(
            d.name, d.kind, body, d.sentence or "", d.source or "", d.span, d.supporting, d.op_name, tuple(results),
            frozenset(d.excepted), deviation,
        )  # fmt: skip

    def temporal(self, d: ast.PropertyDecl) -> TemporalProperty:
        self.forget()
        assert d.body is not None
        fair = tuple(dict.fromkeys(d.fair))
        return TemporalProperty(
            d.name, self.formula(d.body, {}), fair, d.sentence or "", d.source or "", d.span
        )

    def scope(self, d: ast.ScopeDecl) -> Scope:
        givens: dict[str, tuple[Term, ...]] = {}
        values: dict[str, tuple[Term, ...]] = {}
        for s in d.settings:
            (givens if s.is_value else values)[s.name] = tuple(self.term(v, {}) for v in s.values)
        ranges = frozenset(s.name for s in d.settings if s.is_range)
        return Scope(d.name, dict(d.counts), d.steps, givens, values, ranges)

    def contract(self) -> Contract:
        p = self.program
        draft = _Draft()
        init_span = ast.Span("", 1, 1, 1, 1)
        if p.init is not None:
            self.run(p.init.body, {}, draft, tm.TRUE)
            init_span = p.init.span
        init = Outcome(
            "ok", "OK", tm.TRUE, tm.TRUE, "init", init_span, tuple(draft.choices), tuple(draft.updates)
        )
        operations = {d.name: self.operation(d) for d in p.ops.values()}
        assumptions = []
        for d in p.givens.values():
            names: Names = {}
            bound = self.bind(d.params, names)
            facts = [self.term(w, names) for w in d.where]
            if tm.is_numeric(known(d.type)) and known(d.type) != INT:
                facts.append(in_word(tm.app(self.givens[d.name], bound)))
            if facts:
                assumptions.append(tm.forall(bound, tm.and_(*facts)))
        return Contract(
            sorts={s.name: s.given for s in p.sorts.values()},
            enums={d.name: tuple(m.name for m in d.members) for d in p.enums.values()},
            flags={d.name: {m.name: m.bit for m in d.members} for d in p.flags.values()},
            statuses={s.name: s.value for s in p.statuses.values()},
            variables=self.variables,
            givens=self.givens,
            assumptions=tuple(assumptions),
            init=init,
            operations=operations,
            properties={
                d.name: self.property(d, operations) for d in p.properties.values() if d.kind != "temporal"
            },
            temporals={d.name: self.temporal(d) for d in p.properties.values() if d.kind == "temporal"},
            scopes={d.name: self.scope(d) for d in p.scopes.values()},
            switches={d.name: d.sentence or "" for d in p.switches.values()},
            enabled=self.enabled,
            files=p.files,
        )


def _may_be_null(symbol: Term, draft: _Draft) -> bool:
    for c in draft.choices:
        if c.symbol is symbol:
            return c.when is not tm.TRUE
    return False
