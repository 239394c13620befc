"""The contract as terms: operations with ordered outcomes, properties, the first state.

`elaborate` makes a `Contract` from a checked program; every engine reads it.  An operation is a list of `Outcome`s in the
order of its clauses: whichever deterministic outcome's guard holds is the answer, and a `may` outcome is allowed beside it
when its guard holds.  An outcome's effect is a list of choices and pointwise updates; what no update names is unchanged.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from vmaspace.checker.language.syntax import Span
from vmaspace.checker.language.types import Type
from vmaspace.checker.logic import terms as tm
from vmaspace.checker.logic.rewriting import rewrite, substitute
from vmaspace.checker.logic.temporal import Formula
from vmaspace.checker.logic.terms import Function, Term

# What a `may` clause answers that speaks of memory running out: a refusal, no object, or less done than usual.
MEMORY_ANSWERS = frozenset({"NO_MEMORY", "NULL", "OK"})


@dataclass(frozen=True, slots=True)
class Choice:
    """Something an outcome is free in: a "new" element, a "pick" of a value, or "some" element if there is one.

    `when` says under which condition the choice is made at all; a "new" or "some" that is not made is null.
    `is_first` of a "some": it is the element with the lowest number, so that nothing is left open.
    """

    kind: str
    symbol: Term
    condition: Term
    when: Term
    is_first: bool = False

    @property
    def name(self) -> str:
        return self.symbol.name.split("#")[0]


@dataclass(frozen=True, slots=True)
class Update:
    """`function(args) = value` for all `binders` with `condition`; every binder is itself one of the `args`."""

    function: Function
    args: tuple[Term, ...]
    binders: tuple[Term, ...]
    condition: Term
    value: Term

    def match(self, at: tuple[Term, ...], stage: int = 0) -> tuple[Term, Term]:
        """When this update hits the place `at`, and the value it writes there."""
        mapping: dict[Term, Term] = {}
        tests: list[Term] = []
        for target, actual in zip(self.args, at, strict=True):
            if target in self.binders and target not in mapping:
                mapping[target] = actual
                if target.type.kind == "sort":
                    tests.append(tm.app(tm.existence(target.type), (actual,), stage))
        for target, actual in zip(self.args, at, strict=True):
            if target not in mapping or mapping[target] is not actual:
                tests.append(tm.eq(substitute(target, mapping), actual))
        tests.append(substitute(self.condition, mapping))
        return tm.and_(*tests), substitute(self.value, mapping)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One way an operation can end.

    kind: "ok", "fails", "may" or "asserts" (the kernel asserts; `status` is then "ASSERT").  `condition` is the clause's own;
    `guard` also says that no earlier clause applies.
    """

    kind: str
    status: str
    condition: Term
    guard: Term
    sentence: str
    span: Span
    choices: tuple[Choice, ...] = ()
    updates: tuple[Update, ...] = ()

    @property
    def has_effect(self) -> bool:
        return bool(self.updates) or any(c.kind == "new" for c in self.choices)

    @property
    def needs_failure(self) -> bool:
        """Whether it is an answer only where memory ran out. Other `may` clauses leave open what the answer is."""
        return self.kind == "may" and self.status in MEMORY_ANSWERS

    def new_of(self, sort: Type) -> list[Choice]:
        return [c for c in self.choices if c.kind == "new" and c.symbol.type == sort]

    def changed(self) -> set[Function]:
        """The state variables that this outcome may change, and the sorts that may grow."""
        found = {u.function for u in self.updates}
        return found | {tm.existence(c.symbol.type) for c in self.choices if c.kind == "new"}


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation of the contract; `domain` bounds its arguments, `requires` is what callers guarantee."""

    name: str
    params: tuple[Term, ...]
    domain: Term
    requires: Term
    outcomes: tuple[Outcome, ...]
    results: tuple[str, ...]
    sentence: str
    span: Span
    bounds: dict[str, tuple[int, int]] = field(default_factory=dict)
    nullable: frozenset[Term] = frozenset()

    @property
    def success(self) -> Outcome:
        return self.outcomes[-1]

    def result(self, outcome: Outcome, name: str, type_: Type) -> Term:
        """The symbol that stands for a result in an outcome; null or zero if the operation did not get that far."""
        for choice in outcome.choices:
            if choice.name == name and choice.kind != "some":
                return choice.symbol
        return tm.default(type_)


@dataclass(frozen=True, slots=True)
class Deviation:
    """The switch that makes the property true, the operations that break it without, and what that means to users."""

    switch: str
    operations: tuple[str, ...]
    consequence: str


@dataclass(frozen=True, slots=True)
class Property:
    """A formula to judge: `body` speaks of stage 0 (invariant, reach) or of stages 0 and 1 (step, after).

    An `after` body may contain the parameter symbols of its operation, the `results` symbols and the `status` symbol.
    """

    name: str
    kind: str
    body: Term
    sentence: str
    source: str
    span: Span
    supporting: bool = False
    operation: str | None = None
    results: tuple[Term, ...] = ()
    excepted: frozenset[str] = frozenset()
    deviation: Deviation | None = None

    def speaks_of(self, operation: str) -> bool:
        if self.kind == "after":
            return operation == self.operation
        return self.kind != "reach" and operation not in self.excepted


@dataclass(frozen=True, slots=True)
class TemporalProperty:
    """A formula about runs.  Runs that put off an operation in `fair` for ever are not looked at."""

    name: str
    formula: Formula
    fair: tuple[str, ...]
    sentence: str
    source: str
    span: Span


@dataclass(slots=True)
class Contract:
    """Everything that the engines need, in terms."""

    sorts: dict[str, bool]  # name -> is given
    enums: dict[str, tuple[str, ...]]
    flags: dict[str, dict[str, int]]  # type -> flag -> bit
    statuses: dict[str, int]  # name -> Zircon's number; the order is the index that terms use
    variables: dict[str, Function]
    givens: dict[str, Function]
    assumptions: tuple[Term, ...]
    init: Outcome
    operations: dict[str, Operation]
    properties: dict[str, Property]
    scopes: dict[str, Scope]
    switches: dict[str, str]  # name -> sentence
    enabled: frozenset[str]
    files: dict[str, str]
    temporals: dict[str, TemporalProperty] = field(default_factory=dict)  # properties of runs: only `explore` judges them

    def status(self, name: str) -> Term:
        return tm.const(list(self.statuses).index(name), STATUS_TYPE)

    def sort_types(self) -> list[Type]:
        return [Type("sort", name) for name in self.sorts]

    def invariants(self) -> list[Property]:
        return [p for p in self.properties.values() if p.kind == "invariant"]

    def parameter(self, operation: str, name: str) -> Term:
        return next(p for p in self.operations[operation].params if p.name == name)


@dataclass(frozen=True, slots=True)
class Scope:
    """Bounds for the bounded engines: elements of each sort, operations in a run, and values.

    givens: the value of a given, or of each element in turn.  values: what a var or a parameter may be, by name or by
    `OPERATION.PARAMETER`; (low, high) where `ranges` has the name.  They are terms over givens.
    """

    name: str
    counts: dict[str, int]
    steps: int
    givens: dict[str, tuple[Term, ...]] = field(default_factory=dict)
    values: dict[str, tuple[Term, ...]] = field(default_factory=dict)
    ranges: frozenset[str] = frozenset()


STATUS_TYPE = Type("status")
STATUS_SYMBOL = tm.symbol("status", STATUS_TYPE)


def after(outcome: Outcome, formula: Term) -> Term:
    """A formula about stages 0 and 1, said about stage 0 alone: stage 1 is what `outcome` makes of stage 0."""
    memo: dict[Term, Term] = {}
    by_function: dict[Function, list[Update]] = {}
    for u in outcome.updates:
        by_function.setdefault(u.function, []).append(u)

    def leaf(node: Term) -> Term | None:
        if node.op == "app" and node.stage == 1:
            args = tuple(rewrite(a, leaf, memo) for a in node.args)
            return value_after(outcome, node.function, args, by_function)
        if node.op in tm.QUANTIFIERS and node.stage is not None:
            body = rewrite(node.body, leaf, memo)
            guards = [exists_after(outcome, b) if node.stage == 1 else tm.app(tm.existence(b.type), (b,))
                      for b in node.binders if b.type.kind == "sort"]  # fmt: skip
            guards += [in_word(b) for b in node.binders if b.type.kind != "sort"]
            return quantify(node.op, node.binders, guards, body)
        return None

    return rewrite(formula, leaf, memo)


def quantify(op: str, binders: tuple[Term, ...], guards: Iterable[Term], body: Term) -> Term:
    """A quantifier over every element, with its domain said in the body."""
    if op == "forall":
        return tm.forall(binders, tm.implies(tm.and_(*guards), body), None)
    build = tm.exists if op == "exists" else tm.count
    return build(binders, tm.and_(*guards, body), None)


def in_word(b: Term) -> Term:
    """The domain of a bound number: addresses and byte counts are 64-bit words."""
    if b.type.kind == "int":
        return tm.TRUE
    top = tm.WORD if b.type.kind in ("address", "bytes") else tm.WORD // tm.PAGE
    return tm.and_(tm.le(tm.number(0), b), tm.lt(b, tm.number(top)))


def exists_after(outcome: Outcome, element: Term) -> Term:
    return value_after(outcome, tm.existence(element.type), (element,), {})


def value_after(
    outcome: Outcome, function: Function, args: tuple[Term, ...], updates: dict[Function, list[Update]]
) -> Term:
    """The value of a state variable after an outcome, in terms of the state before."""
    if function.kind == "exists":
        made = (tm.and_(c.when, tm.eq(c.symbol, args[0])) for c in outcome.new_of(function.params[0]))
        return tm.or_(tm.app(function, args), *made)
    value = tm.app(function, args)
    for u in updates.get(function, ()):
        hit, new = u.match(args)
        value = tm.ite(hit, new, value)
    return value
