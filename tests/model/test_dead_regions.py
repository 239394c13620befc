"""What every member of a dead VMAR or mapping answers."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.model.conftest import PAGE as P
from tests.model.conftest import World
from tests.model.error_rows import outcome_of
from vmaspace.model.constants import MAX_U64
from vmaspace.model.flags import FaultFlag, MmuFlag
from vmaspace.model.mapping import VmMapping
from vmaspace.model.region import MemoryPriority
from vmaspace.model.status import Status
from vmaspace.model.system import System
from vmaspace.model.vmar import VmAddressRegion
from vmaspace.model.vmar_range_op import RangeOpType
from vmaspace.model.vmo import AttributionCounts, VmObject

OK, INVALID_ARGS, BAD_STATE = Status.ZX_OK, Status.ZX_ERR_INVALID_ARGS, Status.ZX_ERR_BAD_STATE
OUT_OF_RANGE, UNAVAILABLE, NEXT = Status.ZX_ERR_OUT_OF_RANGE, Status.ZX_ERR_UNAVAILABLE, Status.ZX_ERR_NEXT

R = MmuFlag.PERM_READ


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
