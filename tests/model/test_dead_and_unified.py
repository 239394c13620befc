"""What a destroyed and what a unified address space answers, member by member."""

from collections.abc import Callable
from typing import Any

import pytest

from vmaspace.model.arch.aspace import NonTerminalAction, TerminalAction
from vmaspace.model.aspace import VmAspace
from vmaspace.model.flags import AspaceType, FaultFlag, MmuFlag, ShareOpt
from vmaspace.model.object.maps import aspace_maps
from vmaspace.model.object.thread import Thread
from vmaspace.model.region import MemoryPriority
from vmaspace.model.status import AssertionViolation, Status
from vmaspace.model.system import System

P = 0x1000
ARCH_NAMES = ["x86_64", "arm64", "riscv64"]
RW = MmuFlag.PERM_READ | MmuFlag.PERM_WRITE
VA = 0x200000
HARVEST = (NonTerminalAction.FREE_UNACCESSED, TerminalAction.UPDATE_AGE_AND_HARVEST)

Member = Callable[[VmAspace], Any]
ASSERTS = object()


def answer(member: Member, aspace: VmAspace) -> Any:
    try:
        return member(aspace)
    except AssertionViolation:
        return ASSERTS


def change_priority(aspace: VmAspace) -> None:
    with aspace.lock():
        aspace.change_high_priority_count_locked(1)


def intersects_vdso(aspace: VmAspace) -> bool:
    with aspace.lock():
        return aspace.intersects_vdso_code_locked(0, 1 << 47)


def has_the_whole_range(aspace: VmAspace) -> bool:
    arch = aspace.system.arch
    return (aspace.base, aspace.size) == (arch.user_aspace_base, arch.user_aspace_size)


def attach(aspace: VmAspace) -> bool:
    thread = Thread(aspace.system, "t")
    aspace.attach_to_thread(thread)
    return thread.aspace is aspace


def renamed(aspace: VmAspace) -> str:
    aspace.rename("again")
    return aspace.name


def accessed_fault_is_that_of_the_tables(aspace: VmAspace) -> bool:
    return aspace.accessed_fault(VA + 1) is aspace.arch.mark_accessed(VA, 1)


def harvests(aspace: VmAspace) -> int:
    """How many spaces a harvest walks."""
    before = aspace.system.counters["vm.aspace.accessed_harvest.performed"]
    aspace.harvest_all_user_accessed_bits(aspace.system, *HARVEST)
    return aspace.system.counters["vm.aspace.accessed_harvest.performed"] - before


@pytest.fixture(params=ARCH_NAMES)
def system(request) -> System:
    return System(request.param)


@pytest.fixture
def destroyed(system: System) -> VmAspace:
    aspace = system.create_default_aspace(name="gone")
    _, vmo = system.create_vmo(4 * P)
    _, mapping = aspace.root.create_vm_mapping(0, 4 * P, 0, 0, vmo, 0, RW)
    aspace.soft_fault(mapping.base, FaultFlag.WRITE)
    aspace.root.set_memory_priority(MemoryPriority.HIGH)
    assert aspace.is_high_memory_priority()
    assert aspace.destroy() is Status.ZX_OK
    return aspace


@pytest.fixture
def unified(system: System) -> VmAspace:
    arch = system.arch
    restricted = system.create_aspace(
        arch.user_aspace_base, arch.user_restricted_aspace_size, share_opt=ShareOpt.RESTRICTED
    )
    shared = system.create_aspace(arch.shared_base, arch.shared_size, share_opt=ShareOpt.SHARED)
    return system.create_unified_aspace(shared, restricted)


@pytest.mark.parametrize(
    ("member", "expected"),
    [
        (lambda a: a.destroy(), Status.ZX_OK),
        (lambda a: a.is_destroyed(), True),
        (has_the_whole_range, True),
        (lambda a: a.name, "gone"),
        (lambda a: a.is_user(), True),
        (lambda a: a.is_aslr_enabled(), True),
        (lambda a: a.arch_aspace() is a.arch, True),
        (renamed, "again"),
        (lambda a: a.root_vmar(), None),
        (lambda a: a.find_region(VA), None),
        (lambda a: (a.vdso_base_address(), a.vdso_code_address()), (0, 0)),
        (intersects_vdso, False),
        (lambda a: a.is_high_memory_priority(), False),
        (change_priority, ASSERTS),
        (lambda a: a.page_fault(VA, FaultFlag.USER), ASSERTS),
        (lambda a: a.soft_fault(VA, FaultFlag.USER), ASSERTS),
        (lambda a: a.soft_fault_in_range(VA, FaultFlag.USER, P), ASSERTS),
        (accessed_fault_is_that_of_the_tables, True),
        (lambda a: a.page_fault(VA, FaultFlag.ACCESS) is a.accessed_fault(VA), True),
        (lambda a: a.soft_fault(VA, FaultFlag.ACCESS) is a.accessed_fault(VA), True),
        (lambda a: a.soft_fault_in_range(VA, FaultFlag.ACCESS, P) is a.accessed_fault(VA), True),
        (lambda a: a.get_memory_usage(), (Status.ZX_ERR_INTERNAL, None)),
        (lambda a: aspace_maps(a), (Status.ZX_ERR_BAD_STATE, [])),
        (lambda a: a in a.system.aspaces, True),
        (harvests, 1),
        (attach, True),
        # A kernel allocator refuses a user's space before it finds that nothing is there.
        (lambda a: a.free_region(VA), ASSERTS),
    ],
)
def test_a_destroyed_space(destroyed: VmAspace, member: Member, expected: Any) -> None:
    assert answer(member, destroyed) == expected
    assert destroyed.is_destroyed()


def test_dropping_page_tables_of_a_destroyed_space(destroyed: VmAspace) -> None:
    # arm64 alone notices that updates are disabled.
    expected = ASSERTS if destroyed.system.arch.name == "arm64" else None
    assert answer(lambda a: a.drop_user_page_tables(), destroyed) is expected


def test_the_regions_of_a_destroyed_space_are_dead(system: System) -> None:
    aspace = system.create_default_aspace()
    root = aspace.root
    _, vmar = root.create_sub_vmar(0, P, 0, 0x78)
    aspace.destroy()
    for region in (root, vmar):
        assert region.destroy() is Status.ZX_ERR_BAD_STATE
        assert region.find_region(region.base) is None
        assert region.unmap(region.base, P) is Status.ZX_ERR_BAD_STATE
        assert region.create_sub_vmar(0, P, 0, 0)[0] is Status.ZX_ERR_BAD_STATE


@pytest.mark.parametrize(
    ("member", "expected"),
    [
        (lambda a: (a.base, a.size), (0, 0)),
        (lambda a: a.is_user(), True),
        (lambda a: a.is_aslr_enabled(), True),
        (lambda a: a.aslr_prng(), ASSERTS),
        (lambda a: a.root_vmar(), None),
        (lambda a: a.find_region(VA), None),
        (lambda a: a.is_destroyed(), False),
        (lambda a: a.get_memory_usage(), (Status.ZX_ERR_INTERNAL, None)),
        (lambda a: a.page_fault(VA, FaultFlag.USER), ASSERTS),
        (lambda a: a.soft_fault(VA, FaultFlag.USER), ASSERTS),
        (lambda a: a.soft_fault_in_range(VA, FaultFlag.USER, P), ASSERTS),
        (accessed_fault_is_that_of_the_tables, True),
        (lambda a: aspace_maps(a), (Status.ZX_ERR_BAD_STATE, [])),
        (lambda a: (a.vdso_base_address(), a.vdso_code_address()), (0, 0)),
        (intersects_vdso, False),
        # Only its two constituents are walked.
        (harvests, 2),
        (attach, True),
        (lambda a: a.destroy(), Status.ZX_OK),
    ],
)
def test_a_unified_space(unified: VmAspace, member: Member, expected: Any) -> None:
    assert answer(member, unified) == expected


def test_dropping_all_page_tables_is_not_safe_with_a_unified_space_on_x86(unified: VmAspace) -> None:
    expected = ASSERTS if unified.system.arch.name == "x86_64" else None
    assert answer(lambda a: a.drop_user_page_tables(), unified) is expected
    assert answer(lambda a: a.drop_all_user_page_tables(a.system), unified) is expected


@pytest.mark.parametrize("type", [AspaceType.GUEST_PHYSICAL, AspaceType.LOW_KERNEL])
def test_other_types_keep_their_page_tables(type: AspaceType) -> None:
    system = System("arm64")
    aspace = system.create_default_aspace(type)
    _, vmo = system.create_vmo(P)
    vmo.commit_range_pinned(0, P, True)
    _, mapping = aspace.root.create_vm_mapping(0, P, 0, 0, vmo, 0, RW)
    mapping.map_range(0, P, commit=True)
    aspace.drop_all_user_page_tables(system)
    assert aspace.arch.query(mapping.base)[0] is Status.ZX_OK


def test_dropped_page_tables_come_back_with_a_fault(world) -> None:
    mapping = world.map(0, 2)
    world.aspace.soft_fault(mapping.base, FaultFlag.WRITE)
    before = world.children()
    world.aspace.drop_all_user_page_tables(world.system)
    assert world.aspace.arch.query(mapping.base)[0] is Status.ZX_ERR_NOT_FOUND
    assert world.children() == before
    assert world.aspace.soft_fault(mapping.base, FaultFlag.WRITE) is Status.ZX_OK
    assert world.aspace.arch.query(mapping.base)[0] is Status.ZX_OK
