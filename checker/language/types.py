"""The types of the contract language.

An address is not a byte count is not a page number: the checker refuses to mix them, and the units come out right:
address - address = bytes, address + bytes = address, bytes / bytes = int.  All numbers are exact integers; an operation's
`address` and `bytes` arguments lie in [0, 2^64).

What the types do not say: ranges of state variables.  That nothing wraps is a property, proved like any other.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Type:
    """One of the ground types below, a sort, an enumeration or a flags type.

    kind: "bool", "int", "address", "bytes", "page", "pages", "range", "status", "number" (a literal that has not met its
    type yet), "null", "emptyset", or "sort" / "enum" / "flags" with the declared `name`, or "error" (already reported).
    """

    kind: str
    name: str = ""

    def __str__(self) -> str:
        return self.name or self.kind


BOOL = Type("bool")
INT = Type("int")
ADDRESS = Type("address")
BYTES = Type("bytes")
PAGE = Type("page")
PAGES = Type("pages")
RANGE = Type("range")
STATUS = Type("status")
NUMBER = Type("number")
NULL = Type("null")
EMPTY = Type("emptyset")
ERROR = Type("error")

NUMERIC = frozenset({"int", "address", "bytes", "page", "pages", "number"})
GROUND: dict[str, Type] = {t.kind: t for t in (BOOL, INT, ADDRESS, BYTES, PAGE, PAGES)}
