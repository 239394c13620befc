"""A solver model read as a small concrete state, so that compiled formulas can be evaluated in it.

Elements are the solver's own, numbered as they are met, and known by the terms of the query that stand for them.  Where the
solver left a value open, any will do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import z3

from vmaspace.checker.language.types import Type
from vmaspace.checker.logic import terms as tm
from vmaspace.checker.logic.solver_terms import SolverTerms
from vmaspace.checker.logic.state import NULL, State
from vmaspace.checker.logic.terms import Function, Term

if TYPE_CHECKING:
    from vmaspace.checker.engines.prove.instantiation import Query


class Reading:
    """A solver model as a concrete state over the terms that exist."""

    def __init__(self, query: Query, model: z3.ModelRef) -> None:
        self.query = query
        self.model = model
        self.ids: dict[str, dict[int, int]] = {}
        self.names: dict[str, dict[int, Term]] = {}
        self.numbers: dict[int, Term] = {}
        self.state = State()
        self.env: dict[str, int] = {}
        self.elements()
        self.tables()
        self.symbols()

    def named(self, value: int, type_: Type) -> Term:
        return self.names[type_.name][value] if type_.kind == "sort" else self.numbers[value]

    def elements(self) -> None:
        terms = self.query.terms
        for sort in terms.contract.sort_types():
            ids = self.ids[sort.name] = {}
            names = self.names[sort.name] = {}
            ids[self.model.eval(terms.null(sort), True).get_id()] = NULL
            names[NULL] = tm.null(sort)
            for t in self.query.ground.get(sort, ()):
                element = self.identify(sort, self.model.eval(terms.formula(t), True))
                if self.query.depth_of(t) <= self.query.depth:
                    known = names.get(element)
                    if known is None or self.query.depth_of(t) < self.query.depth_of(known):
                        names[element] = t
        for t in self.query.numbers:
            self.numbers.setdefault(self.model.eval(terms.formula(t), True).as_long(), t)
        self.state.domains["*number"] = tuple(self.numbers)
        for sort_name, names in self.names.items():
            self.state.domains["*" + sort_name] = tuple(names)

    def identify(self, sort: Type, value: z3.ExprRef) -> int:
        ids = self.ids[sort.name]
        return ids.setdefault(value.get_id(), len(ids) - 1 if NULL in ids.values() else len(ids))

    def plain(self, value: z3.ExprRef, type_: Type) -> int:
        if type_.kind == "sort":
            return self.identify(type_, value)
        if type_.kind == "bool":
            return int(z3.is_true(value))
        if type_.kind == "enum":
            self.query.terms.sort(type_)
            return _enum_index(self.query.terms, type_)[value.get_id()]
        return int(value.as_long())

    def tables(self) -> None:
        terms = self.query.terms
        self.state.tables = Tables()
        exists: dict[str, set[int]] = {}
        known = {d.get_id(): d for d in self.model.decls()}
        for f, declaration in terms.functions.items():
            if declaration.get_id() not in known:
                continue
            interpretation = self.model[declaration]
            if not f.params:
                self.state.tables[f.name] = {(): self.plain(interpretation, f.result)}
                continue
            if f.is_piecewise:
                self.state.tables[f.name] = Pointwise(self, f, interpretation)
                continue
            table = self.table(f, interpretation)
            if f.kind == "exists":
                exists[f.params[0].name] = {k for k, v in table.items() if v and isinstance(k, int)}
            else:
                self.state.tables[f.name] = table
        for sort, given in terms.contract.sorts.items():
            everything = set(self.ids[sort].values()) - {NULL}
            there = everything if given else exists.get(sort, set())
            self.state.domains[sort] = tuple(there & everything)

    def table(self, f: Function, interpretation: z3.FuncInterp) -> dict[object, int]:
        """All values, the solver's `else` included, over the elements known so far."""
        table: dict[object, int] = {}
        nothing = NULL if f.result.kind == "sort" else 0
        otherwise = self.otherwise(f, interpretation)
        if otherwise != nothing or f.result.kind == "sort":
            keys: list[tuple[int, ...]] = [()]
            for p in f.params:
                every = list(self.ids[p.name].values()) if p.kind == "sort" else list(self.numbers)
                keys = [(*k, e) for k in keys for e in every]
            for k in keys:
                table[k[0] if len(k) == 1 else k] = otherwise
        for i in range(interpretation.num_entries()):
            entry = interpretation.entry(i)
            key = tuple(self.plain(entry.arg_value(j), p) for j, p in enumerate(f.params))
            table[key[0] if len(key) == 1 else key] = self.plain(entry.value(), f.result)
        return table

    def otherwise(self, f: Function, interpretation: z3.FuncInterp) -> int:
        """The solver's value for all other places; where it has none, any will do."""
        value = interpretation.else_value()
        if value is None:
            return NULL if f.result.kind == "sort" else 0
        return self.plain(self.model.eval(value, True), f.result)

    def symbols(self) -> None:
        for t in self.query.symbols:
            self.env[t.name] = self.plain(self.model.eval(self.query.terms.formula(t), True), t.type)


class Tables(dict[str, Any]):
    """Tables by name; a variable that a model does not mention is everywhere at its default."""

    def __missing__(self, name: str) -> dict[object, int]:
        return {}


class Pointwise(dict):  # type: ignore[type-arg]
    """A piecewise variable in a model: only looked at, address by address."""

    def __init__(self, reading: Reading, f: Function, interpretation: z3.FuncInterp) -> None:
        super().__init__()
        points: dict[object, dict[int, int]] = {}
        for i in range(interpretation.num_entries()):
            entry = interpretation.entry(i)
            key = tuple(reading.plain(entry.arg_value(j), p) for j, p in enumerate(f.params[:-1]))
            slot = key[0] if len(key) == 1 else key
            at = int(entry.arg_value(len(key)).as_long())
            points.setdefault(slot, {})[at] = reading.plain(entry.value(), f.result)
        self.points = points
        self.otherwise = reading.otherwise(f, interpretation)

    def get(self, key: object, default: object = None) -> Points:
        return Points(self.points.get(key, {}), self.otherwise)


@dataclass(slots=True)
class Points:
    """What a model says of one piecewise variable at single addresses."""

    values: dict[int, int]
    otherwise: int

    @property
    def starts(self) -> tuple[int, ...]:
        return tuple(self.values)

    def at(self, address: int) -> int:
        return self.values.get(address, self.otherwise)


def _enum_index(terms: SolverTerms, type_: Type) -> dict[int, int]:
    return {v.get_id(): i for i, v in enumerate(terms.enums[type_.name])}
