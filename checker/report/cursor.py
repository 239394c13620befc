"""A place inside a JSON document, from which values are taken with a check and a place in every complaint.

`Cursor` is what `Trace.from_json` reads with: it knows the file and the JSON pointer (RFC 6901) of the value in hand,
so that every malformed document gives one `TraceError` that says where it is wrong and what to write instead.

It is not a JSON Schema validator: the published schemas say the same for other programs, and a test compares the two.
"""

import difflib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeVar

T = TypeVar("T")


class TraceError(Exception):
    """A trace that cannot be used: which file, where in it, what is wrong, and what to do next.

    Common causes: the file was edited by hand, cut short, or written by another version of vmaspace.
    """

    def __init__(self, file: str, where: str, message: str, hint: str = "") -> None:
        super().__init__(file, where, message, hint)
        self.file = file
        self.where = where
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        place = f"{self.file}: {self.where}: " if self.where else f"{self.file}: "
        return place + self.message + (f"\n  {self.hint}" if self.hint else "")


def name_of_type(value: object) -> str:
    """What JSON calls the type of a value; long values are not quoted."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return f"the number {value}" if len(repr(value)) < 30 else "a number"
        case str():
            return f'"{value}"' if len(value) < 40 else "a long text"
        case list():
            return "an array"
        case dict():
            return "an object"
    return f"a Python {type(value).__name__}, which JSON does not have"


def nearest(name: str, known: Sequence[str]) -> str:
    """A hint that names the nearest known word, or else lists them all."""
    close = difflib.get_close_matches(name, known, n=1)
    return f'did you mean "{close[0]}"?' if close else "known: " + ", ".join(known)


@dataclass(frozen=True)
class Cursor:
    """One value of a document, with the file and the pointer by which a reader finds it."""

    value: object
    file: str
    where: str = ""

    def fail(self, message: str, hint: str = "") -> NoReturn:
        raise TraceError(self.file, self.where or "/", message, hint)

    def expected(self, what: str, hint: str = "") -> NoReturn:
        self.fail(f"expected {what}, found {name_of_type(self.value)}", hint)

    def at(self, key: str | int, value: object) -> "Cursor":
        token = str(key).replace("~", "~0").replace("/", "~1")
        return Cursor(value, self.file, f"{self.where}/{token}")

    # --- objects and arrays ---

    def fields(self, required: Sequence[str], optional: Sequence[str] = ()) -> dict[str, "Cursor"]:
        """The members of an object that has every required name and no unknown one."""
        found = dict(self.entries())
        known = (*required, *optional)
        for name in required:
            if name not in found:
                self.fail(f'"{name}" is missing', f"required here: {', '.join(required)}")
        for name, cursor in found.items():
            if name not in known:
                cursor.fail(f'unknown name "{name}"', nearest(name, known))
        return found

    def entries(self) -> Iterator[tuple[str, "Cursor"]]:
        """The members of an object whose names are free."""
        if not isinstance(self.value, dict):
            self.expected("an object")
        for name, value in self.value.items():
            if not isinstance(name, str):
                self.fail(f"expected texts as names, found {name_of_type(name)}")
            yield name, self.at(name, value)

    def items(self) -> Iterator["Cursor"]:
        if not isinstance(self.value, list):
            self.expected("an array")
        for index, value in enumerate(self.value):
            yield self.at(index, value)

    # --- scalars ---

    def text(self) -> str:
        if not isinstance(self.value, str):
            self.expected("a text")
        if any("\ud800" <= letter <= "\udfff" for letter in self.value):
            self.fail("the text holds half of a surrogate pair", "no file and no terminal can take it")
        return self.value

    def nonempty(self) -> str:
        if self.value == "":
            self.fail("expected a text, found an empty one")
        return self.text()

    def integer(self, least: int | None = None) -> int:
        if isinstance(self.value, float):
            self.expected("a whole number", "numbers are exact: write addresses and sizes as texts such as 0x1000")
        if isinstance(self.value, bool) or not isinstance(self.value, int):
            self.expected("a whole number")
        if least is not None and self.value < least:
            self.expected(f"a whole number that is at least {least}")
        return self.value

    def one_of(self, known: Sequence[str]) -> str:
        text = self.text()
        if text not in known:
            self.fail(f'unknown word "{text}"', nearest(text, known))
        return text

    def or_null(self, read: Callable[["Cursor"], T]) -> T | None:
        return None if self.value is None else read(self)


def read_json(path: Path) -> object:
    """The document in a file; anything that keeps it from being read is a `TraceError`."""
    file = str(path)

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in pairs:
            if name in found:
                raise TraceError(file, "/", f'the name "{name}" stands twice in one object', "remove one of them")
            found[name] = value
        return found

    def refuse(word: str) -> NoReturn:
        raise TraceError(file, "/", f"{word} is not JSON", "numbers in a trace are whole")

    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise TraceError(file, "", f"cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise TraceError(file, "", f"is not UTF-8 text (byte {error.start})", "is it a trace at all?") from None
    try:
        return json.loads(text, object_pairs_hook=once, parse_constant=refuse)
    except json.JSONDecodeError as error:
        hint = "the file is empty" if not text.strip() else "was it cut short, or edited by hand?"
        raise TraceError(file, f"line {error.lineno}, column {error.colno}", f"not JSON: {error.msg}", hint) from None
    except RecursionError:
        raise TraceError(file, "/", "nested too deeply", "is it a trace at all?") from None
    except ValueError as error:     # an integer with thousands of digits
        raise TraceError(file, "/", f"cannot be read: {error}") from None
