"""The checks of regions written a second time, as plain tables, and compared over a grid of boundary values."""

from itertools import product

import pytest

from tests.model.conftest import PAGE as P
from tests.model.conftest import World
from vmaspace.model.constants import MAX_U64
from vmaspace.model.flags import MmuFlag, VmarFlag
from vmaspace.model.status import Status
from vmaspace.model.system import System
from vmaspace.model.vmar import VmAddressRegion
from vmaspace.model.vmar_range_op import RangeOpType

R, W, X, USER = MmuFlag.PERM_READ, MmuFlag.PERM_WRITE, MmuFlag.PERM_EXECUTE, MmuFlag.PERM_USER
CAN_R, CAN_W = VmarFlag.CAN_MAP_READ, VmarFlag.CAN_MAP_WRITE
PLACE, OVER, LIMIT = VmarFlag.SPECIFIC, VmarFlag.SPECIFIC_OVERWRITE, VmarFlag.OFFSET_IS_UPPER_LIMIT
END, FIRST, INNER, SECOND = 64 * P, (8 * P, 12 * P), (16 * P, 24 * P), (18 * P, 20 * P)

OFFSETS = [0, 1, P, 7 * P, 8 * P, 9 * P, 12 * P, 16 * P, 17 * P, 18 * P, 20 * P, 23 * P, 63 * P, END, 65 * P, 1 << 32]
OFFSETS += [MAX_U64 - P + 1, MAX_U64]
SIZES = [0, 1, P - 1, P, P + 1, 4 * P, 8 * P, 12 * P, 56 * P, END, 65 * P, (1 << 32) - 1, 1 << 32, 1 << 63]
SIZES += [MAX_U64 - P, MAX_U64 - P + 1, MAX_U64 - P + 2, MAX_U64]
GRID = list(product(OFFSETS, SIZES))


class Scene:
    """64 pages that may be read and written: 4 pages mapped, and a VMAR of 8 pages with 2 mapped read-only."""

    def __init__(self, dead: bool, system_class: type[System] = System) -> None:
        world = World(system_class(aslr_disabled=True))
        self.vmo = world.vmo
        self.vmar = world.vmar(64, 64, flags=CAN_R | CAN_W | VmarFlag.CAN_MAP_SPECIFIC)
        world.map(8, 4, vmar=self.vmar, mmu=R | W | USER)
        inner = world.vmar(16, 8, vmar=self.vmar, flags=CAN_R | CAN_W | VmarFlag.CAN_MAP_SPECIFIC)
        world.map(2, 2, vmar=inner, mmu=R | USER, flags=PLACE | CAN_W)
        if dead:
            self.vmar.destroy()

    def at(self, offset: int) -> int:
        return (self.vmar.base + offset) & MAX_U64


def rounded(size: int) -> int:
    return (size + P - 1 & MAX_U64) & ~(P - 1)


def is_inside(base: int, size: int) -> bool:
    return 0 <= base < END and END - base >= size


def meets(base: int, size: int, part: tuple[int, int]) -> bool:
    return base < part[1] and part[0] < base + size


def pieces(base: int, size: int, gap: str, refuse) -> str:
    """The mappings in a range, lowest first: the first gap or refusal."""
    expected = base
    for part in (FIRST, SECOND):
        if meets(base, size, part):
            if part[0] > expected:
                return gap
            status = refuse(part)
            if status is not None:
                return status
            expected = part[1]
    return gap if expected < base + size else "OK"


def unmap(base: int, size: int, op_children: bool, dead: bool) -> str:
    if rounded(size) == 0 or base % P:
        return "INVALID_ARGS"
    if dead:
        return "BAD_STATE"
    stop = base + rounded(size)
    is_met = meets(base, rounded(size), INNER)
    is_kept = is_met and not (op_children and base <= INNER[0] and INNER[1] <= stop)
    return "INVALID_ARGS" if not is_inside(base, rounded(size)) or is_kept else "OK"


def protect(base: int, size: int, mmu: int, op_children: bool, dead: bool) -> str:
    if rounded(size) == 0 or base % P:
        return "INVALID_ARGS"
    if dead:
        return "BAD_STATE"
    if not is_inside(base, rounded(size)) or mmu & MmuFlag.CACHE_MASK:
        return "INVALID_ARGS"

    def refuse(part: tuple[int, int]) -> str | None:
        if mmu & X:
            return "ACCESS_DENIED"
        if part is SECOND and not op_children:
            return "INVALID_ARGS"
        return "ACCESS_DENIED" if part is SECOND and mmu & W else None

    return pieces(base, rounded(size), "NOT_FOUND", refuse)


def range_op(op: RangeOpType, base: int, size: int, op_children: bool, dead: bool) -> str:
    if rounded(size) == 0 or base % P:
        return "INVALID_ARGS"
    if not is_inside(base, rounded(size)):
        return "OUT_OF_RANGE"
    if dead:
        return "BAD_STATE"
    is_direct_only = not op_children or op in (RangeOpType.COMMIT, RangeOpType.DECOMMIT, RangeOpType.PREFETCH)
    return pieces(base, rounded(size), "BAD_STATE", lambda part: "INVALID_ARGS" if part is SECOND and is_direct_only else None)


def place(offset: int, size: int, alignment: int, flags: int, dead: bool) -> str:
    """What a VMAR and a mapping have in common."""
    is_placed, is_limited = flags & (PLACE | OVER), flags & LIMIT
    if dead:
        return "BAD_STATE"
    if size == 0:
        return "INVALID_ARGS"
    if flags & VmarFlag.CAN_MAP_EXECUTE:
        return "ACCESS_DENIED"
    if (is_placed and is_limited) or (not is_placed and not is_limited and offset) or offset % P:
        return "INVALID_ARGS"
    bounds = (offset <= END and size <= END and size <= offset) if is_limited else (offset < END and size <= END - offset)
    if not bounds or (is_placed and offset % (1 << alignment)):  # the VMAR is aligned to more than is asked for
        return "INVALID_ARGS"
    if is_placed:
        if not any(meets(offset, size, part) for part in (FIRST, INNER)):
            return "OK"
        if flags & OVER:
            return "INVALID_ARGS" if meets(offset, size, INNER) else "OK"
        return "ALREADY_EXISTS"
    limit, unit = offset if is_limited else END, 1 << max(alignment, 12)
    gaps = [(0, FIRST[0]), (FIRST[1], INNER[0]), (INNER[1], END)]
    fits = any(min(high, limit) - -(-low // unit) * unit >= size for low, high in gaps)
    return "OK" if fits else "NO_RESOURCES"


def allocate(offset: int, size: int, alignment: int, flags: int, dead: bool) -> str:
    return "INVALID_ARGS" if size % P or flags & OVER else place(offset, size, alignment, flags, dead)


def map_vmo(offset: int, size: int, flags: int, vmo_offset: int, mmu: int, dead: bool) -> str:
    if mmu & X:
        return "ACCESS_DENIED"
    if vmo_offset % P:
        return "INVALID_ARGS"
    if rounded(size) < size or vmo_offset + rounded(size) > MAX_U64:
        return "OUT_OF_RANGE"
    return place(offset, rounded(size), 0, flags, dead)


def name(status: Status) -> str:
    return status.name.removeprefix("ZX_").removeprefix("ERR_")


@pytest.mark.parametrize("dead", [False, True])
@pytest.mark.parametrize("op_children", [False, True])
def test_ranges(op_children: bool, dead: bool) -> None:
    for offset, size in GRID:
        scene = Scene(dead)
        base = scene.at(offset) - scene.vmar.base
        for mmu in (R | W | USER, R | X, R | 1, USER):
            got = name(scene.vmar.protect(scene.at(offset), size, mmu, op_children))
            if mmu & W or got != "OK":  # what was reduced is not as it was
                assert got == protect(base, size, mmu, op_children, dead), (offset, size, mmu)
        for op in RangeOpType:
            got = name(scene.vmar.range_op(op, scene.at(offset), size, op_children))
            assert got == range_op(op, base, size, op_children, dead), (offset, size, op)
        got = name(scene.vmar.unmap(scene.at(offset), size, op_children))
        assert got == unmap(base, size, op_children, dead), (offset, size)


FLAGS = [0, PLACE, OVER, LIMIT, PLACE | LIMIT, PLACE | CAN_R | VmarFlag.CAN_MAP_EXECUTE]


@pytest.mark.parametrize("dead", [False, True])
@pytest.mark.parametrize("flags", FLAGS)
def test_places(flags: int, dead: bool) -> None:
    scene = Scene(dead)
    for offset, size in GRID:
        for alignment in (0, 13, 16):
            got = name(scene.vmar.create_sub_vmar(offset, size, alignment, flags)[0])
            assert got == allocate(offset, size, alignment, flags, dead), (offset, size, alignment)
            if got == "OK":  # what is refused changes nothing
                scene = Scene(dead)
        for vmo_offset, mmu in ((0, R), (1, R), (1, X), (P, R), (MAX_U64 - P + 1, R)):
            got = name(scene.vmar.create_vm_mapping(offset, size, 0, flags, scene.vmo, vmo_offset, mmu)[0])
            assert got == map_vmo(offset, size, flags, vmo_offset, mmu, dead), (offset, size, vmo_offset, mmu)
            if got == "OK":
                scene = Scene(dead)


class GenerousVmar(VmAddressRegion):
    """Does not look whether an unmap cuts a sub-VMAR in two."""

    __slots__ = ()

    def _check_unmap(self, base: int, size: int, may_destroy_vmars: bool) -> Status:
        return Status.ZX_OK if self.is_in_range(base, size) else Status.ZX_ERR_INVALID_ARGS


class GenerousSystem(System):
    vmar_class = GenerousVmar


def test_a_check_that_is_missing_is_noticed() -> None:
    scene = Scene(False, GenerousSystem)
    got = name(scene.vmar.unmap(scene.at(INNER[0]), 8 * P, op_children=False))
    assert got == "OK" != unmap(INNER[0], 8 * P, False, False)
