"""Sweeps: a body of steps again and again, with a rising number, until one of them answers as it is to.

    {"op": "sweep", "args": {"var": "n", "start": 0, "step": 1, "until": {"step": "m", "status": "ZX_OK"}, "body": [...]}}

`$n` is the number. A step is named by what it binds, by its operation or by its place in the body, from 0. In the
body a step can have `when`: it is done only if a step before it answered so in this round. While the named step
is still out of memory, a step is held to its `on_no_memory` instead of what it is expected to answer at last.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeAlias

from vmaspace.checker.engines.conformance.cases import Step
from vmaspace.checker.engines.conformance.decoding import evaluate
from vmaspace.checker.engines.conformance.environment import STATUS_NAMES, Bound, Environment
from vmaspace.checker.engines.conformance.error import BadStep, nearest
from vmaspace.checker.engines.conformance.expectations import Mismatch
from vmaspace.checker.engines.conformance.expressions import parse_condition

SWEEP: Final = "sweep"
_NO_MEMORY: Final = "ZX_ERR_NO_MEMORY"
_MAX_ROUNDS: Final = 4096  # a sweep that has not ended by then never will
# Given a step and what its status is to be held to, the status.
Perform: TypeAlias = Callable[[Step, Callable[[str], dict[str, Any]]], str | None]
_ARGUMENTS: Final = ("var", "start", "step", "until", "body")


@dataclass(frozen=True, slots=True)
class _Part:
    """One step of the body."""

    step: Step
    when: Any  # not judged before its turn; None: always
    on_no_memory: dict[str, Any] | None

    def names(self, index: int) -> tuple[str, ...]:
        return (*([] if self.step.bind is None else [self.step.bind]), self.step.op, str(index))


@dataclass(frozen=True, slots=True)
class Sweep:
    """A parsed sweep."""

    variable: str
    start: Any
    step: Any
    named: str  # the step that ends it
    status: str
    body: tuple[_Part, ...]

    def steps(self) -> list[Step]:
        """The steps of the body."""
        return [part.step for part in self.body]


def parse_sweep(step: Step) -> Sweep:
    """The sweep that a step is; `BadStep` says why it is none."""
    args = step.args
    for name in _ARGUMENTS:
        if name not in args:
            raise BadStep(f"there is no argument {name!r}", nearest(name, list(args)))
    if not isinstance(args["var"], str) or not args["var"].isidentifier():
        raise BadStep(f"var is a name, not {args['var']!r}")
    if not isinstance(args["body"], list) or not args["body"]:
        raise BadStep("the body of a sweep is a list of steps")
    named, status = _named_status(args["until"])
    on_no_memory = args.get("on_no_memory", step.expect.get("on_no_memory", {}))
    body = tuple(_part(data, index, named, on_no_memory) for index, data in enumerate(args["body"]))
    known = [name for index, part in enumerate(body) for name in part.names(index)]
    if named not in known:
        raise BadStep(f"no step of the body is called {named!r}", nearest(named, known))
    return Sweep(args["var"], args["start"], args["step"], named, status, body)


def _part(data: Any, index: int, named: str, for_sweep: Any) -> _Part:
    if not isinstance(data, dict) or not isinstance(data.get("op"), str):
        raise BadStep(f"step {index} of the body is an object with an op")
    args, expect = dict(data.get("args", {})), dict(data.get("expect", {}))
    when = data.get("when", args.pop("when", None))
    own = expect.pop("on_no_memory", data.get("on_no_memory"))
    extra = tuple(sorted(data.keys() - {"op", "args", "bind", "expect", "when", "on_no_memory"}))
    part = _Part(Step(data["op"], args, expect, data.get("bind"), extra), when, own)
    if own is None and isinstance(for_sweep, dict):
        names = part.names(index)
        listed = [for_sweep[name] for name in names if isinstance(for_sweep.get(name), dict)]
        if listed or named in names:
            own = listed[0] if listed else for_sweep
    return _Part(part.step, when, own)


def _named_status(value: Any) -> tuple[str, str]:
    """A step and the status that it answers: an object, or `name == status`."""
    if isinstance(value, dict):
        name = value.get("step", value.get("bind", value.get("op")))
        if name is None and len(value) == 1:
            ((name, status),) = value.items()
        else:
            status = value.get("status")
    else:
        words = str(value).replace("=", " ").replace(":", " ").split()
        name, status = words if len(words) == 2 else (None, None)
    if name is None or status not in STATUS_NAMES:
        raise BadStep(f"a step and its status, not {value!r}", '{"step": name, "status": status}')
    return str(name), str(status)


def _holds(when: Any, environment: Environment, answers: Mapping[str, str], named: str) -> bool:
    if when is None:
        return True
    if isinstance(when, str) and when in STATUS_NAMES:
        return answers.get(named) == when
    if isinstance(when, str) and "$" in when:
        return bool(parse_condition(when).evaluate(environment))
    name, status = _named_status(when)
    return answers.get(name) == status


def _expected(sweep: Sweep, part: _Part, is_named: bool, answers: Mapping[str, str], status: str) -> dict[str, Any]:
    """What a step that answered `status` is held to."""
    is_short = _NO_MEMORY in (status, answers.get(sweep.named)) and sweep.status != _NO_MEMORY
    if is_short and part.on_no_memory is not None:
        return part.on_no_memory
    return {} if is_short and is_named else part.step.expect


def run_sweep(environment: Environment, sweep: Sweep, perform: Perform) -> None:
    """Do the rounds; a `Mismatch` of a step tells its round.

    perform: does a step, holds it to the expectations for the status that it is given, and returns that status;
    None for a step whose own condition does not hold.
    """
    number = evaluate(environment, "start", sweep.start)
    rise = evaluate(environment, "step", sweep.step)
    for _ in range(_MAX_ROUNDS):
        environment.bind(sweep.variable, Bound(number, number))
        answers: dict[str, str] = {}
        for index, part in enumerate(sweep.body):
            if not _holds(part.when, environment, answers, sweep.named):
                continue
            names = part.names(index)
            try:
                status = perform(part.step, partial(_expected, sweep, part, sweep.named in names, answers))
            except Mismatch as mismatch:
                place = f"with {sweep.variable} = {number}, step {index} of the body ({part.step.op})"
                raise Mismatch(f"{place}: {mismatch.what}", mismatch.expected, mismatch.got) from None
            if status is not None:
                answers.update(dict.fromkeys(names, status))
        if answers.get(sweep.named) == sweep.status:
            return
        number += rise
    raise Mismatch("the sweep does not end", f"{sweep.named} answers {sweep.status}", f"not in {_MAX_ROUNDS} rounds")
