"""The words of one item as the parser takes them: words of the grammar told from names, and line ends where they count.

In `op`, `effect` and `init`, a line end is a word (_NL) and a change of indentation is one (_INDENT, _DEDENT).  A line
goes on below if a bracket is open, if the next line starts with an operator or the like, or if the sentence cannot end
yet: the parser's own table is asked, so "cannot end" is what the grammar says.  In other items no line end counts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from lark.common import LexerConf
from lark.lexer import Lexer, LexerState
from lark.parsers.lalr_parser_state import ParserState

from vmaspace.checker.language import codes
from vmaspace.checker.language.diagnostics import Diagnostic
from vmaspace.checker.language.scanner import RESERVED, Item, Word, word

# First words of a line that carries the line above on.
_CONTINUING = frozenset({"OPERATOR", "STRING", "in", "-", "then", "where", "->"})
MAX_BLOCKS = 20
MAX_STACK = 1000  # of the parser; the tree's own limit, in `nesting.py`, is the one that people meet


class SyntaxProblem(Exception):
    """A mistake found while an item is parsed; never leaves `parser.py`."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        self.diagnostic = diagnostic
        super().__init__(diagnostic.message)


class LayoutLexer(Lexer):
    """Lark's view of an `Item`."""

    __future_interface__ = 2

    def __init__(self, lexer_conf: LexerConf) -> None:
        self.terminals = {t.pattern.value: t.name for t in lexer_conf.terminals}

    def lex(self, lexer_state: LexerState, parser_state: ParserState[Any]) -> Iterator[Word]:
        item: Any = lexer_state.text
        assert isinstance(item, Item)
        states, stack = parser_state.parse_conf.states, parser_state.state_stack
        for w in self.words(item, states, stack):
            if len(stack) > MAX_STACK:
                raise SyntaxProblem(_too_deep(w))
            item.stack = stack.copy()
            yield w
        item.stack = stack.copy()

    def words(self, item: Item, states: Any, stack: list[Any]) -> Iterator[Word]:
        """The words of the item with its line ends; `stack` is the parser's, which moves while we go."""
        lines = _Lines()
        previous: Word | None = None
        for w in item.words:
            is_below = item.has_layout and previous is not None and w.line != previous.line
            if is_below and previous is not None and lines.ends(w, states[stack[-1]]):
                yield from lines.turn(previous, w)
            lines.see(w)
            w.type = self.classify(w, states[stack[-1]])
            previous = w
            yield w
        if item.has_layout and previous is not None:
            yield from lines.finish(previous)

    def classify(self, w: Word, accepted: Collection[str]) -> str:
        """The terminal of a word; a word of the grammar that is not reserved is one only where it fits."""
        kind = self.terminals.get(w.value)
        if kind is None or w.type in ("STRING", "OPERATOR", "NUMBER"):
            return w.type
        if w.type == "NAME" and w.value not in RESERVED and kind not in accepted:
            return "NAME"
        return kind


class _Lines:
    """Where lines end and how deep they stand."""

    def __init__(self) -> None:
        self.levels = [1]
        self.depth = 0
        self.start = 1  # the column in which the current line started

    def see(self, w: Word) -> None:
        if w.value in ("(", "[", "{"):
            self.depth += 1
        elif w.value in (")", "]", "}"):
            self.depth -= 1

    def ends(self, w: Word, accepted: Collection[str]) -> bool:
        """Whether a line ends before `w`, the first word of the text line below."""
        if self.depth > 0 or "_NL" not in accepted:
            return False
        if w.value == "else":
            assert w.column is not None
            return w.column <= self.start
        return w.type not in _CONTINUING and w.value not in _CONTINUING

    def turn(self, previous: Word, w: Word) -> Iterator[Word]:
        yield mark("_NL", previous)
        assert w.column is not None
        self.start = w.column
        if w.column > self.levels[-1]:
            self.levels.append(w.column)
            if len(self.levels) > MAX_BLOCKS:
                raise SyntaxProblem(_too_deep(w))
            yield mark("_INDENT", w, before=True)
            return
        levels = list(self.levels)
        while w.column < self.levels[-1]:
            self.levels.pop()
            yield mark("_DEDENT", w, before=True)
        if w.column != self.levels[-1]:
            raise SyntaxProblem(_between(w, levels[1:]))

    def finish(self, last: Word) -> Iterator[Word]:
        yield mark("_NL", last)
        for _ in self.levels[1:]:
            yield mark("_DEDENT", last)


def _between(w: Word, levels: list[int]) -> Diagnostic:
    blanks = [f"{column - 1}" for column in levels]
    return Diagnostic(
        codes.INDENTATION,
        "this line stands between two blocks",
        w.span,
        expected=f"{' or '.join(blanks)} blanks before it, as in a block above",
        found=f"{w.span.column - 1}",
    )


def _too_deep(w: Word) -> Diagnostic:
    hint = "give a part of it a name with `def` or `effect`"
    return Diagnostic(codes.TOO_DEEP, "the text is nested too deeply", w.span, hint=hint)


def mark(kind: str, near: Word, before: bool = False) -> Word:
    """An empty word after (or before) another one."""
    assert near.line is not None and near.column is not None and near.end_column is not None
    return word(kind, "", near.file, near.line, near.column if before else near.end_column)
