"""Replays the cases of a file, each on a fresh system, and compares every answer.

A case stops at the first step that fails or that can not be carried out; what comes before is compared. A step
that can not be understood stops its own case only, before anything is carried out. The runner knows operations
only: what a case is called decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from traceback import extract_tb
from typing import Any

from vmaspace.checker.engines.conformance import (
    arch_operations,
    asid_operations,
    aspace_operations,
    check_operations,
    debugger_operations,
    guest_operations,
    listing_operations,
    mapping_operations,
    memory_operations,
    process_operations,
    region_operations,
    structure_operations,
    vmo_operations,
)
from vmaspace.checker.engines.conformance.cases import ARCHES, Case, Step, load_cases
from vmaspace.checker.engines.conformance.decoding import decode, parse_arguments
from vmaspace.checker.engines.conformance.environment import (
    AssertionViolation,
    Environment,
    NotBound,
    System,
    make_system,
)
from vmaspace.checker.engines.conformance.error import BadStep, Unsupported
from vmaspace.checker.engines.conformance.expectations import Mismatch, compare
from vmaspace.checker.engines.conformance.gaps import FILE_NAME, load_gaps
from vmaspace.checker.engines.conformance.results import CaseResult, Outcome, Report
from vmaspace.checker.engines.conformance.sweep import SWEEP, parse_sweep, run_sweep
from vmaspace.checker.engines.conformance.vocabulary import OPERATIONS, Answer, Operation

# Importing these modules is what registers their operations.
OPERATION_MODULES = (
    arch_operations,
    asid_operations,
    aspace_operations,
    check_operations,
    debugger_operations,
    guest_operations,
    listing_operations,
    mapping_operations,
    memory_operations,
    process_operations,
    region_operations,
    structure_operations,
    vmo_operations,
)


def run_file(path: Path, system_factory: Callable[[str], System] = make_system) -> Report:
    """Replay every case of the file on a system of its own; a `ConformanceError` says what is wrong with a file.

    `system_factory` is called with the name of the architecture; a class derived from `System` will do.
    """
    return Report(list(run_cases(path, system_factory)))


def run_cases(path: Path, system_factory: Callable[[str], System] = make_system) -> Iterator[CaseResult]:
    """The same, case by case: whoever has seen enough stops."""
    path = Path(path)
    cases = load_cases(path)
    gaps = load_gaps(path, [case.id for case in cases])
    for case in cases:
        yield _judge_gap(_run_case(case, system_factory), gaps)


def _judge_gap(result: CaseResult, gaps: Mapping[str, str]) -> CaseResult:
    """The result of a case, seen in the light of the list of known gaps."""
    reason = gaps.get(result.id)
    if reason is None:
        return result
    if result.outcome is Outcome.PASSED:
        return replace(
            result, outcome=Outcome.FAILED, reason=f"listed in {FILE_NAME} and passes; strike it from the list"
        )
    return replace(result, outcome=Outcome.KNOWN_GAP, reason=f"{reason} [{result.reason}]")


def _run_case(case: Case, system_factory: Callable[[str], System]) -> CaseResult:
    """How a case goes on each machine that it is meant for: the first on which it does not pass tells."""
    for index, step in enumerate(case.steps):
        try:
            _check(step)
        except BadStep as error:
            return _not_understood(case, index, error)
    for variant in case.variants or ({},):
        arch = ARCHES.get(str(variant.get("arch")), ARCHES[case.arch])
        environment = Environment(system_factory(arch), {**case.params, **variant})
        for index, step in enumerate(case.steps):
            for result in _run_step(environment, case, step, index):
                return result
    return CaseResult(case.id, case.area, Outcome.PASSED)


def _check(step: Step) -> None:
    """Raise what is wrong with the arguments of a step, before anything is carried out."""
    if step.op == SWEEP:
        for inner in parse_sweep(step).steps():
            _check(inner)
    operation = OPERATIONS.get(step.op)
    if operation is not None:
        parse_arguments(operation, step)


def _not_understood(case: Case, index: int, error: BadStep) -> CaseResult:
    hint = f" ({error.hint})" if error.hint else ""
    reason = f"line {case.line} is not understood: {error.message}{hint}"
    return CaseResult(case.id, case.area, Outcome.UNSUPPORTED, index, case.steps[index].op, reason=reason)


def _run_step(environment: Environment, case: Case, step: Step, index: int) -> Iterator[CaseResult]:
    """Nothing if the step went as expected, else how the case went."""

    def stop(
        outcome: Outcome, reason: str, expected: str | None = None, got: str | None = None
    ) -> CaseResult:
        return CaseResult(case.id, case.area, outcome, index, step.op, expected, got, reason)

    try:
        if step.op == SWEEP:
            run_sweep(environment, parse_sweep(step), partial(_perform, environment))
        else:
            _perform(environment, step, lambda status: step.expect)
    except BadStep as error:
        yield _not_understood(case, index, error)
    except Unsupported as what:
        yield stop(Outcome.UNSUPPORTED, f"not there yet: {what}")
    except Mismatch as mismatch:
        yield stop(Outcome.FAILED, mismatch.what, mismatch.expected, mismatch.got)
    except NotBound as name:
        yield stop(
            Outcome.FAILED,
            f"an earlier step was refused, so nothing is bound to {str(name)!r}",
            f"{name} is bound",
            "nothing",
        )


def _perform(
    environment: Environment, step: Step, expected: Callable[[str], dict[str, Any]]
) -> str | None:
    """Do a step, and hold its answer to what is expected of its status, which is returned."""
    operation = _supported_operation(step)
    answer = _carry_out(environment, operation, step)
    if answer is None:
        return None
    compare(environment, operation, expected(answer.status), answer)
    return answer.status


def _supported_operation(step: Step) -> Operation:
    operation = OPERATIONS.get(step.op)
    if operation is None:
        raise Unsupported(f"the operation {step.op}")
    for key in step.extra_keys:
        raise Unsupported(f"the key {key!r} of a step")
    for name in step.args:
        if name not in operation.arguments:
            raise Unsupported(f"the argument {name!r} of {step.op}")
    for name in step.expect:
        if name not in operation.expectations:
            raise Unsupported(f"the expectation {name!r} of {step.op}")
    return operation


def _carry_out(environment: Environment, operation: Operation, step: Step) -> Answer | None:
    """Do the step, and bind its name; None when its condition does not hold."""
    arguments: dict[str, Any] = decode(environment, operation, step)
    if not arguments.pop("only_if", True):
        return None
    try:
        answer = operation.run(environment, **arguments)
    except AssertionViolation as violation:
        raise Mismatch(
            "the model asserts", _expected_status(step), f"assertion violation: {violation}"
        ) from None
    except (BadStep, Unsupported, NotBound):
        raise
    except Exception as error:
        # Somebody's own model is broken: that is an answer too, and the other cases go on.
        raise Mismatch("the model raised", _expected_status(step), _describe(error)) from None
    if step.bind is not None:
        if answer.is_refused or not answer.bound:
            environment.refuse(step.bind)
        else:
            for suffix, bound in answer.bound.items():
                environment.bind(step.bind + suffix, bound)
    return answer


def _describe(error: Exception) -> str:
    """An exception of the model, with the place where it was raised."""
    frames = extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}{place}"


def _expected_status(step: Step) -> str:
    return str(step.expect.get("status", "an answer"))
