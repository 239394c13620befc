"""Which elements of a scope are interchangeable, and what exchanging them does to a packed state.

No text can name an element, except through a given: a permutation of the others turns runs into runs.  So two states that
differ in numbering only are one orbit.  `first` alone asks for numbers; `classes` says when that does no harm.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import permutations, product

from vmaspace.checker.logic.packed.layout import Column, Layout, ScopeError
from vmaspace.checker.logic.state import NULL

Packed = tuple[int, ...]


@cache
def classes(layout: Layout) -> dict[str, list[list[int]]]:
    """For each sort that has any, its sets of two or more interchangeable elements, as numbers from 1."""
    found: dict[str, list[list[int]]] = {}
    for sort, count in layout.counts.items():
        alike: dict[object, list[int]] = {}
        for e in range(count):
            alike.setdefault(_facts(layout, sort, e), []).append(e + 1)
        if groups := [group for group in alike.values() if len(group) > 1]:
            found[sort] = groups
        if not all(g == list(range(g[0], g[-1] + 1)) for g in alike.values()) and _takes_first(layout, sort):
            raise ScopeError(f"elements of {sort} that the givens do not tell apart must stand side by side")
    return found


def _facts(layout: Layout, sort: str, element: int) -> object:
    """What the givens say of an element; a given that is an element, or leads to one, tells all apart."""
    found: list[object] = []
    for name, f in layout.contract.givens.items():
        table = layout.world.tables[name]
        is_about = any(p.name == sort for p in f.params)
        if f.result.kind == "sort" and f.result.name == sort:
            found.append([table.get(key, NULL) == element for key in sorted(table, key=str)].index(True)
                         if element in table.values() else None)  # fmt: skip
        if is_about:
            found.append(element if f.result.kind == "sort" else table.get(element, 0))
    return tuple(found)


def _takes_first(layout: Layout, sort: str) -> bool:
    return any(
        c.is_first and c.symbol.type.name == sort
        for op in layout.contract.operations.values()
        for o in op.outcomes
        for c in o.choices
    )


def renamings(layout: Layout, working: list[int]) -> Iterator[dict[str, list[int]]]:
    """Every exchange of interchangeable elements that exist: for each sort, the new number of each element."""
    options: list[list[list[int]]] = []
    for sort, count in layout.counts.items():
        at = layout.existence.get(sort)
        names = [list(range(count + 1))]
        for group in classes(layout).get(sort, ()):
            there = [e for e in group if at is None or working[at + e]]
            names = [_renamed(base, there, order) for base in names for order in permutations(there)]
        options.append(names)
    for choice in product(*options):
        yield dict(zip(layout.counts, choice, strict=True))


def _renamed(base: list[int], there: list[int], order: tuple[int, ...]) -> list[int]:
    changed = list(base)
    for old, new in zip(there, order, strict=True):
        changed[old] = new
    return changed


def renamed(layout: Layout, working: list[int], names: dict[str, list[int]]) -> list[int]:
    """The same state with other numbers."""
    found = [0] * layout.state_size
    for column in layout.columns.values():
        if column.at < layout.state_size:
            for key in column.places():
                _move(layout, column, key, working, found, names)
    return found


def _move(
    layout: Layout, column: Column, key: tuple[int, ...], old: list[int], new: list[int], names: dict[str, list[int]]
) -> None:
    f = column.function
    target = column.row(tuple(names[sort][k] for sort, k in zip(column.leading, key, strict=True)))
    row = column.row(key)
    new[target : target + column.width] = old[row : row + column.width]
    if f.result.kind == "sort":
        for i in range(0 if column.width == 1 else 1 + column.width // 2, column.width):
            new[target + i] = names[f.result.name][old[row + i]]


def least(layout: Layout, packed: Packed) -> Packed:
    """The least packed state of an orbit, found by trying every exchange."""
    working = layout.unpack(packed)
    return min(layout.pack(renamed(layout, working, names)) for names in renamings(layout, working))
