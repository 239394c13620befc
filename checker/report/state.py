"""A decoded STATE: which elements exist, and every value that is not the default, ready for JSON.

Values: an element is its name (`region3`) or null; an address or a byte count is lower-case hexadecimal text
(`0x1000`); int and bool are themselves; a member of an enumeration is its name; a set of flags is a list of names.
A variable without arguments has a value; with one argument, an object by element; with more, an object whose keys are
joined by commas (`region1,region0`). Where the last argument is an address, the value is a list of pieces
`[from, value]`: it holds from that address up to the next piece. Left out means the default: false, 0, null, the first
member of the enumeration, no flags.

Not here: what the variables mean. `space` reads those that it knows by name.
"""

import re
from collections.abc import Iterator
from typing import Any, TypedDict

from vmaspace.checker.report.cursor import Cursor

HEXADECIMAL = re.compile(r"-?0x(0|[1-9a-f][0-9a-f]*)")
ELEMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
KEY = re.compile(r"[^,\s]+(,[^,\s]+)*")


class State(TypedDict):
    """`elements`: names by sort. `values`: by variable, as the module says."""

    elements: dict[str, list[str]]
    values: dict[str, Any]


def empty_state() -> State:
    return {"elements": {}, "values": {}}


# --- looking things up --------------------------------------------------------------------------------------


def value_of(state: State, variable: str, *arguments: str, default: Any = None) -> Any:
    """The value of a variable at these arguments; `default` where the state lists none."""
    value = state["values"].get(variable)
    if arguments:
        value = value.get(",".join(arguments)) if isinstance(value, dict) else None
    return default if value is None else value


def number_of(state: State, variable: str, *arguments: str) -> int:
    """The value as a number, whether it is written in hexadecimal or not; 0 where the state lists none."""
    value = value_of(state, variable, *arguments, default=0)
    if isinstance(value, str):
        return int(value, 16) if HEXADECIMAL.fullmatch(value) else 0
    return value if isinstance(value, int) else 0


def pieces_of(state: State, variable: str, *arguments: str) -> list[tuple[int, Any]]:
    """The pieces `(from, value)` of a variable whose last argument is an address, in address order."""
    value = value_of(state, variable, *arguments)
    if not is_piecewise(value):
        return []
    return sorted(((int(start, 16), held) for start, held in value), key=lambda piece: piece[0])


def is_piecewise(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, list) for item in value)


def flatten(state: State) -> Iterator[tuple[str, Any]]:
    """Every listed value with its place in words, `life(region3)`: for comparing two states."""
    for variable, value in state["values"].items():
        if isinstance(value, dict):
            for key, held in value.items():
                yield f"{variable}({key.replace(',', ', ')})", held
        else:
            yield variable, value


# --- reading from JSON --------------------------------------------------------------------------------------


def read_state(cursor: Cursor) -> State:
    fields = cursor.fields(("elements", "values"))
    elements: dict[str, list[str]] = {}
    owner: dict[str, str] = {}
    for sort, names in fields["elements"].entries():
        elements[sort] = []
        for name in names.items():
            element = name.nonempty()
            if not ELEMENT.fullmatch(element):
                name.fail(f'"{element}" is not the name of an element', "letters and digits, such as region3")
            if element in owner:
                name.fail(f'"{element}" is listed twice', f"it is already an element of {owner[element]}")
            owner[element] = sort
            elements[sort].append(element)
    return {"elements": elements, "values": {name: read_variable(value) for name, value in fields["values"].entries()}}


def read_variable(cursor: Cursor) -> Any:
    """One variable: a value, values by key, or pieces by address."""
    if not isinstance(cursor.value, dict):
        return read_held(cursor)
    held = {}
    for key, value in cursor.entries():
        if not KEY.fullmatch(key):
            value.fail(f'"{key}" is not a key', "elements joined by commas, such as region1,region0")
        held[key] = read_held(value)
    return held


def read_held(cursor: Cursor) -> Any:
    return read_pieces(cursor) if is_piecewise(cursor.value) else read_value(cursor)


def read_pieces(cursor: Cursor) -> list[list[Any]]:
    pieces: list[list[Any]] = []
    for item in cursor.items():
        parts = list(item.items())
        if len(parts) != 2:
            item.expected("a piece [address, value]", "the value holds from that address up to the next piece")
        start = parts[0].text()
        if not HEXADECIMAL.fullmatch(start):
            parts[0].expected("an address such as 0x1000")
        if pieces and int(start, 16) <= int(pieces[-1][0], 16):
            parts[0].fail(f"{start} does not come after {pieces[-1][0]}", "pieces stand in address order")
        pieces.append([start, read_value(parts[1])])
    return pieces


def read_value(cursor: Cursor) -> Any:
    """A single value: null, bool, int, text, or a list of flag names."""
    value = cursor.value
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        if value.lower().removeprefix("-").startswith("0x") and not HEXADECIMAL.fullmatch(value):
            cursor.fail(f'"{value}" is not a number', "lower-case hexadecimal without leading zeros, such as 0x1000")
        return value
    if isinstance(value, list):
        return [flag.nonempty() for flag in cursor.items()]
    if isinstance(value, dict):
        cursor.expected("a value", "a value is null, true, a whole number, a text, or an array of flag names")
    return cursor.integer()


def read_values(cursor: Cursor) -> dict[str, Any]:
    """Values by name: the arguments, picks or new elements of a step."""
    return {name: read_value(value) for name, value in cursor.entries()}
