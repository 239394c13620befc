"""The model adapter: what it numbers, calls and observes, and what becomes of a model that misbehaves."""

from dataclasses import replace
from itertools import pairwise

import pytest

from vmaspace.checker.adapters.interface import ASSERTION, CRASH, BrokenImplementation
from vmaspace.checker.adapters.model import ModelAdapter
from vmaspace.checker.adapters.subject import SubjectError, system_class_of
from vmaspace.checker.adapters.world import VmoSpec, World, world_of
from vmaspace.checker.engines.standard import standard_contract
from vmaspace.checker.logic.execute import Interpreter
from vmaspace.checker.logic.state import Pieces, State
from vmaspace.model import System
from vmaspace.model.aspace import VmAspace
from vmaspace.model.flags import AspaceType, MmuFlag, ShareOpt, VmarFlag
from vmaspace.model.mapping import VmMapping
from vmaspace.model.region import LifeCycleState, MemoryPriority
from vmaspace.model.region_tree import Leaf
from vmaspace.model.status import Status
from vmaspace.model.system import SWITCHES
from vmaspace.model.vmar import VmAddressRegion
from vmaspace.model.vmar_range_op import RangeOpType
from vmaspace.model.vmo import VmoKind

CONTRACT = standard_contract()
BASE, PAGE = 0x200000, 0x1000
WORLD = World(
    vmos=(VmoSpec(0x10000), VmoSpec(0x9000, is_vdso=True), VmoSpec(0x4000, "physical", pinned=True)),
    aslr_disabled=True,
)
ALL = 0x78  # CAN_MAP_SPECIFIC and the CAN_MAP trio
READ, WRITE = 8, 16


def started(system_class: type[System] = System, world: World = WORLD) -> ModelAdapter:
    adapter = ModelAdapter(CONTRACT, system_class)
    adapter.start(world)
    adapter.observe()
    return adapter


def make_space(adapter: ModelAdapter) -> None:
    assert adapter.call("create", {"base": BASE, "size": 64 * PAGE, "type": 0, "share": 0}).status == "OK"
    adapter.observe()  # the root VMAR is not a result: it is numbered when it is first seen


def mapping(v: int, offset: int, pages: int, perms: int = READ | WRITE) -> dict[str, int]:
    return {
        "v": v, "offset": offset, "size": pages * PAGE, "align_pow2": 0, "flags": 2, "vmo": 0, "vmo_offset": 0,
        "perms": perms,
    }  # fmt: skip


# --- the two accounts agree ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("enum", "members"),
    [
        ("Type", AspaceType),
        ("ShareOpt", ShareOpt),
        ("Life", LifeCycleState),
        ("VmoKind", VmoKind),
        ("Priority", MemoryPriority),
        ("RangeOp", RangeOpType),
    ],
)
def test_enumerations_have_the_same_members(enum: str, members: type) -> None:
    assert [m.name.lower() for m in members] == list(CONTRACT.enums[enum])  # type: ignore[attr-defined]


def test_flags_have_the_same_bits() -> None:
    assert {m.name.lower(): m.value.bit_length() - 1 for m in VmarFlag} == CONTRACT.flags["VmarFlags"]
    perms = {
        "user_access": MmuFlag.PERM_USER, "read": MmuFlag.PERM_READ, "write": MmuFlag.PERM_WRITE,
        "execute": MmuFlag.PERM_EXECUTE,
    }  # fmt: skip
    assert {name: flag.value.bit_length() - 1 for name, flag in perms.items()} == CONTRACT.flags["Perms"]


def test_statuses_have_the_same_numbers() -> None:
    known = {m.name.removeprefix("ZX_ERR_").removeprefix("ZX_"): m.value for m in Status}
    assert {n: v for n, v in CONTRACT.statuses.items() if n != "NULL"}.items() <= known.items()


def test_switches_have_the_same_names() -> None:
    of_system_calls = {"documented_allow_faults", "documented_op_range_right"}
    assert CONTRACT.switches.keys() == SWITCHES.keys() - of_system_calls


# --- observing -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arch", CONTRACT.enums["Arch"])
def test_the_first_state_is_the_contracts(arch: str) -> None:
    world = World(arch, WORLD.vmos, aslr_disabled=True)
    givens = world.givens(CONTRACT)
    empty = State(
        {s: givens.domains.get(s, ()) for s in CONTRACT.sorts},
        {**{n: {} for n in CONTRACT.variables}, **givens.tables},
    )
    assert started(world=world).observe() == Interpreter(CONTRACT).initial(empty)


def test_elements_are_numbered_in_order_of_first_sight() -> None:
    adapter = started()
    answer = adapter.call("create", {"base": BASE, "size": 64 * PAGE, "type": 0, "share": 0})
    assert answer.results == {"a": 1}
    assert adapter.observe().domains["Region"] == (0, 1)
    assert adapter.call("map", mapping(1, 4 * PAGE, 4)).results == {"m": 2}
    adapter.observe()
    adapter.call("unmap", {"v": 1, "base": BASE + 5 * PAGE, "size": PAGE, "op_children": 0})
    t = adapter.observe().tables
    assert t["base"][3] < t["base"][4], "the parts of a mapping are numbered by address"
    assert t["life"][2] == CONTRACT.enums["Life"].index("dead")


def test_tables_that_did_not_change_are_the_same_objects() -> None:
    adapter = started()
    make_space(adapter)
    first, second = adapter.observe(), adapter.observe()
    assert all(first.tables[n] is second.tables[n] for n in CONTRACT.variables)


def test_protection_is_pieces_up_to_the_end() -> None:
    adapter = started()
    make_space(adapter)
    adapter.call("map", mapping(1, 0, 3))
    protect = {
        "v": 1,
        "base": BASE + PAGE,
        "size": PAGE,
        "perms": READ,
        "has_cache_bits": 0,
        "op_children": 0,
    }
    assert adapter.call("protect", protect).status == "OK"
    starts = tuple(BASE + i * PAGE for i in range(4))
    assert adapter.observe().tables["prot"][2] == Pieces(starts, (READ | WRITE, READ, READ | WRITE, 0))


def test_the_dead_keep_what_they_were() -> None:
    adapter = started()
    make_space(adapter)
    adapter.call("map", mapping(1, 0, 3))
    before = adapter.observe().tables
    assert adapter.call("destroy_mapping", {"m": 2}).status == "OK"
    after = adapter.observe().tables
    for name in ("base", "size", "flags", "prot", "kind", "aspace"):
        assert after[name][2] == before[name][2]
    assert 2 not in after["parent"] and 2 not in after["object"]
    assert not [pair for pair in after["under"] if 2 in pair]


def test_a_freed_unified_space_keeps_its_parts() -> None:
    adapter = started()
    adapter.call("create", {"base": BASE, "size": 64 * PAGE, "type": 0, "share": 1})
    adapter.call("create", {"base": 1 << 40, "size": 64 * PAGE, "type": 0, "share": 2})
    adapter.observe()
    assert adapter.call("create_unified", {"shared": 2, "restricted": 1}).results == {"u": 3}
    adapter.observe()
    assert adapter.call("destroy", {"a": 3}).status == adapter.call("release", {"a": 3}).status == "OK"
    t = adapter.observe().tables
    assert (t["freed"], t["shared_part"], t["restricted_part"]) == ({3: 1}, {3: 2}, {3: 1})
    assert t["references"] == {}


def test_what_lists_say_and_what_parents_say_are_observed_apart() -> None:
    adapter = started()
    make_space(adapter)
    adapter.call("map", mapping(1, 0, 1))
    adapter.observe()
    adapter.observer.regions[2].parent = None
    t = adapter.observe().tables
    assert 2 not in t["parent"] and (2, 1) in t["under"]


# --- calling -------------------------------------------------------------------------------------------------------


def test_an_allocation_can_be_made_to_fail_and_only_in_that_call() -> None:
    adapter = started()
    make_space(adapter)
    assert adapter.call("map", mapping(1, 0, 1), fails_at=1).status == "NO_MEMORY"
    assert adapter.call("map", mapping(1, 0, 1), fails_at=9).status == "OK"
    assert adapter.call("map", mapping(1, PAGE, 1)).status == "OK"


def test_an_assertion_is_an_answer() -> None:
    answer = started().call("destroy", {"a": 0})
    assert answer.status == ASSERTION and "never destroyed" in str(answer.violated)


def test_destroying_through_a_handle_drops_its_reference() -> None:
    adapter = started()
    make_space(adapter)
    assert adapter.call("destroy_vmar", {"v": 1}).status == "NOT_SUPPORTED"
    assert adapter.observer.aspaces[1].references == 1


# --- faults, pages, priority and clones ----------------------------------------------------------------------------

MEANT_TO_BE_READ = {"is_write": 0, "is_fetch": 0, "is_user": 0}


def translated(adapter: ModelAdapter) -> list[int]:
    return [va for va, *_ in adapter.observer.aspaces[1].arch.translations()]


def with_mapping(perms: int = READ | WRITE) -> ModelAdapter:
    """Region 2 shows four pages of VMO 0 at BASE."""
    adapter = started()
    make_space(adapter)
    adapter.call("map", mapping(1, 0, 4, perms))
    adapter.observe()
    return adapter


def test_a_fault_maps_a_page_and_changes_nothing_that_the_contract_sees() -> None:
    adapter = with_mapping()
    before = adapter.observe()
    assert (
        adapter.call("page_fault", {"a": 1, "at": BASE + 5, **MEANT_TO_BE_READ, "is_write": 1}).status == "OK"
    )
    assert translated(adapter) == [BASE]
    assert adapter.observe().same_as(before)
    assert adapter.call("drop_user_page_tables", {"a": 1}).status == "OK"
    assert translated(adapter) == []


@pytest.mark.parametrize(
    ("flag", "perms", "status"),
    [
        ("is_write", READ, "ACCESS_DENIED"),
        ("is_fetch", READ, "ACCESS_DENIED"),
        ("is_user", READ, "ACCESS_DENIED"),
        ("is_user", READ | 4, "OK"),
        ("is_write", READ | WRITE, "OK"),
    ],
)
@pytest.mark.parametrize("op", ["page_fault", "access", "soft_fault_in_range"])
def test_each_kind_of_access_reaches_the_fault_flags(op: str, flag: str, perms: int, status: str) -> None:
    adapter = with_mapping(perms)
    args = {"a": 1, "at": BASE, **MEANT_TO_BE_READ, flag: 1}
    if op == "soft_fault_in_range":
        args["size"] = PAGE
    assert adapter.call(op, args).status == status
    assert adapter.call(op, {**args, "at": BASE + 4 * PAGE}).status == "NOT_FOUND"


def test_pages_are_populated_and_taken_away() -> None:
    adapter = with_mapping()
    whole = {"m": 2, "offset": 0, "size": 4 * PAGE}
    assert adapter.call("map_range", {**whole, "commit": 1, "ignore_existing": 0}).status == "OK"
    assert len(translated(adapter)) == 4
    assert adapter.call("map_range", {**whole, "commit": 1, "ignore_existing": 0}).status == "ALREADY_EXISTS"
    assert adapter.call("decommit_range", {**whole, "size": PAGE}).status == "OK"
    assert translated(adapter) == [BASE + PAGE, BASE + 2 * PAGE, BASE + 3 * PAGE]
    decommit = {"o": 0, "does": CONTRACT.enums["RangeOp"].index("decommit"), "offset": 0, "size": 2 * PAGE}
    assert adapter.call("vmo_range", decommit).status == "OK"
    assert translated(adapter) == [BASE + 2 * PAGE, BASE + 3 * PAGE]


def test_each_range_operation_is_called_by_its_name() -> None:
    adapter = with_mapping(READ)
    where = {"v": 1, "base": BASE, "size": PAGE, "op_children": 0}
    found = {
        name: adapter.call("range_op", {**where, "does": number}).status
        for number, name in enumerate(CONTRACT.enums["RangeOp"])
    }
    needs_write = {"commit", "decommit", "zero"}
    assert found == {name: "ACCESS_DENIED" if name in needs_write else "OK" for name in found}


def test_priority_is_observed_and_the_dead_lose_it() -> None:
    adapter = with_mapping()
    assert adapter.call("set_memory_priority", {"v": 1, "to": 1}).status == "OK"
    assert adapter.observe().tables["priority"] == {1: 1, 2: 1}
    adapter.call("destroy_mapping", {"m": 2})
    assert adapter.observe().tables["priority"] == {1: 1}


def test_a_private_clone_is_observed_as_what_it_was_made_of() -> None:
    adapter = with_mapping(READ)
    assert adapter.call("force_writable", {"m": 2}).status == "OK"
    t = adapter.observe().tables
    assert (t["life"][2], t["object"][3], t["source"]) == (CONTRACT.enums["Life"].index("dead"), 0, {3: 3})
    # Its parts show the same clone, and say so.
    adapter.call("unmap", {"v": 1, "base": BASE + PAGE, "size": PAGE, "op_children": 0})
    t = adapter.observe().tables
    assert t["source"] == {4: 3, 5: 3}
    assert t["mergeable"] == {4: 1, 5: 1}


def test_snapshots_are_kept_until_they_are_dropped() -> None:
    adapter = with_mapping()
    assert adapter.call("write_vmo", {"o": 0, "offset": 0}).status == "OK"
    assert adapter.call("write_snapshot", {"o": 0, "offset": 0}).status == "OK"
    assert len(adapter.snapshots[0]) == 1
    assert adapter.vmos[0].read(0, 1) != adapter.snapshots[0][0].read(0, 1)
    assert adapter.call("drop_snapshot", {"o": 0}).status == "OK"
    assert adapter.call("drop_snapshot", {"o": 0}).status == "NOT_FOUND"
    assert adapter.call("snapshot_vmo", {"o": 0}).status == "OK"
    assert len(adapter.snapshots[0]) == 1


@pytest.mark.parametrize(("origin", "sees_later_writes"), [("slice", True), ("snapshot", False)])
def test_a_world_has_children_of_its_first_vmo(origin: str, sees_later_writes: bool) -> None:
    world = World(vmos=(VmoSpec(0x4000), VmoSpec(0x2000, origin=origin), VmoSpec(0x1000, origin="resizable")))
    assert world_of(CONTRACT, world.givens(CONTRACT)) == replace(world, switches=frozenset())
    adapter = started(world=world)
    assert adapter.call("write_vmo", {"o": 0, "offset": 0}).status == "OK"
    first, child, _ = adapter.vmos
    assert (child.read(0, 1) == first.read(0, 1)) is sees_later_writes
    assert adapter.call("resize_vmo", {"o": 2, "size": 0x5000}).status == "OK"
    assert adapter.call("resize_vmo", {"o": 1, "size": 0x5000}).status == "UNAVAILABLE"
    assert adapter.vmos[2].size == 0x5000


def test_a_pinned_vmo_keeps_its_pages() -> None:
    adapter = started(world=World(vmos=(VmoSpec(0x4000, pinned=True),)))
    decommit = {"o": 0, "does": CONTRACT.enums["RangeOp"].index("decommit"), "offset": 0, "size": PAGE}
    assert adapter.call("vmo_range", decommit).status == "BAD_STATE"


def test_no_caller_frees_a_unified_space_whose_restricted_part_shows_pages() -> None:
    """x86_64 stops over its table; once nothing is mapped there, it may go."""
    adapter = started()
    share = {name: CONTRACT.enums["ShareOpt"].index(name) for name in ("shared", "restricted")}
    page = {"base": BASE, "size": PAGE, "type": 0, "share": share["restricted"]}
    assert adapter.call("create", page).status == "OK"
    adapter.observe()
    perms = 1 << CONTRACT.flags["Perms"]["read"]
    mapped = {"v": 1, "offset": 0, "size": PAGE, "align_pow2": 0, "flags": 0, "vmo": 0, "vmo_offset": 0, "perms": perms}
    assert adapter.call("map", mapped).status == "OK"
    adapter.observe()
    upper = {"base": 1 << 40, "size": PAGE, "type": 0, "share": share["shared"]}
    assert adapter.call("create", upper).status == "OK"
    adapter.observe()
    assert adapter.call("create_unified", {"shared": 2, "restricted": 1}).status == "OK"
    adapter.observe()
    show = {"m": 2, "offset": 0, "size": PAGE, "commit": 1, "ignore_existing": 0}
    assert adapter.call("map_range", show).status == adapter.call("destroy", {"a": 3}).status == "OK"
    may_be_freed = Interpreter(CONTRACT).enabled
    assert not may_be_freed("release", adapter.observe(), {"a": 3})
    assert adapter.call("release", {"a": 3}).status == "ASSERT"
    assert adapter.call("unmap", {"v": 1, "base": BASE, "size": PAGE, "op_children": 0}).status == "OK"
    assert may_be_freed("release", adapter.observe(), {"a": 3})
    assert adapter.call("release", {"a": 3}).status == "OK"


# --- models that misbehave -----------------------------------------------------------------------------------------


class Raising(VmAspace):
    __slots__ = ()

    def rename(self, name: str | None) -> None:
        if name is None:
            raise IndexError("no name")
        super().rename(name)


class RaisingSystem(System):
    aspace_class = Raising


def test_any_exception_is_a_crash() -> None:
    answer = started(RaisingSystem).call("rename", {"a": 0, "is_null": 1, "length": 0})
    assert (answer.status, answer.violated) == (CRASH, "IndexError: no name")


class Circular(VmAddressRegion):
    __slots__ = ()

    def activate(self) -> Status:
        status = super().activate()
        assert self.parent is not None
        self.subregions.root = Leaf([self.parent], 6)
        return status


class CircularSystem(System):
    vmar_class = Circular


def test_a_circle_of_regions_is_observed_and_not_walked_for_ever() -> None:
    adapter = started(CircularSystem)
    make_space(adapter)
    adapter.call("allocate", {"v": 1, "offset": 0, "size": PAGE, "align_pow2": 0, "flags": ALL})
    assert (2, 1) in adapter.observe().tables["under"]


class Nonsense(VmMapping):
    __slots__ = ()

    def _become_alive(self, vmo: object) -> None:
        self.state = LifeCycleState.ALIVE
        self.base = None  # type: ignore[assignment]


class NonsenseSystem(System):
    mapping_class = Nonsense


def test_what_is_no_value_is_said_to_be_none() -> None:
    adapter = started(NonsenseSystem)
    make_space(adapter)
    adapter.call("map", mapping(1, 0, 1))
    with pytest.raises(BrokenImplementation, match="TypeError"):
        adapter.observe()


# --- worlds and subjects -------------------------------------------------------------------------------------------


def test_a_world_can_be_read_back() -> None:
    world = World("riscv64", WORLD.vmos, 0x3000, 0x1000, True, frozenset({"documented_roles"}), 7)
    assert world_of(CONTRACT, world.givens(CONTRACT), world.switches, 7) == world


def test_a_subject_is_found_by_its_name() -> None:
    assert system_class_of("vmaspace.model.system:System") is System


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nothing", "does not name a class"),
        ("a.b:c d", "does not name a class"),
        ("no_such_module_at_all:Mine", "cannot be imported"),
        ("vmaspace.model.system:Nothing", "not a class derived"),
        ("vmaspace.model.vmar:VmAddressRegion", "not a class derived"),
        ("json:dumps", "not a class derived"),
    ],
)
def test_a_bad_subject_is_refused_in_words(name: str, message: str) -> None:
    with pytest.raises(SubjectError, match=message):
        system_class_of(name)


def test_a_run_of_every_operation_is_observed_in_normal_form() -> None:
    """Tables list nothing that is a default, so that states can be compared as they are."""
    adapter = started()
    make_space(adapter)
    adapter.call("map", mapping(1, 0, 4))
    adapter.call("unmap", {"v": 1, "base": BASE + PAGE, "size": PAGE, "op_children": 0})
    state = adapter.observe()
    for name, f in CONTRACT.variables.items():
        default = -1 if f.result.kind == "sort" else 0
        assert default not in state.tables[name].values(), name
    for pieces in state.tables["prot"].values():
        assert list(pieces.starts) == sorted(pieces.starts)
        assert all(a != b for a, b in pairwise((0, *pieces.values)))
