"""The kernel's own allocators: what is refused in which order, and what is pinned while it is mapped."""

import pytest

from vmaspace.model.constants import MAX_U64
from vmaspace.model.flags import MmuFlag, VmmFlag
from vmaspace.model.mapping import VmMapping
from vmaspace.model.status import AssertionViolation, Status
from vmaspace.model.system import System
from vmaspace.model.vmo import VmoKind

P = 0x1000
RW = MmuFlag.PERM_READ | MmuFlag.PERM_WRITE
COMMIT, SPECIFIC = VmmFlag.COMMIT, VmmFlag.VALLOC_SPECIFIC
ARCH_NAMES = ["x86_64", "arm64", "riscv64"]


@pytest.fixture
def kernel():
    return System().kernel_aspace


def children(aspace) -> list:
    return list(aspace.root.subregions)


@pytest.mark.parametrize("arch", ARCH_NAMES)
def test_memory_comes_and_goes(arch: str) -> None:
    aspace = System(arch).kernel_aspace
    free = aspace.system.pmm.free_count
    status, base = aspace.alloc("heap", 3 * P + 1, 0, COMMIT, RW)
    mapping = aspace.find_region(base)
    assert status is Status.ZX_OK and isinstance(mapping, VmMapping) and mapping.size == 4 * P
    assert mapping.vmo.name == "heap" and mapping.vmo.is_range_pinned(0, 4 * P)
    # Any address inside will do, and the whole mapping goes.
    assert aspace.free_region(base + 2 * P + 1) is Status.ZX_OK
    assert aspace.free_region(base) is Status.ZX_ERR_NOT_FOUND
    assert children(aspace) == [] and aspace.system.pmm.free_count == free


def test_without_commit_the_pages_are_there_all_the_same(kernel) -> None:
    status, base = kernel.alloc("lazy", 2 * P, 0, 0, RW)
    assert status is Status.ZX_OK
    assert kernel.find_region(base).vmo.attributed_memory().uncompressed == 2 * P
    assert kernel.arch.query(base)[0] is Status.ZX_ERR_NOT_FOUND


def test_a_run_of_pages_is_aligned_on_both_sides(kernel) -> None:
    kernel.alloc("odd", P, 0, 0, RW)
    status, base = kernel.alloc_contiguous("run", 2 * P, 16, COMMIT, RW)
    vmo = kernel.find_region(base).vmo
    assert status is Status.ZX_OK and base % (1 << 16) == 0 and vmo.is_contiguous()
    with vmo.lock:
        first, second = (vmo.lookup_page(offset, True)[1].paddr for offset in (0, P))
    assert first % (1 << 16) == 0 and second == first + P


def test_device_memory_keeps_the_cache_policy(kernel) -> None:
    mmu = RW | MmuFlag.UNCACHED_DEVICE
    status, base = kernel.alloc_physical("uart", P + 1, 0, 0xFE00_0000, 0, mmu)
    mapping = kernel.find_region(base)
    assert status is Status.ZX_OK and mapping.size == 2 * P and mapping.vmo.name == "uart"
    assert mapping.vmo.cache_policy == MmuFlag.UNCACHED_DEVICE
    assert mapping.arch_mmu_flags_at(base) == mmu


def test_at_a_chosen_address(kernel) -> None:
    at = kernel.base + 8 * P
    assert kernel.alloc("there", P, 0, SPECIFIC, RW, at=at) == (Status.ZX_OK, at)
    assert kernel.alloc("again", P, 0, SPECIFIC, RW, at=at)[0] is Status.ZX_ERR_ALREADY_EXISTS
    assert [child.base for child in children(kernel)] == [at]


# What is refused, in the order of the checks: each call also has every later mistake that fits.


@pytest.mark.parametrize(
    ("vmo", "offset", "size", "at"),
    [
        (None, 1, 0, 1),
        (None, 1, MAX_U64, 1),
        (None, 1, P, 1),
        ("vmo", 1, P, 1),
        ("vmo", 0, P, None),
        ("vmo", 0, P, 1),
        ("vmo", 0, P, 0),
    ],
)
def test_map_object_internal_refuses_bad_arguments(kernel, vmo, offset, size, at) -> None:
    memory = None if vmo is None else kernel.system.create_vmo(P)[1]
    answer = kernel.map_object_internal(memory, "x", offset, size, 0, SPECIFIC | COMMIT, RW, at=at)
    assert answer == (Status.ZX_ERR_INVALID_ARGS, 0)
    assert memory is None or not memory.is_range_pinned(0, P)


def test_map_object_internal_passes_the_statuses_on(kernel) -> None:
    vmo = kernel.system.create_vmo(P)[1]
    # The commit comes first, and nothing is pinned when it fails.
    assert kernel.map_object_internal(vmo, "x", 0, 2 * P, 0, 0, RW)[0] is Status.ZX_ERR_OUT_OF_RANGE
    assert not vmo.is_range_pinned(0, P)
    # A mapping that is refused leaves the pages pinned.
    kernel.alloc("there", P, 0, SPECIFIC, RW, at=kernel.base)
    answer = kernel.map_object_internal(vmo, "x", 0, P, 0, SPECIFIC, RW, at=kernel.base)
    assert answer[0] is Status.ZX_ERR_ALREADY_EXISTS and vmo.is_range_pinned(0, P)
    assert len(children(kernel)) == 1


def test_the_other_allocators_refuse_before_they_look_at_the_type(world) -> None:
    user = world.aspace
    assert user.alloc("x", 0, 0, 0, RW)[0] is Status.ZX_ERR_INVALID_ARGS
    assert user.alloc("x", MAX_U64, 0, 0, RW)[0] is Status.ZX_ERR_INVALID_ARGS
    assert user.alloc_contiguous("x", 0, 0, 0, RW)[0] is Status.ZX_ERR_INVALID_ARGS
    assert user.alloc_contiguous("x", P, 0, 0, RW)[0] is Status.ZX_ERR_INVALID_ARGS
    assert user.alloc_physical("x", 0, 0, P, 0, RW) == (Status.ZX_OK, 0)
    assert world.children() == []


@pytest.mark.parametrize(
    "call",
    [
        lambda aspace: aspace.map_object_internal(None, "x", 1, 0, 0, 0, RW),
        lambda aspace: aspace.alloc("x", P, 0, 0, RW),
        lambda aspace: aspace.alloc_contiguous("x", P, 0, COMMIT, RW),
        lambda aspace: aspace.alloc_physical("x", P, 0, 0, 0, RW),
        lambda aspace: aspace.alloc_physical("x", 0, 0, 1, 0, RW),
        lambda aspace: aspace.free_region(0),
    ],
)
def test_user_spaces_are_not_allocated_from(world, call) -> None:
    with pytest.raises(AssertionViolation):
        call(world.aspace)
    assert world.children() == []


def test_a_name_is_not_optional(kernel) -> None:
    for call in (
        lambda: kernel.alloc(None, P, 0, 0, RW),
        lambda: kernel.alloc_contiguous(None, P, 0, COMMIT, RW),
        lambda: kernel.alloc_physical(None, P, 0, 0, 0, RW),
    ):
        with pytest.raises(AssertionViolation):
            call()
    assert children(kernel) == []


def test_a_vmo_that_can_not_be_made(kernel) -> None:
    for allocate in (
        lambda: kernel.alloc("x", P, 0, COMMIT, RW),
        lambda: kernel.alloc_contiguous("x", P, 0, COMMIT, RW),
        lambda: kernel.alloc_physical("x", P, 0, 0, 0, RW),
    ):
        kernel.system.heap.fail_next(1)
        assert allocate() == (Status.ZX_ERR_NO_MEMORY, 0)
    assert kernel.alloc("x", MAX_U64 - P, 0, 0, RW)[0] is Status.ZX_ERR_OUT_OF_RANGE


def test_free_region_frees_mappings_only(kernel) -> None:
    status, vmar = kernel.root.create_sub_vmar(0, 4 * P, 0, 0)
    assert status is Status.ZX_OK
    assert kernel.free_region(vmar.base) is Status.ZX_ERR_BAD_STATE
    assert kernel.free_region(vmar.end) is Status.ZX_ERR_NOT_FOUND
    assert vmar.is_alive()


def test_free_region_unpins_even_if_the_mapping_stays(kernel) -> None:
    _, base = kernel.alloc("stuck", P, 0, COMMIT, RW)
    mapping = kernel.find_region(base)
    kernel.vdso_code_mapping = mapping
    # A mapping of the kernel's that stays does not let its pages go.
    with pytest.raises(AssertionViolation):
        kernel.free_region(base)
    assert mapping.is_alive()


def test_a_destroyed_space_is_not_allocated_from() -> None:
    system = System()
    guest = system.create_default_aspace(3)
    vmo = system.create_vmo(P, VmoKind.PAGED)[1]
    guest.destroy()
    assert guest.free_region(0) is Status.ZX_ERR_NOT_FOUND
    with pytest.raises(AssertionViolation):
        guest.map_object_internal(vmo, "x", 0, P, 0, 0, RW)
    # It finds out late.
    assert vmo.is_range_pinned(0, P)
