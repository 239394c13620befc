"""The search on a cluster says what the search on one machine says, and what became of it when a worker is lost."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from vmaspace.checker.engines.explore.compaction import Compaction
from vmaspace.checker.engines.explore.run import MIB, Explorer, Options
from vmaspace.checker.engines.replay import replay
from vmaspace.checker.report.verdict import Kind

ARENA = Path(__file__).parents[3] / "benchmarks" / "arena" / "arena.aspec"
SCOPE = "p2r3b1s2"
OVERLAP = "  requires for r: Region where is_child(r, v): not meets(r, from, to)\n"
SAME = (
    "states", "transitions", "depth", "cut", "deadlocks", "calls", "outcomes", "failures", "first_deadlock", "reason",
)  # fmt: skip


@pytest.fixture
def explorer(cluster, cache):
    def explorer(contract, where=cluster, **options):
        return Explorer(contract, contract.scopes[SCOPE], Options(jobs=3, cache=cache, cluster=where, **options))

    return explorer


@pytest.fixture
def fault_a(contract_of, arena_text):
    """The arena, where `map` does not look whether there is something."""
    head, tail = arena_text.split("op map(")
    assert OVERLAP in tail
    return contract_of(f"{head}op map({tail.replace(OVERLAP, '', 1)}")


FEW = {"compaction": Compaction(seed=1, bits=12)}  # so few bits that states are omitted, and the same ones


@pytest.mark.parametrize(("options", "states"), [({}, 13_985), ({"symmetry": True}, 3_665), (FEW, None)], ids=str)
def test_every_count_is_that_of_one_machine(explorer, arena, options, states):
    shares = []
    far = explorer(arena, **options).search.run(lambda reached: shares.append(reached.shares))
    here = explorer(arena, where=None, **options).search.run()
    assert [getattr(far, name) for name in SAME] == [getattr(here, name) for name in SAME]
    assert far.states == (states or here.states) == sum(shares[-1])
    assert all(shares[-1])


@pytest.mark.parametrize("options", [{}, {"compaction": Compaction(seed=1, bits=60)}], ids=str)
def test_the_shortest_run_of_a_planted_fault_replays(explorer, fault_a, options):
    verdicts, _ = explorer(fault_a, **options).explore()
    (red,) = [v for v in verdicts if v.property == "siblings_are_disjoint" and v.verdict is not Kind.UNKNOWN]
    assert (red.verdict, len(red.trace.steps)) == (Kind.VIOLATED, 3)
    assert replay(red.trace, fault_a).verdict is Kind.VIOLATED


def test_limits_and_ctrl_c_end_in_unknown(explorer, arena):
    def stop(reached):
        if reached.depth == 4:
            raise KeyboardInterrupt

    for tell, memory, reason in ((print, MIB // 8, "the memory limit of 0 MiB"), (stop, MIB, "interrupted")):
        verdicts, statistics = explorer(arena, memory=memory).explore(tell)
        assert {v.verdict for v in verdicts} == {Kind.UNKNOWN}
        assert reason in statistics["reason"]
        assert 1_000 < statistics["states"] < 13_985


def test_a_lost_worker_is_named_and_the_same_call_goes_on(explorer, fault_a, tmp_path):
    """What was found before is not told either, if the way there is lost."""
    lost, depths = [], []
    options = {"keep_going": True, "checkpoint": tmp_path, "checkpoint_every": 0.0}

    def kill(reached):
        if reached.depth == 3 and not lost:
            _, pid, _, host = explored.search.crew.places[1].split()
            lost.append(f"worker 1 (pid {pid} on {host}) was lost")
            os.kill(int(pid), signal.SIGKILL)

    explored = explorer(fault_a, **options)
    verdicts, statistics = explored.explore(kill)
    assert {v.verdict for v in verdicts} == {Kind.UNKNOWN}
    assert statistics["reason"].startswith(f"{lost[0]} (the same call goes on from the checkpoint)")
    assert re.search(r"at depth [34]\b.*siblings_are_disjoint: seen, and the way there is lost", statistics["reason"])
    assert not statistics["complete"]
    far = explorer(fault_a, **options).search.run(lambda reached: depths.append(reached.depth))
    here = explorer(fault_a, where=None, keep_going=True).search.run()
    assert [getattr(far, name) for name in SAME] == [getattr(here, name) for name in SAME]
    assert min(depths) >= 3


def test_the_command_finds_ray_by_its_address_and_keeps_it_quiet(ray, cache, tmp_path):
    address = ray.get_runtime_context().gcs_address
    command = [sys.executable, "-c", "from vmaspace.checker.cli import main; raise SystemExit(main())", "explore",
               "--alone", str(ARENA), "--scope", SCOPE, "--json", "--cluster", "--cluster-workers", "2"]  # fmt: skip
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache.parents[1]), "RAY_ADDRESS": address}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False)
    report = json.loads(done.stdout)
    assert (done.returncode, report["explore"]["states"], report["explore"]["transitions"]) == (0, 13_985, 141_432)
    assert report["explore"]["scopes"][0]["cluster"] and report["explore"]["scopes"][0]["jobs"] == 2
    assert {line.split()[0] for line in done.stderr.splitlines()} == {"cluster", "explore"}
