"""From the arguments of a step, as they are written, to what an operation is called with."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from vmaspace.checker.engines.conformance.cases import Step
from vmaspace.checker.engines.conformance.environment import Environment
from vmaspace.checker.engines.conformance.error import BadStep, nearest
from vmaspace.checker.engines.conformance.expressions import Node, parse_condition, parse_expression
from vmaspace.checker.engines.conformance.vocabulary import Kind, Operation

_TWO_TO_64 = 1 << 64
_ADDRESSES: Final = ("addr", "vaddr")  # the arguments that a tag goes into
_TAG_SHIFT: Final = 56
_parse_expression = lru_cache(maxsize=4096)(parse_expression)
_parse_condition = lru_cache(maxsize=64)(parse_condition)


def parse_arguments(operation: Operation, step: Step) -> None:
    """Raise what is wrong with the arguments of a step, before anything is carried out."""
    for name, argument in operation.arguments.items():
        if name not in step.args:
            if argument.is_required:
                raise BadStep(f"there is no argument {name!r}", nearest(name, list(step.args)))
            continue
        _check(name, argument.kind, step.args[name])


def _check(name: str, kind: Kind, value: Any) -> None:
    if not _IS_OF_KIND[kind](value):
        raise _wrong_kind(name, kind)
    if kind is Kind.INTEGER:
        parse_number(name, value)
    elif kind is Kind.CONDITION:
        _parse_condition(value)
    elif kind is Kind.INTEGERS:
        for number in value:
            parse_number(name, number)


def _is_list_of(holds: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(map(holds, value))


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


# What JSON has to hold, before anything is made of it; numbers have messages of their own.
_IS_OF_KIND: Final[dict[Kind, Callable[[Any], bool]]] = {
    Kind.INTEGER: lambda value: True,
    Kind.INTEGERS: _is_list_of(lambda value: True),
    Kind.CONDITION: _is_text,
    Kind.OBJECT: _is_text,
    Kind.WORD: _is_text,
    Kind.WORDS: _is_list_of(_is_text),
    Kind.FLAGS: lambda value: _is_text(value) or _IS_OF_KIND[Kind.WORDS](value),
    Kind.TRUTH: lambda value: isinstance(value, bool),
    Kind.TRUTHS: _is_list_of(lambda value: value in (0, 1)),
}


def _wrong_kind(name: str, kind: Kind) -> BadStep:
    return BadStep(f"the argument {name!r} is {kind.value}")


def parse_number(name: str, value: Any) -> int | Node:
    """A number, or the expression that stands for one."""
    if isinstance(value, str):
        return _parse_expression(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise BadStep(f"{name!r} is {Kind.INTEGER.value}, not {value!r}")
    if not 0 <= value < _TWO_TO_64:
        raise BadStep(f"{name!r} is from 0 to 2^64 - 1, not {value}")
    return value


def evaluate(environment: Environment, name: str, value: Any) -> int:
    """The number that `value` stands for, as 64 bits keep it."""
    parsed = parse_number(name, value)
    if isinstance(parsed, int):
        return parsed
    return parsed.evaluate(environment) % _TWO_TO_64


def decode(environment: Environment, operation: Operation, step: Step) -> dict[str, Any]:
    """The arguments of a step as the operation takes them."""
    decoded: dict[str, Any] = {}
    for name, value in step.args.items():
        kind = operation.arguments[name].kind
        if kind is Kind.INTEGER:
            decoded[name] = evaluate(environment, name, value)
        elif kind is Kind.INTEGERS:
            decoded[name] = [evaluate(environment, name, number) for number in value]
        elif kind is Kind.CONDITION:
            decoded[name] = bool(_parse_condition(value).evaluate(environment))
        elif kind is Kind.OBJECT:
            decoded[name] = environment.lookup(value)
        elif kind is Kind.FLAGS:
            decoded[name] = [value] if isinstance(value, str) else value
        else:
            decoded[name] = value
    tag = decoded.pop("tag", 0)
    for name in _ADDRESSES:
        if tag and name in decoded:
            decoded[name] = (decoded[name] | tag << _TAG_SHIFT) % _TWO_TO_64
    return decoded
