"""Drawings: golden text for a sound state, marks for what cannot be true, and no failure on what is absent."""

from collections.abc import Callable

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from vmaspace.checker.report.change import draw_change, other_changes
from vmaspace.checker.report.drawing import Line, draw_state, excerpt
from vmaspace.checker.report.notation import (
    arguments_text,
    flags_text,
    natural,
    range_text,
    size_text,
    value_text,
)
from vmaspace.checker.report.space import read_space
from vmaspace.checker.report.state import State, empty_state, number_of, pieces_of, value_of

Golden = Callable[[str, str], None]


# --- notation -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0x0"), (1, "0x1"), (0x1001, "0x1001"), (0x1000, "4 KiB"), (0x3000, "12 KiB"), (0x200000, "2 MiB"),
        (0xDFC000, "14320 KiB"), (1 << 39, "512 GiB"), (1 << 64, "16 EiB"), (1 << 80, "1048576 EiB"),
    ],
)  # fmt: skip
def test_sizes_are_exact(size: int, text: str) -> None:
    assert size_text(size) == text


def test_ranges_are_half_open() -> None:
    assert range_text(0x200000, 0x1000) == "[0x200000, 0x201000)"


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        ([], "---"),
        (["read"], "r--"),
        (["execute", "read", "user_access"], "r-xu"),
        (["can_map_read", "can_map_write", "can_map_execute", "can_map_specific"], "rwxs"),
        (["can_map_read", "compact"], "r--+compact"),
        (["specific", "can_map_write"], "-w-+specific"),
    ],
)
def test_flags_by_letter(flags: list[str], text: str) -> None:
    assert flags_text(flags) == text


def test_values() -> None:
    values = [None, True, 7, "0x1000", "user", [], ["compact"], ["read", "write"], [["0x0", []], ["0x1000", ["read"]]]]
    assert [value_text(value) for value in values] == [
        "null", "true", "7", "0x1000", "user", "{}", "{compact}", "rw-", "0x0: {}, 0x1000: r--",
    ]  # fmt: skip
    assert arguments_text({"base": "0x0", "flags": ["read"]}) == "base=0x0, flags=r--"


def test_elements_sort_by_number() -> None:
    assert sorted(["region10", "region9", "a"], key=natural) == ["a", "region9", "region10"]


# --- states -------------------------------------------------------------------------------------------------


def test_looking_up(state: State) -> None:
    assert value_of(state, "root", "aspace1") == "region1"
    assert value_of(state, "root", "aspace2") is None
    assert value_of(state, "nothing", "aspace2", default="d") == "d"
    assert value_of(state, "under", "region2", "region1") is True
    assert number_of(state, "base", "region2") == 0x400000
    assert number_of(state, "references", "aspace1") == 1
    assert number_of(state, "type", "aspace0") == 0
    assert pieces_of(state, "prot", "region2")[2] == (0x402000, [])
    assert pieces_of(state, "prot", "region3") == []


def test_pieces_are_clipped_to_the_region_and_joined(state: State) -> None:
    state["values"]["prot"]["region2"] = [["0x0", ["read"]], ["0x401000", ["read"]], ["0x401800", ["write"]]]
    region = read_space(state).regions["region2"]
    assert region.prot_pieces() == [(0x400000, 0x401800, ("read",)), (0x401800, 0x402000, ("write",))]


# --- drawings -----------------------------------------------------------------------------------------------


def test_golden_a_state(golden: Golden, state: State, given: State) -> None:
    golden("state.txt", draw_state(state, given) + "\n")


def test_golden_a_change(golden: Golden, state: State, broken: State) -> None:
    golden("change.txt", draw_change(state, broken) + "\n")


def test_golden_a_change_side_by_side(golden: Golden, state: State, broken: State) -> None:
    golden("change_wide.txt", draw_change(state, broken, width=250) + "\n")


def line_of(text: str, name: str) -> str:
    (line,) = (line for line in text.splitlines() if f"{name} " in line)
    return line


def test_overlapping_siblings_are_marked(state: State, broken: State) -> None:
    assert "!" not in draw_state(state)
    assert "! overlaps region2" in line_of(draw_state(broken), "region3")


def test_a_child_outside_its_parent_is_marked(state: State) -> None:
    state["values"]["base"]["region3"] = "0x11ff000"
    assert "! outside region1" in line_of(draw_state(state), "region3")


def test_a_region_whose_parent_died_is_marked(state: State) -> None:
    state["values"]["parent"]["region3"] = "region4"
    assert "! parent region4 is not alive" in line_of(draw_state(state), "region3")
    del state["values"]["parent"]["region3"]
    assert "! hangs on nothing" in line_of(draw_state(state), "region3")


def test_a_dead_root_is_marked(state: State) -> None:
    state["values"]["life"]["region1"] = "dead"
    assert "! the root is dead" in line_of(draw_state(state), "region1 vmar")


def test_a_cycle_of_parents_is_drawn_once(state: State) -> None:
    state["values"]["parent"].update(region1="region2", region2="region1")
    state["values"]["root"].pop("aspace1")
    text = draw_state(state)
    assert "in no tree" in text
    assert all(text.count(f"{name} ") == 1 for name in ("region1 vmar", "region2 mapping", "region3 vmar"))


def test_a_region_that_is_its_own_parent(state: State) -> None:
    state["values"]["parent"]["region3"] = "region3"
    assert draw_state(state).count("region3 vmar") == 1


def test_marks_of_an_address_space(state: State) -> None:
    state["values"].update(destroyed={"aspace1": True}, freed={"aspace1": True}, vdso_code={"aspace1": "region2"})
    line = line_of(draw_state(state), "aspace1  ")
    assert line.endswith("user, share shared, references 1, vdso code region2, destroyed, freed")


def test_an_empty_state_says_so() -> None:
    assert draw_state(empty_state()) == "no address space"


def test_every_variable_may_be_absent(state: State) -> None:
    for name in list(state["values"]):
        value = state["values"].pop(name)
        assert "aspace1" in draw_state(state), name
        state["values"][name] = value
    bare: State = {"elements": state["elements"], "values": {}}
    assert "region0 vmar" in draw_state(bare)


VALUE = st.sampled_from(
    [None, True, 3, "0x1000", "0x201000", "alive", "mapping", "region0", "region1", "aspace0", ["read"]]
)
PIECES = st.lists(st.tuples(st.sampled_from(["0x0", "0x200000"]), st.just(["read"])).map(list), min_size=1, max_size=2)
VARIABLE = VALUE | PIECES | st.dictionaries(st.sampled_from(["aspace0", "region0", "region1"]), VALUE | PIECES)
NAMES = [
    "type", "share", "aspace_base", "aspace_size", "root", "unified", "shared_part", "references", "destroyed", "kind",
    "life", "aspace", "parent", "base", "size", "flags", "object", "object_offset", "prot", "mergeable", "other",
]  # fmt: skip
VALUES = st.dictionaries(st.sampled_from(NAMES), VARIABLE, max_size=8)


@for_all(old=VALUES, new=VALUES)
def test_any_state_can_be_drawn(old: dict[str, object], new: dict[str, object]) -> None:
    elements = {"Aspace": ["aspace0"], "Region": ["region0", "region1"]}
    before: State = {"elements": elements, "values": old}
    after: State = {"elements": elements, "values": new}
    text = draw_state(before, before)
    assert text.count("region0 ") + text.count(" region0") >= 1
    draw_change(before, after)
    draw_change(before, after, width=1000)
    other_changes(before, after)


# --- changes ------------------------------------------------------------------------------------------------


def marks(text: str) -> str:
    return "".join(sorted({line[0] for line in text.splitlines() if line[:1] in ("+", "-", "~")}))


def test_equal_states_have_no_marks(state: State) -> None:
    assert marks(draw_change(state, state)) == ""
    assert other_changes(state, state) == []


def test_a_new_region_is_a_plus_and_a_lost_one_a_minus(state: State, broken: State) -> None:
    del broken["values"]["life"]["region3"]
    text = draw_change(state, broken)
    assert any(line.startswith("-") and "region3" in line for line in text.splitlines())
    back = draw_change(broken, state)
    assert any(line.startswith("+") and "region3" in line for line in back.splitlines())


def test_a_region_that_moved_in_the_tree_has_changed(state: State, broken: State) -> None:
    broken["values"] = {**state["values"], "parent": {"region2": "region1", "region3": "region2"}}
    text = draw_change(state, broken)
    assert any(line.startswith("~") and "region3" in line for line in text.splitlines())


def test_what_no_drawing_shows_is_listed(state: State, broken: State) -> None:
    broken["values"]["pending"] = True
    assert other_changes(state, broken) == ["name_length(aspace1): 0x6 -> 0x7", "pending: default -> true"]


def test_side_by_side_needs_the_room(state: State, broken: State) -> None:
    assert "│ " in draw_change(state, broken, width=250).splitlines()[0]
    assert draw_change(state, broken, width=120).splitlines()[0] == "  before"


# --- excerpts -----------------------------------------------------------------------------------------------


def test_of_a_long_drawing_what_is_near_is_shown_and_the_rest_is_counted() -> None:
    lines = [Line("aspace0", label="aspace0"), *(Line(f"region{i}", label=f"region{i}", under="aspace0") for i in range(30))]
    shown = [line.label.strip() for line in excerpt(lines, {"region10": 1, "region0": 0}, 12)]
    assert shown == ["aspace0", "region0", "··· 8 lines", "region9", "region10", "region11", "··· 18 lines"]
    assert excerpt(lines, {"region10": 1}, 31) == lines
    # Nothing in question: cut at its end, and that is said too.
    assert [line.label.strip() for line in excerpt(lines, {}, 3)] == ["aspace0", "region0", "region1", "··· 28 lines"]
