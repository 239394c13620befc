"""Proofs of a sample across operations and families, and the parts of the method on their own."""

import pytest
import z3

from vmaspace.checker.engines.prove import counting
from vmaspace.checker.engines.prove.induction import INIT
from vmaspace.checker.engines.prove.instantiation import Compiled, Query, universals_of_facts
from vmaspace.checker.engines.standard import standard_contract
from vmaspace.checker.language.types import BOOL, INT, Type
from vmaspace.checker.logic import terms as tm
from vmaspace.checker.logic.rewriting import functions_of, walk
from vmaspace.checker.logic.solver_terms import SolverTerms
from vmaspace.checker.logic.terms import Function

SAMPLE = [
    "init/regions_nest_or_are_disjoint", "init/references_count_the_unified_spaces", "init/there_is_one_kernel_space",
    "create/the_root_spans_the_space", "create/spaces_stay_in_the_range_of_their_type", "create/there_is_one_kernel_space",
    "create_unified/restricted_in_at_most_one", "create_unified/references_count_the_unified_spaces",
    "create_unified/constituents_differ", "create_unified/a_new_unified_space_has_its_parts",
    "destroy/no_region_outlives_its_space", "destroy/destroying_twice_is_harmless", "destroy/dead_stays_dead",
    "release/references_count_the_unified_spaces", "release/unified_is_freed_before_its_constituents",
    "release/a_referenced_space_is_not_freed", "rename/names_fit_their_buffer", "allocate/siblings_are_disjoint",
    "allocate/regions_nest_or_are_disjoint", "allocate/child_rights_stay_within_the_parents",
    "allocate/a_vmar_stands_where_it_was_asked", "map/mappings_are_disjoint", "map/permissions_stay_within_the_ceiling",
    "map/vdso_code_is_never_unmapped", "map/a_mapping_stays_under_its_limit", "unmap/unmap_keeps_the_rest",
    "unmap/nothing_is_left_where_it_was_unmapped", "unmap/every_page_has_at_most_one_owner",
    "protect/protect_never_raises_past_the_ceiling", "protect/nested_protect_only_reduces",
    "protect/protect_leaves_no_gap_unnoticed", "protect/vdso_code_is_never_reprotected",
    "destroy_vmar/a_refused_destruction_keeps_the_vmar", "destroy_vmar/a_destroyed_vmar_takes_all_with_it",
    "destroy_mapping/the_dead_hold_nothing",
]  # fmt: skip


@pytest.mark.parametrize("name", SAMPLE)
def test_proof(name, induction):
    operation, wanted = name.split("/")
    p = induction.contract.properties[wanted]
    assert induction.goals(p, operation) or p.kind != "after"
    attempt = induction.attempt(p, operation)
    assert attempt.proved, attempt.reason


def test_the_core_names_the_invariants_that_a_proof_rests_on(induction):
    p = induction.contract.properties["siblings_are_disjoint"]
    attempt = induction.attempt(p, "allocate")
    assert attempt.used == frozenset({"siblings_are_disjoint"})
    without = induction.attempt(induction.contract.properties["mappings_are_disjoint"], "unmap", frozenset(
        q.name for q in induction.contract.invariants() if q.name != "mappings_are_disjoint"
    ))  # fmt: skip
    assert not without.proved


def test_every_library_property_speaks_of_something():
    contract = standard_contract()
    assert len([p for p in contract.properties.values() if not p.supporting]) >= 60
    for p in contract.properties.values():
        assert p.sentence
        assert p.kind == "reach" or p.supporting or p.source
        assert functions_of(p.body) or p.kind == "after", p.name


ITEM = Type("sort", "Region")
F = Function("size", (ITEM,), Type("bytes"))
X = tm.symbol("x", ITEM)
A, B = tm.symbol("a", ITEM), tm.symbol("b", ITEM)


@pytest.fixture
def query():
    return Query(SolverTerms(standard_contract()), Compiled(), 20.0)


def test_a_proof_by_instances(query):
    positive = tm.forall((X,), tm.le(tm.number(1), tm.app(F, (X,))), None)
    query.require(positive, "positive")
    query.require(tm.le(tm.add(tm.app(F, (A,)), tm.app(F, (B,))), tm.number(1)))
    answer, _ = query.solve()
    assert answer == z3.unsat
    assert query.core() == {"positive"}
    assert 2 <= query.instances <= 4


def test_what_can_be_true_is_never_called_impossible(query):
    query.require(tm.forall((X,), tm.le(tm.number(1), tm.app(F, (X,))), None), "positive")
    query.require(tm.le(tm.app(F, (A,)), tm.number(1)))
    answer, reason = query.solve()
    assert answer == z3.sat
    assert "no instance" in reason


def test_nested_quantifiers_are_skolemised_at_each_instance(query):
    g = Function("under", (ITEM, ITEM), BOOL)
    y = tm.symbol("y", ITEM)
    # Everyone has someone above with a larger size, and no size is larger than a's: impossible.
    larger = tm.exists((y,), tm.and_(tm.app(g, (X, y)), tm.lt(tm.app(F, (X,)), tm.app(F, (y,)))), None)
    query.require(tm.forall((X,), larger, None), "larger")
    query.require(tm.forall((X,), tm.le(tm.app(F, (X,)), tm.app(F, (A,))), None), "bounded")
    assert query.solve()[0] == z3.unsat
    assert query.core() == {"larger", "bounded"}


def test_what_does_not_exist_holds_defaults(query):
    contract = standard_contract()
    for fact in universals_of_facts([contract.variables["size"]], contract.sorts):
        query.require(fact)
    query.require(tm.not_(tm.app(tm.existence(ITEM), (A,))))
    query.require(tm.le(tm.number(1), tm.app(contract.variables["size"], (A,))))
    assert query.solve()[0] == z3.unsat


def test_a_count_changes_by_what_named_elements_contribute():
    share = Function("unified", (Type("sort", "Aspace"),), BOOL)
    u = tm.symbol("u", Type("sort", "Aspace"))
    new = tm.symbol("new", Type("sort", "Aspace"))
    after = tm.count((u,), tm.app(share, (u,), 1), 1)
    formula = tm.eq(tm.symbol("n", INT), after)
    rewritten, conditions, counts = counting.by_difference(formula, (new,))
    assert len(counts) == 1
    assert counts[0].stage == 0
    assert len(conditions) == 1
    assert not any(t.op == "count" for t in walk(rewritten))


def test_counting_two_things_at_once_is_not_covered():
    a, b = tm.symbol("p", ITEM), tm.symbol("q", ITEM)
    pairs = tm.count((a, b), tm.eq(tm.app(F, (a,), 1), tm.app(F, (b,), 1)), 1)
    with pytest.raises(counting.UncountableError):
        counting.by_difference(tm.eq(tm.symbol("n", INT), pairs), ())


def test_the_first_state_is_judged_too(twin):
    broken = twin(("spec/aspace.aspec", "  name_length(kernel_aspace) = 6\n", "  name_length(kernel_aspace) = 60\n"))
    result = broken.discharge(f"{INIT}/names_fit_their_buffer")
    assert result.kind == "violated"
    assert result.trace is not None
    assert not result.trace.steps
