"""Syntax errors in words of the language: what stood there, what could have stood there, what was probably meant.

The parser says which words fit.  `ADVICE` then looks at the words round the place for mistakes that people make, by
example; the first that applies gives the hint.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lark import UnexpectedToken
from lark.parsers.lalr_analysis import Shift
from lark.parsers.lalr_parser_state import ParseConf

from vmaspace.checker.language import codes
from vmaspace.checker.language.diagnostics import Diagnostic
from vmaspace.checker.language.scanner import ITEM_WORDS, RESERVED, Item, Word, shown
from vmaspace.checker.language.spelling import FOREIGN_WORDS
from vmaspace.checker.language.syntax import Span

PROPERTY_WORDS = frozenset({"invariant", "supporting", "step", "reach", "temporal", "after"})
HEADER_ORDER = (
    'after the name come except … or fair …, "the sentence", from "the source", deviation …, and then the formula'
)


@dataclass(frozen=True, slots=True)
class Situation:
    """Where the parser stopped: the words of the item, the place among them, and the terminals that fit."""

    item: Item
    kind: str  # the terminal that does not fit
    at: int  # the index of the word that does not fit, or of the word behind a line end
    fits: frozenset[str]

    def word(self, offset: int = 0) -> str:
        """The text of a word near the place; empty outside the item."""
        index = self.at + offset
        return str(self.item.words[index].value) if 0 <= index < len(self.item.words) else ""

    @property
    def here(self) -> str:
        """The word that does not fit; empty at a line end."""
        return "" if self.is_line_end else self.word()

    @property
    def is_line_end(self) -> bool:
        return self.kind in ("_NL", "_INDENT", "_DEDENT", "$END")

    @property
    def wants_expression(self) -> bool:
        return {"LPAR", "EXISTS", "NUMBER"} <= self.fits

    def is_first(self, offset: int) -> bool:
        """Whether the word there is the first of its line, but not of the item."""
        words, index = self.item.words, self.at + offset
        return 0 < index < len(words) and words[index].line != words[index - 1].line

    def is_inside(self, word: str) -> bool:
        """Whether `word` stands before the place, in the same line."""
        words = self.item.words
        line = words[min(self.at, len(words) - 1)].line
        return any(w.value == word and w.line == line for w in words[: self.at])


Test = Callable[[Situation], bool]

# (when it applies, the hint)
ADVICE: tuple[tuple[Test, str], ...] = (
    (
        lambda s: s.here in ITEM_WORDS and s.is_first(0) and s.word(1).isidentifier(),
        "an item starts in column 1: move this line to the left",
    ),
    (
        lambda s: s.at > 1 and s.word(-1) in ITEM_WORDS and s.here.isidentifier() and s.is_first(-1),
        "an item starts in column 1: move this line to the left",
    ),
    (
        lambda s: s.fits == {"NAME"} and s.at == 1 and s.here not in RESERVED,
        "every item has a name of its own",
    ),
    (
        lambda s: s.item.keyword == "var" and s.here == "(",
        "a var is declared by its types: `var base: Region -> address`",
    ),
    (
        lambda s: s.here == "=" and "OPERATOR" in s.fits,
        "`=` assigns; to compare, write `==`",
    ),
    (
        lambda s: s.here == "==" and "EQUAL" in s.fits,
        "`==` compares; to assign, write `=`",
    ),
    (
        lambda s: s.here == "]" and s.is_inside("["),
        "ranges are half-open: `[low, high)` holds low and does not hold high",
    ),
    (
        lambda s: s.here == "-" and s.wants_expression,
        "numbers have no sign: write `0 - n`",
    ),
    (
        lambda s: s.here == "^" or s.word(-1) == "^",
        "a power is written with two numbers, such as `2^12`",
    ),
    (
        lambda s: s.here == "in" and s.word(-2) in ("for", "exists", "count"),
        "a variable and its sort are written `r: Region`",
    ),
    (
        lambda s: s.here == "in" and s.word(-2) == ":",
        "only parameters of operations are bounded with `in`; elsewhere write `where k >= …, k <= …`",
    ),
    (
        lambda s: s.here == "." or (s.here == "|" and s.word(-2) == ":"),
        "`for x: Sort where …: …` and `exists x: Sort where …`",
    ),
    (
        lambda s: s.here == ":" and (s.is_inside("exists") or s.is_inside("count")),
        "`exists` and `count` have no `:` of their own: what holds stands after `where`",
    ),
    (
        lambda s: s.here == "(" and "WHERE" in s.fits,
        "conditions stand after `where`: `r: Region where is_alive(r), …`",
    ),
    (
        lambda s: s.here == "unless" and s.is_inside("may"),
        "`may` takes `if`: `may STATUS if not …`",
    ),
    (
        lambda s: "ELSE" in s.fits and "THEN" not in s.fits and s.is_inside("then"),
        "`if … then … else …` needs both branches; a condition without one is `a implies b`",
    ),
    (
        lambda s: s.here == "then" or ("THEN" in s.fits and not s.is_line_end),
        "an expression is `if … then … else …`; a statement is `if …:` and a block",
    ),
    (
        lambda s: s.kind == "_INDENT",
        "a block starts after `:`; a line that goes on below ends in an operator or comma, or the next starts with one",
    ),
    (
        lambda s: s.kind == "_NL" and "COLON" in s.fits,
        "end the line with `:`, and indent the block below it",
    ),
    (
        lambda s: {"IF", "UNLESS"} <= s.fits and not s.wants_expression,
        "a refusal is `STATUS if condition` or `STATUS unless condition`; an assignment is `f(x) = value`",
    ),
    (
        lambda s: s.item.keyword == "after" and "COLON" in s.fits and not s.wants_expression and s.word(-1) != "where",
        "write `after OP(parameters): NAME` or `after OP(parameters) -> results: NAME`",
    ),
    (
        lambda s: s.item.keyword == "after" and s.at == 2,
        "name the parameters of the operation, without types: `after unmap(v, base, size, op_children): NAME`",
    ),
    (
        lambda s: s.item.keyword in PROPERTY_WORDS
        and (s.here in ("from", "deviation", "except", "fair") or s.word(-1) == "fair"),
        HEADER_ORDER,
    ),
    (
        lambda s: s.item.keyword in PROPERTY_WORDS and s.here.startswith('"'),
        HEADER_ORDER,
    ),
    (
        lambda s: s.item.keyword == "given" and s.here == "->",
        "a given names its arguments: `given vmo_size(o: Vmo): bytes`",
    ),
    (
        lambda s: s.item.keyword == "def" and s.here == "=" and s.at == 2,
        "a def always has parentheses: `def f() = …`, and is called with them",
    ),
    (
        lambda s: s.item.keyword == "def" and s.here in (":", "->") and "EQUAL" in s.fits,
        "the type of a def is found, not written: `def f(x: Region) = …`",
    ),
    (
        lambda s: s.item.keyword == "sort" and s.here == ",",
        "each sort is an item of its own",
    ),
    (
        lambda s: "NAME" in s.fits and s.here in RESERVED and not s.wants_expression,
        "this is a word of the language and cannot be a name",
    ),
    (
        lambda s: s.here == "," and "OPERATOR" in s.fits,
        "join conditions with `and`; commas stand between arguments and in the lists of `where` and `requires`",
    ),
    (
        lambda s: s.kind == "$END" and {"COLON", "OPERATOR"} <= s.fits,
        "`for x: Sort where …` needs `:` and what it says of each element",
    ),
    (
        lambda s: {"OPERATOR", "COLON"} <= s.fits and s.here[:1].isalnum(),
        "a `:` or an operator is missing before it",
    ),
    (
        lambda s: "OPERATOR" in s.fits and (s.here[:1].isalnum() or s.here in ("(", "{", "[")),
        "an operator is missing before it",
    ),
)  # fmt: skip

# Terminals as messages say them; the groups first.
_EXPRESSION = frozenset(
    {
        "NUMBER", "NAME", "LPAR", "LBRACE", "LSQB", "NOT", "ALWAYS", "EVENTUALLY", "FOR", "EXISTS", "COUNT", "IF", "OLD",
        "TRUE", "FALSE", "NULL",
    }
)  # fmt: skip
_STATEMENT = frozenset({"NAME", "FOR", "IF", "SOME", "FIRST", "NEW", "PICKS"})
_CLAUSE = frozenset({"LET", "REQUIRES", "ASSERTS", "MAY"})
_GROUPS = (
    (_EXPRESSION, "an expression"),
    (frozenset({"OPERATOR", "IN", "MINUS"}), "an operator"),
    (_STATEMENT | _CLAUSE, "a clause or a statement"),
    (_STATEMENT, "a statement"),
)
_WORDS = {
    "NAME": "a name",
    "STRING": "a string",
    "NUMBER": "a number",
    "_NL": "the end of the line",
    "_INDENT": "an indented block",
    "_DEDENT": "the end of the block",
    "$END": "the end of the item",
    "EQUAL": "`=`",
    "COLON": "`:`",
    "COMMA": "`,`",
    "LPAR": "`(`",
    "RPAR": "`)`",
    "LBRACE": "`{`",
    "RBRACE": "`}`",
    "LSQB": "`[`",
    "MINUS": "`-`",
    "DOT": "`.`",
    "CIRCUMFLEX": "`^`",
}


def explain(error: UnexpectedToken, item: Item, spellings: dict[str, str]) -> Diagnostic:
    """The diagnostic for a word that does not fit; `spellings` gives the text of each terminal."""
    fits = accepted(error.state.parse_conf, item.stack)
    situation = Situation(item, error.token.type, index_of(error, item), fits)
    foreign = foreign_word(situation)
    if foreign is not None:
        instead = FOREIGN_WORDS[str(foreign.value)]
        message = f"the language has no {shown(foreign)}"
        return Diagnostic(codes.SYNTAX, message, foreign.span, hint=f"write `{instead}`")
    message, span = what(situation)
    return Diagnostic(codes.SYNTAX, message, span, expected=in_words(fits, spellings), hint=advice(situation))


def accepted(conf: ParseConf[Any], stack: list[Any]) -> frozenset[str]:
    """The terminals that the parser can really take next.

    Its table alone says more, since states of different contexts are merged; so each candidate is tried on the stack.
    """
    return frozenset(t for t in conf.states[stack[-1]] if not t.islower() and _takes(conf, list(stack), t))


def _takes(conf: ParseConf[Any], stack: list[Any], terminal: str) -> bool:
    while terminal in conf.states[stack[-1]]:
        action, argument = conf.states[stack[-1]][terminal]
        if action is Shift:
            return True
        if argument.expansion:
            del stack[-len(argument.expansion) :]
        stack.append(conf.states[stack[-1]][argument.origin.name][1])
        if terminal == "$END" and stack[-1] == conf.end_state:
            return True
    return False


def index_of(error: UnexpectedToken, item: Item) -> int:
    """The index of the word that does not fit, or of the first word behind a line end."""
    token = error.token
    if token.type == "$END":
        return len(item.words)
    place = (token.line or 0, token.column or 0)
    return sum((w.line or 0, w.column or 0) < place for w in item.words)


def what(s: Situation) -> tuple[str, Span]:
    """What is wrong, and where."""
    if not s.is_line_end:
        w = s.item.words[s.at]
        return f"{shown(w)} does not fit here", w.span
    if s.kind == "_INDENT":
        return "this line is indented, but no block starts here", s.item.words[s.at].span
    last = s.item.words[max(s.at - 1, 0)]
    end = last.span.end_column
    span = Span(last.file, last.span.line, end, last.span.line, end + 1)
    if s.kind == "$END" or s.at >= len(s.item.words):
        return f"the `{s.item.keyword}` ends too early", span
    return ("the block ends too early" if s.kind == "_DEDENT" else "the line ends too early"), span


def foreign_word(s: Situation) -> Word | None:
    """A word of another language at the place or before it, read as a name here."""
    if s.is_line_end or not s.here[:1].isalpha():
        return None
    near = (w for w in s.item.words[max(s.at - 1, 1) : s.at + 1] if w.value in FOREIGN_WORDS)
    return next(near, None)


def advice(s: Situation) -> str | None:
    return next((hint for applies, hint in ADVICE if applies(s)), None)


def in_words(fits: frozenset[str], spellings: dict[str, str]) -> str:
    """The terminals that fit, in words, the most telling first."""
    rest = set(fits)
    found: list[str] = []
    for group, text in _GROUPS:
        if group <= rest:
            found.append(text)
            rest -= group
    named = sorted(rest, key=lambda t: (t not in _WORDS, t))
    found += (_WORDS.get(t) or f"`{spellings.get(t, t.lower())}`" for t in named)
    if len(found) > 1:
        return ", ".join(found[:-1]) + " or " + found[-1]
    return found[0] if found else "something else"
