"""Replaying traces: of the model and of the contract, unchanged, changed, and broken in every way we could think of."""

import copy
import json
from collections.abc import Sequence
from typing import Any

import pytest

from vmaspace.checker.adapters.model import ModelAdapter
from vmaspace.checker.adapters.world import VmoSpec, World
from vmaspace.checker.engines.fuzz.drive import Drive, Taken
from vmaspace.checker.engines.fuzz.judge import Judge
from vmaspace.checker.engines.replay import replay
from vmaspace.checker.engines.standard import standard_contract
from vmaspace.checker.engines.traces import build_trace
from vmaspace.checker.logic.execute import Interpreter
from vmaspace.checker.report.cursor import TraceError
from vmaspace.checker.report.trace import Trace
from vmaspace.checker.report.verdict import Kind
from vmaspace.model import System

CONTRACT = standard_contract()
PAGE = 0x1000
WORLD = World(vmos=(VmoSpec(0x10000), VmoSpec(0x9000, is_vdso=True)), aslr_disabled=True)
CALLS: Sequence[tuple[str, dict[str, int], int]] = (
    ("create", {"base": 0x200000, "size": 64 * PAGE, "type": 0, "share": 0}, 0),
    ("map", {"v": 1, "offset": PAGE, "size": 4 * PAGE, "align_pow2": 0, "flags": 2, "vmo": 0, "vmo_offset": 0,
             "perms": 24}, 0),
    ("map", {"v": 1, "offset": 8 * PAGE, "size": PAGE, "align_pow2": 0, "flags": 2, "vmo": 0, "vmo_offset": 0,
             "perms": 8}, 1),
    ("unmap", {"v": 1, "base": 0x202000, "size": PAGE, "op_children": 0}, 0),
    ("destroy", {"a": 1}, 0),
)  # fmt: skip


def driven(property: str, verdict: Kind, calls: Sequence[Any] = CALLS, subject: str | None = None) -> Trace:
    """A trace of these calls on the model; without a subject it is a trace of the contract."""
    drive = Drive(ModelAdapter(CONTRACT), Judge(Interpreter(CONTRACT)))
    assert drive.begin(WORLD) is None
    for op, args, fails_at in calls:
        drive.step(op, args, fails_at)
        assert drive.finding is None
    moves: list[Taken] = list(drive.steps)
    p = CONTRACT.properties.get(property)
    return build_trace(
        CONTRACT, p, calls[-1][0], "fuzz" if subject else "prove", verdict, "as recorded", drive.start, moves,
        seed=0 if subject else None, subject=subject,
    )  # fmt: skip


def edited(trace: Trace, *changes: tuple[str, Any]) -> Trace:
    """A copy with the values at some JSON pointers replaced; `...` removes one."""
    data = json.loads(json.dumps(trace.to_json()))
    for pointer, value in changes:
        *path, last = pointer.strip("/").split("/")
        place = data
        for part in path:
            place = place[int(part)] if isinstance(place, list) else place[part]
        key: Any = int(last) if isinstance(place, list) else last
        if value is ...:
            del place[key]
        else:
            place[key] = copy.deepcopy(value)
    return Trace.from_json(data)


MODEL_TRACE = driven("conforms", Kind.FAILED, subject="vmaspace.model.system:System")
REACH_TRACE = driven("a_split_mapping", Kind.REACHED, CALLS[:4])
BROKEN_TRACE = driven("destroying_twice_is_harmless", Kind.VIOLATED)


# --- on an implementation ------------------------------------------------------------------------------------------


def test_a_run_without_a_fault_fails_no_longer() -> None:
    verdict = replay(MODEL_TRACE)
    assert verdict.verdict is Kind.PASSED
    assert verdict.notes == ("this run shows nothing wrong any more",)
    assert verdict.scope == "5 steps on vmaspace.model.system:System"
    assert verdict.engine == "replay"


def test_an_answer_that_differs_is_noted() -> None:
    verdict = replay(edited(MODEL_TRACE, ("/steps/3/status", "NOT_FOUND")))
    assert "step 4 answers OK; the trace says NOT_FOUND" in verdict.notes


def test_a_failing_allocation_is_replayed() -> None:
    assert MODEL_TRACE.steps[2].status == "NO_MEMORY"
    assert replay(MODEL_TRACE).notes == ("this run shows nothing wrong any more",)
    verdict = replay(edited(MODEL_TRACE, ("/steps/2/picks/failing_allocation", ...)))
    assert "step 3 answers OK; the trace says NO_MEMORY" in verdict.notes


class Unkind(System):
    """Breaks when it is asked for memory objects, as real ones may."""

    def create_aspace(self, *args: Any, **options: Any) -> Any:
        raise ZeroDivisionError("division by zero")


def test_another_implementation_can_be_given() -> None:
    verdict = replay(MODEL_TRACE, system_class=Unkind)
    assert verdict.verdict is Kind.FAILED
    assert verdict.id == "create/conforms"
    assert "ZeroDivisionError: division by zero" in verdict.reason
    assert verdict.trace is not None
    assert len(verdict.trace.steps) == 1
    assert "Traceback" not in verdict.reason


def test_steps_after_the_kernel_stopped_are_not_run() -> None:
    calls = (("destroy", {"a": 0}, 0),)
    trace = driven("conforms", Kind.FAILED, calls, "vmaspace.model.system:System")
    data = trace.to_json()
    data["steps"] = [*data["steps"], *data["steps"]]
    assert "the kernel stopped after step 1: the rest was not run" in replay(Trace.from_json(data)).notes


# --- on the contract -----------------------------------------------------------------------------------------------


def test_a_witness_is_still_reached() -> None:
    assert replay(REACH_TRACE).verdict is Kind.REACHED
    assert replay(edited(REACH_TRACE, ("/property", "a_vdso_code_mapping"))).verdict is Kind.UNREACHED


def test_a_property_that_holds_is_no_longer_violated() -> None:
    verdict = replay(BROKEN_TRACE)
    assert verdict.verdict is Kind.PASSED
    assert verdict.notes == ("destroying_twice_is_harmless holds at the end of this run",)


@pytest.mark.parametrize("recorded", [Kind.VIOLATED, Kind.NOT_INDUCTIVE, Kind.DEVIATION])
def test_a_property_that_does_not_hold_keeps_its_verdict(recorded: Kind) -> None:
    """From a state that no run reaches: the space is freed and not destroyed."""
    state = copy.deepcopy(REACH_TRACE.steps[0].state)
    state["values"]["freed"] = {"aspace1": True}
    after = copy.deepcopy(state)
    after["values"]["name_length"]["aspace0"] = "0x7"
    trace = edited(
        driven("freed_only_after_destroyed", recorded, (("rename", {"a": 0, "is_null": 1, "length": 0}, 0),)),
        ("/initial", state),
        ("/steps/0/state", after),
    )
    verdict = replay(trace)
    assert verdict.verdict is recorded
    assert verdict.trace is not None
    assert verdict.reason == "as recorded"


def test_a_state_that_the_contract_does_not_give_is_told() -> None:
    verdict = replay(edited(REACH_TRACE, ("/steps/1/state/values/size/region2", "0x5000")))
    assert verdict.verdict is Kind.FAILED
    assert "step 2: the state after map is not what the trace says" in verdict.reason
    assert "size(region2): expected 0x4000, found 0x5000" in verdict.reason


def test_a_status_that_the_contract_does_not_give_is_told() -> None:
    verdict = replay(edited(REACH_TRACE, ("/steps/1/status", "NOT_FOUND")))
    assert (
        "the trace says that map answers NOT_FOUND, and the contract says NO_MEMORY or OK" in verdict.reason
    )


def test_a_choice_that_the_contract_does_not_allow_is_told() -> None:
    verdict = replay(edited(REACH_TRACE, ("/steps/1/picks/at", "0x208000")))
    assert verdict.verdict is Kind.FAILED
    assert "step 2: the contract does not allow what the trace says map chose" in verdict.reason


def test_a_trace_without_steps_is_about_its_first_state() -> None:
    empty = edited(
        REACH_TRACE, ("/steps", []), ("/property", "there_is_one_kernel_space"), ("/operation", None)
    )
    assert replay(empty).verdict is Kind.PASSED
    two = edited(
        empty,
        ("/initial/elements/Aspace", ["aspace0", "aspace1"]),
        ("/initial/values/type/aspace1", "kernel"),
    )
    assert replay(two).verdict is Kind.VIOLATED


def test_a_changed_contract_is_noted() -> None:
    assert (
        "the contract has changed since the trace was made"
        in replay(edited(REACH_TRACE, ("/contract", "0"))).notes
    )


def test_switches_are_those_of_the_trace() -> None:
    unmap = ("unmap", {"v": 1, "base": 0x202000, "size": PAGE, "op_children": 0}, 0)
    trace = driven("conforms", Kind.FAILED, (CALLS[0], unmap), "vmaspace.model.system:System")
    documented = edited(trace, ("/switches", ["documented_unmap_not_found"]))
    assert "step 2 answers NOT_FOUND; the trace says OK" in replay(documented).notes
    with pytest.raises(TraceError, match="other switches on"):
        replay(documented, CONTRACT)


# --- traces that make no sense -------------------------------------------------------------------------------------

NONSENSE = [
    ("/steps/1/op", "mpa", "/steps/1/op", 'did you mean "map"'),
    ("/steps/1/args/size", ..., "/steps/1/args", '"size" is missing'),
    ("/steps/1/args/sise", "0x1000", "/steps/1/args/sise", 'did you mean "size"'),
    ("/steps/1/args/size", 4096, "/steps/1/args/size", "not a value of type bytes"),
    ("/steps/1/args/size", "large", "/steps/1/args/size", "not a value of type bytes"),
    ("/steps/1/args/v", "vmo0", "/steps/1/args/v", "not a value of type Region"),
    ("/steps/1/args/v", "region77", "/steps/1/args", "may not be called like this here"),
    ("/steps/1/args/v", None, "/steps/1/args", "may not be called like this here"),
    ("/steps/1/args/align_pow2", 64, "/steps/1/args", "may not be called like this here"),
    ("/steps/1/args/size", "-0x1000", "/steps/1/args", "may not be called like this here"),
    ("/steps/1/args/flags", ["fast"], "/steps/1/args/flags", "not a value of type VmarFlags"),
    ("/steps/0/args/type", "usr", "/steps/0/args/type", "known: user, kernel"),
    ("/steps/3/args/op_children", 1, "/steps/3/args/op_children", "not a value of type bool"),
    ("/given/values/no_such_fact", True, "/given", "no_such_fact"),
    ("/given/values/arch", "mips", "/given", "not a value of type Arch"),
    ("/given/values/vmo_size", {"vmo0": True}, "/given", "not a value of type bytes"),
    ("/given/values/vmo_size", {"vmo0": "0x1001"}, "/given", "no world is like this"),
    ("/given/elements/Thing", ["thing0"], "/given", "no sort 'Thing'"),
    ("/switches", ["documented_rolls"], "/switches/0", 'did you mean "documented_roles"'),
]
IMPLEMENTATION_NONSENSE = [
    ("/subject", "not a subject", "/subject", "does not name a class"),
    ("/subject", "json:dumps", "/subject", "not a class derived"),
    ("/subject", "no_such_module_at_all:Mine", "/subject", "cannot be imported"),
    (
        "/steps/2/picks/failing_allocation",
        "first",
        "/steps/2/picks/failing_allocation",
        "number of an allocation",
    ),
    ("/steps/2/picks/failing_allocation", -1, "/steps/2/picks/failing_allocation", "number of an allocation"),
]
CONTRACT_NONSENSE = [
    ("/property", "a_split_maping", "/property", 'did you mean "a_split_mapping"'),
    ("/property", "destroying_twice_is_harmless", "/steps", "does not end with it"),
    ("/initial/values/life", {"region0": "asleep"}, "/initial", "not a value of type Life"),
    ("/initial/values/life", "alive", "/initial", "expected an object"),
    ("/initial/values/under", {"region0": True}, "/initial", "should name 2 element"),
    ("/steps/1/state/values/prot", {"region2": True}, "/steps/1/state", "cannot be read"),
    ("/steps/1/picks/at", "here", "/steps/1/picks/at", "not a value of type address"),
    ("/steps/1/new/m", "aspace1", "/steps/1/new/m", "not a value of type Region"),
]


def refusal(trace: Trace) -> TraceError:
    with pytest.raises(TraceError) as caught:
        replay(trace, file="run.json")
    return caught.value


@pytest.mark.parametrize(("pointer", "value", "where", "words"), [*NONSENSE, *IMPLEMENTATION_NONSENSE])
def test_nonsense_in_a_trace_of_an_implementation(pointer: str, value: Any, where: str, words: str) -> None:
    error = refusal(edited(MODEL_TRACE, (pointer, value)))
    assert (error.file, error.where) == ("run.json", where)
    assert words in str(error)


@pytest.mark.parametrize(("pointer", "value", "where", "words"), [*NONSENSE, *CONTRACT_NONSENSE])
def test_nonsense_in_a_trace_of_the_contract(pointer: str, value: Any, where: str, words: str) -> None:
    error = refusal(edited(REACH_TRACE, (pointer, value)))
    assert (error.file, error.where) == ("run.json", where)
    assert words in str(error)
