"""The contract of `spec/`, state by state: what explore says of it, and that it says what prove says."""

from dataclasses import replace

import pytest

from vmaspace.checker.engines.explore.run import Explorer, Options
from vmaspace.checker.engines.explore.scopes import chosen, disagreements, explore_all, shares, together
from vmaspace.checker.engines.standard import standard_contract
from vmaspace.checker.report.verdict import Kind, Verdict


@pytest.fixture(scope="module")
def contract():
    return standard_contract()


def shorter(contract, name, steps):
    scope = contract.scopes[name]
    return replace(contract, scopes={**contract.scopes, name: replace(scope, steps=steps)})


@pytest.mark.parametrize(("name", "steps"), [("ci_pages", 2), ("ci_regions", 2)])
def test_compiled_and_plain_agree_on_the_contract(contract, compiled, plain, name, steps):
    short = shorter(contract, name, steps)
    a = compiled(short, name, keep_going=True)
    b = plain(short, name, keep_going=True)
    one, other = a.run(), b.run()
    for field in ("states", "transitions", "depth", "cut", "calls", "outcomes"):
        assert getattr(one, field) == getattr(other, field), field
    assert set(one.failures) == set(other.failures)
    assert {w.packed(i) for w in a.workers for i in range(w.count)} == set(b.keys)


def test_every_property_comes_out_as_the_library_says(contract, cache):
    """Nothing is broken but what is marked, all of that is seen, and everything that shall be reachable is reached."""
    scopes = [s for s in chosen(contract, "ci") if s.steps]
    verdicts, block = explore_all(contract, scopes, Options(keep_going=True, cache=cache))
    assert block["complete"]
    by_id = {v.id: v for v in verdicts}
    for p in contract.properties.values():
        if p.kind == "reach":
            assert by_id[p.name].verdict is Kind.REACHED, p.name
            continue
        for operation in contract.operations:
            if not p.speaks_of(operation):
                continue
            expected = p.deviation is not None and operation in p.deviation.operations
            assert by_id[f"{operation}/{p.name}"].verdict is (Kind.DEVIATION if expected else Kind.PASSED)
    fired = {name for row in block["scopes"] for name, o in row["operations"].items() if o["fired"]}
    assert fired == set(contract.operations)


def tried(scope, name):
    """The numbers that a var, parameter or given has in a scope."""
    return set(scope.givens.get(name, ()) or scope.values.get(name, ()))


def test_what_ci_reaches_nightly_reaches(contract):
    """Its scopes are too large for a test, so that is said by what they try: as many elements, steps and values, or more."""
    for small in chosen(contract, "ci"):
        large = contract.scopes[small.name.replace("ci_", "nightly_")]
        assert large.steps >= small.steps
        assert large.counts.keys() == small.counts.keys()
        assert all(large.counts[sort] >= count for sort, count in small.counts.items())
        assert large.ranges == small.ranges
        for name in [*small.givens, *small.values]:
            assert tried(small, name) <= tried(large, name), (large.name, name)


def test_what_the_library_says_of_runs_holds_and_rests_on_fairness(contract):
    scope, name = contract.scopes["quick_runs"], "the_destroyed_are_freed_in_the_end"
    unfair = replace(contract.temporals[name], name="unfair", fair=())
    runs = replace(contract, properties={}, temporals={**contract.temporals, "unfair": unfair})
    found = {v.property: v.verdict for v in Explorer(runs, scope, Options(plain=True)).explore()[0]}
    assert found.pop("unfair") is Kind.VIOLATED
    assert set(found.values()) == {Kind.PASSED}


def test_the_main_job_asks_of_each_scope_its_share(contract):
    asked = shares(contract, chosen(contract, "ci"))
    assert {s.name for s, _ in asked} == {"ci_spaces", "ci_slots", "ci_regions", "ci_pages", "ci_runs"}
    assert {s.name for s, part in asked if part.temporals} == {"ci_runs"}
    assert [s.name for s, _ in shares(replace(contract, temporals={}), chosen(contract, "quick"))] == []


def verdict(name, kind, engine):
    return Verdict(name, name.rpartition("/")[2], None, engine, kind)


def test_a_run_against_a_proof_is_a_failure():
    proofs = [verdict("map/p", Kind.PROVED, "prove"), verdict("map/q", Kind.DEVIATION, "prove")]
    runs = [verdict("map/p", Kind.VIOLATED, "explore"), verdict("map/q", Kind.DEVIATION, "explore")]
    (found,) = disagreements(proofs, runs)
    assert (found.id, found.verdict) == ("map/p/agreement", Kind.FAILED)
    assert disagreements(proofs, [verdict("map/p", Kind.PASSED, "explore")]) == []


def test_of_several_scopes_the_one_that_shows_something_counts():
    kinds = [Kind.PASSED, Kind.VIOLATED, Kind.UNKNOWN]
    (found,) = together(verdict("map/p", kind, "explore") for kind in kinds)
    assert found.verdict is Kind.VIOLATED
    (seen,) = together([verdict("map/q", Kind.UNKNOWN, "explore"), verdict("map/q", Kind.DEVIATION, "explore")])
    assert seen.verdict is Kind.DEVIATION
