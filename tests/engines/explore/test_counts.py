"""The arena's counts: what four independent checkers agree on, raw and by orbits."""

from pathlib import Path
from runpy import run_path

import pytest

from vmaspace.checker.engines.explore import search
from vmaspace.checker.logic.packed import canonical

ARENA = Path(__file__).parents[3] / "benchmarks" / "arena"
REFERENCE = {str(s): c for s, c in run_path(str(ARENA / "counts.py"))["REFERENCE"].items() if c.transitions < 7_000_000}


@pytest.mark.parametrize("scope", REFERENCE)
def test_raw_counts_are_those_of_the_table(arena, compiled, scope):
    states, transitions, depth, _ = REFERENCE[scope]
    result = compiled(arena, scope).run()
    assert (result.states, result.transitions, result.depth) == (states, transitions, depth)
    assert (result.cut, result.deadlocks, result.failures, result.reason) == (0, 0, {}, "")


@pytest.mark.parametrize("scope", REFERENCE)
def test_orbits_are_those_of_the_table(arena, compiled, scope):
    result = compiled(arena, scope, symmetry=True).run()
    assert (result.states, result.cut, result.reason) == (REFERENCE[scope][3], 0, "")


@pytest.mark.parametrize("symmetry", [False, True])
def test_workers_change_no_count(arena, compiled, symmetry):
    one, three = (compiled(arena, "p2r3b1s2", jobs=jobs, symmetry=symmetry).run() for jobs in (1, 3))
    assert (one.states, one.transitions, one.depth) == (three.states, three.transitions, three.depth)
    assert (one.calls, one.outcomes) == (three.calls, three.outcomes)


@pytest.mark.parametrize("tied", [-1, 99], ids=["always", "never"])
def test_orbits_do_not_depend_on_when_relations_are_asked(arena, compiled, monkeypatch, tied):
    monkeypatch.setattr(canonical, "TIED", tied)
    for scope in ("p2r2b1s3", "p3r3b1s1"):
        assert compiled(arena, scope, symmetry=True).run().states == REFERENCE[scope][3]


@pytest.mark.parametrize("jobs", [1, 2])
def test_better_code_in_the_midst_of_a_search_changes_no_count(arena, compiled, monkeypatch, jobs):
    found = []
    for patience in (0, 1e9):
        monkeypatch.setattr(search, "PATIENCE", patience)
        one = compiled(arena, "p3r3b1s1", jobs=jobs, cache=None)
        assert not one.native.is_best
        found.append(one.run())
        assert one.native.is_best == (patience == 0)
    assert (found[0].states, found[0].transitions, found[0].calls) == (found[1].states, found[1].transitions, found[1].calls)
    assert found[0].states == REFERENCE["p3r3b1s1"][0]


def test_a_state_takes_few_bytes(arena, compiled):
    assert compiled(arena, "p3r3b1s3").run().bytes_a_state < 40
