"""The judge: what it asks of a step, and in which words it says no."""

from dataclasses import replace
from typing import Any

import pytest

from vmaspace.checker.adapters.interface import Answer
from vmaspace.checker.adapters.model import ModelAdapter
from vmaspace.checker.adapters.world import VmoSpec, World
from vmaspace.checker.engines.fuzz.drive import Drive
from vmaspace.checker.engines.fuzz.findings import Finding
from vmaspace.checker.engines.fuzz.judge import Judge
from vmaspace.checker.engines.fuzz.properties import changes
from vmaspace.checker.logic.contract import Contract
from vmaspace.checker.logic.execute import Interpreter
from vmaspace.checker.logic.state import Pieces, State

PAGE = 0x1000
CREATE = {"base": 0x200000, "size": 64 * PAGE, "type": 0, "share": 0}
MAP = {
    "v": 1, "offset": 0, "size": 4 * PAGE, "align_pow2": 0, "flags": 2, "vmo": 0, "vmo_offset": 0, "perms": 8,
}  # fmt: skip


@pytest.fixture
def drive(contract: Contract) -> Drive:
    """A drive with one user space."""
    made = Drive(ModelAdapter(contract), Judge(Interpreter(contract)))
    assert made.begin(World(vmos=(VmoSpec(0x10000),), aslr_disabled=True)) is None
    made.step("create", CREATE)
    assert made.finding is None
    return made


def changed(state: State, name: str, key: object, value: object) -> State:
    tables = {**state.tables, name: {**state.tables[name], key: value}}
    return replace(state, tables=tables)


def judged(drive: Drive, answer: Answer, after: State | None = None, op: str = "map", **args: int) -> Finding:
    finding = drive.judge.judge(op, {**MAP, **args}, drive.state, answer, after or drive.state).finding
    assert finding is not None
    return finding


def mapped(drive: Drive) -> State:
    """The state after MAP, which the drive does not take."""
    drive.adapter.call("map", MAP)
    return drive.adapter.observe()


def test_a_step_that_conforms_is_not_found(drive: Drive) -> None:
    after = mapped(drive)
    found = drive.judge.judge("map", MAP, drive.state, Answer("OK", None, {"m": 2}), after)
    assert found.finding is None
    assert found.outcome is not None
    assert found.outcome.outcome.kind == "ok"
    assert {name.split("#")[0]: value for name, value in found.env.items()}["at"] == 0x200000


def test_a_wrong_status_names_the_clause(drive: Drive) -> None:
    finding = judged(drive, Answer("NOT_FOUND"), size=0)
    assert finding.kind == "status"
    assert "map answers NOT_FOUND, and the contract says INVALID_ARGS" in finding.reason
    assert finding.span is not None
    assert finding.span.file == "spec/mappings.aspec"


def test_success_where_a_clause_refuses(drive: Drive) -> None:
    finding = judged(drive, Answer("OK"), offset=65 * PAGE)
    assert "larger than the parent" in finding.reason


def test_an_assertion_that_the_contract_does_not_know(drive: Drive) -> None:
    finding = judged(drive, Answer("ASSERT", "the sky is up (sky.cc)"))
    assert "it stops over: the sky is up (sky.cc)" in finding.reason


def test_an_assertion_that_is_not_made(drive: Drive) -> None:
    finding = drive.judge.judge("destroy", {"a": 0}, drive.state, Answer("OK"), drive.state).finding
    assert finding is not None
    assert "destroy answers OK, and the contract says ASSERT" in finding.reason


def test_running_out_of_memory_is_allowed_when_it_may(drive: Drive) -> None:
    judge, answer = drive.judge, Answer("NO_MEMORY")
    assert judge.judge("map", MAP, drive.state, answer, drive.state, may=True).finding is None
    assert judge.judge("map", MAP, drive.state, answer, drive.state, may=False).finding is not None


@pytest.mark.parametrize(
    ("name", "key", "value", "words"),
    [
        ("size", 2, 5 * PAGE, "size(region2): expected 0x4000, found 0x5000"),
        ("object_offset", 2, PAGE, "object_offset(region2): expected 0x0, found 0x1000"),
        ("life", 1, 2, "life(region1): expected alive, found dead"),
        ("parent", 0, 1, "parent(region0): expected null, found region1"),
        (
            "flags",
            0,
            0x70,
            "flags(region0): expected {can_map_specific, can_map_read, can_map_write, can_map_execute}",
        ),
        ("mergeable", 2, 1, "mergeable(region2): expected false, found true"),
        ("under", (0, 1), 1, "under(region0, region1): expected false, found true"),
        (
            "prot",
            2,
            Pieces((0x200000,), (8,)),
            "prot(region2): expected {read} from 0x200000; {} from 0x204000",
        ),
        ("destroyed", 0, 1, "destroyed(aspace0): expected false, found true"),
    ],
)
def test_anything_that_changes_and_should_not_is_found(
    drive: Drive, name: str, key: object, value: object, words: str
) -> None:
    after = changed(mapped(drive), name, key, value)
    finding = judged(drive, Answer("OK", None, {"m": 2}), after)
    assert finding.kind == "effect"
    assert words in finding.reason


def test_a_wrong_effect_names_the_properties_that_it_breaks(drive: Drive) -> None:
    after = changed(mapped(drive), "destroyed", 0, 1)
    assert "broken by that: " in judged(drive, Answer("OK", None, {"m": 2}), after).reason


def test_a_refusal_must_leave_the_state_alone(drive: Drive) -> None:
    finding = judged(drive, Answer("INVALID_ARGS"), changed(drive.state, "name_length", 1, 3), size=0)
    assert finding.kind == "effect"
    assert "name_length(aspace1): expected 0x0, found 0x3" in finding.reason


def test_an_element_that_does_not_appear(drive: Drive) -> None:
    finding = judged(drive, Answer("OK", None, {"m": 2}))
    assert finding.kind == "effect"
    assert "region2: expected to appear, and it did not" in finding.reason


def test_a_place_that_is_not_free_to_choose(drive: Drive) -> None:
    after = mapped(drive)
    moved = changed(after, "base", 2, 0x208000)
    finding = judged(drive, Answer("OK", None, {"m": 2}), moved)
    assert "map chose 0x208000 for `at`" in finding.reason


def test_a_crash_is_told_with_its_exception(drive: Drive) -> None:
    finding = judged(drive, Answer("CRASH", "ZeroDivisionError: division by zero"))
    assert finding.kind == "crash"
    assert "the implementation broke: ZeroDivisionError: division by zero" in finding.reason


def test_a_property_is_judged_on_its_own(drive: Drive, contract: Contract) -> None:
    """Against a contract whose effect allows it, a broken property is still found, with a witness."""
    judge = drive.judge
    after = changed(drive.state, "freed", 1, 1)
    operation = judge.interpreter.operation("rename")
    lost = judge.properties.broken("rename", {"a": 1}, operation.outcomes[-1].outcome, drive.state, after)
    assert lost is not None
    assert lost.name == "freed_only_after_destroyed"
    witness = judge.properties.witness(lost, {}, operation.outcomes[-1].outcome, drive.state, after)
    finding = judge.wording.property("rename", lost, witness)
    assert finding.reason.splitlines() == [
        "freed_only_after_destroyed does not hold after rename",
        "  for a = aspace1",
    ]
    assert finding.id == "rename/freed_only_after_destroyed"


def test_every_table_that_differs_is_among_the_changes(drive: Drive) -> None:
    after: Any = changed(drive.state, "name_length", 1, 3)
    assert changes(drive.state, after) == {"name_length"}
    assert changes(drive.state, drive.state) == set()
    assert changes(drive.state, mapped(drive)) >= {"Region", "life", "under", "branch", "prot"}
