"""Dumps: read back what the model prints, whatever a log puts around it; and what can not be read, with its place."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vmaspace.checker.adapters.dumps import DumpError, read_dump, told_of
from vmaspace.checker.adapters.model import ModelAdapter
from vmaspace.checker.adapters.world import VmoSpec, World
from vmaspace.checker.engines.fuzz.arguments import Arguments
from vmaspace.checker.engines.fuzz.dice import Dice
from vmaspace.checker.engines.inspection import inspect
from vmaspace.checker.engines.standard import standard_contract
from vmaspace.checker.logic.execute import Interpreter
from vmaspace.model.aspace import VmAspace

CONTRACT = standard_contract()
GROWS = [
    op
    for op in (
        "create",
        "create_unified",
        "allocate",
        "map",
        "protect",
        "rename",
        "destroy",
        "mark_mergeable",
        "unmap",
    )
    if op in CONTRACT.operations
]

DUMP = """\
as 0xffff001122330000 [0x200000 0x7fffffffefff] sz 0x7fffffdff000 typ 0 ref 1 'demo' destroyed 0
  vmar 0xffff001122331000 [0x200000 0x7fffffffefff] sz 0x7fffffdff000 ref 1 state 1 'root' subregions 2
    map 0xffff001122332000 [0x200000 0x203fff] sz 0x4000 state 1 mergeable false
       [0x200000 0x201fff] mmufl 0xc
       [0x202000 0x203fff] mmufl 0x1c
      vmo 0xffff001122333000/k1025 off 0 bytes (8192/0) ref 1 'it's a vmo'
    vmar 0xffff001122334000 [0x400000 0x43ffff] sz 0x40000 ref 1 state 1 'useralloc' subregions 1
      map 0xffff001122335000 [0x400000 0x400fff] sz 0x1000 state 1 mergeable true
         [0x400000 0x400fff] mmufl 0xc
        vmo 0xffff001122333000/k1025 off 0x3000 bytes (0/0) ref 1 ''
"""


def judged(text: str, arch: str | None = "x86_64") -> dict[str, bool]:
    """Each judged invariant, and whether the dump keeps it."""
    found = inspect(CONTRACT, told_of(CONTRACT, read_dump(text, "dump.txt"), arch), "dump.txt")
    return {verdict.property: verdict.is_green for verdict in found.verdicts}


def grown(number: int) -> ModelAdapter:
    """A machine on which a few things were made."""
    adapter, interpreter = ModelAdapter(CONTRACT), Interpreter(CONTRACT)
    arguments, dice = Arguments(interpreter), Dice(number)
    adapter.start(World(vmos=(VmoSpec(0x8000), VmoSpec(0x4000)), seed=number & 0xFFFF))
    state = adapter.observe()
    for _ in range(25):
        op = dice.pick(GROWS)
        call = arguments.call(op, state, dice)
        if call is not None and call.allowed[-1].outcome.kind != "asserts":
            adapter.call(op, call.env)
            state = adapter.observe()
    return adapter


def by_address(told, names) -> dict[str, object]:
    """Tables with regions named by what they are, since a dump numbers them in another order."""
    t = told.tables
    live = [r for r in told.domains["Region"] if t["life"].get(r) == 1]
    key = {
        r: (
            t["aspace"].get(r, 0),
            t["base"].get(r, 0),
            t["size"].get(r, 0),
            t["kind"].get(r, 0),
            r in t["parent"],
        )
        for r in live
    }
    return {
        name: {
            tuple(key[i] for i in (k if isinstance(k, tuple) else (k,))): key.get(v, v) if name in ("parent", "branch") else v
            for k, v in t[name].items()
            if all(i in key for i in (k if isinstance(k, tuple) else (k,)))
        }
        for name in names
    }  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1 << 60))
def test_what_the_model_prints_is_read_back(number: int) -> None:
    adapter = grown(number)
    seen = adapter.observe()
    told = told_of(CONTRACT, read_dump(VmAspace.dump_all_aspaces(adapter.system, True), "dump.txt"))
    assert told.is_whole and "prot" in told.variables
    for name in ("type", "aspace_base", "aspace_size", "name_length", "destroyed", "unified"):
        assert told.state.tables[name] == seen.tables[name], name
    regions = (
        "kind",
        "life",
        "base",
        "size",
        "parent",
        "object_offset",
        "prot",
        "mergeable",
        "under",
        "branch",
    )
    assert by_address(told.state, regions) == by_address(seen, regions)
    found = inspect(CONTRACT, told, "dump.txt")
    assert len(found.verdicts) > 25 and all(verdict.is_green for verdict in found.verdicts)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_mutated_dump_is_read_or_refused(data: st.DataObject) -> None:
    text = DUMP
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text)))
        cut = data.draw(st.integers(0, 12))
        text = text[:at] + data.draw(st.text("0x1f [] k'mapvrs\n9", max_size=6)) + text[at + cut :]
    try:
        aspaces = read_dump(text, "dump.txt")
    except DumpError as error:
        refusal = str(error)
    else:
        refusal = ""
    if refusal:
        assert refusal.startswith("dump.txt")
        return
    inspect(CONTRACT, told_of(CONTRACT, aspaces, "arm64"), "dump.txt")


def test_a_log_around_a_dump_is_passed_over() -> None:
    lines = [f"[00012.{i:03}] 01234:01235> {line}" for i, line in enumerate(DUMP.splitlines())]
    log = "\r\n".join(
        ["boot: as usual", *lines[:3], "[00013.000] 00001:00002> vmar: noise", *lines[3:], "map of the world"]
    )
    plain, logged = read_dump(DUMP, "a"), read_dump(log, "b")
    assert [s.name for s in plain] == [s.name for s in logged] == ["demo"]
    assert logged[0].root is not None and logged[0].root.line == 3


def test_a_dump_without_trees_tells_nothing_of_regions() -> None:
    told = told_of(CONTRACT, read_dump(DUMP.splitlines()[0], "d"))
    assert "root" not in told.variables and "aspace_base" in told.variables
    assert "siblings_are_disjoint" not in judged(DUMP.splitlines()[0]) and "names_fit_their_buffer" in judged(
        DUMP.splitlines()[0]
    )


def test_rights_are_never_guessed() -> None:
    found = inspect(CONTRACT, told_of(CONTRACT, read_dump(DUMP, "d")), "d")
    assert found.unjudged["child_rights_stay_within_the_parents"] == "a dump does not tell flags"
    assert "no kernel" not in found.unjudged["there_is_one_kernel_space"].replace("there is no kernel's", "")
    assert {v.property for v in found.verdicts}.isdisjoint(found.unjudged)


@pytest.mark.parametrize(
    ("old", "new", "broken"),
    [
        ("[0x400000 0x43ffff]", "[0x203000 0x242fff]", "siblings_are_disjoint"),
        ("0xffff001122335000 [0x400000 0x400fff]", "0xffff001122335000 [0x440000 0x440fff]", "children_inside_parents"),
        ("0xffff001122334000 [0x400000 0x43ffff]", "0xffff001122334000 [0x400800 0x4407ff]", "listed_regions_are_page_aligned"),
        ("sz 0x7fffffdff000 typ 0", "sz 0x7fffffdff000 typ 1", None),
    ],
)  # fmt: skip
def test_a_broken_tree_is_a_violation_and_not_a_refusal(old: str, new: str, broken: str | None) -> None:
    text = DUMP.replace(old, new)
    if "0x440000" in new:
        text = text.replace("[0x400000 0x400fff] mmufl", "[0x440000 0x440fff] mmufl")
    before, after = judged(DUMP), judged(text)
    assert all(before.values())
    if broken is not None:
        assert after[broken] is False


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("typ 0", "typ 7", "dump.txt:1:72: there is no type 7"),
        (" destroyed 0", "", "expected a name in quotes, and destroyed 0 or 1"),
        ("sz 0x40000 ", "sz 0x41000 ", "dump.txt:7:59: the size 0x41000 does not fit the range"),
        ("subregions 2", "subregions 3", "dump.txt:2:1: it has 3 subregions, and 2 follow"),
        ("    vmar 0xffff001122334000", "          vmar 0xffff001122334000", "indented by 10 spaces"),
        ("0xffff001122334000", "0xffff001122331000", "is the object of line 2 already"),
        ("state 1 mergeable false", "state 3 mergeable false", "there is no state 3"),
        ("[0x202000 0x203fff] mmufl", "[0x203000 0x203fff] mmufl", "dump.txt:5:38: expected a protection range from 0x202000 on"),
        ("       [0x202000 0x203fff] mmufl 0x1c\n", "", "its protection ranges end at 0x202000, not at 0x204000"),
        ("/k1025 off 0 ", " off 0 ", "expected the koid of the VMO"),
        ("sz 0x40000 ", "sz 0x1000000000000000000 ", "does not fit in 64 bits"),
        ("mergeable true", "mergeable maybe", "expected true or false, found 'maybe'"),
        (DUMP, "nothing of that kind", "there is no address space in it"),
        (DUMP.splitlines()[0] + "\n", "", "there is no address space above this line"),
    ],
)  # fmt: skip
def test_what_can_not_be_read_is_refused_with_its_place(old: str, new: str, message: str) -> None:
    assert old in DUMP
    with pytest.raises(DumpError) as caught:
        read_dump(DUMP.replace(old, new, 1), "dump.txt")
    assert message in str(caught.value)
    assert caught.value.hint


def test_a_dump_that_ends_early_says_where() -> None:
    with pytest.raises(DumpError, match=r"dump.txt:8:1: the line with its VMO is missing"):
        read_dump("\n".join(DUMP.splitlines()[:-1]), "dump.txt")
