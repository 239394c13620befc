"""From text to items: a file is cut into words, and the words into top-level items.

An item starts where an item's first word stands in column 1.  Everything that can be wrong with single characters,
numbers and brackets is found here, for all items at once.

It does not know the grammar, and it does not judge indentation: see `layout.py`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from lark import Token

from vmaspace.checker.language import codes
from vmaspace.checker.language.diagnostics import Diagnostic
from vmaspace.checker.language.spelling import FOREIGN_ITEMS, FOREIGN_OPERATORS, nearest
from vmaspace.checker.language.syntax import Span

ITEM_WORDS = frozenset(
    {
        "sort", "enum", "flags", "statuses", "given", "const", "switch", "var", "def", "effect", "init", "op", "scope",
        "invariant", "supporting", "step", "reach", "temporal", "after",
    }
)  # fmt: skip
LAYOUT_ITEMS = frozenset({"op", "effect", "init"})

# Words that are never names.  All other words of the grammar are names wherever it has no use for them.
RESERVED = frozenset(
    {
        "and", "or", "not", "implies", "iff", "mod", "in", "for", "exists", "count", "where", "if", "then", "else",
        "unless", "old", "always", "eventually", "until", "leads_to", "true", "false", "null",
    }
)  # fmt: skip
OPERATOR_WORDS = frozenset({"and", "or", "implies", "iff", "until", "leads_to", "mod"})
OPERATORS = frozenset({"==", "!=", "<=", ">=", "<", ">", "|", "&", "+", "*", "/"})

MAX_BRACKETS = 40
MAX_DIGITS = 60
MAX_NUMBER = 2**128

_WORD = re.compile(
    r"""(?P<blank>[ \r]+|//[^\n]*)
      | (?P<newline>\n)
      | (?P<NAME>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<NUMBER>[0-9][0-9A-Za-z_]*)
      | (?P<STRING>"[^"\n]*")
      | (?P<foreign>&&|\|\||<->|<=>|=>|===|!==|<>|\*\*|:=|\+=|-=|/\*|!(?!=)|[%;\#~?@$'`\\¬∧∨≤≥≠∈∀∃])
      | (?P<symbol>==|!=|<=|>=|->|\.\.|[()\[\]{},:=<>|&+*/.^-])
      | (?P<tab>\t+)
      | (?P<wrong>.)
    """,
    re.VERBOSE,
)
_NUMBER = re.compile(r"0[xX][0-9a-fA-F]+(_[0-9a-fA-F]+)*|[0-9]+(_[0-9]+)*")
_CLOSES = {"(": ")", "{": "}", "[": ")]"}


class Word(Token):
    """A token that knows its file."""

    __slots__ = ("file",)
    file: str

    @property
    def span(self) -> Span:
        assert self.line is not None and self.column is not None and self.end_column is not None
        return Span(self.file, self.line, self.column, self.line, self.end_column)


def word(kind: str, text: str, file: str, line: int, column: int) -> Word:
    made: Word = Word(kind, text, None, line, column, line, column + len(text))
    made.file = file
    return made


@dataclass(slots=True)
class Item:
    """The words of one top-level item.  A `broken` one is already reported; a `junk` one is not an item at all."""

    words: list[Word] = field(default_factory=list)
    broken: bool = False
    junk: bool = False
    cut: bool = False  # what stands below it in column 1 probably belongs to it
    stack: list[Any] = field(default_factory=list)  # the parser's states before the word that it takes next

    @property
    def keyword(self) -> str:
        return self.words[0].value  # type: ignore[no-any-return]

    @property
    def has_layout(self) -> bool:
        return self.keyword in LAYOUT_ITEMS


class Scanner:
    """Cuts one file into items; what is wrong goes to `problems`."""

    def __init__(self, file: str, text: str, problems: list[Diagnostic]) -> None:
        self.file = file
        self.text = text
        self.problems = problems
        self.items: list[Item] = []
        self.item = Item()  # what stands before the first item
        self.open: list[Word] = []
        self.tabs = 0

    def scan(self) -> list[Item]:
        """All items of the file that are fit to be parsed."""
        line, line_start = 1, 0
        for found in _WORD.finditer(self.text):
            kind = found.lastgroup
            if kind == "newline":
                line, line_start = line + 1, found.end()
            elif kind is not None and kind != "blank":
                self.take(kind, word(kind, found.group(), self.file, line, found.start() - line_start + 1))
        self.close_item()
        return [i for i in self.items if not i.broken]

    def take(self, kind: str, w: Word) -> None:
        if w.column == 1 and kind != "tab" and not (self.open and w.value in (")", "]", "}")):
            self.start_item(w)
        getattr(self, f"take_{kind}")(w)

    # --- items -----------------------------------------------------------------------------------------------------

    def start_item(self, w: Word) -> None:
        self.close_item()
        previous = self.item
        self.item = Item()
        self.items.append(self.item)
        if w.value not in ITEM_WORDS:
            self.item.broken = self.item.junk = True
            self.report_junk(w, previous)

    def report_junk(self, w: Word, previous: Item) -> None:
        text = str(w.value)
        words: str | None = ", ".join(sorted(ITEM_WORDS))
        meant = FOREIGN_ITEMS.get(text) or nearest(text, ITEM_WORDS)
        if meant is not None:
            words, hint = None, f"did you mean `{meant}`?"
        elif previous.junk:
            return  # one report for a run of such lines
        elif text in FOREIGN_OPERATORS:
            hint = FOREIGN_OPERATORS[text][1]
        elif previous.words:
            previous.cut = True
            words = None
            hint = f"if the line belongs to the `{previous.keyword}` above, indent it"
        else:
            hint = "comments start with `//`"
        message = f"{shown(w)} does not start an item"
        self.problems.append(Diagnostic(codes.NO_ITEM, message, w.span, expected=words, hint=hint))

    def close_item(self) -> None:
        if self.open and not self.item.broken:
            w = self.open[-1]
            partner = "`)`" if w.value == "[" else f"`{_CLOSES[w.value]}`"
            self.fail(
                codes.BRACKETS, f"`{w.value}` is never closed", w, expected=f"{partner} before the next item"
            )
        self.open.clear()

    # --- words -----------------------------------------------------------------------------------------------------

    def take_NAME(self, w: Word) -> None:
        if w.value in OPERATOR_WORDS:
            w.type = "OPERATOR"
        self.item.words.append(w)

    def take_NUMBER(self, w: Word) -> None:
        text = w.value.replace("_", "")
        if _NUMBER.fullmatch(w.value) is None:
            self.fail(
                codes.BAD_NUMBER, f"{shown(w)} is not a number", w,
                expected="decimal or hexadecimal digits, in groups if you like: 4096, 0xffff_8000",
                hint="a name does not start with a digit",
            )  # fmt: skip
        elif (
            len(text) > MAX_DIGITS
            or int(text, 0 if text[1:2] in "xX" and len(text) > 1 else 10) >= MAX_NUMBER
        ):
            self.fail(codes.BAD_NUMBER, "the number is too large", w, expected="a number below 2^128")
        self.item.words.append(w)

    def take_STRING(self, w: Word) -> None:
        self.item.words.append(w)

    def take_symbol(self, w: Word) -> None:
        text = w.value
        w.type = "OPERATOR" if text in OPERATORS else text
        self.item.words.append(w)
        if text in "([{":
            self.open.append(w)
            if len(self.open) == MAX_BRACKETS:
                self.fail(
                    codes.TOO_DEEP, "brackets are nested too deeply", w, expected=f"fewer than {MAX_BRACKETS}"
                )
        elif text in ")]}":
            self.close_bracket(w)

    def close_bracket(self, w: Word) -> None:
        if not self.open:
            self.fail(codes.BRACKETS, f"`{w.value}` closes nothing", w)
            return
        opening = self.open.pop()
        if w.value not in _CLOSES[opening.value]:
            wanted = "`)`" if opening.value == "[" else f"`{_CLOSES[opening.value]}`"
            self.fail(
                codes.BRACKETS, f"`{w.value}` does not close `{opening.value}`", w, expected=wanted,
                notes=((f"`{opening.value}` was opened here", opening.span),),
            )  # fmt: skip

    def take_foreign(self, w: Word) -> None:
        meant, hint = FOREIGN_OPERATORS[w.value]
        self.report(codes.BAD_CHARACTER, f"the language has no {shown(w)}", w, hint=hint)
        if meant is None:
            self.item.broken = True
        else:  # read on as if it had been written well, so that later mistakes are seen too
            w.type = "OPERATOR" if meant in OPERATORS or meant in OPERATOR_WORDS else meant
            w.value = meant
            self.item.words.append(w)

    def take_tab(self, w: Word) -> None:
        self.tabs += 1
        if self.tabs == 1:
            self.report(
                codes.TAB, "tabs are not allowed, since nobody knows how wide they are", w,
                hint="indent with two spaces; this file may have more tabs below",
            )  # fmt: skip
        self.item.broken = True

    def take_wrong(self, w: Word) -> None:
        if w.value == '"':
            self.fail(
                codes.UNTERMINATED, "the string is not closed on its line", w,
                hint="a string is one line, from `\"` to `\"`",
            )  # fmt: skip
        else:
            self.fail(
                codes.BAD_CHARACTER, f"the language has no {shown(w)}", w,
                hint="names are made of ASCII letters, digits and `_`",
            )  # fmt: skip

    # --- reports ---------------------------------------------------------------------------------------------------

    def report(
        self, code: str, message: str, w: Word, *, expected: str | None = None, hint: str | None = None,
        notes: tuple[tuple[str, Span], ...] = (),
    ) -> None:  # fmt: skip
        if not self.item.broken:
            self.problems.append(Diagnostic(code, message, w.span, expected=expected, hint=hint, notes=notes))

    def fail(
        self, code: str, message: str, w: Word, *, expected: str | None = None, hint: str | None = None,
        notes: tuple[tuple[str, Span], ...] = (),
    ) -> None:  # fmt: skip
        """Report, and give the item up."""
        self.report(code, message, w, expected=expected, hint=hint, notes=notes)
        self.item.broken = True


def shown(w: Word) -> str:
    """A word as messages quote it: visible, and not too long."""
    text = str(w.value)
    if not text.isprintable():
        return f"character U+{ord(text[0]):04X}"
    return f"`{text if len(text) <= 40 else text[:39] + '…'}`"
