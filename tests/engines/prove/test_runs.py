"""Runs that the bounded search finds are run again here, step by step, by the interpreter alone."""

import pytest

from tests.engines.small import SMALL
from vmaspace.checker.engines.prove.bounded import Bounded
from vmaspace.checker.engines.prove.run import Prover
from vmaspace.checker.engines.prove.worker import Budget
from vmaspace.checker.language.check import check
from vmaspace.checker.language.parser import parse
from vmaspace.checker.logic.code import evaluator
from vmaspace.checker.logic.elaborate import elaborate
from vmaspace.checker.logic.execute import Interpreter
from vmaspace.checker.logic.state import NULL, empty_state
from vmaspace.checker.report.verdict import Kind

OVERLAP = (
    "spec/regions.aspec",
    '  ALREADY_EXISTS if is_specific(flags) and not is_free(v, base(v) + offset, size) "the range is in use"\n',
    "",
)
OVERLAP_ANYWHERE = (
    "spec/regions.aspec",
    "  and aligned(at) and aligned_pow2(at, align_pow2) and is_free(v, at, length)\n",
    "  and aligned(at) and aligned_pow2(at, align_pow2)\n",
)
RIGHTS = (
    "spec/regions.aspec",
    '  ACCESS_DENIED unless flags & can_map() <= flags(v) "more than the parent allows"\n',
    "",
)
SHARED_ROLE = (
    "spec/aspace.aspec",
    '  asserts share(shared) == ShareOpt.shared and not unified(shared) "the shared part was created shared"\n',
    "",
)
CEILING = (
    "spec/mappings.aspec",
    "  not permits(flags(m), perms) or m == vdso_code(aspace(v))\n",
    "  m == vdso_code(aspace(v))\n",
)
EARLY = (
    "properties/destroy_order.aspec",
    '''  deviation documented_destroy_order on destroy, create_unified
    "Zircon notices only when the constituent's object is freed; until then a unified space runs over a torn-down one."
''',
    "",
)
TWINS = {
    "no room is asked for": ("allocate", "siblings_are_disjoint", (OVERLAP, OVERLAP_ANYWHERE), 2, 3),
    "a place is not looked at": ("allocate", "siblings_are_disjoint", (OVERLAP_ANYWHERE,), 2, 3),
    "a child may be given more": ("allocate", "child_rights_stay_within_the_parents", (RIGHTS,), 1, 3),
    "the shared part is any space": ("create_unified", "shared_parts_were_created_shared", (SHARED_ROLE,), 1, 3),
    "protect knows no ceiling": ("protect", "protect_never_raises_past_the_ceiling", (CEILING,), 2, 3),
    "protect, as an invariant": ("protect", "permissions_stay_within_the_ceiling", (CEILING,), 2, 3),
    "a constituent goes early": ("destroy", "unified_is_destroyed_before_its_constituents", (EARLY,), 4, 4),
}


def run_again(contract, run):
    """Each step is a call that a caller may make, answered as recorded; returns the states."""
    interpreter = Interpreter(contract)
    state = run.start
    assert all(evaluator(a)(state, state, {}) for a in contract.assumptions)
    world = empty_state(contract)
    world.domains |= {sort: state.domains[sort] for sort, is_given in contract.sorts.items() if is_given}
    world.tables |= {name: state.tables[name] for name in contract.givens}
    assert interpreter.initial(world).same_as(state)
    states = [state]
    for m in run.moves:
        params = {p.name: m.env[p.name] for p in contract.operations[m.operation].params}
        assert interpreter.enabled(m.operation, state, params)
        answer = next(c for c in interpreter.allowed(m.operation, state, params) if c.outcome is m.outcome.outcome)
        picks = {c.name: m.env[c.symbol.name] for c in answer.outcome.choices if c.kind != "new"}
        after = [s for _, s in interpreter.successors(answer, state, params, picks)]
        assert any(s.same_as(m.state) for s in after)
        state = m.state
        states.append(state)
    return interpreter, states


@pytest.mark.parametrize("name", TWINS)
def test_a_run_that_breaks_a_twin_really_does(name, twin):
    operation, wanted, changes, least, most = TWINS[name]
    contract = twin(*changes).contract()
    p = contract.properties[wanted]
    found = Bounded(contract, {"Vmo": 1}, most, 60.0).breaks(p, [operation])
    assert found.run is not None, found.reason
    assert least <= len(found.run.moves) <= most
    assert found.run.moves[-1].operation == operation
    interpreter, states = run_again(contract, found.run)
    last = found.run.moves[-1]
    assert not interpreter.holds(p, states[-2], states[-1], last.env, last.outcome.outcome)
    if p.kind == "invariant":  # the step breaks it: it held so far
        assert all(interpreter.property(wanted)(s, s, {}) for s in states[:-1])


def test_the_contract_itself_has_no_such_run(shipped):
    contract = shipped.contract()
    found = Bounded(contract, {"Vmo": 1}, 2, 60.0).breaks(contract.properties["siblings_are_disjoint"], ["allocate"])
    assert found.run is None
    assert found.complete


REACHED = [
    "a_destroyed_space", "a_dead_region_of_a_live_space", "two_neighbouring_mappings", "a_mapping_in_a_sub_vmar",
    "a_restricted_child", "a_mapping_with_two_protections", "a_vdso_code_mapping", "a_unified_space",
]  # fmt: skip


@pytest.mark.parametrize("name", REACHED)
def test_a_witness_gets_there(name, shipped):
    contract = shipped.contract()
    p = contract.properties[name]
    found = Bounded(contract, {"Vmo": 1}, 5, 60.0).reaches(p)
    assert found.run is not None, found.reason
    interpreter, states = run_again(contract, found.run)
    assert interpreter.property(name)(states[-1], states[-1], {})
    assert not any(interpreter.property(name)(s, s, {}) for s in states[:-1])  # the shortest run


# --- a contract of one's own ---------------------------------------------------------------------------------------


def prove(text: str, **budget):
    return {v.id: v for v in Prover(check(parse({"small.aspec": SMALL + text})), Budget(counts=(), **budget), jobs=0).prove()}


def test_the_shortest_run_is_found_and_no_shorter_one():
    text = 'reach finished "x"\n  exists i: Item where done(i)\n'
    assert prove(text, steps=3)["finished"].verdict is Kind.UNREACHED
    found = prove(text, steps=4)["finished"]
    assert found.verdict is Kind.REACHED
    assert [s.op for s in found.trace.steps] == ["make", "make", "hang", "finish"]


def test_what_can_not_be_reached_is_not():
    assert prove('reach below "x"\n  total < 0\n')["below"].verdict is Kind.UNREACHED


def test_the_first_state_counts():
    found = prove('reach start "x"\n  total == 0\n')["start"]
    assert found.verdict is Kind.REACHED
    assert not found.trace.steps
    verdicts = prove('invariant some_item "x" from "y"\n  exists i: Item where up(i) == null\n')
    assert verdicts["init/some_item"].verdict is Kind.VIOLATED


def test_a_false_step_property():
    verdicts = prove('step never_grows "x" from "y"\n  total == old(total)\n')
    assert verdicts["make/never_grows"].verdict is Kind.VIOLATED
    assert [s.op for s in verdicts["make/never_grows"].trace.steps] == ["make"]
    assert verdicts["hang/never_grows"].verdict is Kind.PROVED
    assert verdicts["finish/never_grows"].verdict is Kind.PROVED


def test_an_operation_is_not_blamed_for_what_was_broken_before():
    text = (
        "op fold()\n  total = if total < 0 then 2 else total\n"
        'invariant never_two "false" from "y"\n  total != 2\n'
    )
    verdicts = prove(text, steps=3)
    assert [s.op for s in verdicts["make/never_two"].trace.steps] == ["make", "make"]
    assert verdicts["fold/never_two"].verdict is Kind.NOT_INDUCTIVE  # two makes and a fold break it too, but not the fold


def test_what_rests_on_the_false_is_proved_anew_or_not_at_all():
    """`nothing_is_done` is false; `nobody_hangs_done` follows from it only, `total_counts` does not need it."""
    text = (
        'invariant nothing_is_done "false" from "y"\n  for i: Item: not done(i)\n'
        'invariant nobody_hangs_done "rests on it" from "y"\n  for i: Item where up(i) != null: not done(up(i))\n'
        'invariant total_is_there "does not" from "y"\n  total >= 0\n'
    )
    verdicts = prove(text, steps=5)
    assert verdicts["finish/nothing_is_done"].verdict is Kind.VIOLATED
    assert verdicts["hang/nobody_hangs_done"].verdict is not Kind.PROVED
    assert verdicts["make/total_is_there"].verdict is Kind.PROVED
    # The first pass does take it for granted: the second one must have undone that.
    program = check(parse({"small.aspec": SMALL + text}))
    prover = Prover(program, Budget(counts=()), jobs=0)
    prover.prove(operations=["hang"])
    (only,) = (r for o, r in prover.results.items() if o.property == "nobody_hangs_done")
    assert only.kind == "proved"
    assert "nothing_is_done" in only.used


def test_null_is_no_element_of_a_run():
    contract = elaborate(check(parse({"small.aspec": SMALL + 'reach hung "x"\n  exists i: Item where up(i) != null\n'})))
    found = Bounded(contract, {}, 3, 30.0).reaches(contract.properties["hung"])
    _, states = run_again(contract, found.run)
    assert all(NULL not in s.domains["Item"] for s in states)
