"""Each proof can turn red: a contract with one thing wrong gives a short run that shows it."""

from itertools import pairwise

import pytest

from vmaspace.checker.engines.prove.induction import Induction
from vmaspace.checker.engines.prove.run import Prover
from vmaspace.checker.engines.prove.worker import Budget
from vmaspace.checker.engines.replay import replay
from vmaspace.checker.language.check import check
from vmaspace.checker.language.parser import parse
from vmaspace.checker.logic.elaborate import elaborate
from vmaspace.checker.report.verdict import Kind

OVERLAP = (
    "spec/regions.aspec",
    '  ALREADY_EXISTS if is_specific(flags) and not is_free(v, base(v) + offset, size) "the range is in use"\n',
    "",
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
EARLY = (
    "properties/destroy_order.aspec",
    '''  deviation documented_destroy_order on destroy, create_unified
    "Zircon notices only when the constituent's object is freed; until then a unified space runs over a torn-down one."
''',
    "",
)
FORGOTTEN_DECREMENT = (
    "spec/aspace.aspec",
    "    references(restricted_part(a)) = references(restricted_part(a)) - 1\n",
    "",
)
WRONG_OFFSET = (
    "spec/mappings.aspec",
    "  object_offset(piece) = object_offset(m) + (low - base(m))\n",
    "  object_offset(piece) = object_offset(m)\n",
)
VDSO_UNMAPPED = (
    "spec/mappings.aspec",
    '  ACCESS_DENIED if meets_vdso_code(aspace(v), base, high) "the vDSO code is never unmapped"\n',
    "",
)
ROOT_SURVIVES = ("spec/aspace.aspec", "  root(a) = null\n  destroyed(a) = true\n", "  destroyed(a) = true\n")
PARTLY_COVERED = (
    "spec/mappings.aspec",
    "kind(r) == vmar, not op_children or not inside(range(r), [base, high))",
    "kind(r) == vmar, not op_children",
)
FAULT_UNCHECKED = (
    "spec/faults.aspec",
    "  exists m: Region where resolves(m, a, at), allows(prot(m, at), a, is_write, is_fetch, is_user)\n",
    "  exists m: Region where resolves(m, a, at)\n",
)
FAULT_ANYWHERE = ("spec/faults.aspec", "aspace(m) == a and at in range(m)\n", "aspace(m) == a\n")
WRITE_NEEDS_NOTHING = (
    "spec/faults.aspec",
    "(if is_write then write in p else read in p)",
    "(is_write or read in p)",
)
ASKING_MOVES = (
    "spec/faults.aspec",
    '  INTERNAL if root(a) == null "no root VMAR"\n',
    '  INTERNAL if root(a) == null "no root VMAR"\n  size(root(a)) = 0\n',
)
MERGED_LATE = (
    "spec/merging.aspec",
    "  object_offset(x) = object_offset(l)\n",
    "  object_offset(x) = object_offset(r)\n",
)
FORCED_SHORT = (
    "spec/merging.aspec",
    "    joins(r, parent(m), mapping, base(m), size(m), flags(m))\n",
    "    joins(r, parent(m), mapping, base(m), 4096, flags(m))\n",
)
PRIORITY_OF_ONE = (
    "spec/priority.aspec",
    "  for r: Region where under(r, v):\n",
    "  for r: Region where r == v:\n",
)
PRIORITY_OF_ALL = (
    "spec/priority.aspec",
    "  for r: Region where under(r, v):\n",
    "  for r: Region where is_alive(r), aspace(r) == aspace(v):\n",
)
PRIORITY_NOT_INHERITED = ("spec/regions.aspec", "  priority(c) = priority(v)\n", "")
PRIORITY_KEPT = (
    "spec/regions.aspec",
    "  source(r) = null\n  priority(r) = Priority.default\n",
    "  source(r) = null\n",
)
FLAGS_COME_THROUGH = (
    "spec/regions.aspec",
    "      offset_is_upper_limit} \"a flag that CreateSubVmar does not take\"\n",
    "      offset_is_upper_limit, allow_faults} \"a flag that CreateSubVmar does not take\"\n",
)

TWINS = [
    ("allocate/siblings_are_disjoint", OVERLAP, 2),
    ("allocate/child_rights_stay_within_the_parents", RIGHTS, 3),
    ("allocate/dispatcher_flags_stay_outside", FLAGS_COME_THROUGH, 1),
    ("create_unified/shared_parts_were_created_shared", SHARED_ROLE, 3),
    # Three creations and the destruction itself: no run is shorter.
    ("destroy/unified_is_destroyed_before_its_constituents", EARLY, 4),
    ("release/references_count_the_unified_spaces", FORGOTTEN_DECREMENT, 5),
    ("unmap/unmap_keeps_the_rest", WRONG_OFFSET, 3),
    ("unmap/vdso_code_is_never_unmapped", VDSO_UNMAPPED, 3),
    ("destroy/a_destroyed_space_has_no_root", ROOT_SURVIVES, 2),
    ("page_fault/a_resolved_fault_was_allowed", FAULT_UNCHECKED, 2),
    ("page_fault/nothing_is_resolved_in_a_gap", FAULT_ANYWHERE, 2),
    ("page_fault/a_fault_does_not_pass_the_ceiling", WRITE_NEEDS_NOTHING, 2),
    ("soft_fault_in_range/a_resolved_range_begins_where_it_was_allowed", FAULT_UNCHECKED, 2),
    ("access/an_access_was_allowed", FAULT_UNCHECKED, 2),
    ("get_memory_usage/who_asks_changes_nothing", ASKING_MOVES, 1),
    ("force_writable/forcing_keeps_the_place", FORCED_SHORT, 2),
    ("set_memory_priority/priority_reaches_everything_below", PRIORITY_OF_ONE, 2),
    ("set_memory_priority/mappings_have_the_priority_of_their_vmar", PRIORITY_OF_ONE, 2),
    ("set_memory_priority/priority_stays_inside", PRIORITY_OF_ALL, 2),
    ("map/mappings_have_the_priority_of_their_vmar", PRIORITY_NOT_INHERITED, 2),
    ("map/sibling_mappings_have_one_priority", PRIORITY_NOT_INHERITED, 3),
    ("destroy/the_dead_have_default_priority", PRIORITY_KEPT, 3),
    ("destroy/nothing_is_high_in_a_destroyed_space", PRIORITY_KEPT, 3),
]


@pytest.mark.parametrize(("name", "change", "length"), TWINS, ids=[t[0] for t in TWINS])
def test_a_broken_contract_gives_a_short_run(name, change, length, twin):
    broken = twin(change)
    result = broken.discharge(name)
    assert result.kind == Kind.VIOLATED
    assert result.trace is not None
    assert len(result.trace.steps) <= length
    assert result.trace.steps[-1].op == name.split("/")[0]
    states = [result.trace.initial, *(s.state for s in result.trace.steps[:-1])]
    assert all(a != b for a, b in pairwise(states))  # no step that could be left out
    again = replay(result.trace, broken.contract())
    assert again.verdict is Kind.VIOLATED


def test_a_merge_that_shows_other_bytes_is_not_proved(twin):
    """The shortest run makes two neighbours and marks both: finding it takes long, failing to prove it does not."""
    broken = Induction(twin(MERGED_LATE).contract(), timeout=5.0)
    kept = broken.contract.properties["merging_keeps_what_is_shown"]
    assert not broken.attempt(kept, "mark_mergeable").proved


def test_a_merge_is_proved(induction):
    kept = induction.contract.properties["merging_keeps_what_is_shown"]
    assert induction.attempt(kept, "mark_mergeable").proved


def test_a_partly_covered_vmar_that_goes_breaks_something(twin):
    verdicts = twin(PARTLY_COVERED).prove(["unmap_keeps_the_rest"], ["unmap"])
    assert [v.verdict for v in verdicts] == [Kind.VIOLATED]


def test_a_deviation_that_is_gone_is_red(twin):
    fixed = twin(
        (
            "spec/mappings.aspec",
            "  NOT_FOUND if documented_unmap_not_found and is_free(v, base, length)\n",
            "  NOT_FOUND if is_free(v, base, length)\n",
        )
    )
    budget = Budget(induction=30.0, search=60.0, steps=2)
    verdicts = fixed.prove(["unmapping_nothing_is_not_found"], budget=budget)
    assert [v.verdict for v in verdicts] == [Kind.DEVIATION_GONE, Kind.PROVED]
    assert verdicts[0].is_red


def test_a_deviation_is_green_with_its_run_and_its_proof(shipped):
    seen, documented = shipped.prove(["unmapping_nothing_is_not_found"])
    assert seen.verdict is Kind.DEVIATION
    assert seen.trace is not None
    assert documented.verdict is Kind.PROVED
    assert "documented_unmap_not_found" in documented.id


def test_time_out_is_unknown(shipped):
    budget = Budget(induction=0.001, search=0.001, steps=1)
    verdicts = shipped.prove(["branches_are_children"], ["map"], budget)
    assert [v.verdict for v in verdicts] == [Kind.UNKNOWN]
    assert not verdicts[0].is_green


SMALL = """
statuses { OK = 0 }
sort Item
var number: Item -> int
var other: Item -> int
op make() -> i: Item
  "A new item."
  new i: Item
  number(i) = 1
  other(i) = 1
op step(i: Item)
  "Both grow."
  number(i) = number(i) + other(i)
  other(i) = other(i) + 1
"""


def test_true_but_not_inductive_shows_a_state_that_nothing_excludes():
    text = SMALL + 'invariant number_is_positive "x" from "y"\n  for i: Item: number(i) >= 1\n'
    program = check(parse({"small.aspec": text}))
    verdicts = {v.operation: v for v in Prover(program, Budget(counts=()), jobs=0).prove()}
    assert verdicts["make"].verdict is Kind.PROVED
    assert verdicts["step"].verdict is Kind.NOT_INDUCTIVE
    trace = verdicts["step"].trace
    assert trace is not None
    assert trace.initial["values"]["other"]  # a negative increment: not excluded, not reachable
    assert replay(trace, elaborate(program)).verdict is Kind.NOT_INDUCTIVE
    stronger = text + 'invariant other_is_positive "x" from "y"\n  for i: Item: other(i) >= 1\n'
    program = check(parse({"small.aspec": stronger}))
    assert all(v.verdict is Kind.PROVED for v in Prover(program, Budget(counts=()), jobs=0).prove())


def test_a_proof_that_rested_on_a_false_invariant_is_not_kept():
    text = SMALL + (
        'invariant other_is_one "false" from "y"\n  for i: Item: other(i) == 1\n'
        'invariant number_is_small "rests on it" from "y"\n  for i: Item: number(i) >= other(i)\n'
    )
    program = check(parse({"small.aspec": text}))
    verdicts = {v.id: v for v in Prover(program, Budget(counts=()), jobs=0).prove()}
    assert verdicts["step/other_is_one"].verdict is Kind.VIOLATED
    assert verdicts["step/number_is_small"].verdict is not Kind.PROVED
