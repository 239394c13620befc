"""Where the state of a finite scope lies: in rows of words to work on, and in few packed words to keep.

A scope fixes how many elements each sort has and what no operation changes.  Element k is the number k + 1 here and null
is 0: a table has a row for null which is never written, so reading through null gives the default without a test.
A table whose last argument is an address is a list of pieces: how many, where each starts, and its value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product

from vmaspace.checker.language.types import Type
from vmaspace.checker.logic import terms as tm
from vmaspace.checker.logic.code import evaluator
from vmaspace.checker.logic.contract import Contract, Scope
from vmaspace.checker.logic.state import NULL, Pieces, State, empty_state
from vmaspace.checker.logic.terms import Function, Term

PIECES = 6  # how often the value of a piecewise table may change along the addresses
DEFAULT_ELEMENTS = 2
WORD_BITS = 64


class ScopeError(Exception):
    """The scope does not say enough to be explored, or says something that cannot be; the message is for users."""


@dataclass(frozen=True, slots=True)
class Column:
    """The table of one function: `at` is its first word, `strides` leads from arguments to rows, values in [low, high]."""

    function: Function
    at: int
    strides: tuple[int, ...]
    sizes: tuple[int, ...]
    low: int
    high: int

    @property
    def leading(self) -> list[str]:
        """The sorts of its arguments, without a last address."""
        return [p.name for p in self.function.leading]

    @property
    def rows(self) -> int:
        return product_of(n + 1 for n in self.sizes)

    @property
    def width(self) -> int:
        """Words a row."""
        return 1 + 2 * PIECES if self.function.is_piecewise else 1

    @property
    def bits(self) -> int:
        return max(1, (self.high - self.low).bit_length())

    @property
    def is_raw(self) -> bool:
        """Values fill a whole word, without a sign."""
        return self.high >= 1 << 63

    def places(self) -> Iterator[tuple[int, ...]]:
        """The arguments of every row that can be written."""
        yield from product(*(range(1, n + 1) for n in self.sizes))

    def row(self, key: tuple[int, ...]) -> int:
        return self.at + self.width * sum(k * s for k, s in zip(key, self.strides, strict=True))


@dataclass(frozen=True, slots=True)
class Field:
    """Bits of a packed state: `word`, `shift` and `bits` say where, `row` the working word that they hold."""

    column: Column
    row: int
    key: tuple[int, ...]
    low: int
    bits: int
    word: int
    shift: int
    is_element: bool = False


def product_of(numbers: Iterator[int]) -> int:
    total = 1
    for n in numbers:
        total *= n
    return total


class Layout:
    """The columns and fields of one scope of a contract."""

    def __init__(self, contract: Contract, scope: Scope) -> None:
        self.contract = contract
        self.scope = scope
        self.counts = {s: scope.counts.get(s, DEFAULT_ELEMENTS) for s in contract.sorts}
        self.world = world_of(contract, scope, self.counts)
        self.columns: dict[Function, Column] = {}
        self.existence: dict[str, int] = {}
        self.size = 0
        for name, is_given in contract.sorts.items():
            if not is_given:
                self.existence[name] = self._column(tm.existence(Type("sort", name))).at
        for f in contract.variables.values():
            self._column(f)
        self.state_size = self.size  # what lies behind it never changes
        for f in contract.givens.values():
            if f.params:
                self._column(f)
        self.state_columns = [c for c in self.columns.values() if c.at < self.state_size]
        self.fields = list(self._fields())
        self.words = max((f.word for f in self.fields), default=0) + 1

    # --- columns ---------------------------------------------------------------------------------------------------

    def _column(self, f: Function) -> Column:
        for p in f.leading:
            if p.kind != "sort":
                raise ScopeError(f"{f.name} has an argument of type {p}: only elements and a last address are looked at")
        sizes = tuple(self.counts[p.name] for p in f.leading)
        strides, step = [], 1
        for n in reversed(sizes):
            strides.append(step)
            step *= n + 1
        low, high = self._range(f)
        column = Column(f, self.size, tuple(reversed(strides)), sizes, low, high)
        self.columns[f] = column
        self.size += column.rows * column.width
        return column

    def _range(self, f: Function) -> tuple[int, int]:
        match f.result.kind:
            case "bool":
                return 0, 1
            case "sort":
                return 0, self.counts[f.result.name]
            case "enum":
                return 0, len(self.contract.enums[f.result.name]) - 1
        said = self.values_of(f.name)
        if said is not None:
            return min(0, *said), max(0, *said)
        if f.result.kind == "flags":
            return 0, (1 << 1 + max(self.contract.flags[f.result.name].values(), default=0)) - 1
        if f.result.kind == "int":
            return -(1 << 62), 1 << 62
        return 0, (tm.WORD if f.result.kind in ("address", "bytes") else tm.WORD // tm.PAGE) - 1

    def values_of(self, *names: str) -> tuple[int, ...] | None:
        """What the scope says that a var or parameter may be: every value, or the two ends of a range."""
        for name in names:
            said = self.scope.values.get(name)
            if said is not None:
                return tuple(self.constant(t) for t in said)
        return None

    def constant(self, t: Term) -> int:
        value = evaluator(t)(self.world, self.world, {})
        return int(value)

    # --- packing ---------------------------------------------------------------------------------------------------

    def _fields(self) -> Iterator[Field]:
        """Wide fields first, each in the first word that has room for it."""
        wanted: list[tuple[int, Column, int, tuple[int, ...], int, bool]] = []
        for column in self.state_columns:
            is_element = column.function.result.kind == "sort"
            for key in column.places():
                row = column.row(key)
                if not column.function.is_piecewise:
                    wanted.append((column.bits, column, row, key, column.low, is_element))
                    continue
                wanted.append((PIECES.bit_length(), column, row, key, 0, False))
                for i in range(PIECES):
                    wanted.append((WORD_BITS, column, row + 1 + i, key, 0, False))
                    wanted.append((column.bits, column, row + 1 + PIECES + i, key, column.low, is_element))
        used: list[int] = []
        for bits, column, row, key, low, is_element in sorted(wanted, key=lambda w: (-w[0], w[2])):
            word = next((i for i, taken in enumerate(used) if taken + bits <= WORD_BITS), len(used))
            if word == len(used):
                used.append(0)
            yield Field(column, row, key, low, bits, word, used[word], is_element)
            used[word] += bits

    # --- states ----------------------------------------------------------------------------------------------------

    def constants(self) -> list[int]:
        """The working words behind the state: the givens that depend on an element."""
        found = [0] * (self.size - self.state_size)
        for column in self.columns.values():
            if column.at < self.state_size:
                continue
            for key in column.places():
                value = self.world.tables[column.function.name].get(plain(key), default_of(column.function))
                found[column.row(key) - self.state_size] = value + (column.function.result.kind == "sort")
        return found

    def to_working(self, state: State) -> list[int]:
        words = [0] * self.state_size
        for name, at in self.existence.items():
            for e in state.domains[name]:
                words[at + e + 1] = 1
        for name, f in self.contract.variables.items():
            column = self.columns[f]
            shift = int(f.result.kind == "sort")
            for key, value in state.tables[name].items():
                row = column.row(tuple(k + 1 for k in (key if isinstance(key, tuple) else (key,))))
                if f.is_piecewise:
                    words[row] = len(value.starts)
                    for i, (start, inside) in enumerate(zip(value.starts, value.values, strict=True)):
                        words[row + 1 + i], words[row + 1 + PIECES + i] = start, inside + shift
                else:
                    words[row] = int(value) + shift
        return words

    def from_working(self, words: list[int]) -> State:
        domains = dict(self.world.domains)
        for name, at in self.existence.items():
            domains[name] = tuple(i for i in range(self.counts[name]) if words[at + i + 1])
        tables = dict(self.world.tables)
        for name, f in self.contract.variables.items():
            column = self.columns[f]
            tables[name] = {
                plain(key): value for key in column.places() if (value := self._value(column, key, words)) is not None
            }
        return State(domains, tables)

    def _value(self, column: Column, key: tuple[int, ...], words: list[int]) -> int | Pieces | None:
        row, shift = column.row(key), int(column.function.result.kind == "sort")
        if not column.function.is_piecewise:
            return words[row] - shift if words[row] else None
        n = words[row]
        starts, values = words[row + 1 : row + 1 + n], words[row + 1 + PIECES : row + 1 + PIECES + n]
        return Pieces(tuple(starts), tuple(v - shift for v in values)) if n else None

    def holds(self, state: State) -> bool:
        """The state lies within the scope."""
        for name in self.existence:
            if any(e >= self.counts[name] for e in state.domains[name]):
                return False
        for name, f in self.contract.variables.items():
            column, shift = self.columns[f], int(f.result.kind == "sort")
            for value in state.tables[name].values():
                if f.is_piecewise and len(value.starts) > PIECES:
                    return False
                values = value.values if f.is_piecewise else (int(value),)
                if not all(column.low <= v + shift <= column.high for v in values):
                    return False
        return True

    def pack(self, words: list[int]) -> tuple[int, ...]:
        packed = [0] * self.words
        for f in self.fields:
            packed[f.word] |= (words[f.row] - f.low) << f.shift
        return tuple(packed)

    def unpack(self, packed: tuple[int, ...]) -> list[int]:
        words = [0] * self.state_size
        for f in self.fields:
            words[f.row] = (packed[f.word] >> f.shift & ((1 << f.bits) - 1)) + f.low
        return words


def plain(key: tuple[int, ...]) -> int | tuple[int, ...]:
    """The key that a `State` has for these rows."""
    own = tuple(k - 1 for k in key)
    return own[0] if len(own) == 1 else own


def default_of(f: Function) -> int:
    return NULL if f.result.kind == "sort" else 0


def world_of(contract: Contract, scope: Scope, counts: Mapping[str, int]) -> State:
    """The givens of a scope.  What it does not mention is false, 0, the first member, or the first element."""
    world = empty_state(contract)
    for name, is_given in contract.sorts.items():
        if is_given:
            world.domains[name] = tuple(range(counts[name]))
    for name, f in contract.givens.items():
        said = scope.givens.get(name, ())
        values = [int(evaluator(t)(world, world, {})) for t in said]
        keys: list[int | tuple[()]] = [()] if not f.params else list(range(counts[f.params[0].name]))
        if len(f.params) > 1 or any(p.kind != "sort" for p in f.params):
            raise ScopeError(f"{name}: only givens of at most one element are looked at")
        if len(values) > len(keys):
            raise ScopeError(f"scope {scope.name}: {name} has {len(values)} values for {len(keys)} elements")
        for i, key in enumerate(keys):
            value = values[min(i, len(values) - 1)] if values else 0
            world.tables[name][key] = value
    for assumption in contract.assumptions:
        if not evaluator(assumption)(world, world, {}):
            raise ScopeError(f"scope {scope.name}: the contract assumes {assumption!r}")
    return world
