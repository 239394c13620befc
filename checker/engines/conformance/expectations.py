"""Compares what an operation answered with what is expected."""

from __future__ import annotations

from collections.abc import Mapping
from types import UnionType
from typing import Any, Final

from vmaspace.checker.engines.conformance.decoding import evaluate
from vmaspace.checker.engines.conformance.environment import STATUS_NAMES, Environment
from vmaspace.checker.engines.conformance.error import BadStep, Unsupported, nearest
from vmaspace.checker.engines.conformance.vocabulary import Answer, Operation

# What a check of an operation's own is given; those that are not named here are given true or false.
_NUMERIC_CHECKS: Final = frozenset({"aligned_log2", "all_bytes", "each_ge", "each_le", "gt"})
_OTHER_CHECKS: Final[dict[str, tuple[type | UnionType, str]]] = {
    "not_region": (dict, "an object"),
    "mmu": (list, "a list of permissions"),
    "mmu_has": (list, "a list of permissions"),
    "mmu_lacks": (list, "a list of permissions"),
    "fault": (str, "a string"),
    "result": (str | None, "a string or null"),
    "same_paddr_as": (str, "a name"),
    "if_ok_data_not": (str, "a string"),
}
# What is known about a machine that a case may make a status depend on.
_MACHINE: Final = {"XOM_SUPPORTED": "false"}


class Mismatch(Exception):
    """An answer that is not the expected one."""

    def __init__(self, what: str, expected: str, got: str) -> None:
        super().__init__(what)
        self.what = what
        self.expected = expected
        self.got = got


def compare(
    environment: Environment,
    operation: Operation,
    expect: dict[str, Any],
    answer: Answer,
) -> None:
    """Raise `Mismatch` for the first expectation that is not met. The status comes first."""
    if answer.mismatch is not None:
        raise Mismatch("the comparison does not hold", *answer.mismatch)
    for name in sorted(expect, key=lambda name: not name.startswith("status")):
        if name.startswith("status"):
            _compare_status(environment, name, expect[name], answer)
        elif name in ("entries", "contains_once"):
            _compare_lines(environment, name, expect[name], answer)
        else:
            _compare_value(environment, name, expect[name], answer)


def _compare_status(environment: Environment, name: str, expected: Any, answer: Answer) -> None:
    if name == "status_if":
        expected = _conditional_status(expected, environment.params)
    statuses = expected if name == "status_in" else [expected]
    if not isinstance(statuses, list):
        raise BadStep("status_in is a list of statuses")
    for status in statuses:
        if not isinstance(status, str) or status not in STATUS_NAMES:
            raise BadStep(f"unknown status {status!r}", nearest(str(status), list(STATUS_NAMES)))
    if answer.status not in statuses:
        raise Mismatch("another status", " or ".join(statuses), answer.status)


def _conditional_status(choices: Any, params: Mapping[str, Any]) -> Any:
    """The status for this machine, out of `{"PARAMETER=value": status}`."""
    if not isinstance(choices, dict):
        raise BadStep("status_if is an object of conditions and statuses")
    for condition, status in choices.items():
        parameter, _, wanted = condition.partition("=")
        if parameter not in _MACHINE and parameter not in params:
            raise BadStep(f"unknown parameter {parameter!r}", nearest(parameter, list(_MACHINE)))
        value = _MACHINE.get(parameter, params.get(parameter))
        if not isinstance(value, (int, str)) or (isinstance(value, str) and " " in value):
            raise Unsupported(f"a status that depends on {parameter}")
        if str(value).lower() == wanted.lower():
            return status
    raise Unsupported("a status for none of whose conditions this machine is made")


def _compare_value(environment: Environment, name: str, expected: Any, answer: Answer) -> None:
    if name not in answer.observed:
        raise Mismatch(f"another {name}", _show(expected), "nothing")
    observed = answer.observed[name]
    if callable(observed):
        if name in _NUMERIC_CHECKS:
            expected = evaluate(environment, name, expected)
        else:
            kind, words = _OTHER_CHECKS.get(name, (bool, "true or false"))
            is_odd = isinstance(expected, list) and not all(isinstance(word, str) for word in expected)
            if not isinstance(expected, kind) or is_odd:
                raise BadStep(f"{name!r} is {words}, not {expected!r}")
        got = observed(expected)
        if got is not None:
            raise Mismatch(f"another {name}", _show(expected), got)
        return
    if isinstance(observed, int) and not isinstance(observed, bool) and not isinstance(expected, bool):
        expected = evaluate(environment, name, expected) if expected is not None else None
    if observed != expected or isinstance(observed, bool) is not isinstance(expected, bool):
        raise Mismatch(f"another {name}", _show(expected), _show(observed))


def _compare_lines(environment: Environment, name: str, expected: Any, answer: Answer) -> None:
    """Lines of a listing: those at a given index, or those that are somewhere exactly once."""
    lines = answer.observed.get("lines")
    if not isinstance(lines, list) or not isinstance(expected, list):
        raise BadStep(f"{name} is a list of lines")
    for wanted in expected:
        if not isinstance(wanted, dict):
            raise BadStep(f"a line of {name} is an object")
        evaluated = {key: _line_value(environment, key, value) for key, value in wanted.items()}
        unknown = [key for key in evaluated if lines and key not in lines[0]]
        if unknown:
            raise Unsupported(f"{unknown[0]!r} of a line")
        if name == "entries":
            index = evaluated.pop("index", None)
            if not isinstance(index, int):
                raise BadStep("a line of entries has an index")
            line = lines[index] if index < len(lines) else {}
            got = {key: line.get(key) for key in evaluated}
            if got != evaluated:
                raise Mismatch(f"another line {index}", _show(evaluated), _show(got) if line else "nothing")
        else:
            count = sum(all(line[key] == value for key, value in evaluated.items()) for line in lines)
            if count != 1:
                raise Mismatch("a line that is there once", _show(evaluated), f"{count} such lines")


def _line_value(environment: Environment, key: str, value: Any) -> Any:
    if key in ("kind", "name"):
        return value
    if key == "mmu":
        if not isinstance(value, list):
            raise BadStep("mmu is a list of permissions")
        return [word for word in ("READ", "WRITE", "EXECUTE") if word in value]
    return evaluate(environment, key, value)


def _show(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:#x}"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_show(item)}" for key, item in value.items()) + "}"
    return str(value)
