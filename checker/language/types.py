"""The types of the contract language.

An address is not a byte count is not a page number: the checker refuses to mix them, and the units come out right:
address - address = bytes, address + bytes = address, bytes / bytes = int.  All numbers are exact integers; an
operation's `address` and `bytes` arguments lie in [0, 2^64).

What the types do not say: ranges of state variables.  That nothing wraps is a property, proved like any other.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Type:
    """One of the ground types below, a sort, an enumeration or a flags type.

    kind: "bool", "int", "address", "bytes", "page", "pages", "range", "status", "number" (a literal that has not met
    its type yet), "null", "emptyset", or "sort" / "enum" / "flags" with the declared `name`, or "error" (already
    reported).
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


@dataclass(frozen=True, slots=True)
class Signature:
    """What a built-in takes and gives: the types each parameter may have; a `result` None is the first argument's."""

    params: tuple[tuple[Type, ...], ...]
    result: Type | None

    def __str__(self) -> str:
        params = ", ".join(" or ".join(str(t) for t in alternatives) for alternatives in self.params)
        return f"({params}) -> {self.result or 'the same'}"


_MEASURE = (ADDRESS, BYTES)
_NUMBERS = (INT, ADDRESS, BYTES, PAGE, PAGES)

# The words of the language that are called like functions.
BUILTINS: dict[str, Signature] = {
    "disjoint": Signature(
        ((RANGE,), (RANGE,)), BOOL
    ),  # they share no byte; an empty range is disjoint from all
    "overlaps": Signature(((RANGE,), (RANGE,)), BOOL),  # they share a byte
    "inside": Signature(((RANGE,), (RANGE,)), BOOL),  # both ends of the first lie within the second
    "aligned": Signature((_MEASURE,), BOOL),  # to a page
    "aligned_pow2": Signature((_MEASURE, (INT,)), BOOL),  # to 2^k
    "round_up": Signature((_MEASURE,), None),  # to a page, modulo 2^64, as the kernel's ROUNDUP_PAGE_SIZE
    "wraps": Signature((_MEASURE, (BYTES,)), BOOL),  # the sum is 2^64 or more
    "page": Signature(((ADDRESS,),), PAGE),  # the page that holds the address
    "pages": Signature(((BYTES,),), PAGES),  # whole pages in a size
    "address_of": Signature(((PAGE,),), ADDRESS),  # the first byte of a page
    "bytes_of": Signature(((PAGES,),), BYTES),
    "min": Signature((_NUMBERS, _NUMBERS), None),
    "max": Signature((_NUMBERS, _NUMBERS), None),
}


def in_words(t: Type) -> str:
    """The type as messages say it, with its unit."""
    words = {
        "bool": "bool (true or false)",
        "int": "int (a plain number)",
        "address": "an address",
        "bytes": "bytes (a size or a distance)",
        "page": "a page (the number of one page)",
        "pages": "pages (how many of them)",
        "range": "a range of addresses",
        "status": "a status",
        "number": "a number",
        "null": "null",
        "emptyset": "an empty set of flags",
        "flags": f"{t.name} (a set of flags)",
    }
    return words.get(t.kind, str(t))


def fits(found: Type, expected: Type) -> bool:
    """Whether an expression of type `found` can stand where `expected` is asked for."""
    if found == expected or ERROR in (found, expected):
        return True
    return (
        (found == NUMBER and expected.kind in NUMERIC)
        or (found == NULL and expected.kind == "sort")
        or (found == EMPTY and expected.kind == "flags")
    )


def join(a: Type, b: Type) -> Type | None:
    """The type that both sides have in the end."""
    if ERROR in (a, b):
        return ERROR
    if fits(a, b):
        return b
    return a if fits(b, a) else None
