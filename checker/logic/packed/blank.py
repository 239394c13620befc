"""Blank elements, as text for `machine`: nothing is known of them and nothing refers to them, so they can stand anywhere.

With symmetry, `first` takes an element by its number; that does no harm where it takes a blank one.
"""

from __future__ import annotations

from vmaspace.checker.logic import terms as tm
from vmaspace.checker.logic.packed.expressions import Expressions
from vmaspace.checker.logic.packed.layout import PIECES, Column, Layout, ScopeError
from vmaspace.checker.logic.packed.lines import Lines
from vmaspace.checker.logic.packed.orbits import classes
from vmaspace.checker.logic.rewriting import substitute


def blank_text(layout: Layout) -> str:
    """`is_blank_SORT(S, e)` for every sort with interchangeable elements."""
    texts = []
    for sort in classes(layout):
        body = Lines()
        body.add("b = 0")
        for column in layout.state_columns:
            _known(body, layout, column, sort)
            _references(body, column, sort)
        texts.append("\n".join([f"def is_blank_{sort}(S: Words, e: Word) -> bool:", *body.lines, "    return b == 0", ""]))
    return "\n\n".join(texts)


def _known(body: Lines, layout: Layout, column: Column, sort: str) -> None:
    """Something stands in a row of the element; that it exists does not count."""
    if column.function.kind == "exists":
        return
    for side, own in enumerate(column.leading):
        if own != sort:
            continue
        row = [str(column.at)]
        for i, (name, stride) in enumerate(zip(column.leading, column.strides, strict=True)):
            if i != side:
                body.open(f"for x{i} in range(1, {layout.counts[name] + 1}):")
            row.append(f"{stride * column.width} * {'e' if i == side else f'x{i}'}")
        body.add(f"b = b | S[{' + '.join(row)}]")
        for _ in column.leading[1:]:
            body.close()


def _references(body: Lines, column: Column, sort: str) -> None:
    """It stands in a row of another element, or of the whole."""
    result = column.function.result
    if result.kind != "sort" or result.name != sort:
        return
    for key in column.places():
        first = column.row(key)
        rows = range(first + 1 + PIECES, first + column.width) if column.width > 1 else [first]
        for row in rows:
            body.open(f"if S[{row}] == e:")
            body.add("b = 1")
            body.close()


def first_is_harmless(code: Expressions) -> list[str]:
    """Conditions under which every `first` takes a blank element: then it does not matter which."""
    found: dict[str, None] = {}
    groups = classes(code.layout)
    for op in code.layout.contract.operations.values():
        for o in op.outcomes:
            for c in o.choices:
                sort = c.symbol.type.name
                if not c.is_first or sort not in groups:
                    continue
                condition = code.fold(c.condition)
                if condition.symbols - {c.symbol}:
                    raise ScopeError(f"{op.name}: `first {c.name}` depends on more than the state, so symmetry cannot be used")
                for e in (e for group in groups[sort] for e in group):
                    element = tm.const(e - 1, c.symbol.type)
                    test = code.expr(substitute(condition, {c.symbol: element}))
                    found[f"not {test} or is_blank_{sort}(S, {e})"] = None
    return list(found)
