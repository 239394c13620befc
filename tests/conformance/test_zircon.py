"""Zircon's known answers, one test each: every case that uses only what is there passes."""

import json
from collections import Counter
from pathlib import Path

import pytest

from vmaspace.checker.engines.conformance import Outcome, run_file
from vmaspace.model.system import System

CASES = Path(__file__).with_name("zircon.jsonl")
REPORT = run_file(CASES)

# What the model does not do yet. A case may be unsupported for one of these only.
LATER = (
    "arch.", "asid.", "pmm.", "pq.", "guest.", "mem.", "attribution.", "profile.",
    "aspace.alloc", "aspace.map_object", "aspace.free_region", "aspace.soft_fault", "aspace.page_fault",
    "aspace.harvest", "process.read_memory", "process.write_memory", "process.task_stats",
    "vmo.create_pager", "vmo.clone", "vmo.read", "vmo.write", "vmo.fill", "vmo.zero", "vmo.commit",
    "vmo.decommit", "vmo.resize", "vmo.get_", "vmo.set_", "vmo.lock", "vmo.unlock", "vmo.pager_stats",
    "vmo.range_unmap", "vmar.op_range", "vmar.set_memory_priority", "vmar.set_profile",
    "mapping.map_range", "mapping.decommit", "mapping.force_writable",
    "expect.pages_mapped", "expect.arch_", "expect.contiguous", "expect.attribut", "expect.populated_bytes",
    "expect.high_priority", "expect.queue_changed",
)  # fmt: skip


@pytest.mark.parametrize("result", REPORT.cases, ids=lambda result: result.id)
def test_case(result) -> None:
    if result.outcome is Outcome.UNSUPPORTED:
        assert result.op.startswith(LATER), str(result)
    else:
        assert result.outcome is Outcome.PASSED, str(result)


def test_every_case_is_reported_in_order() -> None:
    cases = [json.loads(line) for line in CASES.read_text(encoding="utf-8").splitlines()]
    assert [result.id for result in REPORT.cases] == [case["id"] for case in cases]
    for case, result in zip(cases, REPORT.cases, strict=True):
        later = [step["op"] for step in case["steps"] if step["op"].startswith(LATER)]
        assert (result.outcome is Outcome.PASSED) == (not later), result.id


def test_counts() -> None:
    data = REPORT.to_json()
    assert data["cases"] == len(data["list"]) == 188
    assert (data["passed"], data["failed"], data["unsupported"]) == (91, 0, 97)
    areas = REPORT.by_area()
    assert sum(areas.values(), Counter())[Outcome.PASSED] == 91
    assert areas["vmar-alloc"] == Counter({Outcome.PASSED: 14})
    assert json.loads(json.dumps(data)) == data


@pytest.mark.parametrize("aslr_disabled", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_placement_does_not_matter(seed: int, aslr_disabled: bool) -> None:
    report = run_file(CASES, lambda arch: System(arch, seed=seed, aslr_disabled=aslr_disabled))
    assert report.failed == 0 and report.passed == 91


@pytest.mark.parametrize("arch", ["arm64", "riscv64"])
def test_cases_for_any_machine_pass_on_the_others(arch: str) -> None:
    any_arch = {
        case["id"]
        for case in map(json.loads, CASES.read_text(encoding="utf-8").splitlines())
        if case["arch"] == "any"
    }
    report = run_file(CASES, lambda _: System(arch))
    assert [
        str(result) for result in report.cases if result.id in any_arch and result.outcome is Outcome.FAILED
    ] == []
