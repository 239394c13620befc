"""The small expressions that stand where a number is expected.

    expression = ["-"] term { ("+" | "-") term }
    term       = number | "$" name [ "[" number "]" ] | "@" CONSTANT | roundup(expression, expression)
               | next_page_table(expression) | "(" expression ")", each followed by any number of "/" number
    condition  = expression [ ("==" | "!=" | "<=" | ">=" | "<" | ">") expression ]

A name may have dots. Numbers are decimal or hexadecimal. Nothing is ever handed to Python to evaluate.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from vmaspace.checker.engines.conformance.error import BadStep

PAGE_TABLE_SPAN: Final = 2 << 20  # bytes that one last-level page table reaches
_MAX_DEPTH: Final = 50

_TOKEN = re.compile(
    r"\s*(?:(?P<number>0[xX][0-9a-fA-F]+|[0-9]+)"
    r"|\$(?P<name>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)"
    r"|@(?P<constant>[A-Za-z_]\w*)"
    r"|(?P<function>[A-Za-z_]\w*)"
    r"|(?P<sign>==|!=|<=|>=|[-+/()\[\],<>]))",
    re.ASCII,
)
_COMPARISONS: Final[dict[str, Callable[[int, int], bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}


class Values(Protocol):
    """Where names and constants have their values."""

    def name(self, name: str, index: int | None) -> int:
        """The number that `$name` or `$name[index]` stands for."""

    def constant(self, name: str) -> int:
        """The number that `@name` stands for."""


@dataclass(frozen=True, slots=True)
class Node:
    """A parsed expression: an operator and its operands; `what` is a number or a word."""

    kind: str  # number, name, constant, +, -, /, roundup, next_page_table, or a comparison
    what: int | str = 0
    operands: tuple[Node, ...] = ()
    index: int | None = None

    def names(self) -> set[str]:
        """The names that the expression mentions."""
        own = {str(self.what)} if self.kind == "name" else set()
        return own.union(*(operand.names() for operand in self.operands))

    def evaluate(self, values: Values) -> int:
        """The value: an exact integer, and 0 or 1 for a condition."""
        if self.kind == "number":
            return int(self.what)
        if self.kind == "name":
            return values.name(str(self.what), self.index)
        if self.kind == "constant":
            return values.constant(str(self.what))
        return self._apply([operand.evaluate(values) for operand in self.operands])

    def _apply(self, numbers: list[int]) -> int:
        if self.kind in _COMPARISONS:
            return int(_COMPARISONS[self.kind](numbers[0], numbers[1]))
        if self.kind == "+":
            return numbers[0] + numbers[1]
        if self.kind == "-":
            return numbers[0] - numbers[1]
        if self.kind == "next_page_table":
            return (numbers[0] // PAGE_TABLE_SPAN + 1) * PAGE_TABLE_SPAN
        if numbers[1] <= 0:
            raise BadStep(f"{self.kind} by {numbers[1]}", "the second number must be above 0")
        if self.kind == "roundup":
            return -(-numbers[0] // numbers[1]) * numbers[1]
        return numbers[0] // numbers[1]


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[tuple[str, str, int]] = []
        position = 0
        while text[position:].strip():
            match = _TOKEN.match(text, position)
            if match is None or match.lastgroup is None:
                column = position + len(text[position:]) - len(text[position:].lstrip())
                raise self.error(f"unexpected {text[column]!r}", column)
            self.tokens.append((match.lastgroup, match[match.lastgroup], match.start(match.lastgroup)))
            position = match.end()
        self.at = 0
        self.depth = 0

    def error(self, message: str, column: int) -> BadStep:
        return BadStep(
            f"bad expression {self.text!r}: {message} at character {column + 1}",
            "expressions are terms such as 4096, 0x1000, $name, $name.base, $name[1], @CONST, roundup(a,n), "
            "joined by + and -",
        )

    def peek(self) -> str:
        """The next sign, or nothing for anything else."""
        if self.at < len(self.tokens) and self.tokens[self.at][0] == "sign":
            return self.tokens[self.at][1]
        return ""

    def take(self, sign: str) -> None:
        if self.peek() != sign:
            raise self.unexpected(f"expected {sign!r}")
        self.at += 1

    def unexpected(self, message: str) -> BadStep:
        if self.at < len(self.tokens):
            _, word, column = self.tokens[self.at]
            return self.error(f"{message}, not {word!r}", column)
        return self.error(f"{message}, not the end", len(self.text))

    def condition(self) -> Node:
        left = self.expression()
        sign = self.peek()
        if sign not in _COMPARISONS:
            return left
        self.at += 1
        return Node(sign, 0, (left, self.expression()))

    def expression(self) -> Node:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise self.error("too deeply nested", len(self.text))
        if self.peek() == "-":
            self.at += 1
            left = Node("-", 0, (Node("number", 0), self.term()))
        else:
            left = self.term()
        while self.peek() in ("+", "-"):
            sign = self.peek()
            self.at += 1
            left = Node(sign, 0, (left, self.term()))
        self.depth -= 1
        return left

    def term(self) -> Node:
        node = self.factor()
        while self.peek() == "/":
            self.at += 1
            node = Node("/", 0, (node, Node("number", self.number())))
        return node

    def factor(self) -> Node:
        if self.peek() == "(":
            self.at += 1
            inner = self.expression()
            self.take(")")
            return inner
        if self.at == len(self.tokens) or self.tokens[self.at][0] == "sign":
            raise self.unexpected("expected a term")
        kind, word, column = self.tokens[self.at]
        if kind == "number":
            return Node("number", self.number())
        self.at += 1
        if kind == "constant":
            return Node("constant", word)
        if kind == "name":
            return self.name(word)
        if word not in ("roundup", "next_page_table"):
            raise self.error(f"unknown function {word!r}", column)
        self.take("(")
        operands = [self.expression()]
        if word == "roundup":
            self.take(",")
            operands.append(self.expression())
        self.take(")")
        return Node(word, 0, tuple(operands))

    def name(self, word: str) -> Node:
        if self.peek() != "[":
            return Node("name", word)
        self.at += 1
        index = self.number()
        self.take("]")
        return Node("name", word, index=index)

    def number(self) -> int:
        if self.at == len(self.tokens) or self.tokens[self.at][0] != "number":
            raise self.unexpected("expected a number")
        word = self.tokens[self.at][1]
        if len(word) > 40:
            raise self.unexpected("expected a number of at most 40 digits")
        self.at += 1
        return int(word, 0) if word[:2] in ("0x", "0X") else int(word)

    def end(self) -> None:
        if self.at != len(self.tokens):
            raise self.unexpected("expected the end")


def parse_expression(text: str) -> Node:
    """The expression that `text` is; `BadStep` says at which character it is not one."""
    parser = _Parser(text)
    node = parser.expression()
    parser.end()
    return node


def parse_condition(text: str) -> Node:
    """The expression or comparison that `text` is."""
    parser = _Parser(text)
    node = parser.condition()
    parser.end()
    return node
