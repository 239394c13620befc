"""Sweeps: a body of steps again and again, with a rising number, until one of them answers as it is to.

    {"op": "sweep", "args": {"var": "n", "start": 0, "step": 1, "until": {"step": "m", "status": "ZX_OK"}, "body": [...]}}

`$n` is the number. A step is named by its `name`, by what it binds, by its operation or by its place in the body, from
0. In the body a step can have `when`: it is done only if a step before it answered so in this round. While the named
step is still out of memory, a step is held to its `on_no_memory` instead of what it is expected to answer at last. The
sweep as a whole can have an `on_no_memory` too: of the named step, of steps by name, or a list of steps to do then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, TypeAlias

from vmaspace.checker.engines.conformance.cases import Step
from vmaspace.checker.engines.conformance.decoding import evaluate
from vmaspace.checker.engines.conformance.environment import STATUS_NAMES, Bound, Environment
from vmaspace.checker.engines.conformance.error import BadStep, nearest
from vmaspace.checker.engines.conformance.expectations import Mismatch
from vmaspace.checker.engines.conformance.expressions import Node, parse_condition

SWEEP: Final = "sweep"
_NO_MEMORY: Final = "ZX_ERR_NO_MEMORY"
_MAX_ROUNDS: Final = 4096  # a sweep that has not ended by then never will
# Given a step and what its status is to be held to, the status.
Perform: TypeAlias = Callable[[Step, Callable[[str], dict[str, Any]]], str | None]
_KEYS: Final = frozenset({"op", "args", "bind", "expect", "when", "on_no_memory", "name"})
_ARGUMENTS: Final = ("var", "start", "step", "until", "body")


@dataclass(frozen=True, slots=True)
class _Part:
    """One step of the body."""

    step: Step
    when: Any  # not judged before its turn; None: always
    on_no_memory: dict[str, Any] | None
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sweep:
    """A parsed sweep."""

    variable: str
    start: Any
    step: Any
    named: str  # the step that ends it
    status: str
    body: tuple[_Part, ...]
    only_if: Node | None = None

    def steps(self) -> list[Step]:
        """The steps of the body."""
        return [part.step for part in self.body]


def parse_sweep(step: Step) -> Sweep:
    """The sweep that a step is; `BadStep` says why it is none."""
    args = step.args
    _check_keys(step)
    named, status = _named_status(args["until"])
    if step.expect.get("status", status) != status:
        raise BadStep(f"a sweep ends with the status {status}, and can not be expected to answer another")
    parts = [_part(data, index) for index, data in enumerate(args["body"])]
    names = [name for part in parts for name in part.names]
    if named not in names:
        raise BadStep(f"no step of the body is called {named!r}", nearest(named, names))
    parts = _with_failing_cases(parts, named, args.get("on_no_memory", step.expect.get("on_no_memory")))
    only_if = parse_condition(args["only_if"]) if "only_if" in args else None
    return Sweep(args["var"], args["start"], args["step"], named, status, tuple(parts), only_if)


def _check_keys(step: Step) -> None:
    args = step.args
    for name in _ARGUMENTS:
        if name not in args:
            raise BadStep(f"there is no argument {name!r}", nearest(name, list(args)))
    for given, known in ((args, [*_ARGUMENTS, "on_no_memory", "only_if"]), (step.expect, ["on_no_memory", "status"])):
        for name in given:
            if name not in known:
                raise BadStep(f"a sweep has no {name!r}", nearest(name, known))
    if not isinstance(args["var"], str) or not args["var"].isidentifier():
        raise BadStep(f"var is a name, not {args['var']!r}")
    if not isinstance(args["body"], list) or not args["body"]:
        raise BadStep("the body of a sweep is a list of steps")
    if not isinstance(args.get("only_if", ""), str):
        raise BadStep("the argument 'only_if' is an expression or a comparison")


def _part(data: Any, index: int) -> _Part:
    if not isinstance(data, dict) or not isinstance(data.get("op"), str):
        raise BadStep(f"step {index} of the body is an object with an op")
    args, expect = data.get("args", {}), data.get("expect", {})
    failing = data.get("on_no_memory", expect.get("on_no_memory") if isinstance(expect, dict) else None)
    for name, value in (("args", args), ("expect", expect), ("on_no_memory", failing or {})):
        if not isinstance(value, dict):
            raise BadStep(f"step {index} of the body: {name} is an object, not {value!r}")
    for name in ("bind", "name"):
        if not isinstance(data.get(name, ""), str):
            raise BadStep(f"step {index} of the body: {name} is a string, not {data[name]!r}")
    step = Step(
        data["op"],
        {name: value for name, value in args.items() if name != "when"},
        {name: value for name, value in expect.items() if name != "on_no_memory"},
        data.get("bind"),
        tuple(sorted(data.keys() - _KEYS)),
    )
    names = [name for name in (data.get("name"), step.bind, step.op, str(index)) if name is not None]
    return _Part(step, data.get("when", args.get("when")), failing, tuple(names))


def _with_failing_cases(parts: list[_Part], named: str, for_all: Any) -> list[_Part]:
    """The expectations of the sweep as a whole, or the steps that are done then, put where they belong."""
    at = next(index for index, part in enumerate(parts) if named in part.names)
    if isinstance(for_all, dict):
        return [_with_failing_case(part, index == at, for_all) for index, part in enumerate(parts)]
    if not isinstance(for_all, list | None):
        raise BadStep(f"on_no_memory is an object or a list of steps, not {for_all!r}")
    extra = [_part(data, index) for index, data in enumerate(for_all or [], start=len(parts))]
    return parts[: at + 1] + [replace(part, when={named: _NO_MEMORY}) for part in extra] + parts[at + 1 :]


def _with_failing_case(part: _Part, is_named: bool, for_all: dict[str, Any]) -> _Part:
    """The expectations of the sweep as a whole are for steps by name, or else for the one that ends it."""
    own = [for_all[name] for name in part.names if isinstance(for_all.get(name), dict)]
    if part.on_no_memory is not None or not (own or is_named):
        return part
    return replace(part, on_no_memory=own[0] if own else for_all)


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
    if sweep.only_if is not None and not sweep.only_if.evaluate(environment):
        return
    number = evaluate(environment, "start", sweep.start)
    rise = evaluate(environment, "step", sweep.step)
    for _ in range(_MAX_ROUNDS):
        environment.bind(sweep.variable, Bound(number, number))
        answers: dict[str, str] = {}
        for index, part in enumerate(sweep.body):
            if not _holds(part.when, environment, answers, sweep.named):
                continue
            try:
                status = perform(part.step, partial(_expected, sweep, part, sweep.named in part.names, answers))
            except Mismatch as mismatch:
                place = f"with {sweep.variable} = {number}, step {index} of the body ({part.step.op})"
                raise Mismatch(f"{place}: {mismatch.what}", mismatch.expected, mismatch.got) from None
            if status is not None:
                answers.update(dict.fromkeys(part.names, status))
        if answers.get(sweep.named) == sweep.status:
            return
        number += rise
    raise Mismatch("the sweep does not end", f"{sweep.named} answers {sweep.status}", f"not in {_MAX_ROUNDS} rounds")
