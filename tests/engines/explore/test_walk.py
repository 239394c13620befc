"""Random walks: they find what is there, and say what they did."""

from vmaspace.checker.cli.showing import deadlock_lines
from vmaspace.checker.engines.explore.run import Explorer, Options
from vmaspace.checker.engines.replay import replay
from vmaspace.checker.report.trace import Trace
from vmaspace.checker.report.verdict import Kind

REACH = """
reach a_nest "A region can stand two levels below the root."
  exists r, s: Region where kind(r) == mapping, parent(r) == s, parent(s) != null
"""


def walked(contract, scope="p3r3b1s3", **options):
    verdicts, statistics = Explorer(contract, contract.scopes[scope], Options(**options)).explore()
    return {v.property: v for v in verdicts if v.verdict is not Kind.PASSED}, verdicts, statistics


def test_a_walk_finds_a_planted_fault_and_its_run_replays(contract_of, fault_a):
    contract = contract_of(fault_a)
    found, _, statistics = walked(contract, simulate=20_000, seed=1)
    red = found["siblings_are_disjoint"]
    assert red.verdict is Kind.VIOLATED
    assert replay(red.trace, contract).verdict is Kind.VIOLATED
    assert not statistics["complete"]


def test_a_walk_finds_a_witness(contract_of, arena_text):
    found, verdicts, statistics = walked(contract_of(arena_text + REACH), simulate=5_000, seed=2)
    assert found["a_nest"].verdict is Kind.REACHED
    assert found["a_nest"].trace.steps
    assert "5,000 steps of random walks" in verdicts[0].scope
    assert 100 < statistics["states"] <= 5_001


def test_the_same_seed_walks_the_same_way(arena):
    one, same, other = (walked(arena, simulate=2_000, seed=seed)[2] for seed in (3, 3, 4))
    assert (one["states"], one["operations"]) == (same["states"], same["operations"])
    assert one["operations"] != other["operations"]


TRAP = """statuses { OK = 0 }
var at: int
op up()
  requires at < 3
  at = at + 1
op back()
  requires at != 3
  at = 0
scope trap: at in 0..3
"""


def test_a_walk_into_a_deadlock_is_told(contract_of):
    contract = contract_of(TRAP)
    _, _, statistics = walked(contract, "trap", simulate=200, seed=5)
    steps = Trace.from_json(statistics["deadlock"]).steps
    assert [s.op for s in steps[-3:]] == ["up"] * 3
    assert steps[-1].state["values"]["at"] == 3
    assert deadlock_lines(statistics["deadlock"], is_walk=True)[0].endswith("one that a walk came to:")
    safe = contract_of(TRAP.replace("requires at != 3", "requires at >= 0"))
    _, _, statistics = walked(safe, "trap", simulate=200, seed=5)
    assert (statistics["deadlocks"], statistics["deadlock"]) == (0, None)


def test_walks_end_where_the_first_state_is_a_deadlock(contract_of):
    contract = contract_of(TRAP.replace("at < 3", "at == 1").replace("at != 3", "at == 2"))
    _, _, statistics = walked(contract, "trap", simulate=200, seed=5)
    assert statistics["deadlock"]["steps"] == []
    assert statistics["states"] == 1
