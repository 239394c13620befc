"""Running small contracts: the first state, ordered clauses, free choices, effects."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vmaspace.checker.language.check import check
from vmaspace.checker.language.parser import parse
from vmaspace.checker.language.types import Type
from vmaspace.checker.logic import terms as tm
from vmaspace.checker.logic.code import evaluator
from vmaspace.checker.logic.contract import after
from vmaspace.checker.logic.elaborate import elaborate
from vmaspace.checker.logic.execute import Interpreter
from vmaspace.checker.logic.state import NULL, Pieces, State, empty_state

HEAD = """
statuses { OK = 0, NO_MEMORY = -4, BAD_STATE = -20, INVALID_ARGS = -10 }
enum Colour { red, green, blue }
flags Bits { one, two, three }
sort Item
sort Thing given
given weight(t: Thing): bytes
var up: Item -> Item
var at: Item -> address
var size: Item -> bytes
var colour: Item -> Colour
var thing: Item -> Thing
var near: Item, Item -> bool
var level: Item, address -> Bits
var total: int
"""


def interpreter(text: str) -> Interpreter:
    return Interpreter(elaborate(check(parse({"small.aspec": HEAD + text}))))


def state_of(i: Interpreter, items: int = 0, **tables) -> State:
    state = empty_state(i.contract)
    state.domains["Item"] = tuple(range(items))
    state.tables.update(tables)
    return state


def after_ok(i: Interpreter, op: str, state: State, picks=None, **env) -> State:
    """The only state that the answer leads to."""
    c = i.answer(op, state, env)
    assert c.outcome.kind == "ok", c.outcome.sentence
    ((_, found),) = i.successors(c, state, env, picks or {})
    return found


# --- the first state -----------------------------------------------------------------------------------------------


def test_without_init_nothing_exists():
    start = interpreter("").initial()
    assert start.domains == {"Item": (), "Thing": ()}
    assert not any(start.tables.values())


def test_the_first_state():
    i = interpreter("""
init:
  new a: Item
  new b: Item
  up(b) = a
  at(a) = 4096
  at(b) = 0
  total = 2
""")
    start = i.initial()
    assert start.domains["Item"] == (0, 1)
    assert start.tables["up"] == {1: 0}
    assert start.tables["at"] == {0: 4096}  # a default is not written down
    assert start.tables["total"] == {(): 2}


def test_the_first_state_of_a_world_keeps_the_world():
    i = interpreter("init:\n  new a: Item\n  total = 1\n")
    world = empty_state(i.contract)
    world.domains["Thing"] = (0, 1)
    world.tables["weight"] = {1: 4096}
    start = i.initial(world)
    assert start.domains == {"Item": (0,), "Thing": (0, 1)}
    assert start.tables["weight"] == {1: 4096}
    assert world.domains["Item"] == ()
    assert world.tables["total"] == {}


# --- clauses -------------------------------------------------------------------------------------------------------

CLAUSES = """
op act(i: Item, n: int in 0..9, b: bool)
  requires up(i) != i
  let twice = n + n
  INVALID_ARGS if twice > 14 "too much"
  may NO_MEMORY if b "memory"
  BAD_STATE unless colour(i) == red "not red"
  may NO_MEMORY "memory again"
  asserts total >= 0 "never negative"
  INVALID_ARGS if n == 3 "three":
    total = 33
  total = total + n
"""


@pytest.mark.parametrize(
    ("n", "b", "colour", "total", "allowed"),
    [
        (8, True, 1, -1, ["INVALID_ARGS"]),  # the first clause that applies decides
        (7, True, 1, -1, ["NO_MEMORY", "BAD_STATE"]),
        (7, False, 1, -1, ["BAD_STATE"]),
        (7, False, 0, -1, ["NO_MEMORY", "ASSERT"]),
        (7, True, 0, 0, ["NO_MEMORY", "NO_MEMORY", "OK"]),
        (3, False, 0, 0, ["NO_MEMORY", "INVALID_ARGS"]),
    ],
)
def test_clauses_are_ordered(n, b, colour, total, allowed):
    i = interpreter(CLAUSES)
    state = state_of(i, 1, colour={0: colour} if colour else {}, total={(): total} if total else {})
    env = {"i": 0, "n": n, "b": b}
    assert [c.outcome.status for c in i.allowed("act", state, env)] == allowed
    assert i.answer("act", state, env).outcome.status == allowed[-1]
    assert i.answer("act", state, env) is i.allowed("act", state, env)[-1]


def test_guards_say_that_no_earlier_clause_applies():
    i = interpreter(CLAUSES)
    outcomes = i.operation("act").operation.outcomes
    for n in range(10):
        for b in (0, 1):
            for colour in (0, 1):
                for total in (-1, 0):
                    state = state_of(i, 1, colour={0: colour} if colour else {}, total={(): total} if total else {})
                    env = {"i": 0, "n": n, "b": b}
                    by_guard = [o for o in outcomes if evaluator(o.guard)(state, state, env)]
                    assert by_guard == [c.outcome for c in i.allowed("act", state, env)]


def test_a_refusal_changes_nothing_unless_it_says_so():
    i = interpreter(CLAUSES)
    state = state_of(i, 1, total={(): 5})
    for n, expected in ((8, 5), (3, 33), (4, 9)):
        env = {"i": 0, "n": n, "b": 0}
        ((_, found),) = i.successors(i.answer("act", state, env), state, env, {})
        assert found.tables["total"] == {(): expected}
        assert state.tables["total"] == {(): 5}


def test_callers_keep_their_guarantees_and_arguments_their_domains():
    i = interpreter(CLAUSES)
    state = state_of(i, 1)
    assert i.enabled("act", state, {"i": 0, "n": 9, "b": 0})
    assert not i.enabled("act", state, {"i": 0, "n": 10, "b": 0})
    assert not i.enabled("act", state, {"i": 0, "n": -1, "b": 0})
    assert not i.enabled("act", state, {"i": 1, "n": 0, "b": 0})
    assert not i.enabled("act", state, {"i": NULL, "n": 0, "b": 0})
    assert not i.enabled("act", state_of(i, 1, up={0: 0}), {"i": 0, "n": 0, "b": 0})


# --- effects -------------------------------------------------------------------------------------------------------


def test_right_sides_read_the_state_before():
    i = interpreter("op swap(a: Item, b: Item)\n  at(a) = at(b)\n  at(b) = at(a)\n")
    assert after_ok(i, "swap", state_of(i, 2, at={0: 1, 1: 2}), a=0, b=1).tables["at"] == {0: 2, 1: 1}


def test_of_two_writes_to_one_place_the_later_counts():
    i = interpreter("op write(a: Item, b: Item)\n  at(a) = 1\n  at(b) = 2\n")
    assert after_ok(i, "write", state_of(i, 2), a=0, b=1).tables["at"] == {0: 1, 1: 2}
    assert after_ok(i, "write", state_of(i, 2), a=0, b=0).tables["at"] == {0: 2}


def test_a_write_through_null_changes_nothing():
    i = interpreter("op push(a: Item)\n  at(up(a)) = 7\n  near(a, up(a)) = true\n  level(up(a), 5) = {one}\n")
    alone = after_ok(i, "push", state_of(i, 2), a=0)
    assert not alone.tables["at"]
    assert not alone.tables["near"]
    assert not alone.tables["level"]
    below = after_ok(i, "push", state_of(i, 2, up={0: 1}), a=0)
    assert below.tables["at"] == {1: 7}
    assert below.tables["near"] == {(0, 1): 1}
    assert below.tables["level"] == {1: Pieces((5, 6), (1, 0))}


def test_null_reads_as_the_default():
    i = interpreter("op read(a: Item)\n  total = if at(up(a)) == 0 and up(up(a)) == null then 1 else 2\n")
    assert after_ok(i, "read", state_of(i, 1), a=0).tables["total"] == {(): 1}


def test_what_becomes_the_default_is_forgotten():
    i = interpreter("op clear(a: Item)\n  at(a) = 0\n  up(a) = null\n  near(a, a) = false\n")
    done = after_ok(i, "clear", state_of(i, 1, at={0: 5}, up={0: 0}, near={(0, 0): 1}), a=0)
    assert not done.tables["at"]
    assert not done.tables["up"]
    assert not done.tables["near"]


def test_a_block_for_all():
    i = interpreter("""
effect paints(x: Item, c: Colour):
  colour(x) = c
op paint(a: Item)
  for x: Item where up(x) == a:
    if at(x) > 10:
      paints(x, blue)
    else:
      paints(x, green)
    near(x, a) = true
  for x: Item, y: Item where at(x) < at(y), x != a:
    near(x, y) = true
""")
    done = after_ok(i, "paint", state_of(i, 3, up={1: 0, 2: 0}, at={1: 10, 2: 11}), a=0)
    assert done.tables["colour"] == {1: 1, 2: 2}
    assert done.tables["near"] == {(1, 0): 1, (2, 0): 1, (1, 2): 1}


# --- new, some, picks ----------------------------------------------------------------------------------------------


def test_new_elements_are_numbered_on():
    i = interpreter("op make() -> a: Item\n  new a: Item\n  new b: Item\n  up(a) = b\n")
    done = after_ok(i, "make", state_of(i, 3))
    assert done.domains["Item"] == (0, 1, 2, 3, 4)
    assert done.tables["up"] == {3: 4}


def test_new_elements_can_be_told():
    """A judge of an implementation knows which elements appeared, but not which is which."""
    i = interpreter("op make() -> a: Item\n  new a: Item\n  new b: Item\n  up(a) = b\n")
    state = state_of(i, 1)
    c = i.answer("make", state, {})
    seen = state_of(i, 4)
    assert sorted(
        tuple(found.tables["up"].items())
        for _, found in i.successors(c, state, {}, {}, State({"Item": (0, 1, 2), "Thing": ()}, seen.tables))
    ) == [((1, 2),), ((2, 1),)]
    ((_, found),) = i.successors(c, state, {}, {"a": 2}, State({"Item": (0, 1, 2), "Thing": ()}, seen.tables))
    assert found.tables["up"] == {2: 1}


SOME = """
op mark(a: Item)
  some x: Item where up(x) == a, x != a:
    colour(x) = blue
    new y: Item
    up(y) = x
"""


def test_some_takes_one_if_there_is_one():
    i = interpreter(SOME)
    state = state_of(i, 3, up={1: 0, 2: 0})
    c = i.answer("mark", state, {"a": 0})
    found = [s for _, s in i.successors(c, state, {"a": 0}, {})]
    assert [s.tables["colour"] for s in found] == [{1: 2}, {2: 2}]
    assert [s.tables["up"][3] for s in found] == [1, 2]
    ((_, told),) = i.successors(c, state, {"a": 0}, {"x": 2})
    assert told.tables["colour"] == {2: 2}


def test_some_does_nothing_if_there_is_none():
    i = interpreter(SOME)
    done = after_ok(i, "mark", state_of(i, 3, up={1: 0}), a=2)
    assert done.domains["Item"] == (0, 1, 2)
    assert done.tables == state_of(i, 3, up={1: 0}).tables


def test_an_effect_that_makes_choices_can_be_applied_twice():
    i = interpreter("""
effect grows(a: Item):
  new leaf: Item
  up(leaf) = a
op grow(a: Item, b: Item)
  grows(a)
  grows(b)
""")
    assert [c.name for c in i.contract.operations["grow"].success.choices] == ["leaf", "leaf_2"]
    assert after_ok(i, "grow", state_of(i, 2), a=0, b=1).tables["up"] == {2: 0, 3: 1}


PICK = """
op place(a: Item, n: bytes)
  INVALID_ARGS unless exists p: address where aligned(p), p + n <= at(a)
  picks p: address where aligned(p), p + n <= at(a)
  size(a) = n
  at(a) = p
"""


def test_picks_offers_only_what_its_condition_allows():
    i = interpreter(PICK)
    state = state_of(i, 1, at={0: 8192})
    env = {"a": 0, "n": 4095}
    c = i.answer("place", state, env)
    chosen = {s.tables["at"].get(0, 0) for _, s in i.successors(c, state, env, {})}
    assert chosen == {0, 4096}
    assert [s.tables["at"] for _, s in i.successors(c, state, env, {"p": 4096})] == [{0: 4096}]
    assert list(i.successors(c, state, env, {"p": 8192})) == []
    assert list(i.successors(c, state, env, {"p": 1})) == []
    assert i.answer("place", state, {"a": 0, "n": 8193}).outcome.status == "INVALID_ARGS"


def test_picks_tries_both_sides_of_a_later_question():
    """Also where the two sides exclude each other."""
    i = interpreter("""
op choose(a: Item, n: bytes)
  picks p: address where p < 100
  if p <= 50:
    colour(a) = red
  else:
    colour(a) = blue
  if p + n > 70:
    total = 1
""")
    state = state_of(i, 1, colour={0: 1})
    c = i.answer("choose", state, {"a": 0, "n": 0})
    ends = [(s.tables["colour"].get(0, 0), s.tables["total"].get((), 0)) for _, s in i.successors(c, state, {"a": 0, "n": 0}, {})]
    assert set(ends) == {(0, 0), (2, 0), (2, 1)}


# --- pieces --------------------------------------------------------------------------------------------------------

WRITE = """
op write(a: Item, low: address, high: address, b: Bits)
  for p: address where p in [low, high):
    level(a, p) = b
op add(a: Item, low: address, high: address, b: Bits)
  for p: address where low <= p, p < high:
    level(a, p) = level(a, p) | b
op fix(a: Item, low: address, high: address, b: Bits)
  for p: address where p in [low, high):
    level(a, p) = {two}
op flip(a: Item, low: address, high: address, b: Bits)
  for p: address where p in [low, high), level(a, p) == b:
    level(a, p) = if level(a, p) == b then {one} else {}
op copy(a: Item, low: address, d: bytes)
  for x: Item where up(x) == a:
    for p: address where p >= low:
      level(x, p) = level(a, p + d)
"""
ENDS = st.integers(0, 12)
TABLES = st.builds(
    lambda points: Pieces.of(sorted(points.items())), st.dictionaries(ENDS, st.integers(0, 7), max_size=4)
)
SETTINGS = settings(
    max_examples=200, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None
)


@pytest.fixture(scope="module")
def writer():
    return interpreter(WRITE)


@SETTINGS
@given(TABLES, ENDS, ENDS, st.integers(0, 7))
def test_pieces_are_written_byte_by_byte(writer, old, low, high, bits):
    state = state_of(writer, 1, level={0: old} if old.starts else {})
    for op, value in (
        ("write", lambda v: bits), ("add", lambda v: v | bits), ("fix", lambda v: 2), ("flip", lambda v: 1 if v == bits else v)
    ):  # fmt: skip
        done = after_ok(writer, op, state, a=0, low=low, high=high, b=bits)
        new = done.tables["level"].get(0, Pieces())
        for p in range(16):
            assert new.at(p) == (value(old.at(p)) if low <= p < high else old.at(p))
        assert new == Pieces.of((p, new.at(p)) for p in range(16))  # merged, and nothing beyond


@SETTINGS
@given(TABLES, TABLES, ENDS, st.integers(0, 5))
def test_pieces_are_copied_from_another_place(writer, source, old, low, d):
    state = state_of(writer, 2, level={k: p for k, p in {0: source, 1: old}.items() if p.starts}, up={1: 0})
    done = after_ok(writer, "copy", state, a=0, low=low, d=d)
    new = done.tables["level"].get(1, Pieces())
    for p in range(20):
        assert new.at(p) == (source.at(p + d) if p >= low else old.at(p))
    assert done.tables["level"].get(0, Pieces()) == source


@SETTINGS
@given(TABLES, ENDS, ENDS, st.integers(0, 7), st.integers(0, 15))
def test_what_proofs_say_of_an_effect_is_what_runs(writer, old, low, high, bits, place):
    """`after` rewrites a formula about the state after into one about the state before."""
    contract = writer.contract
    state = state_of(writer, 1, level={0: old} if old.starts else {})
    x = tm.symbol("a", Type("sort", "Item"))
    formula = tm.app(contract.variables["level"], (x, tm.number(place)), 1)
    env = {"a": 0, "low": low, "high": high, "b": bits}
    for op in ("write", "add", "fix", "flip"):
        outcome = contract.operations[op].success
        foretold = evaluator(after(outcome, formula))(state, state, env)
        assert foretold == after_ok(writer, op, state, **env).tables["level"].get(0, Pieces()).at(place)


# --- properties and names ------------------------------------------------------------------------------------------

AFTER = """
op make(n: bytes) -> a: Item
  BAD_STATE if n == 0x5000 "five pages"
  may NO_MEMORY "memory"
  new a: Item
  at(a) = 0 + n
invariant low "x" from "y"
  for a: Item: at(a) <= 0x3000
step keeps "x" from "y"
  for a: Item: at(a) == old(at(a)) or old(at(a)) == 0
after make(n) -> a: made "x" from "y"
  status == OK implies a != null and at(a) >= 4096
"""


def test_properties_of_a_step():
    i = interpreter(AFTER)
    before = state_of(i, 1, at={0: 4096})
    low, keeps, made = (i.contract.properties[n] for n in ("low", "keeps", "made"))
    for n, expected in ((0, (True, True, False)), (1, (True, True, True)), (4, (False, True, True)), (5, (True,) * 3)):
        env = {"n": n * 4096}
        c = i.answer("make", before, env)
        ((chosen, done),) = i.successors(c, before, env, {})
        assert tuple(i.holds(p, before, done, chosen, c.outcome) for p in (low, keeps, made)) == expected
    assert not i.holds(keeps, before, state_of(i, 1, at={0: 1}), {}, None)


def test_names_that_look_alike_stay_apart(tiny):
    """A parameter may be called what a bound symbol would be called in generated code."""
    item = Type("sort", "Item")
    bound = tm.fresh("x", item)
    other = tm.symbol(bound.name.replace("#", "_"), item)
    state = empty_state(tiny)
    state.domains["Item"] = (0, 1)
    state.tables["up"] = {0: 1}
    formula = tm.exists((bound,), tm.eq(tm.app(tiny.variables["up"], (bound,)), other))
    assert evaluator(formula)(state, state, {other.name: 1}) is True
    assert evaluator(formula)(state, state, {other.name: 0}) is False
    both = tm.and_(tm.not_(tm.eq(other, tm.null(item))), formula)
    assert evaluator(both)(state, state, {other.name: 1}) is True
    assert evaluator(both)(state, state, {other.name: 0}) is False
