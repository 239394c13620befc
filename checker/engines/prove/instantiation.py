"""Proofs by instantiation: quantifiers are replaced by the few instances that matter, found with the solver's own models.

The negated goal is made quantifier free with Skolem constants; what is universal (the invariants, the facts about what does not
exist, and universal parts of the goal) is kept aside.  Each round asks the solver for a model of what is known, reads that
model as a small concrete state, and evaluates every universal in it with compiled code: each instance that is false there is
added.  `unsat` is a proof, since every instance follows from its universal.  A model in which no universal is false at the
terms that exist is the end of what this method can do.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field

import z3

from vmaspace.checker.engines.prove.readings import Reading
from vmaspace.checker.language.types import BOOL, Type
from vmaspace.checker.logic import terms as tm
from vmaspace.checker.logic.code import Source, build, flatten
from vmaspace.checker.logic.contract import in_word
from vmaspace.checker.logic.rewriting import conjuncts, rewrite, substitute, walk
from vmaspace.checker.logic.solver_terms import SolverTerms
from vmaspace.checker.logic.terms import Function, Term

OPTIONS = {
    "auto_config": False,
    "case_split": 3,
    "arith.solver": 2,
}  # measured: the slowest proofs take half the time
DEEPEST = 4  # the deepest terms that universals are instantiated with


@dataclass(eq=False, slots=True)
class Universal:
    """`proxy` implies `body` for all values of `binders`; `name` is the invariant it states, if it is one."""

    name: str
    binders: tuple[Term, ...]
    guard: Term
    body: Term
    proxy: Term
    rank: int = 0
    seen: set[tuple[Term, ...]] = field(default_factory=set)


class Compiled:
    """Compiled searches for violated instances, shared by all queries of a process."""

    def __init__(self) -> None:
        self.searches: dict[tuple[tuple[Term, ...], Term, Term], object] = {}

    def search(self, u: Universal) -> object:
        key = (u.binders, u.guard, u.body)
        found = self.searches.get(key)
        if found is None:
            found = self.searches[key] = self.build(u)
        return found

    def build(self, u: Universal) -> object:
        code = Source()
        names = "".join(code.name(b) + ", " for b in u.binders)
        parts = flatten(tm.and_(u.guard, tm.not_(u.body)))
        loops = Candidates(code).clauses(u.binders, parts)
        return build("\n".join(["def f(S, T, e):", *code.prelude(), f"    return [({names}){loops}]", ""]))


class Candidates:
    """Loops over the terms that exist instead of over all elements and numbers."""

    def __init__(self, code: Source) -> None:
        self.code = code

    def clauses(self, binders: tuple[Term, ...], parts: list[Term]) -> str:
        bound = set(binders)
        pending = list(parts)
        text = []
        for b in (None, *binders):
            if b is not None:
                kind = b.type.name if b.type.kind == "sort" else "number"
                text.append(f" for {self.code.name(b)} in {self.code.domain('*' + kind, 0)}")
                bound.discard(b)
            ready = [p for p in pending if p.symbols.isdisjoint(bound)]
            pending = [p for p in pending if p not in ready]
            if ready:
                test = " and ".join(map(self.code.expr, ready))
                text.append(f" for _ in (0,) if {test}" if b is None else f" if {test}")
        return "".join(text)


class Query:
    """One query: is there a state that satisfies everything asserted?

    timeout: seconds.  per_round: how many instances of one universal a round may add.  seed: the solver's.
    """

    def __init__(
        self, terms: SolverTerms, compiled: Compiled, timeout: float, per_round: int = 5, seed: int = 0
    ) -> None:
        self.terms = terms
        self.compiled = compiled
        self.deadline = time.perf_counter() + timeout
        self.per_round = per_round
        self.solver = z3.Solver()
        self.solver.set("random_seed", seed)
        for option, value in OPTIONS.items():
            self.solver.set(option, value)
        self.universals: list[Universal] = []
        self.ground: dict[Type, dict[Term, None]] = {}
        self.numbers: dict[Term, None] = {}
        self.functions: dict[Function, None] = {}
        self.symbols: dict[Term, None] = {}
        self.visited: set[Term] = set()
        self.assumed: dict[str, z3.BoolRef] = {}
        self.depths: dict[Term, int] = {}
        self.rank = 0
        self.depth = 1  # of the terms that universals are instantiated with
        self.rounds = 0
        self.instances = 0

    # --- asserting -------------------------------------------------------------------------------------------------

    def require(self, t: Term, name: str = "", rank: int = 0) -> None:
        """Assert a formula; under `name` it can be found in the core of a proof.

        rank: universals of a higher rank are only instantiated when those of lower ranks exclude nothing more.
        """
        self.rank = rank
        quantifier_free = self.prepare(t, True, name)
        self.add(quantifier_free, name)

    def offer(self, t: Term) -> None:
        """A formula that holds, to be asserted when a model contradicts it: most of what holds does not matter."""
        for part in conjuncts(t):
            self.universals.append(Universal("", (), tm.TRUE, part, tm.TRUE))
            self.mention(part)

    def add(self, t: Term, name: str = "") -> None:
        if t is tm.TRUE:
            return
        self.visit(t)
        formula = self.terms.formula(t)
        if name:
            formula = z3.Implies(self.assumption(name), formula)
        self.solver.add(formula)

    def assumption(self, name: str) -> z3.BoolRef:
        found = self.assumed.get(name)
        if found is None:
            found = self.assumed[name] = z3.Bool(f"uses!{name}")
        return found

    def visit(self, t: Term) -> None:
        """Note the terms that now exist."""
        stack = [t]
        while stack:
            t = stack.pop()
            if t in self.visited:
                continue
            self.visited.add(t)
            stack.extend(t.args)
            if t.op == "sym":
                self.symbols[t] = None
            elif t.op == "app":
                self.functions[t.function] = None
            if t.type.kind == "sort":
                if t.op != "ite":
                    self.ground.setdefault(t.type, {})[t] = None
            elif t.type.kind == "address" and t.op == "sym":
                self.numbers[t] = None

    def mention(self, t: Term) -> None:
        """Note the symbols of a formula that is kept aside, always in the same order."""
        self.symbols.update(dict.fromkeys(sorted(t.symbols, key=lambda s: s.ident)))

    # --- quantifiers -----------------------------------------------------------------------------------------------

    def prepare(self, t: Term, positive: bool, name: str = "", top: bool = True) -> Term:
        """A quantifier-free formula that follows (positive) from `t`, with universals noted aside."""
        if not _quantified(t):
            return t
        if t.op == "not":
            return tm.not_(self.prepare(t.args[0], not positive, name, top and False))
        if t.op in ("and", "or"):
            stays_top = top and (t.op == "and") and positive
            parts = [self.prepare(a, positive, name, stays_top) for a in t.args]
            return tm.and_(*parts) if t.op == "and" else tm.or_(*parts)
        if t.op in ("forall", "exists"):
            return self.quantifier(t, positive, name, top)
        if t.type == BOOL and t.op == "ite":
            c, a, b = t.args
            return self.prepare(tm.and_(tm.or_(tm.not_(c), a), tm.or_(c, b)), positive, name, top)
        if t.op == "eq" and t.args[0].type == BOOL:
            a, b = t.args
            both = tm.and_(tm.or_(tm.not_(a), b), tm.or_(a, tm.not_(b)))
            return self.prepare(both, positive, name, top)
        return rewrite(
            t, lambda node: self.defined(node, name) if node.op in ("forall", "exists") else None
        )

    def quantifier(self, t: Term, positive: bool, name: str, top: bool) -> Term:
        guard = tm.TRUE
        if t.stage is not None:
            guard = tm.and_(
                *(
                    tm.app(tm.existence(b.type), (b,)) if b.type.kind == "sort" else in_word(b)
                    for b in t.binders
                )
            )
        if (t.op == "forall") == positive:  # universal here
            body = t.body if positive else tm.not_(t.body)
            proxy = tm.TRUE if top else tm.fresh("proxy", BOOL)
            self.universals.append(Universal(name, t.binders, guard, body, proxy, self.rank))
            self.mention(t)
            if proxy is not tm.TRUE:
                self.visit(proxy)
            return proxy if positive else tm.not_(proxy)
        mapping = {b: tm.fresh(b.name, b.type) for b in t.binders}
        # A Skolem constant is as deep as what it depends on, and one more: nothing grows without bound at one depth.
        depth = 1 + max((self.depth_of(s) for s in t.symbols), default=-1)
        for s in mapping.values():
            self.depths[s] = depth
            self.visit(s)
        if positive:
            return self.prepare(substitute(tm.and_(guard, t.body), mapping), True, name, False)
        return self.prepare(substitute(tm.implies(guard, t.body), mapping), False, name, False)

    def defined(self, t: Term, name: str) -> Term:
        """A symbol that is true exactly when the quantified formula is."""
        proxy = tm.fresh("defined", BOOL)
        self.require(tm.or_(tm.not_(proxy), t), name, self.rank)
        self.require(tm.or_(proxy, tm.not_(t)), name, self.rank)
        return proxy

    def depth_of(self, t: Term) -> int:
        """How many applications stand between a term and the symbols of the query."""
        found = self.depths.get(t)
        if found is None:
            inner = max((self.depth_of(a) for a in t.args), default=0)
            found = self.depths[t] = inner + (t.op == "app")
        return found

    # --- solving ---------------------------------------------------------------------------------------------------

    def solve(self) -> tuple[z3.CheckSatResult, str]:
        """`unsat` (a proof), `sat` (saturated, no proof this way) or `unknown`, and the reason."""
        while True:
            left = self.deadline - time.perf_counter()
            if left <= 0:
                return z3.unknown, "time out"
            self.solver.set("timeout", max(1, int(left * 1000)))
            answer = self.solver.check(*self.assumed.values())
            if answer != z3.sat:
                return answer, "" if answer == z3.unsat else self.solver.reason_unknown()
            self.rounds += 1
            model = self.solver.model()
            while not self.refine(model):
                self.depth += 1
                if self.depth > DEEPEST:
                    return z3.sat, "no instance of an invariant excludes the remaining model"

    def core(self) -> set[str]:
        return {str(c).removeprefix("uses!") for c in self.solver.unsat_core()}

    def refine(self, model: z3.ModelRef) -> bool:
        """Add instances that are false in the model; False if there are none."""
        reading = Reading(self, model)
        return any(self.refine_rank(rank, reading) for rank in sorted({u.rank for u in self.universals}))

    def refine_rank(self, rank: int, reading: Reading) -> bool:
        added = False
        for u in [u for u in self.universals if u.rank == rank]:
            if u.proxy is not tm.TRUE and not z3.is_true(
                reading.model.eval(self.terms.formula(u.proxy), True)
            ):
                continue
            found = self.compiled.search(u)(reading.state, reading.state, reading.env)  # type: ignore[operator]
            fresh = 0
            for values in found:
                key = tuple(reading.named(v, b.type) for v, b in zip(values, u.binders, strict=True))
                if key in u.seen:
                    continue
                u.seen.add(key)
                self.instance(u, key)
                added = True
                fresh += 1
                if fresh >= self.per_round:
                    break
        return added

    def instance(self, u: Universal, values: tuple[Term, ...]) -> None:
        self.instances += 1
        mapping = dict(zip(u.binders, values, strict=True))
        body = substitute(tm.implies(u.guard, u.body), mapping)
        self.require(tm.implies(u.proxy, body), u.name, u.rank)


def _quantified(t: Term) -> bool:
    return any(n.op in tm.QUANTIFIERS for n in walk(t))


def universals_of_facts(functions: Iterable[Function], sorts: dict[str, bool]) -> list[Term]:
    """What every state satisfies by construction, as universal formulas over all elements, existing or not."""
    found = []
    for f in functions:
        if f.kind != "var" or not any(p.kind == "sort" for p in f.params):
            continue
        places = tuple(tm.symbol(f"at{i}.{f.name}", p) for i, p in enumerate(f.params))
        there = [
            tm.app(tm.existence(x.type), (x,))
            for x in places
            if x.type.kind == "sort" and not sorts[x.type.name]
        ]
        here = tm.app(f, places)
        body = tm.or_(tm.eq(here, tm.default(f.result)), tm.and_(*there))
        if f.result.kind == "sort" and not sorts[f.result.name]:
            target = tm.or_(tm.eq(here, tm.null(f.result)), tm.app(tm.existence(f.result), (here,)))
            body = tm.and_(body, target)
        found.append(tm.forall(places, body, None))
    return found
