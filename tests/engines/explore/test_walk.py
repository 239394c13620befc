"""Random walks: they find what is there, and say what they did."""

from vmaspace.checker.engines.explore.run import Explorer, Options
from vmaspace.checker.engines.replay import replay
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
