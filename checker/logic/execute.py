"""Running the contract on concrete states.

`Interpreter` answers, for a state and a call, which outcomes the ordered clauses allow, and computes the state that an
outcome leads to.  Judging an implementation, confirming a solver's trace and replaying one are all this one computation.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from vmaspace.checker.language.types import BOOL
from vmaspace.checker.logic import terms as tm
from vmaspace.checker.logic.code import Evaluator, Source, build, evaluator, flatten
from vmaspace.checker.logic.contract import Choice, Contract, Operation, Outcome, Property, Update
from vmaspace.checker.logic.state import EMPTY, NULL, Pieces, State, empty_state
from vmaspace.checker.logic.terms import Term

Env = dict[str, int]


@dataclass(slots=True)
class _Writer:
    """One compiled update: yields (key, value), or for a piecewise variable (key, [(start, hit, value)])."""

    update: Update
    run: Any


@dataclass(slots=True)
class CompiledOutcome:
    """An outcome ready to run."""

    outcome: Outcome
    condition: Evaluator
    writers: list[_Writer]
    choices: list[tuple[Choice, Evaluator, Evaluator, Any]]


class CompiledOperation:
    """An operation ready to run; outcomes keep their order."""

    def __init__(self, operation: Operation) -> None:
        self.operation = operation
        self.requires = evaluator(operation.requires)
        self.domain = evaluator(operation.domain)
        self.outcomes = [compile_outcome(o) for o in operation.outcomes]


class Interpreter:
    """Evaluates one contract.  Everything is compiled once, on first use."""

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        self._operations: dict[str, CompiledOperation] = {}
        self._properties: dict[str, Evaluator] = {}
        self._init: CompiledOutcome | None = None

    def operation(self, name: str) -> CompiledOperation:
        found = self._operations.get(name)
        if found is None:
            found = self._operations[name] = CompiledOperation(self.contract.operations[name])
        return found

    # --- states ----------------------------------------------------------------------------------------------------

    def initial(self, world: State | None = None) -> State:
        """The first state in a world (given elements and given facts)."""
        if self._init is None:
            self._init = compile_outcome(self.contract.init)
        state = world or empty_state(self.contract)
        env: Env = {}
        fresh(self._init.outcome, state, env)
        return apply(self._init, state, env)

    def enabled(self, name: str, state: State, env: Mapping[str, int]) -> bool:
        """The arguments are in their domain and the caller keeps what it guarantees."""
        op = self.operation(name)
        return bool(op.domain(state, state, env)) and bool(op.requires(state, state, env))

    def answer(self, name: str, state: State, env: Mapping[str, int]) -> CompiledOutcome:
        """The outcome that the ordered deterministic clauses give."""
        for c in self.operation(name).outcomes:
            if c.outcome.kind != "may" and c.condition(state, state, env):
                return c
        raise AssertionError("the last outcome always applies")

    def allowed(self, name: str, state: State, env: Mapping[str, int]) -> list[CompiledOutcome]:
        """Every outcome the contract allows: `may` clauses before the deciding one, and the deciding one."""
        found = []
        for c in self.operation(name).outcomes:
            if c.condition(state, state, env):
                found.append(c)
                if c.outcome.kind != "may":
                    break
        return found

    # --- choices ---------------------------------------------------------------------------------------------------

    def resolutions(
        self,
        c: CompiledOutcome,
        state: State,
        env: Env,
        picks: Mapping[str, int],
        observed: State | None = None,
    ) -> Iterator[Env]:
        """Every way to make the choices of an outcome.

        picks: values already known, by choice name.  observed: take new elements from what this state has more; without it
        they are numbered on.
        """
        yield from _resolve(c, 0, state, dict(env), picks, observed)

    def successors(
        self,
        c: CompiledOutcome,
        state: State,
        env: Env,
        picks: Mapping[str, int],
        observed: State | None = None,
    ) -> Iterator[tuple[Env, State]]:
        for chosen in self.resolutions(c, state, env, picks, observed):
            yield chosen, apply(c, state, chosen)

    # --- properties ------------------------------------------------------------------------------------------------

    def property(self, name: str) -> Evaluator:
        found = self._properties.get(name)
        if found is None:
            found = self._properties[name] = evaluator(self.contract.properties[name].body)
        return found

    def holds(
        self, p: Property, before: State, after: State, env: Mapping[str, int], outcome: Outcome | None
    ) -> bool:
        """Whether a property holds of a step (an invariant: of the state after)."""
        check = self.property(p.name)
        if p.kind in ("invariant", "reach"):
            return bool(check(after, after, env))
        if p.kind == "after":
            assert outcome is not None and p.operation is not None
            env = self.named(p, env, outcome)
        return bool(check(before, after, env))

    def named(self, p: Property, env: Mapping[str, int], outcome: Outcome) -> Env:
        """The environment of an `after` property: parameters, status and results."""
        assert p.operation is not None
        op = self.contract.operations[p.operation]
        named = dict(env)
        named["status"] = (
            list(self.contract.statuses).index(outcome.status)
            if outcome.status in self.contract.statuses
            else -1
        )
        for result in p.results:
            term = op.result(outcome, result.name.removeprefix("result."), result.type)
            named[result.name] = env.get(term.name, NULL) if term.op == "sym" else _literal(term)
        return named


def _literal(t: Term) -> int:
    return NULL if t.op == "null" else t.value


# --- compilation ---------------------------------------------------------------------------------------------------


def compile_outcome(outcome: Outcome) -> CompiledOutcome:
    choices = []
    for index, c in enumerate(outcome.choices):
        search = _search(outcome, index) if c.kind != "new" else None
        choices.append((c, evaluator(c.when), evaluator(c.condition), search))
    # Clauses are asked in order, so each needs only its own condition.
    return CompiledOutcome(
        outcome, evaluator(outcome.condition), [_writer(u) for u in outcome.updates], choices
    )


def _search(outcome: Outcome, index: int) -> Any:
    """A generated function that lists the values a "pick" or "some" may take.

    A number is tried wherever something changes with it: in its own condition, in later choices, and in the effect.
    """
    c = outcome.choices[index]
    code = Source()
    own = code.name(c.symbol)
    if c.symbol.type.kind == "sort":
        body = code.loops(own, tm.exists((c.symbol,), c.condition, 0))
    else:
        later = tuple(d.symbol for d in outcome.choices[index + 1 :])
        uses = [c.condition]
        uses += [tm.exists(later, t) for d in outcome.choices[index + 1 :] for t in (d.when, d.condition)]
        uses += [tm.exists((*u.binders, *later), u.condition) for u in outcome.updates]
        points = code.points(c.symbol, _side_by_side(t for t in uses if c.symbol in t.symbols))
        body = f"{own} for {own} in {points} if {code.expr(c.condition)}"
    text = "\n".join(["def f(S, T, e):", *code.prelude(), f"    return [{body}]", ""])
    return build(text)


def _side_by_side(formulas: Iterable[Term]) -> Term:
    """All that the formulas test a number for; a plain conjunction loses it when they cannot hold together."""
    return tm.and_(*(tm.eq(f, tm.symbol("either way", BOOL)) for f in formulas))


def _writer(u: Update) -> _Writer:
    code = Source()
    if not u.function.is_piecewise:
        loops = code.clauses(u.binders, flatten(u.condition), 0)
        key = code.key(u.args) if u.args else "()"
        body = f"[({key}, {code.expr(u.value)}){loops}]" if loops else f"[({key}, {code.expr(u.value)})]"
        return _Writer(u, build("\n".join(["def f(S, T, e):", *code.prelude(), f"    return {body}", ""])))
    place = u.args[-1]
    elements = tuple(b for b in u.binders if b is not place)
    condition = u.condition
    if place not in u.binders:  # a single address
        symbol = tm.fresh("place", u.function.params[-1])
        condition, place = tm.and_(condition, tm.eq(symbol, place)), symbol
    parts = flatten(condition)
    outer = [p for p in parts if place not in p.symbols]
    inner = tm.and_(*(p for p in parts if place in p.symbols))
    loops = code.clauses(elements, outer, 0)
    own = code.name(place)
    points = code.points(place, _side_by_side((inner, tm.eq(u.value, tm.default(u.value.type)))))
    key = code.key(u.args[:-1])
    # The elements are bound as defaults: the cells are computed when the loop over the elements has ended.
    bound = "".join(f", {code.name(b)}={code.name(b)}" for b in elements)
    cells = (
        f"lambda more{bound}: "
        f"[({own}, {code.expr(inner)}, {code.expr(u.value)}) for {own} in sorted({{*{points}, *more}})]"
    )
    body = f"[({key}, {cells}){loops}]" if loops else f"[({key}, {cells})]"
    return _Writer(u, build("\n".join(["def f(S, T, e):", *code.prelude(), f"    return {body}", ""])))


# --- running -------------------------------------------------------------------------------------------------------


def fresh(outcome: Outcome, state: State, env: Env) -> None:
    """Number the new elements of an outcome on from those that exist."""
    used = {sort: len(ids) for sort, ids in state.domains.items()}
    for c in outcome.choices:
        if c.kind == "new":
            sort = c.symbol.type.name
            ids = state.domains[sort]
            env[c.symbol.name] = (ids[-1] + 1 if ids else 0) + used[sort] - len(ids)
            used[sort] += 1


def _resolve(
    c: CompiledOutcome, index: int, state: State, env: Env, picks: Mapping[str, int], observed: State | None
) -> Iterator[Env]:
    if index == len(c.choices):
        yield dict(env)
        return
    name = c.choices[index][0].symbol.name
    for value in _values(c, index, state, env, picks, observed):
        env[name] = value
        yield from _resolve(c, index + 1, state, env, picks, observed)
    env.pop(name, None)


def _values(
    c: CompiledOutcome, index: int, state: State, env: Env, picks: Mapping[str, int], observed: State | None
) -> list[int]:
    choice, when, condition, search = c.choices[index]
    made = bool(when(state, state, env))
    if choice.kind == "new":
        return _new_elements(c, index, state, env, picks, observed) if made else [NULL]
    if not made:
        return [NULL if choice.symbol.type.kind == "sort" else 0]
    if choice.name in picks:
        known = picks[choice.name]
        if choice.kind == "some" and known == NULL:
            return [NULL]
        if not condition(state, state, {**env, choice.symbol.name: known}):
            return []
        return [known] if not choice.is_first or known == min(search(state, state, env)) else []
    found = list(search(state, state, env))
    if choice.is_first:
        found = [min(found)] if found else []
    if choice.kind == "some" and not found:
        return [NULL]
    return found


def _new_elements(
    c: CompiledOutcome, index: int, state: State, env: Env, picks: Mapping[str, int], observed: State | None
) -> list[int]:
    choice = c.choices[index][0]
    sort = choice.symbol.type
    taken = {env[d.symbol.name] for d, *_ in c.choices[:index] if d.kind == "new" and d.symbol.type == sort}
    if choice.name in picks:
        return [picks[choice.name]] if picks[choice.name] not in taken else []
    ids = state.domains[sort.name]
    if observed is None:
        following = max([*ids, *taken], default=-1) + 1
        return [following]
    named = {
        picks[d.name] for d, *_ in c.choices if d.kind == "new" and d.symbol.type == sort and d.name in picks
    }
    return [i for i in observed.domains[sort.name] if i not in ids and i not in taken and i not in named]


def apply(c: CompiledOutcome, state: State, env: Mapping[str, int]) -> State:
    """The state after an outcome whose choices are all made; every right side reads `state`."""
    domains = dict(state.domains)
    for choice, *_ in c.choices:
        if choice.kind == "new" and env[choice.symbol.name] != NULL:
            sort = choice.symbol.type.name
            domains[sort] = tuple(sorted((*domains[sort], env[choice.symbol.name])))
    tables = dict(state.tables)
    copied: set[str] = set()
    for w in c.writers:
        f = w.update.function
        written = w.run(state, state, env)
        if not written:
            continue
        if f.name not in copied:
            tables[f.name] = dict(tables[f.name])
            copied.add(f.name)
        table = tables[f.name]
        if f.is_piecewise:
            _write_pieces(table, written)
            continue
        nothing = NULL if f.result.kind == "sort" else 0
        for key, value in written:
            if key == NULL or (type(key) is tuple and NULL in key):
                continue
            if value == nothing:
                table.pop(key, None)
            else:
                table[key] = int(value)
    return State(domains, tables)


def _write_pieces(table: dict[Any, Pieces], written: list[tuple[Any, Any]]) -> None:
    for key, cells in written:
        if key == NULL:
            continue
        old = table.get(key, EMPTY)
        pieces = Pieces.of(
            (start, int(value) if hit else old.at(start)) for start, hit, value in cells(old.starts)
        )
        if pieces.starts:
            table[key] = pieces
        else:
            table.pop(key, None)
