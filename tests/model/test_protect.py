"""Protect: the first offender decides, all or nothing, reduced only through an ancestor."""

import pytest

from vmaspace.model.flags import MmuFlag, VmarFlag
from vmaspace.model.status import AssertionViolation, Status

P = 0x1000
R, W, X, USER = MmuFlag.PERM_READ, MmuFlag.PERM_WRITE, MmuFlag.PERM_EXECUTE, MmuFlag.PERM_USER


def flags(mapping) -> list[tuple[int, int, int]]:
    return [(low // P, high // P, int(mmu)) for low, high, mmu in mapping.protection_ranges()]


def test_ranges_split_and_merge_again(world) -> None:
    mapping = world.map(0, 8)
    first = world.root.base // P
    assert world.root.protect(world.addr(2), 2 * P, R) is Status.ZX_OK
    assert flags(mapping) == [
        (first, first + 2, R | W),
        (first + 2, first + 4, R),
        (first + 4, first + 8, R | W),
    ]
    assert world.root.protect(world.addr(4), 4 * P, R) is Status.ZX_OK
    assert len(flags(mapping)) == 2
    assert world.root.protect(world.addr(0), 8 * P - 5, R | W) is Status.ZX_OK
    assert flags(mapping) == [(first, first + 8, R | W)]
    assert mapping.is_alive() and world.children() == [(0, 8)]


def test_no_permission_at_all_is_a_protection(world) -> None:
    mapping = world.map(0, 1)
    assert world.root.protect(mapping.base, P, 0) is Status.ZX_OK
    assert mapping.arch_mmu_flags_at(mapping.base) == 0


@pytest.mark.parametrize(
    ("low", "pages", "mmu", "status"),
    [
        (0, 0, R, "ZX_ERR_INVALID_ARGS"),
        (0, 2, R | MmuFlag.UNCACHED, "ZX_ERR_INVALID_ARGS"),
        (0, 2, R, "ZX_OK"),
        (0, 3, R, "ZX_ERR_NOT_FOUND"),  # a gap at the end
        (2, 2, R, "ZX_ERR_NOT_FOUND"),  # nothing at all
        (3, 3, R, "ZX_ERR_NOT_FOUND"),  # a gap first
        (0, 6, X, "ZX_ERR_ACCESS_DENIED"),  # the mapping before the gap
        (3, 3, X, "ZX_ERR_NOT_FOUND"),  # the gap before the mapping
        (4, 4, R, "ZX_ERR_NOT_FOUND"),  # an empty sub-VMAR is a gap
    ],
)
def test_the_first_offender_decides(world, low: int, pages: int, mmu: int, status: str) -> None:
    first, second = world.map(0, 2), world.map(4, 2)
    world.vmar(6, 2)
    before = [flags(first), flags(second)]
    assert world.root.protect(world.addr(low), pages * P, mmu).name == status
    if status != "ZX_OK":
        assert [flags(first), flags(second)] == before


def test_bad_bases_and_ranges(world) -> None:
    world.map(0, 2)
    assert world.root.protect(world.addr(0) + 8, P, R) is Status.ZX_ERR_INVALID_ARGS
    assert world.root.protect(world.root.base - P, 2 * P, R) is Status.ZX_ERR_INVALID_ARGS


def test_a_mapping_may_become_what_it_was_created_with(world) -> None:
    mapping = world.map(0, 1, mmu=R | X)
    for mmu, status in [(R, "ZX_OK"), (R | X, "ZX_OK"), (R | W, "ZX_ERR_ACCESS_DENIED")]:
        assert world.root.protect(mapping.base, P, mmu).name == status
    wide = world.map(2, 1, mmu=R, flags=VmarFlag.SPECIFIC | VmarFlag.CAN_MAP_WRITE)
    assert world.root.protect(wide.base, P, R | W) is Status.ZX_OK


def test_through_an_ancestor_protection_is_only_reduced(world) -> None:
    vmar = world.vmar(0, 4)
    mapping = world.map(0, 4, vmar=vmar)
    assert world.root.protect(mapping.base, P, R, False) is Status.ZX_ERR_INVALID_ARGS
    assert world.root.protect(mapping.base, P, R) is Status.ZX_OK
    assert world.root.protect(mapping.base, 2 * P, R | W) is Status.ZX_ERR_ACCESS_DENIED
    assert world.root.protect(world.addr(1), P, R | W) is Status.ZX_OK  # as it is
    assert world.root.protect(world.addr(1), P, R | USER) is Status.ZX_ERR_ACCESS_DENIED  # USER counts too
    assert vmar.protect(mapping.base, P, R | W, False) is Status.ZX_OK
    # Rights come before op_children, which comes before the comparison.
    assert world.root.protect(mapping.base, P, X, False) is Status.ZX_ERR_ACCESS_DENIED


@pytest.mark.parametrize("second", [R, R | W])
def test_write_access_is_not_added_in_the_kernel(world, second: int) -> None:
    root = world.system.kernel_aspace.root
    dynamic = VmarFlag.DEBUG_DYNAMIC_KERNEL_MAPPING | VmarFlag.SPECIFIC
    _, first = root.create_vm_mapping(0, P, 0, dynamic, world.vmo, 0, R | W)
    _, other = root.create_vm_mapping(P, P, 0, dynamic | VmarFlag.CAN_MAP_WRITE, world.vmo, 0, second)
    if second == R | W:
        assert root.protect(root.base, 2 * P, R | W) is Status.ZX_OK
        assert root.protect(root.base, P, R) is Status.ZX_OK
    with pytest.raises(AssertionViolation, match="write access"):
        root.protect(root.base, 2 * P, R | W | (USER if second == R else 0))
    assert other.arch_mmu_flags_at(other.base) == second
    assert first.arch_mmu_flags_at(first.base) == (R if second == R | W else R | W)


def test_protecting_a_part_asserts_its_preconditions(world) -> None:
    mapping = world.map(0, 2)
    for base, size, mmu in [(0, 0, R), (8, P, R), (0, 3 * P, R), (0, P, R | 1), (0, P, X)]:
        with pytest.raises(AssertionViolation):
            mapping.protect_part(mapping.base + base, size, mmu)


def test_a_protection_that_asks_for_write_access_is_counted_for_each_part_that_differs(world) -> None:
    mapping = world.map(0, 6, mmu=R, flags=VmarFlag.SPECIFIC | VmarFlag.CAN_MAP_WRITE)
    counters, name = world.system.counters, "vm.aspace.mapping.protect_without_write"
    assert world.root.protect(mapping.base, 2 * P, R | W) is Status.ZX_OK and counters[name] == 1
    assert world.root.protect(mapping.base + 4 * P, P, 0) is Status.ZX_OK and counters[name] == 1
    assert world.root.protect(mapping.base, 6 * P, R | W) is Status.ZX_OK and counters[name] == 4
    assert world.root.protect(mapping.base, 6 * P, R | W) is Status.ZX_OK and counters[name] == 4
    assert world.root.protect(mapping.base, 6 * P, R) is Status.ZX_OK and counters[name] == 4
