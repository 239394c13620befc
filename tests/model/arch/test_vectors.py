"""What the kernel's own tests of its page tables do (mmu_tests.cc, aspace_unittest.cc, asid_allocator.cc), one by one."""

from dataclasses import replace

import pytest

from tests.model.arch.conftest import hardware_access
from vmaspace.model.arch import arch_for_name
from vmaspace.model.arch.ids import IdAllocator
from vmaspace.model.arch.options import (
    ArchUnmapOptions,
    ExistingEntryAction,
    NonTerminalAction,
    TerminalAction,
)
from vmaspace.model.flags import MmuFlag
from vmaspace.model.status import (
    ZX_ERR_ALREADY_EXISTS,
    ZX_ERR_INVALID_ARGS,
    ZX_ERR_NO_MEMORY,
    ZX_ERR_NO_RESOURCES,
    ZX_ERR_NOT_FOUND,
    ZX_OK,
)
from vmaspace.model.system import System

PAGE, MIB, GIB = 0x1000, 1 << 20, 1 << 30
READ, WRITE, EXECUTE, USER = MmuFlag.PERM_READ, MmuFlag.PERM_WRITE, MmuFlag.PERM_EXECUTE, MmuFlag.PERM_USER
R, RW = int(READ), int(READ | WRITE)
BASE = 1 * GIB
PAGES = [0x200000 + i * PAGE for i in range(3)]
ERROR, SKIP, UPGRADE = ExistingEntryAction.ERROR, ExistingEntryAction.SKIP, ExistingEntryAction.UPGRADE
ENLARGE = ArchUnmapOptions.ENLARGE
FREE, RETAIN = NonTerminalAction.FREE_UNACCESSED, NonTerminalAction.RETAIN
HARVEST = TerminalAction.UPDATE_AGE_AND_HARVEST


def test_1_pages_are_mapped_once(space):
    assert space.map(BASE, PAGES, RW) is ZX_OK
    assert [space.at(BASE + i * PAGE) for i in range(3)] == [(paddr, RW) for paddr in PAGES]
    for start in (BASE, BASE + 2 * PAGE, BASE - 2 * PAGE):
        assert space.map(start, PAGES, RW) is ZX_ERR_ALREADY_EXISTS
        for page in (-2, -1, 3, 4):
            assert space.tables.query(BASE + page * PAGE)[0] is ZX_ERR_NOT_FOUND
        assert [space.at(BASE + i * PAGE) for i in range(3)] == [(paddr, RW) for paddr in PAGES]
        space.check()


def test_2_an_upgrade_adds_permissions_and_replaces_pages(space):
    assert space.map(BASE, PAGES, R) is ZX_OK
    assert space.map(BASE, PAGES, RW, UPGRADE) is ZX_OK
    assert [space.at(BASE + i * PAGE) for i in range(3)] == [(paddr, RW) for paddr in PAGES]
    assert space.map(BASE, PAGES, R, UPGRADE) is ZX_OK
    assert [space.at(BASE + i * PAGE) for i in range(3)] == [(paddr, RW) for paddr in PAGES]
    assert space.map(BASE + 2 * PAGE, PAGES, RW, UPGRADE) is ZX_OK
    assert space.map(BASE - 2 * PAGE, PAGES, R, UPGRADE) is ZX_OK
    window = [space.at(BASE + i * PAGE) for i in range(-2, 5)]
    assert window == [
        (PAGES[i], flags) for i, flags in zip((0, 1, 2, 1, 0, 1, 2), (R, R, R, RW, RW, RW, RW), strict=True)
    ]


def test_3_skipping_leaves_what_is_mapped(space):
    eight = [0x400000 + i * PAGE for i in range(8)]
    assert space.map(BASE + 4 * PAGE, [0x900000], R) is ZX_OK
    assert space.map(BASE, eight, RW, SKIP) is ZX_OK
    expected = [(paddr, RW) for paddr in eight]
    expected[4] = (0x900000, R)
    assert [space.at(BASE + i * PAGE) for i in range(8)] == expected


PROBES = (0, 1, 2, 509, 510, 511)


@pytest.mark.parametrize("page", PROBES)
def test_4_a_page_of_a_large_one_is_protected(space, page):
    assert space.tables.map_contiguous(BASE, 0, 512, RW) is ZX_OK
    assert space.leaf(BASE).level == 1
    assert space.tables.protect(BASE + page * PAGE, 1, R, ENLARGE) is ZX_OK
    for i in PROBES:
        assert space.at(BASE + i * PAGE) == (i * PAGE, R if i == page else RW)
    space.check()


@pytest.mark.parametrize("page", PROBES)
def test_5_a_page_of_a_large_one_is_unmapped(space, page):
    assert space.tables.map_contiguous(BASE, 0, 512, RW) is ZX_OK
    assert space.tables.unmap(BASE + page * PAGE, 1, ENLARGE) is ZX_OK
    for i in PROBES:
        assert space.at(BASE + i * PAGE) == (None if i == page else (i * PAGE, RW))
    space.check()


@pytest.mark.parametrize("page", PROBES)
def test_5_without_memory_the_large_page_goes_whole(space, page):
    assert space.tables.map_contiguous(BASE, 0, 512, RW) is ZX_OK
    space.left = 0
    assert space.tables.unmap(BASE + page * PAGE, 1, ENLARGE) is ZX_OK
    assert not any(space.at(BASE + i * PAGE) for i in PROBES)
    assert space.tables.pt_pages == 1


def test_6_two_pages_among_sixteen_gigabytes_are_protected(space):
    middle = 8 * GIB - PAGE
    assert space.tables.map_contiguous(0, 0, 16 * GIB // PAGE, R) is ZX_OK
    assert space.tables.protect(middle, 2, RW) is ZX_OK
    assert [space.at(middle + i * PAGE) for i in range(-1, 3)] == [
        (middle + i * PAGE, flags) for i, flags in zip(range(-1, 3), (R, RW, RW, R), strict=True)
    ]
    space.check()


def test_6_without_memory_the_pages_stay_mapped(space):
    middle = 8 * GIB - PAGE
    assert space.tables.map_contiguous(0, 0, 16 * GIB // PAGE, R) is ZX_OK
    space.left = 0
    assert space.tables.protect(middle, 2, RW) is ZX_ERR_NO_MEMORY
    seen = [space.at(middle + i * PAGE) for i in range(-1, 3)]
    assert [found and found[0] for found in seen] == [middle + i * PAGE for i in range(-1, 3)]
    assert seen[0][1] == seen[3][1] == R


@pytest.mark.parametrize(("arch", "enough"), [("x86_64", 6), ("arm64", 6), ("riscv64", 5)])
def test_7_a_mapping_fails_until_there_is_memory_for_every_table(make, arch, enough):
    free = None
    for k in range(1, enough + 1):
        space = make(arch, "none")
        space.left = k
        before = space.system.pmm.free_count
        assert space.tables.init() is ZX_OK
        status = space.map(GIB - 4 * PAGE, [i * PAGE for i in range(8)], RW)
        assert space.left == 0
        if k < enough:
            assert status is ZX_ERR_NO_MEMORY
            space.check()
            assert space.tables.is_empty() and space.tables.pt_pages == 1
        else:
            assert status is ZX_OK
            space.check()
            assert space.tables.unmap(GIB - 4 * PAGE, 8) is ZX_OK
        assert space.tables.destroy() is ZX_OK
        free = space.system.pmm.free_count
        assert free == before


def test_8_a_long_unmap_ends_in_the_middle_of_a_table(space):
    low, high = BASE + 2 * MIB, BASE + 6 * MIB + 16 * PAGE
    assert space.map(low, [0x400000], RW) is ZX_OK
    assert space.map(high, [0x500000], RW) is ZX_OK
    assert space.tables.unmap(low + PAGE, (high - low) // PAGE) is ZX_OK
    assert space.at(low) == (0x400000, RW) and space.at(high) is None
    space.check()


def test_9_the_root_is_empty_again():
    space_root = System("x86_64").create_default_aspace().arch
    words = space_root.own_root().words
    assert not any(words[:256])
    assert space_root.map(BASE, PAGES[:1], RW, ERROR) is ZX_OK
    assert any(words[:256])
    assert space_root.unmap(BASE, 1) is ZX_OK
    assert not any(words[:256])


def test_10_what_is_not_present_is_zero(space):
    space.map(BASE, PAGES, RW)
    space.tables.map_contiguous(BASE + 4 * MIB, 0, 1024, RW)
    space.tables.unmap(BASE + PAGE, 1)
    space.tables.unmap(BASE + 5 * MIB, 3)
    space.check()  # looks at every entry
    for _, va, table in space.all_tables():
        for slot, entry in enumerate(table.words[:256].tolist()):
            assert entry == 0 or entry & space.tables.regime.present, hex(va + slot)


def test_11_small_spaces_are_unified_and_destroyed(make):
    system = System("x86_64")
    shared = make(system, "shared", 0x5000, 4 * PAGE)
    restricted = make(system, "restricted", 0, 4 * PAGE)
    unified = make(system, "unified", 0, 0)
    assert unified.tables.init_unified(shared.tables, restricted.tables) is ZX_OK
    for each in (unified, restricted, shared):
        assert each.tables.destroy() is ZX_OK


@pytest.mark.parametrize("user", [0, USER])
@pytest.mark.parametrize("rights", [READ, READ | WRITE, READ | EXECUTE, READ | WRITE | EXECUTE])
def test_12_flags_come_back_as_they_were_given(space, user, rights):
    flags = int(user | rights)
    assert space.map(BASE, PAGES[:1], flags) is ZX_OK
    assert space.at(BASE) == (PAGES[0], flags)


def test_12_tables_that_were_never_made_are_destroyed_twice(make, arch):
    space = make(arch, "none")
    assert space.tables.destroy() is ZX_OK
    assert space.tables.destroy() is ZX_OK


# 13: harvests. On x86-64 hardware touches; elsewhere mapping does, and the fault handler.


def touch(space, va):
    if space.arch.has_hardware_accessed_flag:
        hardware_access(space.tables, va, is_write=False)
    else:
        assert space.tables.mark_accessed(va & -PAGE, 1) is ZX_OK


def harvest(space, non_terminal=FREE):
    tables = space.tables
    assert tables.harvest_accessed(tables.base, tables.size // PAGE, non_terminal, HARVEST) is ZX_OK


@pytest.mark.parametrize("arch", ["x86_64", "arm64"])
def test_13_a_touched_page_survives_one_harvest(make, arch):
    space = make(arch)
    page = space.system.pmm.allocate_page()
    assert space.map(BASE, [page.paddr], RW) is ZX_OK
    if arch == "x86_64":  # mapping is no touch
        harvest(space)
        assert space.at(BASE) is None and space.tables.pt_pages == 1
        assert space.map(BASE, [page.paddr], RW) is ZX_OK
    touch(space, BASE)
    harvest(space)
    assert space.at(BASE) == (page.paddr, RW)
    harvest(space)
    assert space.at(BASE) is None
    space.check()
    assert space.tables.pt_pages == 1


@pytest.mark.parametrize("arch", ["x86_64", "arm64"])
def test_13_harvests_that_retain_leave_the_next_one_a_mark(make, arch):
    space = make(arch)
    page = space.system.pmm.allocate_page()
    space.map(BASE, [page.paddr], RW)
    touch(space, BASE)
    for _ in range(3):
        harvest(space, RETAIN)
    harvest(space)
    assert space.at(BASE) == (page.paddr, RW)
    harvest(space)
    assert space.at(BASE) is None


@pytest.mark.parametrize("arch", ["x86_64", "arm64"])
@pytest.mark.parametrize("part", [0, 1])
def test_13_a_touch_through_the_unified_space_counts(make, arch, part):
    family = make.family(arch)
    space, unified = family[part], family[2]
    va = space.tables.base + 64 * PAGE
    page = space.system.pmm.allocate_page()
    assert space.map(va, [page.paddr], RW) is ZX_OK
    if arch == "x86_64":
        hardware_access(unified.tables, va, is_write=True)
    harvest(space)
    assert space.at(va) == (page.paddr, RW)
    harvest(space)
    assert space.at(va) is None
    space.check()


def test_13_harvests_on_riscv64_free_nothing(make):
    space = make("riscv64")
    page = space.system.pmm.allocate_page()
    space.map(BASE, [page.paddr], RW)
    for _ in range(3):
        harvest(space)
    assert space.at(BASE) == (page.paddr, RW) and space.tables.pt_pages == 3
    assert not space.tables.is_accessed(BASE)


# 14: numbers.


@pytest.mark.parametrize("arch", ["arm64", "riscv64"])
def test_14_every_asid_is_given_out_once(arch):
    record = arch_for_name(arch)
    ids = IdAllocator(record.first_id, record.last_id, record.no_id)
    for _ in range(2):
        taken = [ids.allocate() for _ in range(65534)]
        assert all(status is ZX_OK for status, _ in taken)
        assert sorted(number for _, number in taken) == list(range(2, 65536))
        assert ids.allocate()[0] is ZX_ERR_NO_MEMORY
        assert all(ids.free(number) is ZX_OK for _, number in taken)


@pytest.mark.parametrize(("arch", "same", "kernel"), [("x86_64", 0, 0), ("arm64", 2, 1), ("riscv64", 0, 0)])
def test_14_with_ids_off_every_user_has_the_same(make, arch, same, kernel):
    class Off(System):
        @classmethod
        def machine(cls, name):
            return replace(System.machine(name), last_id=0)

    system = Off(arch)
    assert system.kernel_aspace.arch.asid == kernel
    shared, restricted, unified = make.family(system)
    assert {each.tables.asid for each in (shared, restricted, unified)} == {same}
    assert system.asids.free(same) is ZX_OK and system.asids.free(7) is ZX_ERR_INVALID_ARGS
    tlb = system.tlb
    for each in (restricted, unified):  # who comes next under the number drops what others left under it
        each.tables.context_switch(0, tlb.cpus[0].active, each.tables)
    each.tables.context_switch(0, unified.tables, None)
    assert not tlb.reused
    assert all(each.tables.destroy() is ZX_OK for each in (unified, restricted, shared))


def test_14_every_pcid_is_given_out_once():
    record = arch_for_name("x86_64")
    ids = IdAllocator(record.first_id, record.last_id, record.no_id)
    assert sorted(ids.allocate()[1] for _ in range(4095)) == list(range(1, 4096))
    assert ids.allocate()[0] is ZX_ERR_NO_RESOURCES
