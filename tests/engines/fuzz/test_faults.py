"""Every planted fault is found within a bounded number of steps, in a trace short enough to be read at once."""

import json
from dataclasses import replace

import pytest

from vmaspace.checker.adapters.model import ModelAdapter
from vmaspace.checker.adapters.mutants import Mutant
from vmaspace.checker.engines.fuzz import fuzz
from vmaspace.checker.engines.fuzz import run as campaign
from vmaspace.checker.engines.replay import replay
from vmaspace.checker.logic.contract import Contract
from vmaspace.checker.report.trace import Trace
from vmaspace.model import System

SEEDS = (9, 3, 8, 6, 7, 5, 4, 10)  # in turn, until one finds the fault: which one is soon is luck
STEPS = 1_000  # what is not found by then is found sooner by the next seed
AFTERMATH = 60
# Where the planted faults are: campaigns that call nothing else find them in a third of the time.
SPACES = ("spec/aspace.aspec", "spec/regions.aspec")
FILES = (*SPACES, "spec/mappings.aspec")
LONGEST_TRACE = 8


def test_a_planted_fault_is_found(mutant: Mutant, contract: Contract, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(campaign, "AFTERMATH", AFTERMATH)
    fault, files = mutant.system_class, SPACES if mutant.subject == "aspaces" else FILES
    operations = {name: op for name, op in contract.operations.items() if op.span.file in files}
    part = replace(contract, operations=operations)
    campaigns = (fuzz(part, lambda: ModelAdapter(part, fault), seed=seed, steps=STEPS) for seed in SEEDS)
    red = next((red for result in campaigns if (red := [v for v in result.verdicts if v.is_red])), [])
    assert red, f"not found in {len(SEEDS)} campaigns of {STEPS} steps: {fault.__doc__}"
    for verdict in red:
        trace = verdict.trace
        assert trace is not None
        assert len(trace.steps) <= LONGEST_TRACE
        assert trace.steps[-1].op == verdict.operation
        assert trace.subject == f"{fault.__module__}:{fault.__qualname__}"

        # The same is found when the trace is read back and run again, and not on the model without the fault.
        again = replay(Trace.from_json(json.loads(json.dumps(trace.to_json()))))
        assert (again.id, again.verdict, again.reason) == (verdict.id, verdict.verdict, verdict.reason)
        assert again.trace == trace
        healed = replay(trace, system_class=System)
        assert healed.is_green, healed.reason
