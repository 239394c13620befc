"""CreateSubVmar and CreateVmMapping: each refusal, and which comes first."""

import pytest

from vmaspace.model.constants import MAX_U64
from vmaspace.model.flags import AspaceType, MmuFlag, VmarFlag
from vmaspace.model.region import LifeCycleState
from vmaspace.model.status import AssertionViolation, Status
from vmaspace.model.vmo import VmoKind

P = 0x1000
S, U, OVER = VmarFlag.SPECIFIC, VmarFlag.OFFSET_IS_UPPER_LIMIT, VmarFlag.SPECIFIC_OVERWRITE
R, W, X = MmuFlag.PERM_READ, MmuFlag.PERM_WRITE, MmuFlag.PERM_EXECUTE
CAN_R, CAN_W, CAN_X = VmarFlag.CAN_MAP_READ, VmarFlag.CAN_MAP_WRITE, VmarFlag.CAN_MAP_EXECUTE
CAN_S = VmarFlag.CAN_MAP_SPECIFIC


@pytest.fixture
def parent(world):
    """A VMAR of 16 pages, readable and writable, with a place of one's choice; pages 4 to 6 are taken."""
    vmar = world.vmar(0x10, 16, flags=CAN_R | CAN_W | CAN_S)
    world.map(4, 2, vmar=vmar)
    return vmar


# Offset, size, alignment, flags; the second column of statuses is for a dead parent.
SUB_VMARS = {
    "size not whole pages": (0, P + 1, 0, 1 << 20, "INVALID_ARGS", "INVALID_ARGS"),
    "unknown flag": (0, P, 0, 1 << 20, "INVALID_ARGS", "INVALID_ARGS"),
    "overwrite": (0, P, 0, OVER, "INVALID_ARGS", "INVALID_ARGS"),
    "faults are for the dispatcher": (0, P, 0, VmarFlag.ALLOW_FAULTS, "INVALID_ARGS", "INVALID_ARGS"),
    "size 0 before rights": (0, 0, 0, CAN_X, "INVALID_ARGS", "BAD_STATE"),
    "rights before contradictory places": (0, P, 0, CAN_X | S | U, "ACCESS_DENIED", "BAD_STATE"),
    "place and limit": (P, P, 0, S | U, "INVALID_ARGS", "BAD_STATE"),
    "offset without use": (P, P, 0, 0, "INVALID_ARGS", "BAD_STATE"),
    "misaligned offset": (1, P, 0, S, "INVALID_ARGS", "BAD_STATE"),
    "offset at the end": (16 * P, P, 0, S, "INVALID_ARGS", "BAD_STATE"),
    "does not fit behind offset": (15 * P, 2 * P, 0, S, "INVALID_ARGS", "BAD_STATE"),
    "larger than the parent": (0, 17 * P, 0, 0, "INVALID_ARGS", "BAD_STATE"),
    "limit past the parent": (17 * P, P, 0, U, "INVALID_ARGS", "BAD_STATE"),
    "larger than the limit": (2 * P, 3 * P, 0, U, "INVALID_ARGS", "BAD_STATE"),
    "against the alignment": (P, P, 13, S, "INVALID_ARGS", "BAD_STATE"),
    "in use": (3 * P, 2 * P, 0, S, "ALREADY_EXISTS", "BAD_STATE"),
    "no gap": (0, 11 * P, 0, 0, "NO_RESOURCES", "BAD_STATE"),
    "no gap below the limit": (7 * P, 5 * P, 0, U, "NO_RESOURCES", "BAD_STATE"),
    "huge": (0, MAX_U64 & ~0xFFF, 0, 0, "INVALID_ARGS", "BAD_STATE"),
}


@pytest.mark.parametrize("case", SUB_VMARS.values(), ids=SUB_VMARS)
def test_create_sub_vmar_refuses(parent, case) -> None:
    offset, size, align, flags, alive, dead = case
    before = list(parent.subregions)
    status, child = parent.create_sub_vmar(offset, size, align, flags)
    assert (status.name, child) == (f"ZX_ERR_{alive}", None)
    assert list(parent.subregions) == before
    parent.destroy()
    assert parent.create_sub_vmar(offset, size, align, flags)[0].name == f"ZX_ERR_{dead}"


@pytest.mark.parametrize("flags", [S, U])
def test_a_place_needs_can_map_specific(world, flags) -> None:
    plain = world.vmar(0, 4, flags=CAN_R)
    assert plain.create_sub_vmar(P, P, 0, flags)[0] is Status.ZX_ERR_ACCESS_DENIED
    assert plain.create_sub_vmar(0, P, 0, CAN_R)[0] is Status.ZX_OK


def test_the_new_vmar(parent) -> None:
    status, child = parent.create_sub_vmar(8 * P, 2 * P, 13, S | CAN_S | CAN_R | VmarFlag.COMPACT, "x" * 40)
    assert status is Status.ZX_OK
    assert (child.base, child.size, child.parent) == (parent.base + 8 * P, 2 * P, parent)
    assert child.flags == CAN_S | CAN_R | VmarFlag.COMPACT
    assert child.state is LifeCycleState.ALIVE and child.has_parent() and child.name == "x" * 31
    assert child in list(parent.subregions)


def test_alignment_is_of_the_address_not_of_the_offset(world) -> None:
    parent = world.vmar(1, 16, flags=CAN_S)
    assert parent.create_sub_vmar(P, P, 13, S)[0] is Status.ZX_OK
    assert parent.create_sub_vmar(2 * P, P, 13, S)[0] is Status.ZX_ERR_INVALID_ARGS


def test_an_upper_limit_is_respected(parent) -> None:
    for page in (0, 1, 2, 3):
        status, child = parent.create_sub_vmar(4 * P, P, 0, U)
        assert (status, child.base - parent.base) == (Status.ZX_OK, page * P)
    assert parent.create_sub_vmar(4 * P, P, 0, U)[0] is Status.ZX_ERR_NO_RESOURCES


MAPPINGS = {
    "unknown flag": (0, P, 1 << 20, 1, R | W | X, "INVALID_ARGS", "INVALID_ARGS"),
    "compact": (0, P, VmarFlag.COMPACT, 0, R, "INVALID_ARGS", "INVALID_ARGS"),
    "can map specific": (0, P, CAN_S, 0, R, "INVALID_ARGS", "INVALID_ARGS"),
    "permissions before the VMO offset": (0, P, 0, 1, X, "ACCESS_DENIED", "ACCESS_DENIED"),
    "misaligned VMO offset": (0, MAX_U64, 0, 1, R, "INVALID_ARGS", "INVALID_ARGS"),
    "size wraps on rounding": (0, MAX_U64, 0, 0, R, "OUT_OF_RANGE", "OUT_OF_RANGE"),
    "end in the VMO wraps": (0, 2 * P, 0, MAX_U64 & ~0xFFF, R, "OUT_OF_RANGE", "OUT_OF_RANGE"),
    "size 0": (0, 0, 0, 0, R, "INVALID_ARGS", "BAD_STATE"),
    "CAN_MAP beyond the parent": (0, P, CAN_X, 0, R, "ACCESS_DENIED", "BAD_STATE"),
    "overwrite and limit": (P, P, OVER | U, 0, R, "INVALID_ARGS", "BAD_STATE"),
    "offset without use": (P, P, 0, 0, R, "INVALID_ARGS", "BAD_STATE"),
    "misaligned offset": (1, P, S, 0, R, "INVALID_ARGS", "BAD_STATE"),
    "too large": (0, 16 * P + 1, 0, 0, R, "INVALID_ARGS", "BAD_STATE"),
    "in use": (5 * P, P, S, 0, R, "ALREADY_EXISTS", "BAD_STATE"),
    "no gap": (0, 11 * P, 0, 0, R, "NO_RESOURCES", "BAD_STATE"),
}


@pytest.mark.parametrize("case", MAPPINGS.values(), ids=MAPPINGS)
def test_create_vm_mapping_refuses(world, parent, case) -> None:
    offset, size, flags, vmo_offset, mmu, alive, dead = case
    before = list(parent.subregions)
    status, mapping = parent.create_vm_mapping(offset, size, 0, flags, world.vmo, vmo_offset, mmu)
    assert (status.name, mapping) == (f"ZX_ERR_{alive}", None)
    assert list(parent.subregions) == before
    parent.destroy()
    status, _ = parent.create_vm_mapping(offset, size, 0, flags, world.vmo, vmo_offset, mmu)
    assert status.name == f"ZX_ERR_{dead}"


def test_the_new_mapping(world, parent) -> None:
    status, mapping = parent.create_vm_mapping(8 * P, P + 1, 0, S, world.vmo, 3 * P, R | MmuFlag.PERM_USER)
    assert status is Status.ZX_OK
    assert (mapping.base, mapping.size) == (parent.base + 8 * P, 2 * P)
    assert (mapping.vmo, mapping.object_offset, mapping.mergeable) == (world.vmo, 3 * P, False)
    assert mapping.flags == CAN_R
    assert mapping.protection_ranges() == [(mapping.base, mapping.end, R | MmuFlag.PERM_USER)]
    assert mapping in world.vmo.mappings


def test_paged_vmos_may_be_mapped_past_their_end_physical_ones_not(world) -> None:
    _, physical = world.system.create_vmo(2 * P, VmoKind.PHYSICAL)
    for vmo, status in ((world.make_vmo(2), Status.ZX_OK), (physical, Status.ZX_ERR_OUT_OF_RANGE)):
        assert world.root.create_vm_mapping(0, 2 * P, 0, 0, vmo, P, R)[0] is status
    assert world.root.create_vm_mapping(0, P, 0, 0, physical, P, R)[0] is Status.ZX_OK


def test_a_mapping_adopts_the_cache_policy_of_its_vmo(world) -> None:
    assert world.vmo.set_cache_policy(4) is Status.ZX_ERR_INVALID_ARGS
    world.vmo.set_cache_policy(MmuFlag.UNCACHED_DEVICE)
    mapping = world.map(0, 2, mmu=R | MmuFlag.UNCACHED)
    assert mapping.arch_mmu_flags_at(mapping.base) == R | MmuFlag.UNCACHED_DEVICE
    assert world.root.protect(mapping.base, P, 0) is Status.ZX_OK
    assert {flags & MmuFlag.CACHE_MASK for *_, flags in mapping.protection_ranges()} == {2}


@pytest.mark.parametrize("kind", [VmoKind.CONTIGUOUS, VmoKind.PHYSICAL])
def test_fault_beyond_stream_size_asserts_an_ordinary_vmo(world, kind) -> None:
    _, vmo = world.system.create_vmo(P, kind)
    with pytest.raises(AssertionViolation, match="FAULT_BEYOND"):
        world.root.create_vm_mapping(0, P, 0, VmarFlag.FAULT_BEYOND_STREAM_SIZE, vmo, 0, R)
    assert world.map(0, 1, flags=S | VmarFlag.FAULT_BEYOND_STREAM_SIZE).is_alive()


@pytest.mark.parametrize("type", [AspaceType.KERNEL, AspaceType.LOW_KERNEL])
def test_kernel_mappings_are_of_pinned_pages(world, type) -> None:
    system = world.system
    aspace = system.kernel_aspace if type is AspaceType.KERNEL else system.create_default_aspace(type)
    with pytest.raises(AssertionViolation, match="pinned"):
        aspace.root.create_vm_mapping(0, P, 0, 0, world.vmo, 0, R)
    assert aspace.root.subregions.is_empty()
    dynamic = VmarFlag.DEBUG_DYNAMIC_KERNEL_MAPPING
    assert aspace.root.create_vm_mapping(0, P, 0, dynamic, world.vmo, 0, R)[0] is Status.ZX_OK
    pinned = world.make_vmo(1)
    assert pinned.commit_range_pinned(0, P, True) is Status.ZX_OK
    assert aspace.root.create_vm_mapping(0, P, 0, 0, pinned, 0, R)[0] is Status.ZX_OK


def test_a_misaligned_aspace_asserts_when_a_place_is_chosen(world) -> None:
    aspace = world.system.create_aspace(0x200008, 64 * P)
    with pytest.raises(AssertionViolation, match="page aligned"):
        aspace.root.create_vm_mapping(0, P, 0, S, world.vmo, 0, R)
    with pytest.raises(AssertionViolation, match="page aligned"):
        aspace.root.create_sub_vmar(0, P, 0, S)
    assert aspace.root.subregions.is_empty() and not world.vmo.mappings
    status, child = aspace.root.create_sub_vmar(0, P, 0, 0)
    assert status is Status.ZX_OK and child.base % P == 0
    child.destroy()
    _, mapping = aspace.root.create_vm_mapping(0, P, 0, 0, world.vmo, 0, R)
    with pytest.raises(AssertionViolation, match="page aligned"):
        aspace.root.create_vm_mapping(0, 2 * P, 0, OVER, world.vmo, 0, R)
    assert mapping.is_alive()


def test_first_fit_without_randomness(world) -> None:
    assert [world.root.create_sub_vmar(0, P, 0, 0)[1].base - world.root.base for _ in range(3)] == [
        0,
        P,
        2 * P,
    ]


# Overwriting.


def test_overwrite_replaces_what_it_covers_and_keeps_the_rest(world) -> None:
    world.map(0, 4, vmo_page=10)
    world.map(6, 4, vmo_page=20)
    new = world.map(2, 6, vmo_page=50, flags=OVER)
    assert world.children() == [(0, 2), (2, 6), (8, 2)]
    low, middle, high = world.root.subregions
    assert (low.object_offset, middle, high.object_offset) == (10 * P, new, 22 * P)
    assert low.mergeable and high.mergeable and not new.mergeable


def test_overwrite_of_nothing_is_a_plain_mapping(world) -> None:
    assert world.map(2, 2, flags=OVER).is_alive()


@pytest.mark.parametrize("pages", [1, 2, 3])
def test_overwrite_never_takes_a_vmar(world, pages: int) -> None:
    world.vmar(2, 2)
    status, _ = world.root.create_vm_mapping(2 * P, pages * P, 0, OVER, world.vmo, 0, R)
    assert status is Status.ZX_ERR_INVALID_ARGS
    assert world.children() == [(2, 2)]
