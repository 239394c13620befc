"""What a search finds becomes a run that anybody can replay; what it cannot find out, it says."""

from dataclasses import replace

import pytest

from vmaspace.checker.cli.showing import deadlock_lines
from vmaspace.checker.engines.explore.compaction import Compaction
from vmaspace.checker.engines.explore.run import MIB, Explorer, Options
from vmaspace.checker.engines.replay import replay
from vmaspace.checker.logic.packed.layout import ScopeError
from vmaspace.checker.logic.terms import TRUE
from vmaspace.checker.report.trace import Trace
from vmaspace.checker.report.verdict import Kind


def explored(contract, scope, **options):
    explorer = Explorer(contract, contract.scopes[scope], Options(**options))
    verdicts, statistics = explorer.explore()
    return {v.id: v for v in verdicts}, statistics


HASHES = {"jobs": 2, "symmetry": True, "compaction": Compaction(seed=1, bits=60)}


@pytest.mark.parametrize("options", [{}, {"jobs": 2}, {"symmetry": True}, HASHES], ids=str)
@pytest.mark.parametrize(
    ("fault", "name", "steps"), [("a", "siblings_are_disjoint", 3), ("b", "children_lie_inside_their_parent", 5)]
)
def test_the_shortest_run_of_a_planted_fault(request, contract_of, cache, fault, name, steps, options):
    contract = contract_of(request.getfixturevalue(f"fault_{fault}"))
    verdicts, _ = explored(contract, "p3r3b1s3", cache=cache, **options)
    (red,) = [v for v in verdicts.values() if v.property == name]
    assert red.verdict is Kind.VIOLATED
    assert len(red.trace.steps) == steps
    assert red.trace.steps[-1].violated == name
    assert replay(red.trace, contract).verdict is Kind.VIOLATED


def test_nothing_is_broken_in_the_arena_as_it_stands(arena):
    verdicts, statistics = explored(arena, "p2r2b1s3")
    assert {v.verdict for v in verdicts.values()} == {Kind.PASSED}
    assert "create/siblings_are_disjoint" in verdicts and "init/siblings_are_disjoint" in verdicts
    assert statistics["never_fired"] == []


def test_an_operation_that_never_fires_is_named(arena):
    assert explored(arena, "p2r2b1s1")[1]["never_fired"] == ["create_unified"]


def test_a_memory_limit_ends_in_unknown(arena):
    verdicts, statistics = explored(arena, "p3r3b1s3", memory=MIB)
    assert {v.verdict for v in verdicts.values()} == {Kind.UNKNOWN}
    assert not statistics["complete"]
    assert "memory limit of 1 MiB" in statistics["reason"]


def test_symmetry_is_refused_where_first_makes_a_difference(contract_of, arena_text):
    """A space that is free but remembers its window: which of them is taken shows."""
    old = "  role(a) = free\n  window(a) = false\n"
    assert arena_text.count(old) == 1
    contract = contract_of(arena_text.replace(old, "  role(a) = free\n"))
    _, statistics = explored(contract, "p2r2b1s3", symmetry=True)
    assert "symmetry would lose states" in statistics["reason"]
    assert explored(contract, "p2r2b1s3")[1]["complete"]


def test_a_state_without_a_call_is_a_deadlock(contract_of):
    text = """statuses { OK = 0 }
var on: bool
op switch_on()
  requires not on
  on = true
reach light "It can be on." on
scope one: 9 steps
"""
    verdicts, statistics = explored(contract_of(text), "one")
    assert (statistics["states"], statistics["transitions"], statistics["deadlocks"]) == (2, 1, 1)
    assert verdicts["light"].verdict is Kind.REACHED
    assert [s.op for s in verdicts["light"].trace.steps] == ["switch_on"]


STAIRS = """statuses { OK = 0 }
var at: int
op up()
  requires at != 2, at != 5
  at = at + 1
op jump()
  requires at == 1
  at = 5
scope stairs: at in [0, 1, 2, 5]
"""


@pytest.mark.parametrize("options", [{}, {"jobs": 2}, {"symmetry": True}, {"plain": True}], ids=str)
def test_the_nearest_deadlock_comes_with_a_run(contract_of, options):
    _, statistics = explored(contract_of(STAIRS), "stairs", **options)
    assert statistics["deadlocks"] == 2
    trace = Trace.from_json(statistics["deadlock"])
    assert [s.op for s in trace.steps] in (["up", "up"], ["up", "jump"])
    assert trace.steps[-1].state["values"]["at"] in (2, 5)
    assert "up(" in "".join(deadlock_lines(statistics["deadlock"]))


def test_a_first_state_can_be_a_deadlock(contract_of):
    text = STAIRS.replace("requires at != 2, at != 5", "requires at == 1")
    _, statistics = explored(contract_of(text), "stairs")
    assert statistics["deadlock"]["steps"] == []
    assert deadlock_lines(statistics["deadlock"]) == ["             the first state is one"]


def test_without_a_deadlock_there_is_no_run(contract_of):
    text = STAIRS + "op back()\n  at = 0\n"
    _, statistics = explored(contract_of(text), "stairs")
    assert (statistics["deadlocks"], statistics["deadlock"]) == (0, None)


def test_a_deadlock_that_the_interpreter_can_leave_is_a_failure(contract_of):
    """The planted fault: the search calls the first state a deadlock."""
    contract = contract_of(STAIRS)
    explorer = Explorer(contract, contract.scopes["stairs"], Options(plain=True))
    run = explorer.search.run
    explorer.search.run = lambda tell: replace(run(tell), first_deadlock=0)
    verdicts, statistics = explorer.explore()
    (red,) = [v for v in verdicts if v.verdict is Kind.FAILED]
    assert "up can be called" in red.reason
    assert statistics["deadlock"] is None


def test_a_scope_that_says_too_little_is_refused(arena):
    # Without bounds for `base`, 52-bit pages are looked for: the guard says between which numbers, so this is enough ...
    lean = replace(arena.scopes["p1r1b1s3"], values={}, ranges=frozenset())
    assert Explorer(arena, lean, Options()).explore()[1]["states"] == 569
    # ... but a number that nothing bounds is not.
    operation = arena.operations["map"]
    free = replace(operation, requires=TRUE)
    with pytest.raises(ScopeError, match=r"`map\.from`"):
        Explorer(replace(arena, operations={"map": free}), lean, Options())


def test_states_are_the_same_whether_code_is_compiled_or_not(arena):
    compiled, slow = (explored(arena, "p1r1b1s3", plain=plain)[1] for plain in (False, True))
    assert {k: compiled[k] for k in ("states", "transitions", "operations")} == {
        k: slow[k] for k in ("states", "transitions", "operations")
    }
