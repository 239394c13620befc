"""Hash compaction: what it costs, what it saves, and that it says so."""

import random
from dataclasses import replace

import pytest

from vmaspace.checker.engines.explore.compaction import MOST_OMISSION, Compaction
from vmaspace.checker.engines.explore.memory import LARGE, Stretch
from vmaspace.checker.engines.explore.run import Explorer, Options
from vmaspace.checker.report.verdict import Kind


def explored(contract, scope, **options):
    verdicts, statistics = Explorer(contract, contract.scopes[scope], Options(**options)).explore()
    return {v.verdict for v in verdicts}, verdicts[0], statistics


@pytest.mark.parametrize("options", [{"jobs": 2}, {"plain": True}], ids=str)
def test_with_few_bits_states_are_omitted_and_nothing_is_green(arena, cache, options):
    """The fault that the probability speaks of."""
    kinds, first, found = explored(arena, "p1r1b1s3", compaction=Compaction(seed=1, bits=8), cache=cache, **options)
    assert found["states"] <= 256 < 569
    assert found["compaction"] == {"bits": 8, "seed": 1, "omission": 1.0}
    assert found["complete"]
    assert kinds == {Kind.UNKNOWN}
    assert "a probability of at most 1.0e+00: too probable" in first.reason


@pytest.mark.parametrize("symmetry", [False, True])
def test_with_enough_bits_every_state_is_there_in_less_memory(wide_text, contract_of, cache, symmetry):
    contract = contract_of(wide_text)
    whole = explored(contract, "p3r3b1s1", symmetry=symmetry, jobs=2, cache=cache)[2]
    kinds, first, found = explored(contract, "p3r3b1s1", symmetry=symmetry, jobs=2, cache=cache, compaction=Compaction())
    for name in ("states", "transitions", "depth", "operations"):
        assert found[name] == whole[name]
    assert whole["compaction"] is None
    assert kinds == {Kind.LIKELY}
    assert 0 < found["compaction"]["omission"] < 1e-10
    assert "hash compaction omits a state has a probability of at most" in first.scope
    assert found["bytes_per_state"] == whole["bytes_per_state"] - 8


def test_states_that_are_no_larger_than_a_hash_are_kept_whole(arena, cache):
    kinds, _, found = explored(arena, "p2r2b1s1", compaction=Compaction(), cache=cache)
    assert kinds == {Kind.PASSED}
    assert (found["states"], found["compaction"]["omission"]) == (381, None)


def test_the_bound_is_that_of_pairs():
    assert Compaction().omission(0) == 0
    assert Compaction(bits=40).omission(1 << 15) == pytest.approx(2**-11, rel=1e-3)
    assert Compaction().omission(10**6) < MOST_OMISSION < Compaction(bits=40).omission(10**6)
    assert Compaction(bits=40).omission(10**9) == 1.0


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_hashes_of_states_that_look_alike_collide_as_often_as_at_random(seed):
    """A grid of 64 times 64 states: of 65,536 hashes, 3,971 are expected."""
    for high in (0, 32, 58):
        keys = [(i << high, j << high) for i in range(64) for j in range(64)]
        assert 3_920 < len({Compaction(seed, 16).hash(key) for key in keys}) < 4_020


def test_a_difference_in_high_bits_does_not_cancel():
    """With multiplications alone, without a seed, these two collide whatever the other bits are."""
    word = random.Random(4).randrange(1 << 64)
    one, other = (word, word), (word ^ 1 << 63, word ^ 1 << 63 ^ 1 << 31)

    def careless(key):
        h = 7046029254386353131
        for w in key:
            h = (h ^ w) * 0x9E3779B97F4A7C15 % (1 << 64)
            h ^= h >> 32
        return h

    assert careless(one) == careless(other)
    assert Compaction().hash(one) != Compaction().hash(other)
    assert Compaction(bits=32).hash(one) != Compaction(bits=32).hash(other)


def test_memory_that_is_given_back_reads_as_zeros():
    stretch = Stretch(3 * LARGE)
    stretch.put(b"x" * 3 * LARGE)
    assert stretch.release(5, 2 * LARGE + 5) == 2 * LARGE
    assert stretch.part(LARGE - 1, LARGE + 1) == b"x\0"
    assert stretch.part(2 * LARGE - 1, 2 * LARGE + 1) == b"\0x"
    assert stretch.release(2 * LARGE, 3 * LARGE - 1) == 2 * LARGE


def test_addresses_are_not_memory_and_have_an_end_all_the_same():
    Stretch(1 << 42).put(b"x", 1 << 41)
    with pytest.raises(OSError, match=r"MiB of addresses .* take a smaller --memory"):
        Stretch(1 << 50)


def test_another_seed_is_another_hash():
    one, other = Compaction(seed=1), replace(Compaction(seed=1), seed=2)
    assert one.hash((1, 2)) != other.hash((1, 2))
    assert one.text(2) != other.text(2)
