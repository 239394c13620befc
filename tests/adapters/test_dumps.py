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
from vmaspace.model.flags import VMM_PF_FLAG_USER, MmuFlag, VmarFlag
from vmaspace.model.status import Status
from vmaspace.model.system import System

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
    """Tables with regions and VMOs named by what they are, since a dump numbers them in another order."""
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
    # A VMO is the regions that show it, and an address space the number of its line.
    shows = {o: sorted(key[r] for r in live if t["object"].get(r) == o) for o in t["object"].values()}
    meaning = {"parent": key, "branch": key, "root": key, "object": shows}
    found = {}
    for name in names:
        values = meaning.get(name, {})
        rows = {k if isinstance(k, tuple) else (k,): values.get(v, v) for k, v in t[name].items()}
        is_of_spaces = name == "root"
        found[name] = {
            k if is_of_spaces else tuple(key[i] for i in k): v
            for k, v in rows.items()
            if is_of_spaces or all(i in key for i in k)
        }
    return found


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1 << 60))
def test_what_the_model_prints_is_read_back(number: int) -> None:
    adapter = grown(number)
    seen = adapter.observe()
    told = told_of(CONTRACT, read_dump(VmAspace.dump_all_aspaces(adapter.system, True), "dump.txt"))
    assert told.has_kernel and not told.silent({"prot", "type", "arch"})
    for name in ("type", "aspace_base", "aspace_size", "name_length", "destroyed", "unified"):
        assert told.state.tables[name] == seen.tables[name], name
    regions = (
        "root", "aspace", "kind", "life", "base", "size", "parent", "object", "object_offset", "prot", "mergeable",
        "under", "branch",
    )  # fmt: skip
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
        ("sz 0x7fffffdff000 typ 0", "sz 0x7fffffdff000 typ 1", "spaces_stay_in_the_range_of_their_type"),
        ("'demo' destroyed 0", "'demo' destroyed 1", "no_region_outlives_its_space"),
        ("'demo'", f"'{'d' * 32}'", "names_fit_their_buffer"),
    ],
)  # fmt: skip
def test_a_broken_tree_is_a_violation_and_not_a_refusal(old: str, new: str, broken: str) -> None:
    assert old in DUMP
    text = DUMP.replace(old, new)
    if "0x440000" in new:
        text = text.replace("[0x400000 0x400fff] mmufl", "[0x440000 0x440fff] mmufl")
    before, after = judged(DUMP), judged(text)
    assert all(before.values()) and before[broken]
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
        ("subregions 2", f"subregions {'9' * 5000}", "dump.txt:2:103: 999999999999999999999999… does not fit in 64 bits"),
        ("(8192/0)", f"({1 << 64}/0)", "dump.txt:6:49: 18446744073709551616 does not fit in 64 bits"),
        ("(8192/0)", f"(8192/{1 << 64})", "does not fit in 64 bits"),
        ("/k1025 off 0x3000", "/k1026 off 0x3000",
         "dump.txt:10:31: the VMO 0xffff001122333000 has koid 1026 here, and 1025 in line 6"),
        ("vmo 0xffff001122333000/k1025 off 0x3000", "vmo 0xffff00112233f000/k1025 off 0x3000",
         "dump.txt:10:31: koid 1025 is that of the VMO 0xffff001122333000 in line 6"),
        ("vmo 0xffff001122333000/k1025 off 0x3000", "vmo 0xffff001122334000/k1027 off 0x3000",
         "dump.txt:10:12: 0xffff001122334000 is the object of line 7, and no VMO"),
        ("0xffff001122334000", "0xffff001122333000", "dump.txt:7:9: 0xffff001122333000 is the VMO of line 6 already"),
        ("as 0xffff", "as ffff", "dump.txt:1:1: it goes on like a line of a dump, and begins with 'as ffff00112233000"),
        ("    map 0xffff001122332000", "    mop 0xffff001122332000", "dump.txt:3:1: it goes on like a line of a dump"),
        ("  vmo 0xffff001122333000/k1025 off 0 ", "  vm0 0xffff001122333000/k1025 off 0 ", "dump.txt:6:1: it goes on like"),
        ("'root' ", "'ro\not' ", "dump.txt:2:84: expected a name in quotes, and the number of subregions, found \"'ro\""),
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


# --- what a kernel prints, and what a log or an editor makes of it ----------------------------------------------------


def only(text: str):
    """The one address space of a dump."""
    (aspace,) = read_dump(text, "dump.txt")
    return aspace


def test_blanks_and_a_byte_order_mark_do_no_harm() -> None:
    text = "\ufeff" + "".join(f"{line} \t\r\n" for line in DUMP.splitlines()).replace("as 0x", "as  0x")
    assert only(text).name == "demo"
    assert told_of(CONTRACT, [only(text)]) == told_of(CONTRACT, [only(DUMP)])


def test_a_name_that_ends_within_a_letter_has_its_bytes() -> None:
    # 31 bytes, of which the last is the first of two.
    raw = DUMP.encode().replace(b"'demo'", b"'" + b"n" * 30 + "é".encode()[:1] + b"'")
    told = told_of(CONTRACT, read_dump(raw.decode("utf-8", "surrogateescape"), "d"), "x86_64")
    assert told.state.tables["name_length"] == {0: 31}
    assert all(verdict.is_green for verdict in inspect(CONTRACT, told, "d").verdicts)
    raw = raw.replace(b"'nn", b"'nnn")  # must fail: a byte more does not fit
    told = told_of(CONTRACT, read_dump(raw.decode("utf-8", "surrogateescape"), "d"), "x86_64")
    assert [v.property for v in inspect(CONTRACT, told, "d").verdicts if v.is_red] == ["names_fit_their_buffer"]


def test_a_name_that_was_cut_within_a_letter_comes_back() -> None:
    system = System()
    aspace = system.create_default_aspace(0, "n" * 30 + "é")
    assert aspace.dump().isprintable() is False and aspace.dump().encode()  # lines of text, and nothing that is none
    assert aspace.dump().split("'")[1] == "n" * 30 + "\\xc3"
    told = told_of(CONTRACT, read_dump(aspace.dump(), "d"), "x86_64")
    assert told.state.tables["name_length"] == {0: 31}
    assert all(verdict.is_green for verdict in inspect(CONTRACT, told, "d").verdicts)


def test_control_characters_in_names_come_back() -> None:
    system = System()
    aspace = system.create_default_aspace(0, "two\nlines\x7f")
    assert "'two\\x0alines\\x7f'" in aspace.dump()
    assert only(aspace.dump()).name == "two\nlines\x7f"


def test_what_a_vmo_prints_of_itself_is_passed_over() -> None:
    own = "      vmo 0xffff001122333000/k1025 size 0x8000 pages 2 ref 3\n        page 0 [vmo 0x1]\n"
    lines = DUMP.splitlines(keepends=True)
    verbose = only("".join([*lines[:6], own, *lines[6:], own]))
    assert told_of(CONTRACT, [verbose]).state == told_of(CONTRACT, [only(DUMP)]).state
    # Must fail: before the line of the mapping's VMO it stands in for that line.
    with pytest.raises(DumpError, match=r'dump.txt:6:.* expected "off"'):
        read_dump("".join([*lines[:5], own, *lines[5:]]), "dump.txt")
    # Must fail: a mapping shows one VMO.
    with pytest.raises(DumpError, match="has a VMO already"):
        read_dump("".join([*lines[:6], lines[5], *lines[6:]]), "dump.txt")


def test_vmos_of_the_kernel_have_no_koid_and_are_not_one() -> None:
    text = DUMP.replace("/k1025", "/k0").replace("vmo 0xffff001122333000/k0 off 0x3000", "vmo 0xffff001122339000/k0 off 0x3000")
    told = told_of(CONTRACT, read_dump(text, "d"))
    assert sorted(told.state.tables["object"].values()) == [0, 1]


def nested(levels: int) -> str:
    """VMARs in one another."""
    header = "as 0x1000 [0x200000 0x3fffff] sz 0x200000 typ 0 ref 1 'deep' destroyed 0\n"
    return header + "".join(
        f"{'  ' * (level + 1)}vmar {0x2000 + level:#x} [0x200000 0x3fffff] sz 0x200000 ref 1 state 1 'v' "
        f"subregions {int(level + 1 < levels)}\n"
        for level in range(levels)
    )


def test_vmars_may_stand_deep_and_not_too_deep() -> None:
    told = told_of(CONTRACT, read_dump(nested(256), "d"), "x86_64")
    assert len(told.state.domains["Region"]) == 256
    with pytest.raises(DumpError, match=r"dump.txt:258:519: more than 256 VMARs in one another"):
        read_dump(nested(1500), "dump.txt")


def test_the_tree_that_a_fault_leaves_is_judged_as_far_as_it_tells() -> None:
    tree = "".join(line[2:] for line in DUMP.splitlines(keepends=True)[1:])
    told = told_of(CONTRACT, read_dump(tree, "d"), "x86_64")
    verdicts = {v.property: v.is_green for v in inspect(CONTRACT, told, "d").verdicts}
    assert verdicts["siblings_are_disjoint"] and verdicts["every_region_hangs_under_a_root"]
    assert "names_fit_their_buffer" not in verdicts and "the_root_spans_the_space" not in verdicts
    assert told.lines["Aspace", 0] == told.lines["Region", 0] == (1, 0xFFFF001122331000)
    # Beside a whole dump, each address space is judged by what it tells.
    both = DUMP + tree.replace("0xffff001122", "0xffff002222").replace("k1025", "k1125")
    told = told_of(CONTRACT, read_dump(both, "d"), "x86_64")
    assert told.silent({"base"}) == () and told.silent({"base", "name_length"}) == (1,)
    # Must fail: the overlap is found in a tree without a header too.
    broken = tree.replace("[0x400000 0x43ffff]", "[0x203000 0x242fff]")
    told = told_of(CONTRACT, read_dump(broken, "d"), "x86_64")
    assert not {v.property: v.is_green for v in inspect(CONTRACT, told, "d").verdicts}["siblings_are_disjoint"]


def test_the_model_prints_such_a_tree_when_a_page_never_comes() -> None:
    system = System(aslr_disabled=True)
    aspace = system.create_default_aspace(0, "waiting")
    assert aspace is not None and aspace.root is not None
    perms = MmuFlag.PERM_READ | MmuFlag.PERM_USER
    _, vmo = system.create_pager_vmo(0x4000)
    status, mapping = aspace.root.create_vm_mapping(0, 0x4000, 0, VmarFlag.SPECIFIC, vmo, 0, perms)
    assert mapping is not None, status.name
    assert aspace.page_fault(mapping.base, VMM_PF_FLAG_USER) is Status.ZX_ERR_TIMED_OUT
    printed = only("\n".join(system.console))
    assert printed.root is not None and not printed.has_header
    assert [(child.kind, child.base, child.size) for child in printed.root.children] == [("mapping", mapping.base, 0x4000)]
