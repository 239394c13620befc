"""Shared, restricted and unified page tables: what is copied, what is propagated, who counts whom."""

import pytest

from vmaspace.model.arch.options import ExistingEntryAction, NonTerminalAction, TerminalAction
from vmaspace.model.flags import MmuFlag
from vmaspace.model.status import ZX_ERR_NO_MEMORY, ZX_OK, AssertionViolation
from vmaspace.model.system import System

PAGE, GIB = 0x1000, 1 << 30
RWU = int(MmuFlag.PERM_READ | MmuFlag.PERM_WRITE | MmuFlag.PERM_USER)
ERROR = ExistingEntryAction.ERROR
FREE, CLEAR = NonTerminalAction.FREE_UNACCESSED, TerminalAction.UPDATE_AGE_AND_HARVEST
SHARED_SLOTS = {"x86_64": range(128, 255), "arm64": range(256, 512), "riscv64": range(128, 256)}


def roots_agree(space, unified):
    """Whether the slots of a part lead to the same tables in its root and in the unified one."""
    regime, ours, theirs = space.tables.regime, space.tables.own_root(), unified.tables.own_root()
    flags = regime.table_accessed | regime.dirty
    return all(not (ours.words[slot] ^ theirs.words[slot]) & ~flags for slot in space.tables.root_slots())


def seen(space, va):
    """What `va` leads to by the bytes."""
    step = space.tables.leaf_at(va)
    return None if step is None else step.entry


def test_a_shared_root_is_filled_from_the_start(make, arch):
    shared, _, unified = make.family(arch)
    slots = SHARED_SLOTS[arch]
    assert shared.tables.root_slots() == slots
    assert shared.tables.pt_pages == 1 + len(slots)
    root = shared.tables.own_root()
    assert all(root.words[slot] for slot in slots)
    assert root.num_mappings == (0 if arch == "arm64" else len(slots))
    assert len({root.words[slot] for slot in slots}) == len(slots)
    assert shared.tables.is_empty()
    shared.check()
    assert roots_agree(shared, unified)


def test_the_shared_root_never_changes(make, arch):
    shared, _, unified = make.family(arch)
    root, mark = shared.tables.own_root(), shared.tables.regime.table_accessed
    before = [word & ~mark for word in root.words.tolist()]
    for va in (shared.tables.base, shared.tables.base + 5 * GIB):
        assert shared.map(va, [PAGE], RWU) is ZX_OK
        assert seen(unified, va) == seen(shared, va) is not None
        assert [word & ~mark for word in root.words.tolist()] == before
        assert shared.tables.unmap(va, 1) is ZX_OK
        assert seen(unified, va) is None
        assert [word & ~mark for word in root.words.tolist()] == before
    shared.check()


def test_restricted_changes_show_in_the_unified_root(make, arch):
    _, restricted, unified = make.family(arch)
    base = restricted.tables.base
    count = unified.tables.own_root().num_mappings
    for va in (base, base + 5 * GIB):
        assert restricted.map(va, [PAGE], RWU) is ZX_OK
        assert seen(unified, va) == seen(restricted, va) is not None
        assert roots_agree(restricted, unified)
    if arch != "arm64":
        assert unified.tables.own_root().num_mappings == count + 2 - (arch == "x86_64")
    for va in (base, base + 5 * GIB):
        assert restricted.tables.unmap(va, 1) is ZX_OK
        assert seen(unified, va) is None
        assert roots_agree(restricted, unified)
    assert unified.tables.own_root().num_mappings == count
    assert unified.tables.pt_pages == (0 if arch == "arm64" else 1)


def test_a_failed_mapping_of_a_restricted_part_leaves_nothing_in_the_unified_root(make, arch):
    _, restricted, unified = make.family(arch)
    restricted.left = 1  # for the table of a root slot
    assert restricted.map(restricted.tables.base, [PAGE], RWU) is ZX_ERR_NO_MEMORY
    assert roots_agree(restricted, unified)
    assert not any(unified.tables.own_root().words[slot] for slot in restricted.tables.root_slots())
    restricted.check()


@pytest.mark.parametrize("arch", ["x86_64", "arm64"])
def test_a_harvest_of_a_restricted_part_frees_in_both_roots(make, arch):
    _, restricted, unified = make.family(arch)
    tables = restricted.tables
    restricted.map(tables.base, [PAGE], RWU)
    for _ in range(2):
        assert tables.harvest_accessed(tables.base, tables.size // PAGE, FREE, CLEAR) is ZX_OK
    assert seen(restricted, tables.base) is seen(unified, tables.base) is None
    assert tables.pt_pages == 1 and roots_agree(restricted, unified)


def test_one_root_on_arm64(make):
    _, restricted, unified = make.family("arm64")
    assert unified.tables.own_root() is restricted.tables.own_root()
    assert unified.tables.asid == restricted.tables.asid
    assert unified.tables.destroy() is ZX_OK
    assert restricted.tables.root is not None and unified.tables.root is None


@pytest.mark.parametrize("arch", ["x86_64", "riscv64"])
def test_a_root_and_an_id_of_its_own(make, arch):
    spaces = make.family(arch)
    kernel = spaces[0].system.boot_tables.root.words.tolist()
    assert len({space.tables.own_root() for space in spaces}) == 3
    assert len({space.tables.asid for space in spaces} - {0}) == 3
    for space in spaces:
        assert space.tables.own_root().words.tolist()[256:] == kernel[256:]


def test_a_shared_part_in_many_unified_spaces(make, arch):
    shared, first_part, first = make.family(arch)
    system, record = shared.system, shared.arch
    families = [(first_part, first)]
    for _ in range(3):
        part = make(system, "restricted", record.user_aspace_base, record.user_restricted_aspace_size)
        unified = make(system, "unified", 0, 0)
        assert unified.tables.init_unified(shared.tables, part.tables) is ZX_OK
        families.append((part, unified))
    assert shared.tables.references == 4
    va = shared.tables.base + 3 * PAGE
    assert shared.map(va, [PAGE], RWU) is ZX_OK
    assert {seen(unified, va) for _, unified in families} == {seen(shared, va)}
    assert shared.tables.unmap(va, 1) is ZX_OK
    for left, (part, unified) in zip((3, 2, 1, 0), families, strict=True):
        assert part.tables.references == 1
        assert unified.tables.destroy() is ZX_OK
        assert shared.tables.references == left and part.tables.references == 0
        assert part.tables.unified is None
        assert part.tables.destroy() is ZX_OK
    assert shared.tables.destroy() is ZX_OK


def test_the_order_of_the_end(make, arch):
    shared, restricted, unified = make.family(arch)
    system = shared.system
    for part in (shared, restricted):
        with pytest.raises(AssertionViolation, match="no unified table refers"):
            part.tables.destroy()
    ids = [space.tables.asid for space in (unified, restricted, shared)]
    pages = system.pmm.allocated_count
    owned = sum(space.tables.pt_pages for space in (unified, restricted, shared))
    for space in (unified, restricted, shared):
        assert space.tables.destroy() is ZX_OK
    assert not any(system.asids.is_taken(number) for number in ids)
    assert system.pmm.allocated_count == pages - owned


@pytest.mark.parametrize(("arch", "asserts"), [("x86_64", True), ("arm64", False), ("riscv64", False)])
def test_a_restricted_part_is_emptied_before_its_unified_space_goes(make, arch, asserts):
    _, restricted, unified = make.family(arch)
    restricted.map(restricted.tables.base, [PAGE], RWU)
    if asserts:
        with pytest.raises(AssertionViolation, match="emptied"):
            unified.tables.destroy()
    else:
        assert unified.tables.destroy() is ZX_OK


def test_what_cannot_be_unified(make, arch):
    shared, restricted, _ = make.family(arch)
    system, record = shared.system, shared.arch

    def part(kind="restricted"):
        return make(system, kind, record.user_aspace_base, record.user_restricted_aspace_size)

    def unify(of_shared, of_restricted):
        make(system, "unified", 0, 0).tables.init_unified(of_shared.tables, of_restricted.tables)

    with pytest.raises(AssertionViolation, match="in no unified space"):
        unify(shared, restricted)
    with pytest.raises(AssertionViolation, match="created shared"):
        unify(part(), part())
    filled = part()
    filled.map(filled.tables.base, [PAGE], RWU)
    with pytest.raises(AssertionViolation, match="empty"):
        unify(shared, filled)
    over = make(system, "restricted", record.shared_base, record.shared_size)
    with pytest.raises(AssertionViolation, match="below the shared"):
        unify(shared, over)
    plain = part("plain")
    if arch == "arm64":
        unify(shared, plain)  # only looks whether it is unified
    else:
        with pytest.raises(AssertionViolation, match="created restricted"):
            unify(shared, plain)
    if arch == "riscv64":
        with pytest.raises(AssertionViolation, match="no range of its own"):
            make(system, "unified", PAGE, PAGE).tables.init_unified(shared.tables, part().tables)


def test_unified_tables_are_not_edited_on_x86(make, arch):
    *_, unified = make.family(arch)
    tables = unified.tables
    calls = (
        lambda: tables.map(PAGE, [8], 0, ERROR),
        lambda: tables.map_contiguous(PAGE, 8, 1, 0),
        lambda: tables.unmap(8, 0),
        lambda: tables.protect(8, 0, 0),
        lambda: tables.query(PAGE),
        lambda: tables.harvest_accessed(8, 0, FREE, CLEAR),
    )
    for call in calls:
        if arch == "x86_64":
            with pytest.raises(AssertionViolation, match="unified"):
                call()
    if arch != "x86_64":
        assert tables.unmap(PAGE, 0) is ZX_OK  # nothing stops it


def test_a_gigabyte_in_a_restricted_root_of_riscv_stays_there(make):
    # As implemented: what the root holds of it is never propagated.
    _, restricted, unified = make.family("riscv64")
    va = 4 * GIB
    assert restricted.tables.map_contiguous(va, 0, GIB // PAGE, RWU) is ZX_OK
    assert seen(restricted, va) and seen(unified, va) is None
    assert restricted.tables.unmap(va, 1) is ZX_OK  # a split in the root
    assert seen(unified, va + PAGE) is None
    assert restricted.tables.unmap(va, GIB // PAGE) is ZX_OK
    restricted.check()
    assert unified.tables.own_root().num_mappings == 0


def test_ids_are_taken_in_turn(make, arch):
    system = System(arch)
    first = [make(system) for _ in range(3)]
    ids = [space.tables.asid for space in first]
    assert len(set(ids)) == 3
    assert first[0].tables.destroy() is ZX_OK
    again = make(system)
    assert again.tables.asid == ids[-1] + 1  # the next one, not the one that was given back
    assert not system.asids.is_taken(ids[0])
