"""Worked examples of entries, walks and registers of the three architectures, computed apart from the model."""

import pytest

from vmaspace.model.arch.arm64 import (
    A64_ACCESSED,
    A64_EL2_TABLES,
    A64_GUEST_TABLES,
    A64_KERNEL_TABLES,
    A64_TABLE_ACCESSED,
    A64_USER_TABLES,
)
from vmaspace.model.arch.regime import ENTRIES, Regime, index_at, reach, shift_of
from vmaspace.model.arch.registers import cr3, ept_pointer, satp, tlbi_operand, ttbr0, vttbr
from vmaspace.model.arch.riscv64 import RV_ACCESSED, riscv64_tables
from vmaspace.model.arch.walk import walk
from vmaspace.model.arch.x86_64 import EPT, X86_ACCESSED, X86_DIRTY, X86_KERNEL_TABLES, X86_USER_TABLES
from vmaspace.model.page_queues import PageQueues
from vmaspace.model.physical_memory import PhysicalMemory

FRAME, BIG, HUGE = 0x23456000, 0x40000000, 0x80000000

RO, RW, RX, RWX = 0x08, 0x18, 0x28, 0x38
USER = 0x04
UNCACHED, DEVICE, COMBINING = 1, 2, 3

X86_PAGES = [
    (X86_USER_TABLES, RO | USER, 0x8000000023456005),
    (X86_USER_TABLES, RW | USER, 0x8000000023456007),
    (X86_USER_TABLES, RX | USER, 0x0000000023456005),
    (X86_USER_TABLES, RWX | USER, 0x0000000023456007),
    (X86_USER_TABLES, RW | USER | UNCACHED, 0x800000002345601F),
    (X86_USER_TABLES, RW | USER | DEVICE, 0x800000002345601F),
    (X86_USER_TABLES, RW | USER | COMBINING, 0x800000002345609F),
    (X86_KERNEL_TABLES, RO, 0x8000000023456101),
    (X86_KERNEL_TABLES, RW, 0x8000000023456103),
    (X86_KERNEL_TABLES, RX, 0x0000000023456101),
    (X86_KERNEL_TABLES, RW | DEVICE, 0x800000002345611B),
    (X86_KERNEL_TABLES, RW | COMBINING, 0x800000002345619B),
    (EPT, RWX, 0x23456037),
    (EPT, RW, 0x23456033),
    (EPT, RX, 0x23456035),
    (EPT, RO, 0x23456031),
    (EPT, RW | UNCACHED, 0x23456003),
    (EPT, RW | COMBINING, 0x2345600B),
]
X86_LARGE = [
    (X86_USER_TABLES, BIG, RW | USER, 1, 0x8000000040000087),
    (X86_USER_TABLES, BIG, RW | USER | COMBINING, 1, 0x800000004000109F),
    (X86_USER_TABLES, BIG, RW | USER | UNCACHED, 1, 0x800000004000009F),
    (X86_KERNEL_TABLES, BIG, RW, 1, 0x8000000040000183),
    (X86_KERNEL_TABLES, HUGE, RW, 2, 0x8000000080000183),
    (X86_USER_TABLES, HUGE, RW | USER | COMBINING, 2, 0x800000008000109F),
    (EPT, BIG, RWX, 1, 0x400000B7),
]
ARM64_LEAVES = [  # MMU flags, page, 2 MiB block
    (A64_USER_TABLES, RO | USER, 0x0060000023456FCB, 0x0060000040000FC9),
    (A64_USER_TABLES, RW | USER, 0x0060000023456F4B, 0x0060000040000F49),
    (A64_USER_TABLES, RX | USER, 0x0020000023456FCB, 0x0020000040000FC9),
    (A64_USER_TABLES, RWX | USER, 0x0020000023456F4B, 0x0020000040000F49),
    (A64_USER_TABLES, RW | USER | COMBINING, 0x0060000023456F4F, 0x0060000040000F4D),
    (A64_USER_TABLES, RW | USER | DEVICE, 0x0060000023456C47, 0x0060000040000C45),
    (A64_USER_TABLES, RW, 0x0060000023456F0B, 0x0060000040000F09),
    (A64_KERNEL_TABLES, RO, 0x006000002345678B, 0x0060000040000789),
    (A64_KERNEL_TABLES, RW, 0x006000002345670B, 0x0060000040000709),
    (A64_KERNEL_TABLES, RX, 0x004000002345678B, 0x0040000040000789),
    (A64_KERNEL_TABLES, RWX, 0x004000002345670B, 0x0040000040000709),
    (A64_KERNEL_TABLES, RW | DEVICE, 0x0060000023456407, 0x0060000040000405),
    (A64_KERNEL_TABLES, RW | UNCACHED, 0x0060000023456403, 0x0060000040000401),
    (A64_KERNEL_TABLES, RW | COMBINING, 0x006000002345670F, 0x006000004000070D),
    (A64_EL2_TABLES, RW, 0x004000002345670B, 0x0040000040000709),
    (A64_EL2_TABLES, RX, 0x000000002345678B, 0x0000000040000789),
    (A64_GUEST_TABLES, RWX, 0x00000000234567FF, 0x00000000400007FD),
    (A64_GUEST_TABLES, RW, 0x00400000234567FF, None),
    (A64_GUEST_TABLES, RX, 0x000000002345677F, None),
    (A64_GUEST_TABLES, RO, 0x004000002345677F, None),
    (A64_GUEST_TABLES, RW | DEVICE, 0x00400000234564C7, None),
    (A64_GUEST_TABLES, RW | UNCACHED, 0x00400000234564C3, None),
    (A64_GUEST_TABLES, RW | COMBINING, 0x00400000234567D7, None),
]
RV_LEAVES = [  # kernel, Svpbmt, MMU flags, page, 2 MiB, 1 GiB
    (False, True, RO | USER, 0x08D158D3, 0x100000D3, 0x200000D3),
    (False, True, RW | USER, 0x08D158D7, 0x100000D7, 0x200000D7),
    (False, True, RX | USER, 0x08D158DB, 0x100000DB, 0x200000DB),
    (False, True, RWX | USER, 0x08D158DF, 0x100000DF, 0x200000DF),
    (False, False, RW | USER, 0x08D158D7, 0x100000D7, 0x200000D7),
    (False, True, RW | USER | COMBINING, 0x2000000008D158D7, 0x20000000100000D7, 0x20000000200000D7),
    (True, True, RO, 0x08D158E3, 0x100000E3, None),
    (True, True, RW, 0x08D158E7, 0x100000E7, None),
    (True, True, RX, 0x08D158EB, 0x100000EB, None),
    (True, True, RW | DEVICE, 0x4000000008D158E7, 0x40000000100000E7, None),
    (True, True, RW | UNCACHED, 0x2000000008D158E7, 0x20000000100000E7, None),
    (True, False, RW | DEVICE, 0x08D158E7, 0x100000E7, None),
]
SV39 = riscv64_tables(39, is_kernel=False, has_svpbmt=True)
SV39_KERNEL = riscv64_tables(39, is_kernel=True, has_svpbmt=True)
SV48 = riscv64_tables(48, is_kernel=False, has_svpbmt=True)


def test_the_sizes_of_what_an_entry_reaches() -> None:
    assert [reach(level) for level in range(4)] == [1 << 12, 1 << 21, 1 << 30, 1 << 39]
    assert [shift_of(level) for level in range(4)] == [12, 21, 30, 39]


# Leaves.


@pytest.mark.parametrize(("regime", "flags", "entry"), X86_PAGES)
def test_x86_pages(regime: Regime, flags: int, entry: int) -> None:
    assert f"{regime.leaf(FRAME, flags, 0):#x}" == f"{entry:#x}"
    assert regime.leaf_paddr(entry, 0) == FRAME
    assert regime.is_known(entry, 0) == 1


@pytest.mark.parametrize(("regime", "paddr", "flags", "level", "entry"), X86_LARGE)
def test_x86_large_leaves(regime: Regime, paddr: int, flags: int, level: int, entry: int) -> None:
    assert f"{regime.leaf(paddr, flags, level):#x}" == f"{entry:#x}"
    assert regime.is_leaf(entry, level)
    assert regime.leaf_paddr(entry, level) == paddr


@pytest.mark.parametrize(("regime", "flags", "page", "block"), ARM64_LEAVES)
def test_arm64_leaves(regime: Regime, flags: int, page: int, block: int | None) -> None:
    assert f"{regime.leaf(FRAME, flags, 0):#x}" == f"{page:#x}"
    assert regime.leaf_paddr(page, 0) == FRAME
    assert regime.is_known(page, 0) == 1
    if block is not None:
        assert f"{regime.leaf(BIG, flags, 1):#x}" == f"{block:#x}"
        assert regime.is_leaf(block, 1)
        assert regime.leaf_paddr(block, 1) == BIG


@pytest.mark.parametrize("width", [39, 48])
@pytest.mark.parametrize(("is_kernel", "has_svpbmt", "flags", "page", "big", "huge"), RV_LEAVES)
def test_riscv64_leaves(
    width: int, is_kernel: bool, has_svpbmt: bool, flags: int, page: int, big: int, huge: int | None
) -> None:
    regime = riscv64_tables(width, is_kernel, has_svpbmt)
    assert f"{regime.leaf(FRAME, flags, 0):#x}" == f"{page:#x}"
    assert f"{regime.leaf(BIG, flags, 1):#x}" == f"{big:#x}"
    if huge is not None:
        assert f"{regime.leaf(HUGE, flags, 2):#x}" == f"{huge:#x}"
    assert regime.leaf_paddr(page, 0) == FRAME
    assert regime.leaf_paddr(big, 1) == BIG
    assert regime.is_known(page, 0) == 1


def test_flags_that_hardware_and_harvests_change() -> None:
    assert X86_USER_TABLES.leaf(FRAME, RW | USER, 0) | X86_ACCESSED | X86_DIRTY == 0x8000000023456067
    assert A64_USER_TABLES.leaf(FRAME, RW | USER, 0) & ~A64_ACCESSED == 0x0060000023456B4B
    assert SV39.leaf(FRAME, RW | USER, 0) & ~RV_ACCESSED == 0x08D15897


def test_other_widths_of_riscv64_are_refused() -> None:
    with pytest.raises(ValueError, match="39 or 48 bits, not 57"):
        riscv64_tables(57, is_kernel=False, has_svpbmt=False)


# Protecting.


@pytest.mark.parametrize(
    ("regime", "entry", "flags", "after"),
    [
        (A64_USER_TABLES, 0x0060000023456F4B, RO | USER, 0x0060000023456FCB),
        (A64_USER_TABLES, 0x0060000023456F4B, RX | USER, 0x0020000023456FCB),
        (A64_USER_TABLES, 0x0060000023456B4B, RO | USER, 0x0060000023456FCB),  # it is accessed again
        (A64_USER_TABLES, 0x0060000023456C47, RO | USER, 0x0060000023456FCF),  # two memory types make a third
        (SV39, 0x08D158D7, RO | USER, 0x08D158D3),
        (SV39, 0x08D15897, RO | USER, 0x08D158D3),
        (X86_USER_TABLES, 0x8000000023456067, RO | USER, 0x8000000023456005),
        (X86_USER_TABLES, 0x800000002345609F, RW | USER, 0x8000000023456007),
    ],
)
def test_protect(regime: Regime, entry: int, flags: int, after: int) -> None:
    assert f"{regime.protected(entry, flags, 0):#x}" == f"{after:#x}"


# Splitting.


@pytest.mark.parametrize(
    ("regime", "entry", "level", "children"),
    [
        (
            X86_USER_TABLES,
            0x80000000400010FF,
            1,
            {0: 0x80000000400000FF, 5: 0x80000000400050FF, 511: 0x80000000401FF0FF},
        ),
        (X86_USER_TABLES, 0x8000000040000087, 1, {0: 0x8000000040000007, 511: 0x80000000401FF007}),
        (X86_USER_TABLES, 0x800000008000109F, 2, {0: 0x800000008000109F, 1: 0x800000008020109F}),
        (A64_USER_TABLES, 0x0060000040000F49, 1, {0: 0x0060000040000F4B, 511: 0x00600000401FFF4B}),
        (A64_USER_TABLES, 0x0060000080000F49, 2, {0: 0x0060000080000F49, 1: 0x0060000080200F49}),
        (SV39, 0x100000D7, 1, {0: 0x100000D7, 511: 0x1007FCD7}),
        (SV48, 0x100000D7, 1, {0: 0x100000D7, 511: 0x1007FCD7}),
    ],
)
def test_splits(regime: Regime, entry: int, level: int, children: dict[int, int]) -> None:
    for index, child in children.items():
        assert f"{regime.child_leaf(entry, level, index):#x}" == f"{child:#x}"
        assert regime.leaf_paddr(child, level - 1) == regime.leaf_paddr(entry, level) + index * reach(level - 1)


# Tables, and the way from the root.

WALKS = [  # tables from the root on, address, indices, where the entries are, table entries, leaf flags
    (
        X86_USER_TABLES, [0x100000, 0x101000, 0x102000, 0x103000], 0x0000123456789000, [36, 209, 179, 393],
        [0x100120, 0x101688, 0x102598, 0x103C48], [0x101007, 0x102007, 0x103007], RW | USER,
    ),
    (
        X86_KERNEL_TABLES, [0x200000, 0x201000, 0x202000, 0x203000], 0xFFFFFF8123456000, [511, 4, 282, 86],
        [0x200FF8, 0x201020, 0x2028D0, 0x2032B0], [0x201007, 0x202007, 0x203007], RW,
    ),
    (
        A64_USER_TABLES, [0x100000, 0x101000, 0x102000, 0x103000], 0x0000123456789000, [36, 209, 179, 393],
        [0x100120, 0x101688, 0x102598, 0x103C48],
        [0x0080000000101003, 0x0080000000102003, 0x0080000000103003], RW | USER,
    ),
    (
        A64_KERNEL_TABLES, [0x200000, 0x201000, 0x202000, 0x203000], 0xFFFF000123456000, [0, 4, 282, 86],
        [0x200000, 0x201020, 0x2028D0, 0x2032B0],
        [0x0080000000201003, 0x0080000000202003, 0x0080000000203003], RW,
    ),
    (
        A64_GUEST_TABLES, [0x100000, 0x101000, 0x102000], 0x123456000, [4, 282, 86],
        [0x100020, 0x1018D0, 0x1022B0], [0x0080000000101003, 0x0080000000102003], RWX,
    ),
    (
        SV39, [0x100000, 0x101000, 0x102000], 0x0000001234567000, [72, 418, 359],
        [0x100240, 0x101D10, 0x102B38], [0x40401, 0x40801], RW | USER,
    ),
    (
        SV39_KERNEL, [0x200000, 0x201000, 0x202000], 0xFFFFFFC812345000, [288, 145, 325],
        [0x200900, 0x201488, 0x202A28], [0x80421, 0x80821], RW,
    ),
    (
        SV48, [0x100000, 0x101000, 0x102000, 0x103000], 0x0000123456789000, [36, 209, 179, 393],
        [0x100120, 0x101688, 0x102598, 0x103C48], [0x40401, 0x40801, 0x40C01], RW | USER,
    ),
    (
        riscv64_tables(48, is_kernel=True, has_svpbmt=True), [0x200000, 0x201000, 0x202000, 0x203000],
        0xFFFFFF8123456000, [511, 4, 282, 86],
        [0x200FF8, 0x201020, 0x2028D0, 0x2032B0], [0x80421, 0x80821, 0x80C21], RW,
    ),
    (
        EPT, [0x100000, 0x101000, 0x102000, 0x103000], 0x0000123456789000, [36, 209, 179, 393],
        [0x100120, 0x101688, 0x102598, 0x103C48], [0x101007, 0x102007, 0x103007], RWX,
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("regime", "tables", "va", "indices", "places", "entries", "flags"), WALKS, ids=[w[0].name for w in WALKS]
)
def test_walks(
    regime: Regime,
    tables: list[int],
    va: int,
    indices: list[int],
    places: list[int],
    entries: list[int],
    flags: int,
) -> None:
    memory = PhysicalMemory(PageQueues())
    mark = A64_TABLE_ACCESSED if regime.name.startswith("arm64") else 0  # as a map makes it
    made = [regime.table(table) | mark for table in tables[1:]]
    assert [f"{entry:#x}" for entry in made] == [f"{entry:#x}" for entry in entries]
    leaf = regime.leaf(FRAME, flags, 0)
    for place, entry in zip(places, [*made, leaf], strict=True):
        memory.device_page(place & ~0xFFF).words[place % 0x1000 // 8] = entry
    steps = walk(regime, memory, tables[0], va)
    assert [step.level for step in steps] == list(range(regime.top_level, -1, -1))
    assert [step.table for step in steps] == tables
    assert [step.slot for step in steps] == indices
    assert [step.table + 8 * step.slot for step in steps] == places
    assert [step.entry for step in steps] == [*made, leaf]
    assert regime.is_root_index_valid(indices[0])


def test_a_walk_ends_where_nothing_is() -> None:
    memory = PhysicalMemory(PageQueues())
    memory.device_page(0x100000).words[36] = X86_USER_TABLES.table(0x101000)
    memory.device_page(0x101000)
    steps = walk(X86_USER_TABLES, memory, 0x100000, 0x0000123456789000)
    assert [(step.table, step.entry) for step in steps] == [(0x100000, 0x101007), (0x101000, 0)]
    memory.device_page(0x101000).words[209] = X86_USER_TABLES.leaf(HUGE, RW | USER, 2)
    steps = walk(X86_USER_TABLES, memory, 0x100000, 0x0000123456789000)
    assert steps[-1].level == 2
    assert steps[-1].entry == 0x8000000080000087


def test_a_table_made_by_a_split_has_no_mark_on_arm64() -> None:
    assert A64_USER_TABLES.table(0x103000) == 0x103003


@pytest.mark.parametrize(
    ("regime", "va", "slot"),
    [(X86_USER_TABLES, 0x0000412345678000, [130, 141, 43, 120]), (SV39, 0x0000002123456000, [132, 282, 86])],
)
def test_slots_of_shared_addresses(regime: Regime, va: int, slot: list[int]) -> None:
    assert [index_at(va, level) for level in range(regime.top_level, -1, -1)] == slot


@pytest.mark.parametrize(
    ("regime", "entries"), [(A64_GUEST_TABLES, 64), (A64_EL2_TABLES, 512), (SV39, 512), (X86_USER_TABLES, 512)]
)
def test_entries_of_the_root(regime: Regime, entries: int) -> None:
    assert sum(map(regime.is_root_index_valid, range(ENTRIES))) == entries


# Registers.


def test_registers() -> None:
    assert cr3(0x100000, 5, flushes=False) == 0x8000000000100005
    assert cr3(0x100000, 5, flushes=True) == 0x0000000000100005
    assert cr3(0x100000, 0, flushes=False) == 0x100000  # the kernel's PCID
    assert ept_pointer(0x100000) == 0x10001E
    assert ttbr0(0x100000, 0x21) == 0x0021000000100000
    assert vttbr(0x100000, 3) == 0x0003000000100000
    assert tlbi_operand(0x0000123456789000, 0x21) == 0x0021000123456789
    assert tlbi_operand(0xFFFF000123456000) == 0x00000FF000123456
    assert satp(0x100000, 0x21) == 0x8002100000000100
    assert satp(0x100000, 0x21, 48) == 0x9002100000000100
