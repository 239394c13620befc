"""States: pieces, and the readable form, which can be read back."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vmaspace.checker.engines.standard import standard_contract
from vmaspace.checker.language.types import ADDRESS, BOOL, INT, Type
from vmaspace.checker.logic.execute import Interpreter
from vmaspace.checker.logic.state import NULL, Codec, Pieces, State, default_of, empty_state

SETTINGS = settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None
)
ITEM = Type("sort", "Item")
COLOUR = Type("enum", "Colour")
BITS = Type("flags", "Bits")

# --- pieces --------------------------------------------------------------------------------------------------------

POINTS = st.dictionaries(st.integers(0, 30), st.integers(0, 3), max_size=6).map(lambda d: sorted(d.items()))


@SETTINGS
@given(POINTS)
def test_pieces_hold_each_value_until_the_next(points):
    pieces = Pieces.of(points)
    for x in range(35):
        known = [v for s, v in points if s <= x]
        assert pieces.at(x) == (known[-1] if known else 0)


@SETTINGS
@given(POINTS)
def test_equal_functions_are_equal_pieces(points):
    pieces = Pieces.of(points)
    assert pieces == Pieces.of((x, pieces.at(x)) for x in range(35))
    assert all(a != b for a, b in zip((0, *pieces.values), pieces.values, strict=False))


# --- values --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "type_", "shown"),
    [
        (0, BOOL, False),
        (1, BOOL, True),
        (NULL, ITEM, None),
        (12, ITEM, "item12"),
        (2, COLOUR, "blue"),
        (0, BITS, []),
        (5, BITS, ["one", "three"]),
        (4096, ADDRESS, "0x1000"),
        (2**64 - 1, Type("bytes"), "0xffffffffffffffff"),
        (-3, INT, -3),
        (7, Type("pages"), 7),
    ],
)
def test_values_are_shown_and_read(tiny, value, type_, shown):
    codec = Codec(tiny)
    assert codec.show(value, type_) == shown
    assert codec.read(shown, type_) == value
    assert codec.read(json.loads(json.dumps(shown)), type_) == value


@pytest.mark.parametrize(
    ("shown", "type_"),
    [
        (1, BOOL),
        ("true", BOOL),
        ("item", ITEM),
        ("thing1", ITEM),
        ("item-1", ITEM),
        ("item1x", ITEM),
        (3, ITEM),
        ("purple", COLOUR),
        (2, COLOUR),
        (["one", "four"], BITS),
        ("one", BITS),
        ([1], BITS),
        (4096, ADDRESS),
        ("a page", ADDRESS),
        (None, ADDRESS),
        (True, INT),
        ("3", INT),
        (1.5, INT),
    ],
)
def test_what_is_no_value_of_a_type_is_refused(tiny, shown, type_):
    with pytest.raises(ValueError, match="is not a value of type"):
        Codec(tiny).read(shown, type_)


def test_flags_named_twice_count_once(tiny):
    assert Codec(tiny).read(["one", "one"], BITS) == 1


# --- states --------------------------------------------------------------------------------------------------------


@st.composite
def states(draw, contract):
    state = empty_state(contract)
    items = draw(st.sets(st.integers(0, 12), max_size=3))
    state.domains["Item"] = tuple(sorted(items))
    values = {
        "bool": st.booleans().map(int),
        "sort": st.sampled_from([NULL, *sorted(items)]),
        "enum": st.integers(0, 2),
        "flags": st.integers(0, 7),
        "address": st.integers(0, 2**64 - 1),
        "int": st.integers(-5, 5),
    }
    for f in contract.variables.values():
        leading = f.params[:-1] if f.is_piecewise else f.params
        keys = [()]
        for _ in leading:
            keys = [(*k, i) for k in keys for i in sorted(items)]
        for key in keys:
            slot = key[0] if len(key) == 1 else key
            value = values[f.result.kind]
            if f.is_piecewise:
                pieces = Pieces.of(sorted(draw(st.dictionaries(st.integers(0, 2**64 - 1), value, max_size=3)).items()))
                if pieces.starts:
                    state.tables[f.name][slot] = pieces
            else:
                v = draw(value)
                if v != default_of(f.result):
                    state.tables[f.name][slot] = v
    return state


@SETTINGS
@given(st.data())
def test_a_shown_state_reads_back(tiny, data):
    state = data.draw(states(tiny))
    codec = Codec(tiny)
    shown = json.loads(json.dumps(codec.state(state)))
    again = codec.read_state(shown, empty_state(tiny))
    assert again.same_as(state), state.differences(again)
    assert codec.state(again) == shown


def test_a_readable_state(tiny):
    state = empty_state(tiny)
    state.domains["Item"] = (0, 2)
    state.tables["up"] = {2: 0}
    state.tables["near"] = {(2, 0): 1}
    state.tables["level"] = {0: Pieces((4096, 8192), (3, 0))}
    state.tables["total"] = {(): 2}
    assert Codec(tiny).state(state) == {
        "elements": {"Item": ["item0", "item2"]},
        "values": {
            "up": {"item2": "item0"},
            "near": {"item2,item0": True},
            "level": {"item0": [["0x1000", ["one", "two"]], ["0x2000", []]]},
            "total": 2,
        },
    }
    assert Codec(tiny).state(state, ["total"])["values"] == {"total": 2}


def test_the_first_state_of_the_contract_reads_back():
    contract = standard_contract()
    codec = Codec(contract)
    world = empty_state(contract)
    world.domains["Vmo"] = (0,)
    world.tables["vmo_size"] = {0: 8192}
    start = Interpreter(contract).initial(world)
    facts = codec.read_state(json.loads(json.dumps(codec.givens(start))), empty_state(contract))
    again = codec.read_state(json.loads(json.dumps(codec.state(start))), facts)
    assert again.same_as(start), start.differences(again)


@pytest.mark.parametrize(
    ("shown", "message"),
    [
        ({"elements": {"Thing": []}}, "no sort 'Thing'"),
        ({"values": {"height": 3}}, "no variable 'height'"),
        ({"values": {"at": 3}}, "expected an object"),
        ({"values": {"near": {"item0": True}}}, r"should name 2 element\(s\)"),
        ({"values": {"at": {"item0": 3}}}, "not a value of type address"),
        ({"elements": {"Item": ["thing0"]}}, "not a value of type Item"),
    ],
)
def test_a_broken_state_is_refused_in_words(tiny, shown, message):
    with pytest.raises(ValueError, match=message):
        Codec(tiny).read_state(shown, empty_state(tiny))


def test_written_defaults_are_forgotten_when_read(tiny):
    shown = {"elements": {"Item": ["item0"]}, "values": {"at": {"item0": "0x0"}, "up": {"item0": None}}}
    state = Codec(tiny).read_state(shown, empty_state(tiny))
    expected = empty_state(tiny)
    expected.domains["Item"] = (0,)
    assert state.same_as(expected)


def test_differences_name_what_differs(tiny):
    a, b = empty_state(tiny), empty_state(tiny)
    assert a.same_as(b)
    b.domains["Item"] = (0,)
    b.tables["at"] = {0: 1}
    assert not a.same_as(b)
    assert a.differences(b) == ["Item", "at"]
    assert State().same_as(State())
