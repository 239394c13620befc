"""The compiled search and the plain one, which share no code beyond the layout of a state, agree in everything."""

from dataclasses import replace

import pytest

from vmaspace.checker.engines.explore.compaction import Compaction
from vmaspace.checker.logic.packed.expressions import bound_names_numbered
from vmaspace.checker.logic.packed.orbits import renamed, renamings
from vmaspace.checker.logic.packed.program import Program

TEXT = """
statuses { OK = 0, NO_MEMORY = -4, BAD_STATE = -20 }
enum Life { none, alive, dead }
flags Rights { read, write = 3 }
given limit: bytes
sort Item
var life: Item -> Life
var parent: Item -> Item
var base: Item -> address
var size: Item -> bytes
var prot: Item, address -> Rights
var near: Item, Item -> bool
var total: int

init:
  new root: Item
  life(root) = alive
  size(root) = 8192

def end(i: Item) = base(i) + size(i)
def is_free(at: address, length: bytes) =
  for i: Item where life(i) == alive, parent(i) != null: disjoint([base(i), end(i)), [at, at + length))

op make(v: Item, length: bytes, rights: Rights) -> i: Item
  BAD_STATE unless life(v) == alive
  may NO_MEMORY if length > limit
  asserts total < 3
  BAD_STATE if not exists at: address where aligned(at), at + length <= 8192, is_free(at, length)
  picks at: address where aligned(at), at + length <= 8192, is_free(at, length)
  new i: Item
  life(i) = alive
  parent(i) = v
  base(i) = at
  size(i) = length
  near(i, v) = true
  total = total + 1
  for p: address where p in [at, at + length):
    prot(i, p) = rights

op cut(i: Item, low: address, length: bytes)
  requires parent(i) != null
  BAD_STATE unless life(i) == alive
  for p: address where p in [low, low + length), p in [base(i), end(i)):
    prot(i, p) = {}
  some j: Item where life(j) == alive, j != i, near(j, i):
    near(i, j) = true

op drop(i: Item or null)
  if i == null:
    total = 0
  else:
    for j: Item where j == i or near(j, i):
      life(j) = dead
      parent(j) = null
      near(j, i) = false

op wrap(i: Item, length: bytes)
  requires life(i) == alive
  size(i) = if wraps(2^64 - 4096, length) then 1 else (size(i) + length) mod 2^64

invariant few "A count." (count i: Item where life(i) == alive) <= 3
step dead_stay_dead "Death is for good." for i: Item where old(life(i)) == dead: life(i) == dead
after cut(i, low, length): nothing_left "What was cut has no rights."
  status == OK implies for p: address where p in [low, low + length), p in [base(i), end(i)): prot(i, p) == {}
reach two_alive "Two can live." exists i, j: Item where i != j, life(i) == alive, life(j) == alive

scope small: 3 Item, 4 steps, limit = 0x1000, length in [0x1000, 0x2000], low in [0, 0xfff], rights in [{read, write}],
  total in 0..3
scope short: 2 Item, 3 steps, limit = 0, length in [0x1000], low in [0], total in 0..7
""".replace('"A count."', '"A count." from "here"').replace('for good."', 'for good." from "here"').replace(
    'no rights."', 'no rights." from "here"'
)

SAME = ("states", "transitions", "depth", "cut", "deadlocks", "calls", "outcomes", "reason")


@pytest.fixture(scope="module")
def items(contract_of):
    return contract_of(TEXT)


def agree(one, other, broken):
    a, b = one.run(), other.run()
    assert {n: getattr(a, n) for n in SAME} == {n: getattr(b, n) for n in SAME}
    assert set(a.failures) == set(b.failures) == broken
    return a


@pytest.mark.parametrize("options", [{}, {"symmetry": True}], ids=str)
@pytest.mark.parametrize("scope", ["small", "short"])
def test_every_kind_of_term_and_effect(items, compiled, plain, scope, options):
    result = agree(
        compiled(items, scope, keep_going=True, **options),
        plain(items, scope, keep_going=True, **options),
        {("two_alive", None)},
    )
    assert result.states > 20
    assert result.cut > 0
    assert all(result.calls.values())


def test_both_keep_the_same_hashes(items, compiled, plain):
    one, other = (make(items, "small", keep_going=True, compaction=Compaction(seed=5)) for make in (compiled, plain))
    assert one.layout.words > 1
    agree(one, other, {("two_alive", None)})
    assert set(packed(one)) == set(other.keys)


@pytest.mark.parametrize("symmetry", [False, True])
@pytest.mark.parametrize("scope", ["p1r1b1s3", "p2r2b1s1"])
def test_the_arena(arena, compiled, plain, scope, symmetry):
    agree(compiled(arena, scope, symmetry=symmetry), plain(arena, scope, symmetry=symmetry), set())


def test_a_broken_property_is_seen_by_both(fault_a, contract_of, compiled, plain):
    contract = contract_of(fault_a)
    broken = {("siblings_are_disjoint", None)}
    a = compiled(contract, "p2r2b1s1", keep_going=True).run()
    b = plain(contract, "p2r2b1s1", keep_going=True).run()
    assert broken <= set(a.failures) == set(b.failures)
    assert (a.states, a.transitions) == (b.states, b.transitions)


SHORT = {"p2r3b1s2": 4}  # steps: as many as it takes to make a space and all regions


@pytest.mark.parametrize("scope", ["p1r1b1s3", "p2r2b1s1", "p2r2b2s1", "p2r3b1s2", "p3r2b3s1"])
def test_the_reduced_search_reaches_exactly_the_orbits(arena, compiled, scope):
    """Every orbit of the raw search is reached, by one state, and nothing else is; and what is no orbit is not called one."""
    contract = replace(arena, scopes={scope: replace(arena.scopes[scope], steps=SHORT.get(scope, 0))})
    raw, reduced = compiled(contract, scope), compiled(contract, scope, symmetry=True)
    raw.run()
    reduced.run()
    states, representatives = packed(raw), packed(reduced)
    orbits = {}  # the orbit of each state, named by one of its states
    for state in states:
        if state not in orbits:
            working = raw.layout.unpack(state)
            same = {raw.layout.pack(renamed(raw.layout, working, names)) for names in renamings(raw.layout, working)}
            orbits |= dict.fromkeys(same, state)
    assert sorted(orbits[state] for state in representatives) == sorted(set(orbits.values()))


def packed(search):
    return [w.packed(i) for w in search.workers for i in range(w.count)]


WIDE = """
statuses { OK = 0 }
var small: int
var large: bytes
init:
  large = 0x8000000000000000
op go()
  small = small + 1
  large = large + large
scope one: small in 0..3
"""


def test_a_sum_that_leaves_a_word_is_cut_beside_one_that_does_not(contract_of, compiled, plain):
    contract = contract_of(WIDE)
    assert agree(compiled(contract, "one"), plain(contract, "one"), set()).cut == 1


def test_functions_that_differ_in_names_only_are_written_once(arena, items):
    for contract, scope in ((arena, "p3r3b1s3"), (items, "small")):
        bodies = [f.partition("(")[2] for f in Program(contract, contract.scopes[scope]).code.functions]
        assert len(set(map(bound_names_numbered, bodies))) == len(bodies) > 10
    assert bound_names_numbered("f(b_r_1, x_b, n_b_r_1)") == bound_names_numbered("f(b_s_7, x_b, n_b_s_7)")
    assert bound_names_numbered("f(b_r_1, b_s_2)") != bound_names_numbered("f(b_r_1, b_r_1)")


TABLES = """
statuses { OK = 0 }
flags Rights { read, write }
sort Item given
var among: Item, Item, Item -> bool
var over: Item, Item, address -> Rights
op put(a: Item, b: Item, c: Item)
  among(a, b, c) = true
op spread(a: Item, b: Item)
  for p: address where p in [0x1000, 0x2000):
    over(a, b, p) = {read}
scope three: 3 Item, 2 steps
"""


def test_tables_of_several_elements_under_symmetry(contract_of, compiled, plain):
    contract = contract_of(TABLES)
    raw = compiled(contract, "three").run()
    reduced = agree(compiled(contract, "three", symmetry=True), plain(contract, "three", symmetry=True), set())
    assert reduced.states < raw.states / 4
