"""From syntax to terms: definitions unfolded, sugar gone, switches fixed, blocks checked."""

import pytest

from vmaspace.checker.language.check import check
from vmaspace.checker.language.diagnostics import LanguageError
from vmaspace.checker.language.parser import parse
from vmaspace.checker.language.types import BOOL, INT, Type
from vmaspace.checker.logic import terms as tm
from vmaspace.checker.logic.code import evaluator
from vmaspace.checker.logic.contract import STATUS_SYMBOL
from vmaspace.checker.logic.elaborate import elaborate
from vmaspace.checker.logic.rewriting import functions_of, walk
from vmaspace.checker.logic.state import State, empty_state

HEAD = """
statuses { OK = 0, NO_MEMORY = -4, BAD_STATE = -20 }
enum Colour { red, green, blue }
flags Bits { one = 2, two, three }
given fact: bool
sort Item
var up: Item -> Item
var at: Item -> address
var size: Item -> bytes
var bits: Item -> Bits
var colour: Item -> Colour
var total: int
var level: Item, address -> Bits
switch documented "x"
"""
ITEM = Type("sort", "Item")


def contract_of(text: str, *enabled: str):
    return elaborate(check(parse({"small.aspec": HEAD + text})), frozenset(enabled))


def formula(expr: str, *enabled: str, defs: str = ""):
    """The expression about one item `i` (and an address `p`), as a term with these two free."""
    c = contract_of(f"{defs}\nop probe(i: Item, p: address, n: bytes)\n  requires {expr}\n", *enabled)
    return c, c.operations["probe"].requires


def values(expr: str, cases, defs: str = ""):
    """What the expression says for (at, size, bits, p, n)."""
    c, t = formula(expr, defs=defs)
    run = evaluator(t)
    found = []
    for at, size, bits, p, n in cases:
        state = empty_state(c)
        state.domains["Item"] = (0,)
        state.tables |= {"at": {0: at}, "size": {0: size}, "bits": {0: bits}}
        found.append(bool(run(state, state, {"i": 0, "p": p, "n": n})))
    return found


# --- definitions ---------------------------------------------------------------------------------------------------

DEFS = """
def end(i: Item) = at(i) + size(i)
def range(i: Item) = [at(i), end(i))
def holds(i: Item, p: address) = p in range(i)
"""


def test_definitions_are_unfolded():
    c, t = formula("holds(i, p)", defs=DEFS)
    i, p, _ = c.operations["probe"].params
    at, size = (tm.app(c.variables[n], (i,)) for n in ("at", "size"))
    assert t is tm.and_(tm.le(at, p), tm.lt(p, tm.add(at, size)))


def test_a_definition_means_what_it_says_wherever_it_is_used():
    c, t = formula("end(up(i)) <= end(i) and exists j: Item where holds(j, p), up(j) == i", defs=DEFS)
    names = {f.name for f in functions_of(t)}
    assert names == {"at", "size", "up", "exists.Item"}
    assert t.symbols == set(c.operations["probe"].params[:2])


def test_bound_names_are_never_captured():
    """A definition that binds `j`, given an argument that mentions another `j`."""
    defs = "def has_lower(x: Item) = exists j: Item where at(j) < at(x)\n"
    c, t = formula("for j: Item: has_lower(j) or j == i", defs=defs)
    state = empty_state(c)
    state.domains["Item"] = (0, 1, 2)
    state.tables["at"] = {1: 5, 2: 6}
    run = evaluator(t)
    assert [run(state, state, {"i": i}) for i in (0, 1, 2)] == [True, False, False]


def test_a_stage_reaches_into_definitions():
    c = contract_of(DEFS + 'step grows "x" from "y"\n  for i: Item: end(i) >= old(end(i))\n')
    body = c.properties["grows"].body
    stages = {(t.function.name, t.stage) for t in walk(body) if t.op == "app"}
    assert stages == {("at", 0), ("at", 1), ("size", 0), ("size", 1)}
    (quantifier,) = (t for t in walk(body) if t.op == "forall")
    assert quantifier.stage == 1


# --- sugar ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expr", "meaning"),
    [
        ("p in range(i)", lambda a, s, b, p, n: a <= p < a + s),
        ("disjoint(range(i), [p, p + n))", lambda a, s, b, p, n: not set(range(a, a + s)) & set(range(p, p + n))),
        ("overlaps(range(i), [p, p + n))", lambda a, s, b, p, n: bool(set(range(a, a + s)) & set(range(p, p + n)))),
        ("inside([p, p + n), range(i))", lambda a, s, b, p, n: a <= p and p + n <= a + s),
        ("one in bits(i)", lambda a, s, b, p, n: bool(b & 4)),
        ("bits(i) <= {one, two}", lambda a, s, b, p, n: b & ~12 == 0),
        ("bits(i) < {one, two}", lambda a, s, b, p, n: b & ~12 == 0 and b != 12),
        ("bits(i) - {one} == {}", lambda a, s, b, p, n: b & ~4 == 0),
        ("bits(i) | {one} >= {one, two}", lambda a, s, b, p, n: (b | 4) & 12 == 12),
        ("aligned(p) iff p == 0", lambda a, s, b, p, n: (p % 4096 == 0) == (p == 0)),
        ("min(n, size(i)) == n", lambda a, s, b, p, n: min(n, s) == n),
        ("round_up(n) == size(i)", lambda a, s, b, p, n: -(-n // 4096) * 4096 == s),
        ("p != at(i) implies p > at(i)", lambda a, s, b, p, n: p == a or p > a),
        ("(if p < at(i) then n else size(i)) > 3", lambda a, s, b, p, n: (n if p < a else s) > 3),
        ("wraps(p, n)", lambda a, s, b, p, n: False),
    ],
)
def test_what_the_words_of_the_language_mean(expr, meaning):
    cases = [
        (at, size, bits, p, n)
        for at in (0, 4, 9)
        for size in (0, 3, 4096)
        for bits in (0, 4, 12, 16)
        for p in (0, 2, 5, 10)
        for n in (0, 1, 6)
    ]
    assert values(expr, cases, DEFS) == [meaning(*c) for c in cases]


@pytest.mark.parametrize(("p", "n", "wraps"), [(2**64 - 2, 1, False), (2**64 - 1, 2, True), (2**63, 2**63 + 1, True)])
def test_wrapping_around(p, n, wraps):
    assert values("wraps(p, n)", [(0, 0, 0, p, n)]) == [wraps]


# --- the world -----------------------------------------------------------------------------------------------------


def test_a_switch_is_known():
    text = (
        "op act(i: Item)\n  BAD_STATE if documented and at(i) == 0\n  at(i) = if documented then 1 else 2\n"
        'invariant x "x" from "y"\n  documented implies total == 0\n'
    )
    off, on = contract_of(text), contract_of(text, "documented")
    assert off.operations["act"].outcomes[0].condition is tm.FALSE
    assert on.operations["act"].outcomes[0].condition.op == "eq"
    assert [c.operations["act"].success.updates[0].value.value for c in (off, on)] == [2, 1]
    assert off.properties["x"].body is tm.TRUE
    assert on.properties["x"].body.op == "eq"
    assert off.enabled == frozenset()
    assert on.enabled == {"documented"}


def test_constants_may_ask_a_given():
    c, t = formula("at(i) == BASE", defs="const BASE: address = if fact then 4096 else 8192\n")
    assert tm.app(c.givens["fact"], ()) in set(walk(t))
    state = empty_state(c)
    state.tables["at"] = {0: 4096}
    state.tables["fact"] = {(): 1}
    assert evaluator(t)(state, state, {"i": 0}) is True
    state.tables["fact"] = {}
    assert evaluator(t)(state, state, {"i": 0}) is False


def test_flags_keep_their_bits_and_members_their_places():
    c, t = formula("bits(i) == {one, three} and colour(i) == blue")
    assert c.flags["Bits"] == {"one": 2, "two": 3, "three": 4}
    assert {k.value for k in walk(t) if k.op == "const"} == {4 + 16, 2}


def test_givens_with_conditions_are_assumptions():
    c = contract_of("sort Thing given\ngiven weight(t: Thing): bytes where aligned(weight(t))\n")
    (assumed,) = c.assumptions
    assert assumed.op == "forall"
    state = empty_state(c)
    state.domains["Thing"] = (0,)
    state.tables["weight"] = {0: 4096}
    assert evaluator(assumed)(state, state, {}) is True
    state.tables["weight"] = {0: 4097}
    assert evaluator(assumed)(state, state, {}) is False


# --- operations ----------------------------------------------------------------------------------------------------


def test_an_operation_keeps_the_order_of_its_clauses():
    c = contract_of("""
op act(i: Item, k: int in 2..5) -> j: Item
  BAD_STATE if at(i) == 0 "first"
  may NO_MEMORY "second"
  asserts size(i) > 0 "third"
  new j: Item
  at(j) = at(i)
""")
    op = c.operations["act"]
    assert [(o.kind, o.status, o.sentence) for o in op.outcomes] == [
        ("fails", "BAD_STATE", "first"), ("may", "NO_MEMORY", "second"), ("asserts", "ASSERT", "third"),
        ("ok", "OK", "success"),
    ]  # fmt: skip
    first, _, third, success = op.outcomes
    assert success.guard is tm.and_(tm.not_(first.condition), tm.not_(third.condition))
    assert op.bounds == {"k": (2, 5)}
    assert op.results == ("j",)
    assert op.result(success, "j", ITEM) is success.choices[0].symbol
    assert op.result(first, "j", ITEM) is tm.null(ITEM)


def test_an_after_property_speaks_of_the_operation():
    c = contract_of("""
op act(i: Item) -> j: Item
  new j: Item
after act(i) -> j: fits "x" from "y"
  status == OK implies j != i and at(j) == old(at(i))
""")
    p = c.properties["fits"]
    assert p.operation == "act"
    assert p.body.symbols == {c.operations["act"].params[0], STATUS_SYMBOL, tm.symbol("result.j", ITEM)}
    assert p.speaks_of("act")
    assert not p.speaks_of("other")


def test_a_block_in_a_block_binds_both():
    c = contract_of("""
op act(i: Item)
  for x: Item where up(x) == i:
    if at(x) == 0:
      for p: address where p in [at(x), at(x) + size(x)):
        level(x, p) = {one}
""")
    (update,) = c.operations["act"].success.updates
    assert [b.type.kind for b in update.binders] == ["sort", "address"]
    assert update.args == update.binders
    assert update.function is c.variables["level"]


def test_a_binder_that_an_assignment_does_not_need_is_not_in_it():
    c = contract_of("op act(i: Item)\n  for x: Item, y: Item where up(x) == i:\n    at(x) = 4096\n")
    (update,) = c.operations["act"].success.updates
    assert [b.name.split("#")[0] for b in update.binders] == ["x"]


REFUSED = {
    "a variable without arguments": "total = 1",
    "another element's entry": "at(i) = 4096",
    "an entry that several elements share": "at(up(x)) = 4096",
    "the value is one of many": "at(i) = at(x)",
}


@pytest.mark.parametrize("statement", REFUSED.values(), ids=REFUSED)
def test_a_block_assigns_one_value_to_one_place(statement):
    text = f"op act(i: Item)\n  for x: Item where up(x) == i:\n    {statement}\n"
    with pytest.raises(LanguageError) as caught:
        contract_of(text)
    (found,) = caught.value.diagnostics
    assert found.code == "VMA090"
    assert "`x` ranges over many values" in found.message
    assert "an argument on the left side" in found.expected


def test_a_number_that_ranges_needs_a_place_too():
    with pytest.raises(LanguageError, match="VMA090"):
        contract_of("op act(i: Item)\n  for p: address where p < 10:\n    at(i) = p\n")


def test_the_rule_holds_after_unfolding_effects():
    effect = "effect marks(x: Item, y: Item):\n  at(x) = at(y)\n"
    fine = effect + "op act(i: Item)\n  for x: Item where up(x) == i:\n    marks(x, i)\n"
    assert contract_of(fine).operations["act"].success.updates
    broken = effect + "op act(i: Item)\n  for x: Item where up(x) == i:\n    marks(i, x)\n"
    with pytest.raises(LanguageError, match="VMA090"):
        contract_of(broken)


def test_a_product_of_two_that_vary_is_refused():
    with pytest.raises(LanguageError, match="both vary"):
        contract_of("op act(n: int in 0..3)\n  total = total * n\n")
    assert contract_of("op act(n: int in 0..3)\n  total = 2 * n\n").operations["act"].success.updates


def test_types_of_terms():
    c, t = formula("count_is_small() and at(i) + 1 > 0", defs="def count_is_small() = (count j: Item where at(j) == 0) < 3\n")
    assert t.type == BOOL
    assert {k.type for k in walk(t) if k.op == "count"} == {INT}
    assert evaluator(t)(state_with(c), state_with(c), {"i": 0}) is True


def state_with(c) -> State:
    state = empty_state(c)
    state.domains["Item"] = (0, 1)
    return state
