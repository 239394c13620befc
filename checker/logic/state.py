"""A concrete state of the contract: which elements exist, and what every variable holds for them.

Elements of a sort are small integers, null is -1, enum members are their index and flag sets their bits.  A table lists only
what differs from the default (0, false, null).  A variable whose last argument is an address is piecewise constant there:
its table maps the other arguments to `Pieces`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from vmaspace.checker.language.types import NUMERIC, Type
from vmaspace.checker.logic.contract import Contract
from vmaspace.checker.logic.terms import Function

NULL = -1


@dataclass(frozen=True, slots=True)
class Pieces:
    """`values[i]` from `starts[i]` on; the default below `starts[0]`.  Neighbouring values differ."""

    starts: tuple[int, ...] = ()
    values: tuple[int, ...] = ()

    def at(self, address: int) -> int:
        i = bisect_right(self.starts, address)
        return self.values[i - 1] if i else 0

    @staticmethod
    def of(points: Iterable[tuple[int, int]]) -> Pieces:
        """From (start, value) pairs in ascending order, merged."""
        starts: list[int] = []
        values: list[int] = []
        for start, value in points:
            if value != (values[-1] if values else 0):
                starts.append(start)
                values.append(value)
        return Pieces(tuple(starts), tuple(values))


EMPTY = Pieces()
Key = Any  # an element, or a tuple of elements
Table = dict[Key, Any]


@dataclass(slots=True)
class State:
    """domains: the existing elements of each sort, ascending; tables: every state variable and given, by name."""

    domains: dict[str, tuple[int, ...]] = field(default_factory=dict)
    tables: dict[str, Table] = field(default_factory=dict)

    def same_as(self, other: State) -> bool:
        return self.domains == other.domains and self.tables == other.tables

    def differences(self, other: State) -> list[str]:
        """Names of the variables (and sorts) in which two states differ."""
        found = [s for s in self.domains if self.domains[s] != other.domains.get(s)]
        return found + [n for n in self.tables if self.tables[n] != other.tables.get(n)]


def empty_state(contract: Contract) -> State:
    """Nothing exists and everything holds its default."""
    names = [*contract.variables, *contract.givens]
    return State(dict.fromkeys(contract.sorts, ()), {n: {} for n in names})


class Codec:
    """Translates states and values between engines (small integers) and traces (JSON-ready, readable)."""

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        self.functions: dict[str, Function] = {**contract.variables, **contract.givens}

    # --- out -------------------------------------------------------------------------------------------------------

    def element(self, sort: str, index: int) -> str | None:
        return None if index == NULL else f"{sort.lower()}{index}"

    def show(self, value: int, type_: Type) -> Any:
        match type_.kind:
            case "bool":
                return bool(value)
            case "sort":
                return self.element(type_.name, value)
            case "enum":
                return self.contract.enums[type_.name][value]
            case "flags":
                bits = self.contract.flags[type_.name]
                return [name for name, bit in sorted(bits.items(), key=lambda p: p[1]) if value >> bit & 1]
            case "address" | "bytes":
                return hex(value)
            case _:
                return value

    def state(self, state: State, names: Iterable[str] | None = None) -> dict[str, Any]:
        """The readable form; only `names` (default: every state variable)."""
        values: dict[str, Any] = {}
        for name in self.contract.variables if names is None else names:
            shown = self.table(self.functions[name], state.tables.get(name, {}))
            if shown is not None:
                values[name] = shown
        elements = {
            sort: [self.element(sort, i) for i in ids]
            for sort, ids in state.domains.items()
            if not self.contract.sorts[sort]
        }
        return {"elements": elements, "values": values}

    def givens(self, state: State) -> dict[str, Any]:
        """The facts of the world: given elements and given functions."""
        shown = self.state(state, self.contract.givens)
        shown["elements"] = {
            sort: [self.element(sort, i) for i in ids]
            for sort, ids in state.domains.items()
            if self.contract.sorts[sort]
        }
        return shown

    def table(self, f: Function, table: Mapping[Key, Any]) -> Any:
        if not f.params:
            return self.show(table[()], f.result) if () in table else None
        shown: dict[str, Any] = {}
        for key in sorted(table, key=lambda k: k if isinstance(k, tuple) else (k,)):
            parts = key if isinstance(key, tuple) else (key,)
            name = ",".join(str(self.show(k, p)) for k, p in zip(parts, f.leading, strict=True))
            value = table[key]
            if f.is_piecewise:
                shown[name] = [
                    [hex(s), self.show(v, f.result)] for s, v in zip(value.starts, value.values, strict=True)
                ]
            else:
                shown[name] = self.show(value, f.result)
        return shown or None

    # --- in --------------------------------------------------------------------------------------------------------

    def read(self, shown: Any, type_: Type) -> int:
        """The inverse of `show`; ValueError with a readable message for anything else."""
        match type_.kind:
            case "bool" if isinstance(shown, bool):
                return int(shown)
            case "sort" if shown is None:
                return NULL
            case "sort" if isinstance(shown, str):
                prefix = type_.name.lower()
                if shown.startswith(prefix) and shown[len(prefix) :].isdecimal():
                    return int(shown[len(prefix) :])
            case "enum" if shown in self.contract.enums[type_.name]:
                return self.contract.enums[type_.name].index(shown)
            case "flags" if isinstance(shown, list):
                bits = self.contract.flags[type_.name]
                if all(isinstance(s, str) and s in bits for s in shown):
                    return sum(1 << bits[s] for s in set(shown))
            case "address" | "bytes" if isinstance(shown, str):
                try:
                    return int(shown, 16)
                except ValueError:
                    pass
            case "int" | "page" | "pages" if isinstance(shown, int) and not isinstance(shown, bool):
                return shown
        raise ValueError(f"{shown!r} is not a value of type {type_}")

    def read_state(self, shown: Mapping[str, Any], into: State) -> State:
        """Add a readable state to `into` (which may hold the givens already)."""
        state = State(dict(into.domains), dict(into.tables))
        for sort, names in shown.get("elements", {}).items():
            if sort not in self.contract.sorts:
                raise ValueError(f"the contract has no sort {sort!r}")
            state.domains[sort] = tuple(sorted(self.read(n, Type("sort", sort)) for n in names))
        for name, value in shown.get("values", {}).items():
            f = self.functions.get(name)
            if f is None:
                raise ValueError(f"the contract has no variable {name!r}")
            state.tables[name] = self.read_table(f, value)
        return state

    def read_table(self, f: Function, shown: Any) -> Table:
        if not f.params:
            return {(): self.read(shown, f.result)}
        table: Table = {}
        if not isinstance(shown, Mapping):
            raise ValueError(f"{f.name}: expected an object that maps elements to values")
        for name, value in shown.items():
            parts = name.split(",")
            if len(parts) != len(f.leading):
                raise ValueError(f"{f.name}: {name!r} should name {len(f.leading)} element(s)")
            key = tuple(self.read(p, t) for p, t in zip(parts, f.leading, strict=True))
            slot = key[0] if len(key) == 1 else key
            if f.is_piecewise:
                table[slot] = Pieces.of((int(s, 16), self.read(v, f.result)) for s, v in value)
            else:
                table[slot] = self.read(value, f.result)
        return {k: v for k, v in table.items() if v != default_of(f.result)} if not f.is_piecewise else table


def default_of(type_: Type) -> int:
    return NULL if type_.kind == "sort" else 0


def is_number(type_: Type) -> bool:
    return type_.kind in NUMERIC
