"""Campaigns: the model without a fault passes, a seed says what happens, and a budget ends it."""

from typing import Any

import pytest

from vmaspace.checker.adapters.interface import Answer
from vmaspace.checker.adapters.model import ModelAdapter
from vmaspace.checker.adapters.mutants.mappings import SplitLosesTheOffsetOfTheRightPart
from vmaspace.checker.engines.fuzz import FuzzResult, fuzz
from vmaspace.checker.engines.fuzz import run as campaign
from vmaspace.checker.engines.standard import standard_contract
from vmaspace.checker.logic.contract import Contract
from vmaspace.checker.report.verdict import Kind

ARCHES = standard_contract().enums["Arch"]


def run(contract: Contract, **options: Any) -> FuzzResult:
    options.setdefault("seed", 1)
    return fuzz(contract, lambda: ModelAdapter(contract), **options)


@pytest.mark.parametrize("arch", ARCHES)
def test_the_model_conforms(contract: Contract, arch: str) -> None:
    """On each architecture by itself; a long run on all of them is `test_most_outcomes_are_seen`."""
    result = run(contract, steps=400, arches=[arch])
    assert [v.reason for v in result.verdicts if v.is_red] == []
    assert result.statistics["steps"] >= 400


@pytest.mark.parametrize("seed", [4])
def test_the_model_conforms_as_documented(seed: int) -> None:
    contract = standard_contract(standard_contract().switches)
    result = run(contract, steps=3000, seed=seed)
    assert [v.reason for v in result.verdicts if not v.is_green] == []
    judged = {v.property for v in result.verdicts}
    assert {p.name for p in contract.properties.values() if p.deviation} <= judged


def test_a_verdict_for_each_operation_property_and_invariant_that_is_judged(contract: Contract) -> None:
    result = run(contract, steps=100)
    ids = [v.id for v in result.verdicts]
    assert len(ids) == len(set(ids))
    judged = {p.name for p in contract.properties.values() if p.kind != "reach" and p.deviation is None}
    assert set(ids) == {f"{name}/conforms" for name in contract.operations} | judged | {
        invariant.number for invariant in ModelAdapter(contract).invariants()
    }


def test_most_outcomes_are_seen(contract: Contract) -> None:
    """A run gets past all clauses of nearly every operation, sees nearly every refusal, and finds nothing wrong."""
    result = run(contract, steps=20_000, seed=7)
    assert [v.reason for v in result.verdicts if v.is_red] == []
    hits = result.statistics["outcomes"]
    never = result.statistics["never_seen"]
    assert set(never) == {name for name, count in hits.items() if count == 0}
    assert len([name for name in never if ": OK (" in name]) <= 3  # merges with both neighbours are rare
    refusals = [name for name in hits if ": OK (" not in name and "ASSERT" not in name and "may " not in name]
    assert len([name for name in refusals if name in never]) <= len(refusals) // 20
    assert len(never) <= len(hits) // 3


def test_a_seed_says_what_happens(contract: Contract) -> None:
    first, second = run(contract, steps=400, seed=9), run(contract, steps=400, seed=9)
    other = run(contract, steps=400, seed=10)
    for result in (first, second, other):
        del result.statistics["seconds"]
    assert first.statistics == second.statistics
    assert first.statistics["outcomes"] != other.statistics["outcomes"]


def test_a_failing_campaign_is_the_same_each_time(contract: Contract, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(campaign, "AFTERMATH", 200)

    def found() -> list[Any]:
        system = SplitLosesTheOffsetOfTheRightPart
        result = fuzz(contract, lambda: ModelAdapter(contract, system), seed=1, steps=20_000)
        return [(v.id, v.trace) for v in result.verdicts if v.is_red]

    first = found()
    assert first
    assert first == found()


def test_a_budget_is_needed(contract: Contract) -> None:
    with pytest.raises(ValueError, match="budget"):
        run(contract)


def test_seconds_are_a_budget_too(contract: Contract) -> None:
    result = run(contract, seconds=0.05)
    assert result.statistics["steps"] < 5000


def test_progress_is_told(contract: Contract) -> None:
    class Listener:
        told: list[int | None] = []  # noqa: RUF012

        def update(self, done: int | None = None, text: str | None = None) -> None:
            self.told.append(done)

    listener = Listener()
    run(contract, steps=700, progress=listener)
    assert listener.told
    assert listener.told == sorted(listener.told, key=lambda n: n or 0)


class Interrupting(ModelAdapter):
    """Ctrl-C in the middle of a call."""

    calls = 0

    def call(self, *args: Any, **options: Any) -> Answer:
        self.calls += 1
        if self.calls == 300:
            raise KeyboardInterrupt
        return super().call(*args, **options)


def test_ctrl_c_leaves_what_there_is(contract: Contract) -> None:
    result = fuzz(contract, lambda: Interrupting(contract), seed=1, steps=5000)
    assert result.is_interrupted
    assert result.statistics["steps"] == 299
    assert {v.verdict for v in result.verdicts} == {Kind.UNKNOWN}
    assert {v.reason for v in result.verdicts} == {"interrupted before the budget was used up"}


def test_what_was_never_called_is_undecided(contract: Contract) -> None:
    result = run(contract, steps=1)
    by_id = {v.id: v for v in result.verdicts}
    called = [v for v in by_id.values() if v.operation and v.is_green]
    assert len(called) <= 3
    assert by_id["create_unified/conforms"].verdict is Kind.UNKNOWN


def test_an_error_of_hypothesis_is_not_swallowed() -> None:
    error = RuntimeError("flaky")
    assert campaign.reason_to_end(error) is None
    error.__context__ = KeyboardInterrupt()
    assert isinstance(campaign.reason_to_end(error), KeyboardInterrupt)
