"""What is issued for an edit: one by one, in runs, in batches, or everything; to whom; and when tables are given back."""

from collections import Counter
from dataclasses import replace

import pytest

from tests.model.arch.conftest import hardware_access
from vmaspace.model.arch.aspace import ArchVmAspace
from vmaspace.model.arch.options import (
    ArchUnmapOptions,
    ExistingEntryAction,
    NonTerminalAction,
    TerminalAction,
)
from vmaspace.model.arch.shootdown import Shootdown
from vmaspace.model.flags import ArchAspaceFlag, MmuFlag
from vmaspace.model.status import ZX_ERR_NO_MEMORY, ZX_OK
from vmaspace.model.system import System

PAGE, MIB, GIB = 0x1000, 1 << 20, 1 << 30
READ, WRITE, USER = MmuFlag.PERM_READ, MmuFlag.PERM_WRITE, MmuFlag.PERM_USER
RU, RWU, RW = int(READ | USER), int(READ | WRITE | USER), int(READ | WRITE)
ERROR, UPGRADE = ExistingEntryAction.ERROR, ExistingEntryAction.UPGRADE
NONE = ArchUnmapOptions.NONE
FREE, RETAIN = NonTerminalAction.FREE_UNACCESSED, NonTerminalAction.RETAIN
CLEAR = TerminalAction.UPDATE_AGE_AND_HARVEST
BASE = 1 * GIB


def issued(space, edit):
    """The instructions that an edit issues, in order."""
    log = space.system.tlb.log
    log.clear()
    assert edit() is ZX_OK
    return [each.instruction for each in log]


def fill(space, pages, va=BASE):
    """Single pages from `va` on, that do not lie side by side."""
    assert space.map(va, [(2 * i + 1) * PAGE for i in range(pages)], RWU) is ZX_OK


def two_cpus(make, arch):
    """A space that CPU 0 has loaded, and CPU 1 had."""
    space = make(System(arch, online_cpus=2))
    ArchVmAspace.context_switch(1, None, space.tables)
    ArchVmAspace.context_switch(1, space.tables, None)
    ArchVmAspace.context_switch(0, None, space.tables)
    return space


# arm64: broadcasts; sixteen, then everything of the ASID; the kernel's in batches.


def test_arm64_twenty_pages_are_one_invalidation(make):
    space = make("arm64")
    fill(space, 20)
    assert issued(space, lambda: space.tables.unmap(BASE, 20)) == ["aside1is"]


def test_arm64_ten_pages_and_three_tables(make):
    space = make("arm64")
    fill(space, 10)
    found = issued(space, lambda: space.tables.unmap(BASE, 10))
    assert found == ["vale1is"] * 10 + ["vae1is"] * 3


@pytest.mark.parametrize(("pages", "names"), [(16, ["vale1is"] * 16), (17, ["aside1is"])])
def test_arm64_at_the_limit(make, pages, names):
    space = make("arm64")
    fill(space, pages + 1)
    assert issued(space, lambda: space.tables.unmap(BASE, pages)) == names


def test_arm64_kernel_pages_go_in_batches(make):
    system = System("arm64")
    kernel = system.kernel_aspace.arch
    va = system.arch.kernel_aspace_base + GIB
    assert kernel.map(va, [PAGE] * 21, RW, ERROR) is ZX_OK
    rounds = []
    rules = kernel.shootdown.rules
    kernel.shootdown.rules = replace(
        rules, issue=lambda owed: (rounds.append(len(owed.items)), rules.issue(owed))[1]
    )
    system.tlb.log.clear()
    assert kernel.unmap(va, 20) is ZX_OK
    assert rounds == [16, 4]
    assert Counter(each.instruction for each in system.tlb.log) == {"vaale1is": 20}


def test_arm64_shared_pages_are_invalidated_under_every_asid(make):
    shared, _, _ = make.family("arm64")
    va = shared.tables.base
    fill(shared, 20, va)
    assert issued(shared, lambda: shared.tables.unmap(va, 1)) == ["vaale1is"]
    assert issued(shared, lambda: shared.tables.unmap(va + PAGE, 19)) == ["vmalle1is"]


def test_arm64_read_only_swaps_owe_nothing(make):
    space = make("arm64")
    fill(space, 2)
    assert issued(space, lambda: space.map(BASE, [0x900000], RU, UPGRADE)) == []
    assert issued(space, lambda: space.map(BASE + PAGE, [0x900000], RWU, UPGRADE)) == ["vale1is"]


# riscv64: runs of neighbours; eight, then everything of the ASID; and everything for a table.


def test_riscv_five_neighbours_are_one_run(make):
    space = make("riscv64")
    fill(space, 6)
    space.system.tlb.log.clear()
    taken = []
    rules = space.tables.shootdown.rules
    space.tables.shootdown.rules = replace(rules, issue=lambda owed: taken.extend(owed.items))
    assert space.tables.unmap(BASE, 5) is ZX_OK
    assert [(va, pages) for va, pages, _, _ in taken] == [(BASE, 5)]


def test_riscv_a_table_costs_everything(make):
    space = make("riscv64")
    fill(space, 5)
    log = space.system.tlb.log
    log.clear()
    assert space.tables.unmap(BASE, 5) is ZX_OK
    assert [(each.instruction, each.va, each.tag) for each in log] == [
        ("sfence.vma", None, ("ASID", space.tables.asid))
    ]


@pytest.mark.parametrize(("runs", "is_full"), [(8, False), (9, True)])
def test_riscv_at_the_limit(make, runs, is_full):
    space = make("riscv64")
    for i in range(runs + 1):  # the last one keeps the table
        fill(space, 1, BASE + 2 * i * PAGE)
    log = space.system.tlb.log
    log.clear()
    assert space.tables.unmap(BASE, 2 * runs) is ZX_OK
    assert [each.va for each in log] == ([None] if is_full else [BASE + 2 * i * PAGE for i in range(runs)])


def test_riscv_a_restricted_part_is_fenced_under_both_asids(make):
    _, restricted, unified = make.family("riscv64")
    va = restricted.tables.base
    fill(restricted, 2, va)
    log = restricted.system.tlb.log
    log.clear()
    assert restricted.tables.unmap(va, 1) is ZX_OK
    assert [each.tag for each in log] == [("ASID", restricted.tables.asid), ("ASID", unified.tables.asid)]


def test_riscv_a_split_costs_everything(make):
    space = make("riscv64")
    space.tables.map_contiguous(BASE, 0, 512, RWU)
    log = space.system.tlb.log
    log.clear()
    assert space.tables.protect(BASE, 1, RU) is ZX_OK
    assert [each.va for each in log] == [None]


def test_riscv_the_kernel_fences_what_it_maps(make):
    system = System("riscv64")
    kernel = system.kernel_aspace.arch
    va = system.arch.kernel_aspace_base + GIB
    space = make(system)
    assert issued(space, lambda: space.map(BASE, [PAGE], RWU)) == []
    system.tlb.log.clear()
    assert kernel.map(va, [PAGE, 5 * PAGE], RW, ERROR) is ZX_OK
    assert [each.va for each in system.tlb.log] == [va]  # one run
    system.tlb.log.clear()
    assert kernel.map(va, [7 * PAGE], int(READ), UPGRADE) is ZX_OK
    assert [each.va for each in system.tlb.log] == [va]
    system.tlb.log.clear()
    assert kernel.map_contiguous(va + 2 * MIB, 0, 512, RW) is ZX_OK
    assert [each.va for each in system.tlb.log] == [va + 2 * MIB]


# x86-64: CPUs that are in the space by interrupt, the others by a mark; thirty-two, then everything of the PCID.


@pytest.mark.parametrize(("pages", "names"), [(32, ["invlpg"] * 32), (33, ["invpcid all of one"])])
def test_x86_at_the_limit(make, pages, names):
    space = two_cpus(make, "x86_64")
    fill(space, pages + 1)
    assert issued(space, lambda: space.tables.unmap(BASE, pages)) == names


def test_x86_an_entry_of_the_root_costs_everything(make):
    space = two_cpus(make, "x86_64")
    fill(space, 1)
    fill(space, 1, BASE + 5 * 512 * GIB)
    assert issued(space, lambda: space.tables.unmap(BASE, 1)) == ["invpcid all of one"]
    fill(space, 2, BASE + 5 * 512 * GIB + PAGE)
    assert issued(space, lambda: space.tables.unmap(BASE + 5 * 512 * GIB, 1)) == ["invlpg"]


def test_x86_tables_below_the_root_go_by_address(make):
    space = two_cpus(make, "x86_64")
    fill(space, 2)
    fill(space, 1, BASE + 2 * GIB)
    assert issued(space, lambda: space.tables.unmap(BASE, 2)) == ["invlpg"] * 4  # two pages, two tables


def test_x86_other_cpus_are_told_to_drop_the_pcid(make):
    space = two_cpus(make, "x86_64")
    tables = space.tables
    fill(space, 2)
    assert not tables.is_dirty_on(0) and not tables.is_dirty_on(1)
    assert tables.unmap(BASE, 1) is ZX_OK
    assert not tables.is_dirty_on(0) and tables.is_dirty_on(1)
    ArchVmAspace.context_switch(1, None, tables)
    assert not tables.is_dirty_on(1)


def test_x86_a_new_pcid_is_dirty_everywhere(make):
    space = make(System("x86_64", online_cpus=3))
    assert all(space.tables.is_dirty_on(cpu) for cpu in range(3))


def test_x86_a_restricted_part_reaches_those_that_are_in_its_unified_space(make):
    _, restricted, unified = make.family("x86_64")
    va = restricted.tables.base
    fill(restricted, 2, va)
    ArchVmAspace.context_switch(0, None, unified.tables)
    log = restricted.system.tlb.log
    log.clear()
    assert restricted.tables.unmap(va, 1) is ZX_OK
    assert [(each.instruction, each.tag) for each in log] == [("invlpg", ("PCID", unified.tables.asid))]
    assert restricted.tables.is_dirty_on(0) and not unified.tables.is_dirty_on(0)


def test_x86_a_shared_page_costs_everything_that_is_not_global(make):
    shared, _, _ = make.family("x86_64")
    va = shared.tables.base
    fill(shared, 2, va)
    assert issued(shared, lambda: shared.tables.unmap(va, 1)) == ["invpcid all but global"]


def test_x86_kernel_pages_are_global(make):
    system = System("x86_64", online_cpus=2)
    kernel = system.kernel_aspace.arch
    va = system.arch.kernel_aspace_base + GIB
    assert kernel.map(va, [PAGE] * 40, RW, ERROR) is ZX_OK
    system.tlb.log.clear()
    assert kernel.unmap(va, 1) is ZX_OK
    assert [each.instruction for each in system.tlb.log] == ["invlpg"] * 2  # each CPU
    system.tlb.log.clear()
    assert kernel.unmap(va + PAGE, 38) is ZX_OK
    assert [each.instruction for each in system.tlb.log] == ["invpcid everything"] * 2


def test_x86_a_cleared_mark_of_a_table_costs_everything(make):
    space = two_cpus(make, "x86_64")
    page = space.system.pmm.allocate_page()
    space.map(BASE, [page.paddr], RWU)
    hardware_access(space.tables, BASE, is_write=False)
    whole = (space.tables.base, space.tables.size // PAGE)
    found = issued(space, lambda: space.tables.harvest_accessed(*whole, RETAIN, CLEAR))
    assert found == ["invlpg"]  # of the page alone
    hardware_access(space.tables, BASE, is_write=False)
    found = issued(space, lambda: space.tables.harvest_accessed(*whole, FREE, CLEAR))
    assert found == ["invpcid all of one"]


# Guests.


@pytest.mark.parametrize(("arch", "names"), [("x86_64", ["invept"]), ("arm64", ["ipas2le1is"])])
def test_guests_are_invalidated_by_guest_address(make, arch, names):
    guest = make(arch, flags=ArchAspaceFlag.GUEST)
    fill(guest, 2)
    assert issued(guest, lambda: guest.tables.unmap(BASE, 1)) == names


# Everywhere.


def test_what_was_not_there_owes_nothing(make, arch):
    space = two_cpus(make, arch)
    assert issued(space, lambda: space.map(BASE, [PAGE, 5 * PAGE], RWU)) == []
    assert issued(space, lambda: space.tables.map_contiguous(BASE + 2 * MIB, 0, 513, RWU)) == []
    assert issued(space, lambda: space.tables.unmap(BASE + GIB, 500)) == []
    assert issued(space, lambda: space.tables.protect(BASE, 2, RWU)) == []


def test_tables_are_given_back_after_the_flush(make, arch, monkeypatch):
    space = two_cpus(make, arch)
    fill(space, 3)
    pmm, seen, flush = space.system.pmm, [], Shootdown.flush
    before = pmm.allocated_count

    def watched(self):
        flush(self)
        seen.append(pmm.allocated_count)

    monkeypatch.setattr(Shootdown, "flush", watched)
    assert space.tables.unmap(BASE, 3) is ZX_OK
    assert seen == [before]
    assert pmm.allocated_count == before - space.tables.regime.top_level


def test_an_id_is_flushed_before_it_is_given_back(make):
    for arch, name in (("arm64", "aside1is"), ("riscv64", "sfence.vma")):
        space = make(arch)
        assert issued(space, space.tables.destroy) == [name]
    assert issued(make("x86_64"), make("x86_64").tables.destroy) == []  # its next owner starts dirty


def test_x86_kernel_tables_that_a_failed_mapping_took_out_stay_in_walk_caches() -> None:
    """As implemented: without a global item nobody is told. Elsewhere the tables are invalidated."""
    excused = {}
    for arch, tables in (("x86_64", 2), ("arm64", 3)):
        system = System(arch)
        system.pmm.fail_next(tables)  # the last one
        kernel = system.kernel_aspace.arch
        status = kernel.map(kernel.base, [system.pmm.zero_page.paddr], MmuFlag.PERM_READ, ExistingEntryAction.ERROR)
        assert status is ZX_ERR_NO_MEMORY and not system.tlb.stale_translations()
        excused[arch] = system.tlb.excused > 0
    assert excused == {"x86_64": True, "arm64": False}
