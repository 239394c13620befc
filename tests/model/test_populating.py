"""`VmMapping::MapRange`: which pages come into the page tables, and how."""

import pytest

from vmaspace.model.flags import MmuFlag
from vmaspace.model.status import AssertionViolation, Status
from vmaspace.model.vmo import CloneType

P = 0x1000
OK = Status.ZX_OK
R, W = MmuFlag.PERM_READ, MmuFlag.PERM_WRITE


def seen(mapping) -> str:
    """One letter for each page: `-` not mapped, `r` read-only, `w` writable."""
    letters = []
    for va in range(mapping.base, mapping.end, P):
        status, _, flags = mapping.aspace.arch.query(va)
        letters.append("-" if status is not OK else "w" if flags & W else "r")
    return "".join(letters)


def owned(vmo) -> int:
    return vmo.attributed_memory().private_uncompressed // P


@pytest.mark.parametrize(("mmu", "letters"), [(R, "rrrr"), (R | W, "wwww")])
def test_committing_gives_the_vmo_pages_of_its_own(world, mmu, letters: str) -> None:
    """Also where they are only to be read: neither zeros nor a parent's page are shown."""
    vmo = world.make_vmo(4)
    mapping = world.map(0, 4, vmo=vmo, mmu=mmu)
    assert mapping.map_range(0, 4 * P, commit=True) is OK
    assert (seen(mapping), owned(vmo)) == (letters, 4)

    _, clone = vmo.create_clone(CloneType.SNAPSHOT, 0, 4 * P)
    mapping = world.map(8, 4, vmo=clone, mmu=mmu)
    assert mapping.map_range(0, 4 * P, commit=True) is OK
    assert (seen(mapping), owned(clone)) == (letters, 4)


def test_without_commit_nothing_is_made(world) -> None:
    vmo = world.make_vmo(4)
    vmo.write(P, b"x")
    mapping = world.map(0, 4, vmo=vmo)
    assert mapping.map_range(0, 4 * P) is OK and seen(mapping) == "-w--"
    # A page that is shared comes as it is: to be read.
    _, clone = vmo.create_clone(CloneType.SNAPSHOT, 0, 4 * P)
    clone.write(2 * P, b"x")
    mapping = world.map(8, 4, vmo=clone)
    assert mapping.map_range(0, 4 * P) is OK and seen(mapping) == "-rw-"
    assert owned(clone) == 1


def test_what_a_pager_is_told_of_is_not_writable(world) -> None:
    _, vmo = world.system.create_pager_vmo(4 * P)
    vmo.supply_pages(0, 2 * P)
    mapping = world.map(0, 4, vmo=vmo)
    assert mapping.map_range(0, 4 * P) is OK and seen(mapping) == "rr--"
    assert mapping.map_range(0, 2 * P, commit=True, ignore_existing=True) is OK and seen(mapping) == "rr--"
    with pytest.raises(AssertionViolation):
        mapping.map_range(0, 4 * P, commit=True, ignore_existing=True)  # would have to wait


def test_what_is_not_accessible_is_left_out(world) -> None:
    vmo = world.make_vmo(4)
    vmo.commit_range(0, 4 * P)
    mapping = world.map(0, 4, vmo=vmo)
    world.root.protect(mapping.base + P, P, 0)
    world.root.protect(mapping.base + 2 * P, P, R)
    assert mapping.map_range(0, 4 * P) is OK and seen(mapping) == "w-rw"


def test_the_end_of_the_vmo_ends_it(world) -> None:
    vmo = world.make_vmo(3)
    mapping = world.map(0, 4, vmo=vmo, vmo_page=1)
    assert mapping.map_range(0, 4 * P, commit=True) is OK
    assert seen(mapping) == "ww--" and owned(vmo) == 2
    assert mapping.map_range(2 * P, 2 * P, commit=True) is OK and seen(mapping) == "ww--"
    assert mapping.map_range(3 * P + 0, 1, commit=True) is OK  # rounded up to a page


def test_batches_that_were_sent_before_a_failure_stay(world) -> None:
    vmo = world.make_vmo(40)
    vmo.commit_range(0, 40 * P)
    mapping = world.map(0, 40, vmo=vmo, mmu=R)
    assert mapping.map_range(20 * P, P) is OK
    assert mapping.map_range(0, 40 * P) is Status.ZX_ERR_ALREADY_EXISTS
    assert seen(mapping) == "r" * 16 + "-" * 4 + "r" + "-" * 19
