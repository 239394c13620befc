"""The MMU of each architecture, rule by rule of its manual."""

from dataclasses import replace
from random import Random

import pytest

from vmaspace.model.arch.arm64 import (
    A64_ACCESSED,
    A64_EL2_TABLES,
    A64_GUEST_TABLES,
    A64_KERNEL_TABLES,
    A64_NOT_GLOBAL,
    A64_PXN,
    A64_READ_ONLY,
    A64_USER_TABLES,
    A64_UXN,
)
from vmaspace.model.arch.hardware import (
    AccessKind,
    FaultKind,
    Mmu,
    Translation,
    Update,
    WalkFault,
    apply_updates,
    translate,
)
from vmaspace.model.arch.mmu_rules import mmu_for
from vmaspace.model.arch.modes import Modes
from vmaspace.model.arch.regime import USER_READ, Regime, index_at, shift_of
from vmaspace.model.arch.riscv64 import RV_ACCESSED, RV_DIRTY, RV_GLOBAL, RV_USER, riscv64_tables
from vmaspace.model.arch.x86_64 import (
    EPT,
    X86_ACCESSED,
    X86_DIRTY,
    X86_GLOBAL,
    X86_KERNEL_TABLES,
    X86_LARGE,
    X86_NO_EXECUTE,
    X86_PRESENT,
    X86_USER,
    X86_USER_TABLES,
    X86_WRITE,
)
from vmaspace.model.page_queues import PageQueues
from vmaspace.model.physical_memory import PhysicalMemory

READ, WRITE, EXECUTE = AccessKind.READ, AccessKind.WRITE, AccessKind.EXECUTE
SV39 = riscv64_tables(39, False, False)
SV48 = riscv64_tables(48, False, True)
VA = 0x12_3456_7ABC
FRAME = 0x8_C000_0000  # aligned for a leaf of every level
RWX_USER = 0x3C
A64_USER = 1 << 6

EVERY = [
    X86_USER_TABLES,
    X86_KERNEL_TABLES,
    EPT,
    A64_USER_TABLES,
    A64_KERNEL_TABLES,
    A64_EL2_TABLES,
    A64_GUEST_TABLES,
    SV39,
    SV48,
]


class Tables:
    """A path of entries to one address, of which a test changes one."""

    def __init__(self, regime: Regime, leaf_level: int = 0, modes: Modes | None = None) -> None:
        self.regime = regime
        self.modes = Modes() if modes is None else modes
        self.memory = PhysicalMemory(PageQueues())
        self.leaf_level = leaf_level
        self.va = VA & (1 << regime.width - 1) - 1
        if regime is A64_KERNEL_TABLES:
            self.va |= 0xFFFF << 48
        self.root = self._table()
        self.places = {regime.top_level: (self.root, index_at(self.va, regime.top_level))}
        for level in range(regime.top_level, leaf_level, -1):
            child = self._table()
            self[level] = regime.table(child)
            self.places[level - 1] = (child, index_at(self.va, level - 1))
        self[leaf_level] = regime.leaf(FRAME, RWX_USER, leaf_level) | regime.accessed

    def _table(self) -> int:
        page = self.memory.allocate_page()
        assert page is not None
        return page.paddr

    def __getitem__(self, level: int) -> int:
        table, slot = self.places[level]
        return self._words(table)[slot]

    def __setitem__(self, level: int, entry: int) -> None:
        table, slot = self.places[level]
        self._words(table)[slot] = entry

    def _words(self, table: int) -> memoryview:
        page = self.memory.page_for(table)
        assert page is not None
        return page.words

    @property
    def mmu(self) -> Mmu:
        return mmu_for(self.regime, self.modes)

    def access(self, kind: AccessKind = READ, *, is_user: bool = True, va: int | None = None) -> Translation | WalkFault:
        return translate(self.mmu, self.memory, self.root, self.va if va is None else va, kind, is_user=is_user)

    def may(self) -> str:
        """Who may do what: `urwx` for a user, `krwx` for the kernel, with a dash for what is refused."""
        return " ".join(
            "".join(
                letter if isinstance(self.access(kind, is_user=is_user), Translation) else "-"
                for letter, kind in zip("rwx", AccessKind, strict=True)
            )
            for is_user in (True, False)
        )

    def fault(self, kind: AccessKind = READ, *, is_user: bool = True, va: int | None = None) -> tuple[FaultKind, int, int]:
        answer = self.access(kind, is_user=is_user, va=va)
        assert isinstance(answer, WalkFault)
        return answer.kind, answer.level, answer.code


# --- what all have in common ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("regime", EVERY, ids=lambda regime: regime.name)
def test_a_leaf_of_every_level_leads_to_its_frame_and_the_offset_in_it(regime: Regime) -> None:
    for level in regime.leaf_levels:
        tables = Tables(regime, level)
        # Where a user's page is not the kernel's business, the user reads it.
        answer = tables.access(is_user=regime is not A64_EL2_TABLES)
        assert isinstance(answer, Translation)
        assert answer.paddr == FRAME + (tables.va & (1 << shift_of(level)) - 1)
        assert answer.level == level and answer.entry == tables[level]


@pytest.mark.parametrize("regime", EVERY, ids=lambda regime: regime.name)
def test_an_entry_of_zero_is_not_present_at_its_level(regime: Regime) -> None:
    for level in range(regime.top_level + 1):
        tables = Tables(regime)
        tables[level] = 0
        assert tables.fault()[:2] == (FaultKind.NOT_PRESENT, level)


@pytest.mark.parametrize("regime", EVERY, ids=lambda regime: regime.name)
def test_a_table_where_no_memory_is_reads_as_zeros(regime: Regime) -> None:
    tables = Tables(regime)
    tables[1] = regime.table(0x5_0000_0000)
    assert tables.fault()[:2] == (FaultKind.NOT_PRESENT, 0)


@pytest.mark.parametrize("regime", EVERY, ids=lambda regime: regime.name)
def test_a_walk_changes_nothing(regime: Regime) -> None:
    tables = Tables(regime)
    before = {level: tables[level] for level in tables.places}
    for kind in AccessKind:
        tables.access(kind)
        tables.access(kind, is_user=False)
    assert before == {level: tables[level] for level in tables.places}


@pytest.mark.parametrize("regime", EVERY, ids=lambda regime: regime.name)
def test_the_mmu_of_a_regime_is_made_once(regime: Regime) -> None:
    assert mmu_for(regime) is mmu_for(regime, Modes())
    assert mmu_for(regime, Modes(physical_bits=40)) is not mmu_for(regime)


# --- x86-64 -----------------------------------------------------------------------------------------------------------

BARE = Modes(smep=False, smap=False)


@pytest.mark.parametrize("level", range(4))
def test_x86_every_entry_of_the_path_takes_rights_away(level: int) -> None:
    for bit, expected in ((X86_WRITE, "r-x r-x"), (X86_USER, "--- rwx"), (X86_NO_EXECUTE, "rw- rw-")):
        tables = Tables(X86_USER_TABLES, modes=BARE)
        assert tables.may() == "rwx rwx"
        tables[level] ^= bit
        assert tables.may() == expected


def test_x86_the_kernel_keeps_off_a_users_pages() -> None:
    assert Tables(X86_USER_TABLES).may() == "rwx ---"
    assert Tables(X86_USER_TABLES, modes=Modes(ac=True)).may() == "rwx rw-"
    assert Tables(X86_USER_TABLES, modes=Modes(smep=False)).may() == "rwx --x"
    tables = Tables(X86_USER_TABLES)
    tables[2] ^= X86_USER  # one entry is enough to make it the kernel's
    assert tables.may() == "--- rwx"


def test_x86_without_wp_the_kernel_writes_everywhere() -> None:
    tables = Tables(X86_USER_TABLES, modes=replace(BARE, wp=False))
    tables[0] ^= X86_WRITE
    assert tables.may() == "r-x rwx"


@pytest.mark.parametrize("level", range(4))
def test_x86_without_nxe_bit_63_is_reserved(level: int) -> None:
    tables = Tables(X86_USER_TABLES, modes=replace(BARE, nxe=False))
    tables[level] |= X86_NO_EXECUTE
    assert tables.fault() == (FaultKind.RESERVED, level, 0b1101)


def test_x86_reserved_bits_by_level() -> None:
    reserved_of = {
        (0, 0): {*range(48, 52)},
        (1, 1): {*range(13, 21), *range(48, 52)},
        (2, 2): {*range(13, 30), *range(48, 52)},
        (0, 1): {*range(48, 52)},
        (0, 2): {*range(48, 52)},
        (0, 3): {7, *range(48, 52)},
    }
    for (leaf_level, level), reserved in reserved_of.items():
        for bit in range(64):
            if bit == 7 and leaf_level < level < 3:
                continue  # it makes a table a leaf
            tables = Tables(X86_USER_TABLES, leaf_level)
            tables[level] |= 1 << bit
            answer = tables.access()
            is_reserved = isinstance(answer, WalkFault) and answer.kind is FaultKind.RESERVED
            assert is_reserved == (bit in reserved), (leaf_level, level, bit)


def test_x86_error_codes() -> None:
    tables = Tables(X86_USER_TABLES)
    tables[0] = 0
    codes = [tables.fault(kind, is_user=is_user)[2] for is_user in (False, True) for kind in AccessKind]
    assert codes == [0, 2, 16, 4, 6, 20]
    tables = Tables(X86_USER_TABLES)
    tables[0] ^= X86_WRITE
    assert tables.fault(WRITE) == (FaultKind.PERMISSION, 0, 7)
    tables[0] |= 1 << 51
    assert tables.fault(WRITE) == (FaultKind.RESERVED, 0, 15)
    plain = Tables(X86_USER_TABLES, modes=replace(BARE, nxe=False))
    plain[0] = 0
    assert plain.fault(EXECUTE)[2] == 4  # the bit of a fetch needs NXE or SMEP


def test_x86_addresses_between_the_halves_are_no_addresses() -> None:
    tables = Tables(X86_USER_TABLES)
    for va in (1 << 47, 0xFFFF_7FFF_FFFF_FFFF, tables.va | 1 << 48, tables.va | 1 << 63):
        assert tables.fault(va=va) == (FaultKind.NON_CANONICAL, 3, 0)
    for va in ((1 << 47) - 1, 0xFFFF_8000_0000_0000):
        assert tables.fault(va=va)[0] is FaultKind.NOT_PRESENT


def test_x86_sets_accessed_at_every_level_and_dirty_with_a_store() -> None:
    tables = Tables(X86_USER_TABLES)
    tables[0] &= ~X86_ACCESSED
    answer = tables.access()
    assert answer.updates == tuple(Update(*tables.places[level], X86_ACCESSED) for level in (3, 2, 1, 0))
    apply_updates(tables.memory, answer.updates)
    assert all(tables[level] & (X86_ACCESSED | X86_DIRTY) == X86_ACCESSED for level in range(4))
    answer = tables.access(WRITE)
    assert answer.updates == (Update(*tables.places[0], X86_DIRTY),)
    apply_updates(tables.memory, answer.updates)
    assert tables.access(WRITE).updates == ()


def test_x86_marks_the_tables_that_it_went_through_even_when_it_faults() -> None:
    tables = Tables(X86_USER_TABLES)
    tables[0] = X86_PRESENT | X86_USER
    answer = tables.access(WRITE)
    assert isinstance(answer, WalkFault)
    assert [update.table for update in answer.updates] == [tables.places[level][0] for level in (3, 2, 1)]


def test_x86_global_is_a_bit_of_the_leaf() -> None:
    tables = Tables(X86_USER_TABLES)
    tables[1] |= X86_GLOBAL
    assert not tables.access().is_global  # type: ignore[union-attr]
    tables[0] |= X86_GLOBAL
    assert tables.access().is_global  # type: ignore[union-attr]


# --- extended page tables ---------------------------------------------------------------------------------------------


def test_ept_takes_what_every_entry_passes() -> None:
    for level in range(4):
        for bit, expected in ((2, "r-x r-x"), (4, "rw- rw-")):
            tables = Tables(EPT)
            tables[level] ^= bit
            assert tables.may() == expected
    tables = Tables(EPT)
    tables[0] ^= 3
    assert tables.may() == "--x --x"
    assert tables.fault() == (FaultKind.PERMISSION, 0, 0b100001)


def test_ept_misconfigurations() -> None:
    for level, entry in ((0, 2), (0, 6), (1, 2), (3, 0x87), (2, 0xF), (0, 7 | 2 << 3), (0, 7 | 3 << 3), (0, 7 | 7 << 3)):
        tables = Tables(EPT)
        tables[level] = entry
        assert tables.fault() == (FaultKind.RESERVED, level, 0)
    tables = Tables(EPT, 1)
    tables[1] |= 1 << 12
    assert tables.fault() == (FaultKind.RESERVED, 1, 0)


def test_ept_entries_have_no_accessed_bit_to_set() -> None:
    assert Tables(EPT).access(WRITE).updates == ()


# --- arm64 ------------------------------------------------------------------------------------------------------------


def test_a64_stage_1_permissions_of_a_leaf() -> None:
    tables = Tables(A64_USER_TABLES)
    leaf = tables[0] & ~(A64_USER | A64_READ_ONLY | A64_UXN | A64_PXN)
    cases = {
        0: "--x rwx",  # a user may execute what it cannot read
        A64_USER: "rwx rw-",  # what a user writes, the kernel does not execute
        A64_READ_ONLY: "--x r-x",
        A64_USER | A64_READ_ONLY: "r-x r-x",
        A64_UXN: "--- rwx",
        A64_PXN: "--x rw-",
        A64_USER | A64_READ_ONLY | A64_UXN: "r-- r-x",
        A64_USER | A64_READ_ONLY | A64_PXN: "r-x r--",
    }
    for bits, expected in cases.items():
        tables[0] = leaf | bits
        assert tables.may() == expected, hex(bits)


@pytest.mark.parametrize("level", [1, 2, 3])
def test_a64_tables_take_rights_away(level: int) -> None:
    for bit, expected in ((59, "r-x r--"), (60, "r-- r-x"), (61, "--x r-x"), (62, "r-x r-x")):
        tables = Tables(A64_USER_TABLES)
        tables[0] = tables[0] & ~(A64_UXN | A64_PXN) | A64_READ_ONLY
        tables[level] |= 1 << bit
        assert tables.may() == expected
    tables = Tables(A64_USER_TABLES)
    tables[level] |= 1 << 62
    assert tables.may().startswith("r-x r-")


def test_a64_modes() -> None:
    assert Tables(A64_USER_TABLES, modes=Modes(wxn=True)).may() == "rw- rw-"
    assert Tables(A64_USER_TABLES, modes=Modes(pan=True)).may() == "rwx ---"
    tables = Tables(A64_KERNEL_TABLES, modes=Modes(pan=True, wxn=True))
    tables[0] = A64_KERNEL_TABLES.leaf(FRAME, 0x38, 0)
    assert tables.may() == "--- rw-"


def test_a64_without_the_access_flag_software_is_asked_first() -> None:
    for level in (0, 1, 2):
        tables = Tables(A64_USER_TABLES, level)
        tables[level] = (tables[level] | A64_READ_ONLY) & ~A64_ACCESSED
        assert tables.fault(WRITE) == (FaultKind.ACCESS_FLAG, level, 8 | 3 - level)
        tables[level] |= A64_ACCESSED
        assert tables.fault(WRITE) == (FaultKind.PERMISSION, level, 12 | 3 - level)
        assert tables.access(READ).updates == ()


def test_a64_no_block_at_the_root_and_no_01_in_the_last_level() -> None:
    for level in (0, 3):
        tables = Tables(A64_USER_TABLES)
        tables[level] &= ~2
        assert tables.fault() == (FaultKind.NOT_PRESENT, level, 4 | 3 - level)


def test_a64_an_address_past_the_output_size() -> None:
    for level in range(4):
        tables = Tables(A64_USER_TABLES, modes=Modes(physical_bits=40))
        tables[level] |= 1 << 40
        assert tables.fault() == (FaultKind.ADDRESS_SIZE, level, 3 - level)


def test_a64_low_bits_of_a_blocks_address_are_ignored() -> None:
    tables = Tables(A64_USER_TABLES, 1)
    before = tables.access()
    tables[1] |= 1 << 13
    after = tables.access()
    assert isinstance(before, Translation) and isinstance(after, Translation) and before.paddr == after.paddr


def test_a64_halves_tags_and_narrow_spaces() -> None:
    low, high = Tables(A64_USER_TABLES), Tables(A64_KERNEL_TABLES)
    assert isinstance(low.access(va=low.va | 0xAB << 56), Translation)
    assert low.fault(va=low.va | 1 << 48) == (FaultKind.NON_CANONICAL, 3, 4)
    low.modes = Modes(tbi=False)
    assert low.fault(va=low.va | 1 << 56)[0] is FaultKind.NON_CANONICAL
    assert low.fault(va=1 << 47)[0] is FaultKind.NOT_PRESENT
    low.modes = Modes(user_bits=47)
    assert low.fault(va=1 << 47)[0] is FaultKind.NON_CANONICAL
    assert high.fault(va=high.va ^ 1 << 60)[0] is FaultKind.NON_CANONICAL


def test_a64_global_unless_it_says_otherwise() -> None:
    tables = Tables(A64_USER_TABLES)
    assert tables[0] & A64_NOT_GLOBAL and not tables.access().is_global  # type: ignore[union-attr]
    tables[0] ^= A64_NOT_GLOBAL
    assert tables.access().is_global  # type: ignore[union-attr]


def test_a64_stage_2_and_el2() -> None:
    guest = Tables(A64_GUEST_TABLES)
    guest[0] &= ~0xC0
    assert guest.may() == "--x --x"
    guest[0] |= 1 << 6 | A64_UXN
    assert guest.may() == "r-- r--"
    assert guest.fault(WRITE) == (FaultKind.PERMISSION, 0, 15)
    assert guest.fault(va=1 << 36) == (FaultKind.NON_CANONICAL, 2, 4)
    el2 = Tables(A64_EL2_TABLES)
    assert el2.may() == "--- rwx"
    el2[1] |= 1 << 62
    assert el2.may() == "--- r-x"


# --- riscv64 ----------------------------------------------------------------------------------------------------------


def test_rv_permissions_of_a_leaf() -> None:
    tables = Tables(SV39)
    leaf = tables[0] & ~0x1E
    for bits, expected in {
        0x02: "--- r--",
        0x06: "--- rw-",
        0x08: "--- --x",
        0x0A: "--- r-x",
        0x0E: "--- rwx",
        0x12: "r-- ---",
        0x18: "--x ---",
        0x1E: "rwx ---",
    }.items():
        tables[0] = leaf | bits
        assert tables.may() == expected, hex(bits)


def test_rv_modes() -> None:
    assert Tables(SV39, modes=Modes(sum=True)).may() == "rwx rw-"
    tables = Tables(SV39, modes=Modes(mxr=True))
    tables[0] &= ~0x6
    assert tables.may() == "r-x ---"
    tables.modes = Modes(mxr=True, sum=True)
    assert tables.may() == "r-x r--"
    tables[0] ^= RV_USER
    assert tables.may() == "--- r-x"


def test_rv_entries_that_are_not_allowed() -> None:
    for level, change in (
        (0, 0x1E ^ 0x04),  # writable and not readable
        (0, 0x1E ^ 0x0C),
        (0, 0x1E),  # a pointer in the last level
        (1, RV_USER),
        (1, RV_ACCESSED),
        (2, RV_DIRTY),
        (0, 1 << 54),
        (1, 1 << 60),
        (2, 1 << 63),
        (0, 1 << 61),
    ):
        tables = Tables(SV39, modes=Modes(svpbmt=False))
        tables[level] ^= change
        assert tables.fault() == (FaultKind.RESERVED, level, 13), (level, hex(change))
    for level in (1, 2):
        tables = Tables(SV39, level)
        tables[level] |= 1 << 10
        assert tables.fault(WRITE) == (FaultKind.RESERVED, level, 15)


def test_rv_a_memory_type_is_a_leafs_and_never_3() -> None:
    tables = Tables(SV48)
    for bits in (1, 2):
        tables[0] = tables[0] & ~(3 << 61) | bits << 61
        assert isinstance(tables.access(), Translation)
    tables[0] |= 3 << 61
    assert tables.fault()[0] is FaultKind.RESERVED
    tables = Tables(SV48)
    tables[1] |= 1 << 61
    assert tables.fault()[:2] == (FaultKind.RESERVED, 1)


def test_rv_causes() -> None:
    tables = Tables(SV39)
    tables[1] = 0
    assert [tables.fault(kind)[2] for kind in (EXECUTE, READ, WRITE)] == [12, 13, 15]


def test_rv_accessed_and_dirty() -> None:
    tables = Tables(SV39)
    tables[0] &= ~(RV_ACCESSED | RV_DIRTY)
    assert tables.access().updates == (Update(*tables.places[0], RV_ACCESSED),)
    assert tables.access(WRITE).updates == (Update(*tables.places[0], RV_ACCESSED | RV_DIRTY),)
    assert tables.access(is_user=False).updates == ()  # a faulting access sets nothing
    tables.modes = Modes(svadu=False)
    assert tables.fault() == (FaultKind.ACCESS_FLAG, 0, 13)
    tables[0] |= RV_ACCESSED
    assert isinstance(tables.access(), Translation)
    assert tables.fault(WRITE)[0] is FaultKind.ACCESS_FLAG
    assert tables.fault(WRITE, is_user=False)[0] is FaultKind.PERMISSION


def test_rv_addresses_and_globals() -> None:
    for regime, top in ((SV39, 38), (SV48, 47)):
        tables = Tables(regime)
        assert tables.fault(va=1 << top)[0] is FaultKind.NON_CANONICAL
        assert tables.fault(va=tables.va | 1 << 63)[0] is FaultKind.NON_CANONICAL
        assert tables.fault(va=-1 << top & (1 << 64) - 1)[0] is FaultKind.NOT_PRESENT
        tables[1] |= RV_GLOBAL
        assert tables.access().is_global  # type: ignore[union-attr]


# --- a fault planted in a record shows --------------------------------------------------------------------------------


def test_a_record_that_forgets_a_rule_answers_otherwise() -> None:
    """Must fail: without its reserved bits, or without SMEP in the table of rights, a walk grants too much."""
    tables = Tables(X86_USER_TABLES)
    forgetful = replace(tables.mmu, stages=tuple(stage._replace(leaf_reserved=0) for stage in tables.mmu.stages))
    tables[0] |= 1 << 50
    granted = translate(forgetful, tables.memory, tables.root, tables.va, READ, is_user=True)
    assert isinstance(granted, Translation) and isinstance(tables.access(), WalkFault)
    tables = Tables(X86_USER_TABLES)
    lenient = replace(tables.mmu, effective=tuple(range(64)))
    granted = translate(lenient, tables.memory, tables.root, tables.va, EXECUTE, is_user=False)
    assert isinstance(granted, Translation) and granted.rights & USER_READ
    assert isinstance(tables.access(EXECUTE, is_user=False), WalkFault)


def test_a_leaf_with_the_large_bit_at_the_root_is_no_leaf() -> None:
    tables = Tables(X86_USER_TABLES)
    tables[3] |= X86_LARGE
    assert tables.fault() == (FaultKind.RESERVED, 3, 0b1101)


@pytest.mark.parametrize("regime", EVERY, ids=lambda regime: regime.name)
def test_no_other_bit_of_a_table_entry_matters_to_its_rights(regime: Regime) -> None:
    mmu, random = mmu_for(regime), Random(5)
    entries = [random.getrandbits(64) for _ in range(500)] + [1 << bit for bit in range(64)]
    for entry in entries:
        assert mmu.table_rights[entry & mmu.table_rights_bits] == regime.table_rights(entry)
