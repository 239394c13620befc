"""What people write when they mean something else: the nearest name, and the words of other languages.

These tables only make hints; nothing here is ever accepted as if it were part of the language.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

# What was written: what to read it as (None: give the item up), and the next thing to do.
FOREIGN_OPERATORS: dict[str, tuple[str | None, str]] = {
    "&&": ("and", "write `and`"),
    "||": ("or", "write `or`"),
    "!": ("not", "write `not`"),
    "¬": ("not", "write `not`"),
    "∧": ("and", "write `and`"),
    "∨": ("or", "write `or`"),
    "=>": ("implies", "write `implies`; less or equal is `<=`"),
    "<->": ("iff", "write `iff`"),
    "<=>": ("iff", "write `iff`"),
    "===": ("==", "write `==`"),
    "!==": ("!=", "write `!=`"),
    "<>": ("!=", "write `!=`"),
    "≠": ("!=", "write `!=`"),
    "≤": ("<=", "write `<=`"),
    "≥": (">=", "write `>=`"),
    "∈": ("in", "write `in`"),
    "∀": ("for", "write `for x: Sort where …: …`"),
    "∃": ("exists", "write `exists x: Sort where …`"),
    "%": ("mod", "write `mod`"),
    "**": ("^", "a power of numbers is written `2^12`"),
    ":=": (None, "an assignment is written `f(x) = value`"),
    "+=": (None, "write the sum: `f(x) = f(x) + …`; right sides read the state before the operation"),
    "-=": (None, "write the difference: `f(x) = f(x) - …`; right sides read the state before the operation"),
    "/*": (None, "comments run from `//` to the end of the line"),
    "#": (None, "comments start with `//`"),
    ";": (None, "nothing ends with `;`: start a new line"),
    "?": (None, "write `if c then a else b`"),
    "'": (None, "the state before is `old(…)`; strings stand in double quotes"),
    "`": (None, "strings stand in double quotes"),
    "~": (None, "write `not`; the flags of `a` without those of `b` are `a - b`"),
    "@": (None, "names are made of ASCII letters, digits and `_`"),
    "$": (None, "names are made of ASCII letters, digits and `_`"),
    "\\": (None, "the flags of `a` without those of `b` are `a - b`"),
}

FOREIGN_ITEMS: dict[str, str] = {
    "property": "invariant",
    "inv": "invariant",
    "assert": "invariant",
    "lemma": "supporting invariant",
    "transition": "step",
    "always": "invariant",
    "eventually": "reach",
    "sometimes": "reach",
    "operation": "op",
    "action": "op",
    "procedure": "effect",
    "function": "def",
    "fun": "def",
    "let": "def",
    "define": "def",
    "type": "sort",
    "variable": "var",
    "state": "var",
    "constant": "const",
    "status": "statuses",
    "flag": "flags",
    "enumeration": "enum",
}

FOREIGN_NAMES: dict[str, str] = {
    "True": "true",
    "False": "false",
    "TRUE": "true",
    "FALSE": "false",
    "None": "null",
    "nil": "null",
    "nullptr": "null",
    "Null": "null",
}

# Names that somebody uses as words of the grammar, and what the grammar's word is.
FOREIGN_WORDS: dict[str, str] = {
    "forall": "for x: Sort where …: …",
    "all": "for x: Sort where …: …",
    "every": "for x: Sort where …: …",
    "foreach": "for x: Sort where …: …",
    "exist": "exists x: Sort where …",
    "any": "exists x: Sort where …",
    "there_exists": "exists x: Sort where …",
    "elif": "else if",
    "elsif": "else if",
    "xor": "a != b",
    "is": "a == b",
    "div": "a / b",
    "when": "if",
    "then_if": "if",
    "ensures": "after OP(…): NAME",
    "require": "requires",
    "assert": "asserts",
    "pick": "picks",
    "pre": "old(…)",
    "prev": "old(…)",
}


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that is most like `name`, if one is near."""
    candidates = [k for k in known if k != name]
    folded = {k.casefold(): k for k in candidates}
    if name.casefold() in folded:
        return folded[name.casefold()]
    found = difflib.get_close_matches(name, candidates, n=1, cutoff=0.65)
    return found[0] if found else None
