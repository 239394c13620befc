"""The arena's counts: what four independent checkers agree on, raw and by orbits."""

import pytest

# scope: states, transitions, depth, orbits
REFERENCE = {
    "p1r1b1s3": (569, 3_544, 6, 337),
    "p2r2b1s1": (381, 2_548, 5, 237),
    "p2r2b2s1": (1_181, 9_748, 5, 717),
    "p2r2b1s3": (10_289, 98_476, 9, 3_793),
    "p2r3b1s2": (13_985, 141_432, 9, 3_665),
    "p3r2b3s1": (16_133, 217_256, 5, 8_749),
    "p3r3b1s1": (18_301, 192_664, 8, 3_837),
    "p4r2b2s2": (63_065, 880_140, 6, 33_425),
    "p4r3b1s1": (73_149, 927_760, 8, 14_061),
    "p3r3b2s1": (95_149, 1_185_416, 8, 19_053),
    "p3r4b1s1": (241_045, 2_989_212, 12, 14_197),
    "p3r3b1s3": (494_129, 6_629_368, 12, 61_393),
}


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


def test_a_state_takes_few_bytes(arena, compiled):
    assert compiled(arena, "p3r3b1s3").run().bytes_a_state < 40
