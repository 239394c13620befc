"""Where the kernel does what one would not expect and no document says otherwise: the list in `docs/deviations.md`."""

import re
from pathlib import Path

import pytest

from tests.model.vmar_errors import FickleSystem
from vmaspace.model.arch.aspace import ArchVmAspace
from vmaspace.model.constants import MAX_U64
from vmaspace.model.enumerator import EnumerationMode
from vmaspace.model.flags import AspaceType, FaultFlag, VmarFlag, VmmFlag
from vmaspace.model.region import MemoryPriority
from vmaspace.model.status import AssertionViolation, Status
from vmaspace.model.system import System
from vmaspace.model.vmar_range_op import RangeOpType

P = 0x1000
TESTS = Path(__file__).parent
PAGE = (TESTS.parents[1] / "docs/deviations.md").read_text()
ROWS = re.findall(r"^\| .+ \| .+ \| `(\w+)\.(\w+)` \|$", PAGE, re.MULTILINE)
FAULT_BEYOND = VmarFlag.SPECIFIC | VmarFlag.FAULT_BEYOND_STREAM_SIZE


def is_mapped(world, page: int) -> bool:
    return world.aspace.arch.query(world.addr(page))[0] is Status.ZX_OK


def test_populating_past_the_stream_is_not_trimmed(world) -> None:
    mapping = world.map(0, 8, flags=FAULT_BEYOND)
    world.vmo.commit_range(0, 8 * P)
    world.vmo.stream_size.value = 2 * P
    assert mapping.map_range(0, 8 * P) is Status.ZX_OK
    assert [is_mapped(world, page) for page in range(8)] == [True] * 2 + [False] * 6
    assert mapping.map_range(3 * P, 5 * P) is Status.ZX_OK  # begins past the stream, and wraps
    assert [is_mapped(world, page) for page in range(8)] == [True] * 2 + [False] + [True] * 5


def test_a_range_past_the_stream_is_not_refused(world) -> None:
    world.map(0, 8, flags=FAULT_BEYOND)
    world.vmo.set_stream_size(2 * P)
    expected = {0: Status.ZX_ERR_OUT_OF_RANGE, 1: Status.ZX_ERR_OUT_OF_RANGE, 2: Status.ZX_ERR_OUT_OF_RANGE}
    for page in range(5):
        answer = world.root.range_op(RangeOpType.ZERO, world.addr(page), 3 * P)
        assert answer is expected.get(page, Status.ZX_OK), page


@pytest.mark.parametrize("vmo_page", [0, 2])
def test_high_priority_populates_at_the_offset_of_the_vmo(world, vmo_page: int) -> None:
    world.vmo.commit_range(0, 8 * P)
    world.map(0, 4, vmo_page=vmo_page)
    world.root.set_memory_priority(MemoryPriority.HIGH)
    # The offset in the VMO stands for one in the mapping, whose end it then reaches past: nothing is populated.
    assert [is_mapped(world, page) for page in range(4)] == [vmo_page == 0] * 4


def test_a_walk_that_begins_in_the_tail_of_a_sub_vmar_ends_there(world) -> None:
    inner = world.vmar(8, 8)
    world.map(8 - 8, 2, vmar=inner)
    behind = world.map(16, 2)

    def mappings(page: int) -> list:
        with world.aspace.lock():
            mode = EnumerationMode.MAPPINGS_ONLY
            walk = world.system.enumerator_class(world.root, mode, world.addr(page), world.addr(32))
            return [found[0] for found in iter(walk.next, None)]

    assert mappings(12) == []  # what is behind is not found
    assert mappings(16) == [behind]


class StuckTables(ArchVmAspace):
    """Page tables that can not grow once they are stuck."""

    is_stuck = False

    def map(self, *request) -> Status:
        return Status.ZX_ERR_NO_MEMORY if self.is_stuck else super().map(*request)


class StuckSystem(System):
    arch_aspace_class = StuckTables


def test_pages_that_the_tables_refused_count_as_mapped(make_world) -> None:
    world = make_world(StuckSystem)
    mapping = world.map(0, 4)
    world.aspace.arch.is_stuck = True
    with world.aspace.lock():
        assert mapping.page_fault(mapping.base, FaultFlag.WRITE, 2, world.vmo) == (
            Status.ZX_ERR_NO_MEMORY,
            3,
        )
    assert not is_mapped(world, 0)


def test_an_address_outside_finds_the_root(world) -> None:
    assert world.aspace.find_region(0) is world.root is world.aspace.find_region(MAX_U64)


def test_an_allocation_that_fails_leaves_its_pages_pinned(make_world) -> None:
    world = make_world()
    kernel = world.system.create_default_aspace(AspaceType.LOW_KERNEL)
    at, flags = kernel.base + 8 * P, VmmFlag.VALLOC_SPECIFIC
    for expected in (Status.ZX_OK, Status.ZX_ERR_ALREADY_EXISTS):
        vmo = world.make_vmo(2)
        status, _ = kernel.map_object_internal(vmo, "twice", 0, 2 * P, 0, flags, 8, at=at)
        assert status is expected and vmo.is_range_pinned(0, 2 * P)
    kernel.destroy()
    with pytest.raises(AssertionViolation):
        kernel.map_object_internal(world.make_vmo(2), "late", 0, 2 * P, 0, 0, 8)


def test_what_became_of_the_vmar_wins_over_the_piece() -> None:
    system = FickleSystem(aslr_disabled=True)
    aspace = system.create_default_aspace()
    _, vmar = aspace.root.create_sub_vmar(0, 8 * P, 0, 0x78)
    _, vmo = system.create_vmo(8 * P)
    vmar.create_vm_mapping(0, 8 * P, 0, FAULT_BEYOND, vmo, 0, 0x18)
    vmo.victim, vmo.refuses = vmar, True
    assert vmar.range_op(RangeOpType.ZERO, vmar.base, P) is Status.ZX_ERR_BAD_STATE


def test_the_list_of_oddities_names_tests_that_are_there() -> None:
    assert len(ROWS) > 12
    for file, name in ROWS:
        assert f"def {name}(" in (TESTS / f"{file}.py").read_text(), f"{file}.{name}"
    here = re.findall(r"^def (test_\w+)", Path(__file__).read_text(), re.MULTILINE)
    assert set(here[:-1]) <= {name for _, name in ROWS}
