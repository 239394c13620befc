"""From a flat row of operands and operators to a tree: which operator binds tighter.

The grammar reads `a and b == c + d` as a row; the table below groups it.  What has no meaning in a row, such as
`a < b < c`, is refused here with advice.
"""

from __future__ import annotations

from collections.abc import Sequence

from vmaspace.checker.language import codes
from vmaspace.checker.language.diagnostics import Diagnostic
from vmaspace.checker.language.layout import SyntaxProblem
from vmaspace.checker.language.scanner import Word
from vmaspace.checker.language.syntax import Binary, Expr, Span, Temporal, Unary

# From loosest to tightest.  `for`, `exists`, `count` and `if` extend as far right as they can, so they stand outside.
LEVELS: tuple[frozenset[str], ...] = (
    frozenset({"leads_to"}),
    frozenset({"iff"}),
    frozenset({"implies"}),
    frozenset({"until"}),
    frozenset({"or"}),
    frozenset({"and"}),
    frozenset({"not", "always", "eventually"}),
    frozenset({"==", "!=", "<", "<=", ">", ">=", "in"}),
    frozenset({"|"}),
    frozenset({"&"}),
    frozenset({"+", "-"}),
    frozenset({"*", "/", "mod"}),
)
LEVEL = {operator: level for level, operators in enumerate(LEVELS) for operator in operators}
NOT, COMPARISON = LEVEL["not"], LEVEL["=="]
RIGHT_ASSOCIATIVE = frozenset({LEVEL["implies"]})
UNCHAINED = frozenset({COMPARISON, LEVEL["until"], LEVEL["leads_to"]})
PREFIX = LEVELS[NOT]
TEMPORAL = frozenset({"always", "eventually", "until", "leads_to"})


def group(row: Sequence[Expr | Word]) -> Expr:
    """The tree of a row.  Rows may be long, so this is a loop with two stacks, not a recursion."""
    operands: list[Expr] = []
    operators: list[Word] = []
    for part in row:
        if isinstance(part, Expr):
            operands.append(part)
            continue
        level = LEVEL[part.value]
        if part.value in PREFIX:
            if operators and LEVEL[operators[-1].value] > NOT:
                raise SyntaxProblem(_loose_prefix(operators[-1], part))
        else:
            while operators and _binds_first(operators[-1], level):
                _reduce(operands, operators.pop())
            if operators and level in UNCHAINED and level == LEVEL[operators[-1].value]:
                raise SyntaxProblem(_chain(operands[-2], operators[-1], operands[-1], part))
        operators.append(part)
    while operators:
        _reduce(operands, operators.pop())
    return operands[0]


def _binds_first(waiting: Word, level: int) -> bool:
    """Whether the operator that waits on the stack takes its operands before one of `level` comes."""
    if LEVEL[waiting.value] != level:
        return LEVEL[waiting.value] > level
    return level not in RIGHT_ASSOCIATIVE and level not in UNCHAINED


def _reduce(operands: list[Expr], operator: Word) -> None:
    right = operands.pop()
    if operator.value in PREFIX:
        span = join(operator.span, right.span)
        if operator.value == "not":
            operands.append(Unary(span=span, op="not", operand=right))
        else:
            operands.append(Temporal(span=span, op=operator.value, operands=[right]))
        return
    left = operands.pop()
    span = join(left.span, right.span)
    if operator.value in TEMPORAL:
        operands.append(Temporal(span=span, op=operator.value, operands=[left, right]))
    else:
        operands.append(Binary(span=span, op=operator.value, left=left, right=right))


def join(first: Span, last: Span) -> Span:
    return Span(first.file, first.line, first.column, last.end_line, last.end_column)


def _chain(left: Expr, first: Word, middle: Expr, second: Word) -> Diagnostic:
    if first.value in TEMPORAL:
        return Diagnostic(
            codes.CHAIN,
            f"`{first.value}` does not chain",
            join(left.span, second.span),
            expected="parentheses round one of the two",
            hint=f"write `a {first.value} (b {first.value} c)`, or two properties",
        )
    return Diagnostic(
        codes.CHAIN,
        f"comparisons do not chain: `{second.value}` after `{first.value}`",
        join(left.span, second.span),
        expected="one comparison, or parentheses",
        hint=f"say both: `a {first.value} b and b {second.value} c`; for a range write `p in [low, high)`",
    )


def _loose_prefix(operator: Word, prefix: Word) -> Diagnostic:
    what = "the negation" if prefix.value == "not" else f"what is {prefix.value} so"
    return Diagnostic(
        codes.CHAIN,
        f"`{prefix.value}` binds looser than `{operator.value}`",
        prefix.span,
        expected=f"parentheses round {what}",
        hint=f"write `a {operator.value} ({prefix.value} b)`",
    )
