"""The errors of the other members of regions, row by row; and what every member of a dead one answers."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.model.conftest import PAGE as P
from tests.model.conftest import World
from tests.model.error_rows import ASSERTS, ErrorTable, Facts, Outcome, outcome_of, pair_params, row_params
from vmaspace.model.arch.aspace import ArchVmAspace
from vmaspace.model.constants import MAX_U64
from vmaspace.model.flags import AspaceType, FaultFlag, MmuFlag, VmarFlag
from vmaspace.model.mapping import VmMapping
from vmaspace.model.region import MemoryPriority
from vmaspace.model.status import Status
from vmaspace.model.system import System
from vmaspace.model.vmar import VmAddressRegion
from vmaspace.model.vmar_range_op import RangeOpType
from vmaspace.model.vmo import AttributionCounts, VmObject, VmoKind

OK, INVALID_ARGS, BAD_STATE = Status.ZX_OK, Status.ZX_ERR_INVALID_ARGS, Status.ZX_ERR_BAD_STATE
ACCESS_DENIED, OUT_OF_RANGE = Status.ZX_ERR_ACCESS_DENIED, Status.ZX_ERR_OUT_OF_RANGE
ALREADY_EXISTS, NO_MEMORY = Status.ZX_ERR_ALREADY_EXISTS, Status.ZX_ERR_NO_MEMORY
NOT_SUPPORTED, UNAVAILABLE = Status.ZX_ERR_NOT_SUPPORTED, Status.ZX_ERR_UNAVAILABLE
NEXT, STOP = Status.ZX_ERR_NEXT, Status.ZX_ERR_STOP

R, W, X = MmuFlag.PERM_READ, MmuFlag.PERM_WRITE, MmuFlag.PERM_EXECUTE
DYNAMIC = VmarFlag.DEBUG_DYNAMIC_KERNEL_MAPPING


class StuckTables(ArchVmAspace):
    """Page tables that can not be edited any more once they are stuck."""

    is_stuck = False

    def map(self, *request: Any) -> Status:
        return NO_MEMORY if self.is_stuck else super().map(*request)

    def unmap(self, *request: Any) -> Status:
        return NO_MEMORY if self.is_stuck else super().unmap(*request)

    def protect(self, *request: Any) -> Status:
        return NO_MEMORY if self.is_stuck else super().protect(*request)


class StuckSystem(System):
    arch_aspace_class = StuckTables


class Scene:
    """A VMAR of 64 pages that holds a mapping of 4 pages, or vDSO code, or both with one of them first."""

    def __init__(
        self,
        *,
        kernel: bool = False,
        kind: str = "paged",
        vdso: bool = False,
        vdso_first: bool = True,
        writable: bool = True,
        pinned: bool = False,
        fault_beyond: bool = False,
        mapped: bool = False,
        committed: bool = True,
        cpus: int = 1,
        stuck: bool = False,
        dead: bool = False,
        no_memory: int = 0,
        no_page: bool = False,
    ) -> None:
        self.world = World(StuckSystem(aslr_disabled=True, online_cpus=cpus))
        self.system = self.world.system
        root = self.world.root
        if kernel:
            root = self.system.create_default_aspace(AspaceType.LOW_KERNEL).root
        _, self.vmar = root.create_sub_vmar(-root.base % 0x40000, 0x40000, 0, VmarFlag.SPECIFIC | 0x78)
        status, self.vmo = self.system.create_vmo(8 * P, VmoKind[kind.upper()])
        assert status is OK
        if pinned or (committed and kind == "paged"):
            self.vmo.commit_range_pinned(0, 8 * P, True)
            if not pinned:
                self.vmo.unpin(0, 8 * P)
        flags = VmarFlag.FAULT_BEYOND_STREAM_SIZE * fault_beyond | VmarFlag.CAN_MAP_WRITE * writable
        flags |= VmarFlag.SPECIFIC | DYNAMIC
        self.mapping = self.world.map(8, 4, vmar=self.vmar, vmo=self.vmo, mmu=R | W * writable, flags=flags)
        if kernel and not pinned:
            self.mapping._flags &= ~DYNAMIC  # as if it had been pinned, and is not any more
        if vdso:
            image, code = self.system.create_vdso_vmo(), self.system.vdso.code_start // P
            page, flags = 0 if vdso_first else 16, VmarFlag.SPECIFIC
            self.code = self.world.map(page, 2, vmar=self.vmar, vmo=image, vmo_page=code, mmu=R | X, flags=flags)
        if mapped:
            assert self.mapping.map_range(P, P) is OK
        if dead:
            assert self.vmar.destroy() is OK
        self.vmar.aspace.arch.is_stuck = stuck
        self.system.heap.fail_next(no_memory)
        self.system.pmm.fail_next(int(no_page))


def destroy_vmar(**scene: Any) -> Any:
    return Scene(**scene).vmar.destroy()


def destroy_mapping(**scene: Any) -> Any:
    at = Scene(**scene)
    return (at.code if scene.get("vdso") else at.mapping).destroy()


def set_memory_priority(**scene: Any) -> Any:
    return Scene(**scene).vmar.set_memory_priority(MemoryPriority.HIGH)


def enumerate_children(*, says: Status = NEXT, **scene: Any) -> Any:
    return Scene(**scene).vmar.enumerate_children(lambda region, depth: says)


def map_range(
    *, offset: int = 0, size: int = 4 * P, commit: bool = False, ignore: bool = False, **scene: Any
) -> Any:
    return Scene(**scene).mapping.map_range(offset, size, commit=commit, ignore_existing=ignore)


def decommit_range(*, offset: int = 0, size: int = 4 * P, **scene: Any) -> Any:
    return Scene(**scene).mapping.decommit_range(offset, size)


def reserve_space(*, offset: int = 32 * P, size: int = 4 * P, mmu: int = R, **scene: Any) -> Any:
    at = Scene(**scene)
    return at.vmar.reserve_space("boot", at.vmar.base + offset, size, mmu)


def force_writable(**scene: Any) -> Any:
    at = Scene(writable=False, **scene)
    return (at.code if scene.get("vdso") else at.mapping).force_writable()


DEAD: tuple[Outcome, Facts] = (BAD_STATE, {"dead": True, "vdso": False})
TABLES = {
    "Destroy of a VMAR": ErrorTable(
        destroy_vmar,
        {
            "dead": DEAD,
            "vDSO code": (ACCESS_DENIED, {"vdso": True, "vdso_first": True}),
            "page tables": (NO_MEMORY, {"stuck": True}),
            "vDSO code, later": (ACCESS_DENIED, {"vdso": True, "vdso_first": False}),
        },
        apart={("dead", "vDSO code"): "nothing is left in it"},
    ),
    "Destroy of a mapping": ErrorTable(
        destroy_mapping,
        {
            "dead": DEAD,
            "vDSO code": (ACCESS_DENIED, {"vdso": True}),
            "page tables": (NO_MEMORY, {"stuck": True}),
        },
        apart={("dead", "vDSO code"): "the code dies with its address space only"},
    ),
    "SetMemoryPriority": ErrorTable(set_memory_priority, {"dead": DEAD}),
    "EnumerateChildren": ErrorTable(
        enumerate_children,
        {
            "dead": DEAD,
            "the visitor refuses": (NO_MEMORY, {"says": NO_MEMORY}),
        },
    ),
    "MapRange": ErrorTable(
        map_range,
        {
            "size 0": (INVALID_ARGS, {"size": 0}),
            "size wraps when rounded": (INVALID_ARGS, {"size": MAX_U64}),
            "dead": DEAD,
            "misaligned": (INVALID_ARGS, {"offset": 1, "size": P}),
            "past the end": (INVALID_ARGS, {"offset": P, "size": 4 * P}),
            "end wraps": (INVALID_ARGS, {"offset": MAX_U64 - P + 1, "size": 4 * P}),
            "kernel mapping of what is not pinned": (ASSERTS, {"kernel": True, "pinned": False}),
            "the VMO refuses": (NO_MEMORY, {"commit": True, "committed": False, "no_page": True}),
            "an entry is there": (ALREADY_EXISTS, {"mapped": True, "committed": True, "ignore": False}),
            "page tables": (NO_MEMORY, {"stuck": True, "mapped": False}),
        },
        apart={
            ("the VMO refuses", "an entry is there"): "what is mapped here is committed",
            ("an entry is there", "page tables"): "one call to the page tables",
        },
    ),
    "DecommitRange": ErrorTable(
        decommit_range,
        {
            "dead": DEAD,
            "past the end": (OUT_OF_RANGE, {"offset": P}),
            "end wraps": (OUT_OF_RANGE, {"offset": MAX_U64 - P + 1}),
            "the VMO refuses": (NOT_SUPPORTED, {"kind": "physical"}),
        },
    ),
    "ReserveSpace": ErrorTable(
        reserve_space,
        {
            "outside": (INVALID_ARGS, {"offset": 61 * P}),
            "no memory for the VMO": (NO_MEMORY, {"no_memory": 1}),
            "dead": DEAD,
            "in use": (ALREADY_EXISTS, {"offset": 8 * P}),
            "no memory for the mapping": (NO_MEMORY, {"no_memory": 3}),
            "more than one CPU": (ASSERTS, {"cpus": 2, "mmu": R}),
            "page tables": (NO_MEMORY, {"stuck": True}),
        },
    ),
    "ForceWritable": ErrorTable(
        force_writable,
        {
            "dead": DEAD,
            "vDSO code": (ACCESS_DENIED, {"vdso": True}),
            "no memory for the clone": (NO_MEMORY, {"no_memory": 1}),
            "no memory for the mapping": (NO_MEMORY, {"no_memory": 3}),
        },
        apart={("dead", "vDSO code"): "the code dies with its address space only"},
    ),
}


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_a_call_without_any_of_the_conditions_succeeds(table: ErrorTable) -> None:
    assert table.answer({}) is OK


@pytest.mark.parametrize(("table", "facts", "outcome"), row_params(TABLES))
def test_a_row(table: ErrorTable, facts: Facts, outcome: Outcome) -> None:
    assert table.answer(facts) == outcome


@pytest.mark.parametrize(("table", "row"), pair_params(TABLES))
def test_a_row_wins_over_every_later_one(table: ErrorTable, row: str) -> None:
    outcome = table.rows[row][0]
    answers = {later: table.answer(facts) for later, facts in table.later(row)}
    assert answers == dict.fromkeys(answers, outcome)


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_neighbours_are_tested_or_exclude_each_other(table: ErrorTable) -> None:
    assert table.untested_neighbours() == []


# What the dead answer.


class Dead:
    """A VMAR and a mapping in it, both dead, and what they were; the range is in use again."""

    def __init__(self) -> None:
        self.world = World(System(aslr_disabled=True))
        self.vmar = self.world.vmar(64, 64)
        self.mapping = self.world.map(8, 4, vmar=self.vmar)
        self.world.aspace.soft_fault(self.mapping.base, FaultFlag.WRITE)
        self.vmar.set_memory_priority(MemoryPriority.HIGH)
        self.before = self.told()
        assert self.vmar.destroy() is OK
        self.world.map(64, 64)

    def told(self) -> list[tuple[int, int, int]]:
        return [(region.base, region.size, region.flags_word) for region in (self.vmar, self.mapping)]


@pytest.fixture(scope="module")
def dead() -> Dead:
    return Dead()


def find_mapping(vmar: VmAddressRegion) -> VmMapping | None:
    with vmar.aspace.lock():
        return vmar.find_mapping_locked(vmar.base)


VmarMember = Callable[[VmAddressRegion, VmObject], Any]
MappingMember = Callable[[VmMapping, VmObject], Any]
VMAR_ANSWERS: dict[str, tuple[VmarMember, Any]] = {
    "Destroy": (lambda v, o: v.destroy(), BAD_STATE),
    "CreateSubVmar, early": (lambda v, o: v.create_sub_vmar(0, 1, 0, 0), INVALID_ARGS),
    "CreateSubVmar": (lambda v, o: v.create_sub_vmar(0, 0, 0, 0), BAD_STATE),
    "CreateVmMapping, early": (lambda v, o: v.create_vm_mapping(0, P, 0, 0, o, 1, R), INVALID_ARGS),
    "CreateVmMapping": (lambda v, o: v.create_vm_mapping(0, 0, 0, 0, o, 0, R), BAD_STATE),
    "FindRegion": (lambda v, o: v.find_region(v.base + 8 * P), None),
    "FindMappingLocked": (lambda v, o: find_mapping(v), None),
    "Unmap, early": (lambda v, o: v.unmap(v.base + 1, P), INVALID_ARGS),
    "Unmap": (lambda v, o: v.unmap(v.base, P), BAD_STATE),
    "Unmap, outside": (lambda v, o: v.unmap(v.end, P), BAD_STATE),
    "Protect, early": (lambda v, o: v.protect(v.base + 1, P, R), INVALID_ARGS),
    "Protect": (lambda v, o: v.protect(v.base, P, R), BAD_STATE),
    "RangeOp, early": (lambda v, o: v.range_op(RangeOpType.ZERO, v.end, P), OUT_OF_RANGE),
    "RangeOp": (lambda v, o: v.range_op(RangeOpType.ZERO, v.base + 8 * P, P), BAD_STATE),
    "SetMemoryPriority": (lambda v, o: v.set_memory_priority(MemoryPriority.HIGH), BAD_STATE),
    "EnumerateChildren": (lambda v, o: v.enumerate_children(lambda region, depth: NEXT), BAD_STATE),
    "GetAttributedMemory": (lambda v, o: v.get_attributed_memory(), AttributionCounts()),
    "has_parent": (lambda v, o: v.has_parent(), False),
    "ReserveSpace, early": (lambda v, o: v.reserve_space("late", v.end, P, R), INVALID_ARGS),
    "ReserveSpace": (lambda v, o: v.reserve_space("late", v.base, P, R), BAD_STATE),
    "CommitHighMemoryPriority": (lambda v, o: v.commit_high_memory_priority(), None),
    "name": (lambda v, o: v.name, "useralloc"),
    "state": (lambda v, o: (v.is_alive(), v.parent, v.memory_priority), (False, None, MemoryPriority.DEFAULT)),
}
MAPPING_ANSWERS: dict[str, tuple[MappingMember, Any]] = {
    "Destroy": (lambda m, o: m.destroy(), BAD_STATE),
    "vmo": (lambda m, o: m.vmo, None),
    "MapRange, early": (lambda m, o: m.map_range(1, 0), INVALID_ARGS),
    "MapRange": (lambda m, o: m.map_range(1, P), BAD_STATE),
    "DecommitRange": (lambda m, o: m.decommit_range(MAX_U64, P), BAD_STATE),
    "GetAttributedMemory": (lambda m, o: m.get_attributed_memory(), AttributionCounts()),
    "PageFault": (lambda m, o: m.page_fault(m.base, FaultFlag.WRITE, 0, o), (UNAVAILABLE, 0)),
    "ForceWritable": (lambda m, o: m.force_writable(), (BAD_STATE, None)),
    "MarkMergeable": (lambda m, o: (m.mark_mergeable(), m.mergeable), (None, False)),
    "protection ranges": (lambda m, o: m.protection_ranges(), []),
    "CommitHighMemoryPriority": (lambda m, o: m.commit_high_memory_priority(), None),
    "state": (lambda m, o: (m.is_alive(), m.parent, m.memory_priority), (False, None, MemoryPriority.DEFAULT)),
}


def is_answer(got: Any, expected: Any) -> bool:
    """A status may stand for a pair that begins with it."""
    return got == expected or (isinstance(expected, Status) and outcome_of(lambda: got) == expected)


@pytest.mark.parametrize(("member", "expected"), VMAR_ANSWERS.values(), ids=VMAR_ANSWERS)
def test_what_a_dead_vmar_answers(dead: Dead, member: VmarMember, expected: Any) -> None:
    assert is_answer(member(dead.vmar, dead.world.vmo), expected)
    assert dead.told() == dead.before and dead.world.children() == [(64, 64)]


@pytest.mark.parametrize(("member", "expected"), MAPPING_ANSWERS.values(), ids=MAPPING_ANSWERS)
def test_what_a_dead_mapping_answers(dead: Dead, member: MappingMember, expected: Any) -> None:
    assert is_answer(member(dead.mapping, dead.world.vmo), expected)
    assert dead.told() == dead.before and dead.world.children() == [(64, 64)]


def test_a_living_vmar_and_mapping_answer_otherwise() -> None:
    def answers(rows: dict[str, tuple[Any, Any]], kind: str) -> list[str]:
        same = []
        for name, (member, expected) in rows.items():
            world = World(System(aslr_disabled=True))
            vmar = world.vmar(64, 64)
            mapping = world.map(8, 4, vmar=vmar)
            world.aspace.soft_fault(mapping.base, FaultFlag.WRITE)
            if is_answer(member(vmar if kind == "vmar" else mapping, world.vmo), expected):
                same.append(name)
        return same

    # What comes before the state is looked at, what never changes, and what is silent either way.
    assert answers(VMAR_ANSWERS, "vmar") == [
        "CreateSubVmar, early",
        "CreateVmMapping, early",
        "FindMappingLocked",
        "Unmap, early",
        "Protect, early",
        "RangeOp, early",
        "ReserveSpace, early",
        "CommitHighMemoryPriority",
        "name",
    ]
    assert answers(MAPPING_ANSWERS, "mapping") == ["MapRange, early", "CommitHighMemoryPriority"]
