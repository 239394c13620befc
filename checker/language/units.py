"""Units: what arithmetic on addresses, sizes, page numbers and plain numbers gives.

One table.  A literal ("number") takes the unit that the other side asks for.  Where two readings are possible, the type
that the surroundings expect decides: `0 + size` is an address where an address is expected.
"""

from __future__ import annotations

from typing import NamedTuple

from vmaspace.checker.language.types import ADDRESS, BYTES, INT, NUMBER, PAGE, PAGES, Type


class Rule(NamedTuple):
    """The result, and the types that the two sides have in the end."""

    result: Type
    left: Type
    right: Type


def _rules() -> dict[tuple[str, Type, Type], Rule]:
    rules: dict[tuple[str, Type, Type], Rule] = {}

    def rule(
        op: str,
        left: Type,
        right: Type,
        result: Type,
        left_as: Type | None = None,
        right_as: Type | None = None,
    ) -> None:
        rules[op, left, right] = Rule(result, left_as or left, right_as or right)

    for op in ("+", "-", "*", "/", "mod"):
        rule(op, NUMBER, NUMBER, NUMBER)
        rule(op, INT, INT, INT)
        rule(op, INT, NUMBER, INT, right_as=INT)
        rule(op, NUMBER, INT, INT, left_as=INT)
    for place, distance in ((ADDRESS, BYTES), (PAGE, PAGES)):
        rule("+", place, distance, place)
        rule("+", distance, place, place)
        rule("+", place, NUMBER, place, right_as=distance)
        rule("+", NUMBER, place, place, left_as=distance)
        rule("-", place, place, distance)
        rule("-", place, distance, place)
        rule("-", place, NUMBER, place, right_as=distance)
        rule("-", NUMBER, place, distance, left_as=place)
        for op in ("+", "-"):
            rule(op, distance, distance, distance)
            rule(op, distance, NUMBER, distance, right_as=distance)
            rule(op, NUMBER, distance, distance, left_as=distance)
        rule("*", distance, INT, distance)
        rule("*", INT, distance, distance)
        rule("*", distance, NUMBER, distance, right_as=INT)
        rule("*", NUMBER, distance, distance, left_as=INT)
        rule("/", distance, INT, distance)
        for counted in (place, distance):
            rule("/", counted, distance, INT)
            rule("/", counted, NUMBER, INT, right_as=distance)
            rule("mod", counted, distance, counted)
            rule("mod", counted, INT, counted)
            rule("mod", counted, NUMBER, counted, right_as=INT)
        rule("/", NUMBER, distance, INT, left_as=distance)
        rule("mod", NUMBER, distance, distance, left_as=distance)
    return rules


RULES = _rules()

# Second readings, taken only where their result is what the surroundings expect.
EXPECTED_RULES: dict[tuple[str, Type, Type], Rule] = {
    ("+", NUMBER, BYTES): Rule(ADDRESS, ADDRESS, BYTES),
    ("-", NUMBER, BYTES): Rule(ADDRESS, ADDRESS, BYTES),
    ("+", NUMBER, PAGES): Rule(PAGE, PAGE, PAGES),
    ("-", NUMBER, PAGES): Rule(PAGE, PAGE, PAGES),
    ("/", BYTES, NUMBER): Rule(BYTES, BYTES, INT),
    ("/", PAGES, NUMBER): Rule(PAGES, PAGES, INT),
}


def rule_for(op: str, left: Type, right: Type, expected: Type | None) -> Rule | None:
    """What `left op right` gives; None if the units do not go together."""
    second = EXPECTED_RULES.get((op, left, right))
    if second is not None and second.result == expected:
        return second
    return RULES.get((op, left, right))


def advice(op: str, left: Type, right: Type) -> tuple[str, str]:
    """Why two units do not go together, and what to write."""
    kinds = {left.kind, right.kind}
    if op == "+" and kinds <= {"address", "page"} and len(kinds) == 1:
        unit = "bytes" if left == ADDRESS else "pages"
        return (
            f"an {left} and an {left} have no sum" if left == ADDRESS else "a page and a page have no sum",
            f"add {unit} to it: `a + n`; the distance of two is `a - b`, and `a + (b - c)` goes as far beyond a",
        )
    if op == "-" and left.kind in ("bytes", "pages") and right.kind in ("address", "page"):
        return (
            "a size minus a place means nothing",
            "write the place first: `a - n`, or `a - b` for a distance",
        )
    if op == "*" and kinds & {"address", "page"}:
        return "a place cannot be multiplied", "only distances can: `(a - b) * n`"
    if op == "*":
        return f"{left} times {right} means nothing", "one side is a plain number (int)"
    if kinds & {"address", "bytes"} and kinds & {"page", "pages"}:
        return (
            f"`{op}` mixes pages and bytes",
            "convert one side: `page(a)`, `pages(n)`, `address_of(p)`, `bytes_of(n)`",
        )
    if "int" in kinds:
        return (
            f"`{op}` mixes {left} and {right}",
            "declare the plain number as bytes (or pages), or multiply by a unit",
        )
    return (
        f"`{op}` does not go with {left} and {right}",
        "numbers have a unit: int, address, bytes, page, pages",
    )
