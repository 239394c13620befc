"""What page tables refuse and assert, in each machine's order; the rows are those of the error tables."""

import pytest

from vmaspace.model.arch.options import (
    ArchUnmapOptions,
    ExistingEntryAction,
    NonTerminalAction,
    TerminalAction,
)
from vmaspace.model.flags import ArchAspaceFlag, MmuFlag
from vmaspace.model.status import (
    ZX_ERR_ALREADY_EXISTS,
    ZX_ERR_INVALID_ARGS,
    ZX_ERR_NO_MEMORY,
    ZX_ERR_NO_RESOURCES,
    ZX_ERR_NOT_FOUND,
    ZX_ERR_NOT_SUPPORTED,
    ZX_ERR_OUT_OF_RANGE,
    ZX_OK,
    AssertionViolation,
)
from vmaspace.model.system import System

PAGE, MIB, GIB = 0x1000, 1 << 20, 1 << 30
READ, WRITE, EXECUTE, USER = MmuFlag.PERM_READ, MmuFlag.PERM_WRITE, MmuFlag.PERM_EXECUTE, MmuFlag.PERM_USER
R, W, RW, UNCACHED_CODE = int(READ), int(WRITE), int(READ | WRITE), int(READ | EXECUTE) | 1
ERROR, SKIP, UPGRADE = ExistingEntryAction.ERROR, ExistingEntryAction.SKIP, ExistingEntryAction.UPGRADE
NONE, ENLARGE, HARVEST = ArchUnmapOptions.NONE, ArchUnmapOptions.ENLARGE, ArchUnmapOptions.HARVEST
FREE, RETAIN = NonTerminalAction.FREE_UNACCESSED, NonTerminalAction.RETAIN
CLEAR, KEEP = TerminalAction.UPDATE_AGE_AND_HARVEST, TerminalAction.UPDATE_AGE
BASE, SIZE = 1 * GIB, 4 * GIB  # of the space that the rows are tried on
ASSERTS = "asserts"

ROWS = {  # (method, arguments): what x86-64, arm64 and riscv64 answer
    # Map: the range, the pages, the flags, the alignment.
    "map: outside": ("map", (PAGE, [0], RW, ERROR), ZX_ERR_INVALID_ARGS, ASSERTS, ASSERTS),
    "map: outside, before no READ": ("map", (PAGE, [0], W, ERROR), ZX_ERR_INVALID_ARGS, ASSERTS, ASSERTS),
    "map: last byte + 1": ("map", (BASE + SIZE, [0], RW, ERROR), ZX_ERR_INVALID_ARGS, ASSERTS, ASSERTS),
    "map: page not aligned": ("map", (BASE, [0, 8], RW, ERROR), ZX_ERR_INVALID_ARGS, ASSERTS, ASSERTS),
    "map: page not aligned, before no READ": ("map", (BASE, [8], W, ERROR), ZX_ERR_INVALID_ARGS, ASSERTS, ASSERTS),
    "map: no READ": ("map", (BASE, [0], W, ERROR), ZX_ERR_INVALID_ARGS, ZX_ERR_INVALID_ARGS, ZX_ERR_INVALID_ARGS),
    "map: no READ, before not aligned": (
        "map", (BASE + 8, [0], W, ERROR), ZX_ERR_INVALID_ARGS, ZX_ERR_INVALID_ARGS, ZX_ERR_INVALID_ARGS,
    ),
    "map: not aligned": ("map", (BASE + 8, [0], RW, ERROR), ZX_ERR_INVALID_ARGS, ASSERTS, ASSERTS),
    "map: not aligned, no pages": ("map", (BASE + 8, [], RW, ERROR), ZX_ERR_INVALID_ARGS, ASSERTS, ASSERTS),
    "map: no pages": ("map", (BASE, [], RW, ERROR), ZX_OK, ZX_OK, ZX_OK),
    "map: no pages, no READ": ("map", (BASE, [], W, ERROR), ZX_OK, ZX_ERR_INVALID_ARGS, ZX_ERR_INVALID_ARGS),
    "map: uncached code": ("map", (BASE, [0], UNCACHED_CODE, ERROR), ZX_OK, ZX_ERR_INVALID_ARGS, ZX_OK),
    # MapContiguous.
    "contiguous: outside": ("map_contiguous", (PAGE, 0, 1, RW), ZX_ERR_INVALID_ARGS, ASSERTS, ASSERTS),
    "contiguous: no READ": (
        "map_contiguous", (BASE, 0, 1, W), ZX_ERR_INVALID_ARGS, ZX_ERR_INVALID_ARGS, ZX_ERR_INVALID_ARGS,
    ),
    "contiguous: no READ, before the run": (
        "map_contiguous", (BASE, 8, 1, W), ZX_ERR_INVALID_ARGS, ZX_ERR_INVALID_ARGS, ZX_ERR_INVALID_ARGS,
    ),
    "contiguous: run not aligned": ("map_contiguous", (BASE, 8, 1, RW), ZX_ERR_INVALID_ARGS, ASSERTS, ASSERTS),
    "contiguous: not aligned": ("map_contiguous", (BASE + 8, 0, 1, RW), ZX_ERR_INVALID_ARGS, ASSERTS, ASSERTS),
    "contiguous: no pages": ("map_contiguous", (BASE, 0, 0, RW), ZX_OK, ZX_OK, ZX_OK),
    "contiguous: no pages, no READ": (
        "map_contiguous", (BASE, 0, 0, W), ZX_OK, ZX_ERR_INVALID_ARGS, ZX_ERR_INVALID_ARGS,
    ),
    "contiguous: uncached code": (
        "map_contiguous", (BASE, 0, 1, UNCACHED_CODE), ZX_OK, ZX_ERR_INVALID_ARGS, ZX_OK,
    ),
    # Unmap.
    "unmap: outside": ("unmap", (PAGE, 1, NONE), ZX_ERR_INVALID_ARGS, ASSERTS, ASSERTS),
    "unmap: not aligned": ("unmap", (BASE + 8, 1, NONE), ZX_ERR_INVALID_ARGS, ASSERTS, ASSERTS),
    "unmap: no pages": ("unmap", (BASE, 0, NONE), ZX_OK, ZX_OK, ZX_OK),
    "unmap: a hole": ("unmap", (BASE, 9, NONE), ZX_OK, ZX_OK, ZX_OK),
    # Protect.
    "protect: outside": (
        "protect", (PAGE, 1, R, NONE), ZX_ERR_INVALID_ARGS, ZX_ERR_INVALID_ARGS, ZX_ERR_INVALID_ARGS,
    ),
    "protect: not aligned": (
        "protect", (BASE + 8, 1, R, NONE), ZX_ERR_INVALID_ARGS, ZX_ERR_INVALID_ARGS, ZX_ERR_INVALID_ARGS,
    ),
    "protect: no READ": (
        "protect", (BASE, 1, W, NONE), ZX_ERR_INVALID_ARGS, ZX_ERR_INVALID_ARGS, ZX_ERR_INVALID_ARGS,
    ),
    "protect: no pages": ("protect", (BASE, 0, R, NONE), ZX_OK, ZX_OK, ZX_OK),
    "protect: no pages, no READ": ("protect", (BASE, 0, W, NONE), ZX_OK, ZX_ERR_INVALID_ARGS, ZX_ERR_INVALID_ARGS),
    "protect: uncached code": ("protect", (BASE, 1, UNCACHED_CODE, NONE), ZX_OK, ZX_ERR_INVALID_ARGS, ZX_OK),
    "protect: a hole": ("protect", (BASE, 9, R, NONE), ZX_OK, ZX_OK, ZX_OK),
    # Harvest and MarkAccessed.
    "harvest: outside": (
        "harvest_accessed", (PAGE, 1, FREE, CLEAR), ZX_ERR_INVALID_ARGS, ZX_ERR_INVALID_ARGS, ZX_ERR_INVALID_ARGS,
    ),
    "harvest: not aligned": (
        "harvest_accessed", (BASE + 8, 1, FREE, CLEAR), ZX_ERR_INVALID_ARGS, ZX_ERR_INVALID_ARGS, ZX_ERR_INVALID_ARGS,
    ),
    "harvest: no pages": ("harvest_accessed", (BASE, 0, FREE, CLEAR), ZX_OK, ZX_OK, ZX_OK),
    "mark: outside": ("mark_accessed", (PAGE, 1), ZX_ERR_NOT_SUPPORTED, ZX_ERR_OUT_OF_RANGE, ZX_ERR_OUT_OF_RANGE),
    "mark: not aligned": (
        "mark_accessed", (BASE + 8, 1), ZX_ERR_NOT_SUPPORTED, ZX_ERR_OUT_OF_RANGE, ZX_ERR_OUT_OF_RANGE,
    ),
    "mark: a hole": ("mark_accessed", (BASE, 1), ZX_ERR_NOT_SUPPORTED, ZX_OK, ZX_OK),
}  # fmt: skip

MACHINES = ("x86_64", "arm64", "riscv64")


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("column", range(3))
def test_error_table(make, row, column):
    method, arguments, *answers = ROWS[row]
    space = make(MACHINES[column], base=BASE, size=SIZE)
    if answers[column] is ASSERTS:
        with pytest.raises(AssertionViolation):
            getattr(space.tables, method)(*arguments)
    else:
        assert getattr(space.tables, method)(*arguments) is answers[column]
    space.check()


def test_query_looks_up_what_lies_in_the_range(make, arch):
    space = make(arch, base=BASE, size=SIZE)
    assert space.map(BASE, [5 * PAGE], RW) is ZX_OK
    assert space.tables.query(BASE + 0x123) == (ZX_OK, 5 * PAGE + 0x123, RW)
    assert space.tables.query(BASE + PAGE)[0] is ZX_ERR_NOT_FOUND
    if arch == "x86_64":
        assert space.tables.query(PAGE)[0] is ZX_ERR_INVALID_ARGS
    else:
        with pytest.raises(AssertionViolation):
            space.tables.query(PAGE)


# Ranges that leave what the tables translate: arm64 alone looks.


@pytest.mark.parametrize(
    ("method", "arguments", "answer"),
    [
        ("map", ([0, PAGE], RW, ERROR), ZX_ERR_OUT_OF_RANGE),
        ("map_contiguous", (0, 2, RW), ZX_ERR_OUT_OF_RANGE),
        ("unmap", (2, NONE), ZX_ERR_OUT_OF_RANGE),
        ("protect", (2, R, NONE), ZX_ERR_INVALID_ARGS),
        ("harvest_accessed", (2, FREE, CLEAR), ZX_ERR_INVALID_ARGS),
        ("mark_accessed", (2,), ZX_ERR_OUT_OF_RANGE),
    ],
)
@pytest.mark.parametrize("kind", ["plain", "guest"])
def test_a_range_does_not_leave_the_regime(make, method, arguments, answer, kind):
    flags = ArchAspaceFlag.GUEST if kind == "guest" else ArchAspaceFlag(0)
    width = 36 if kind == "guest" else 48
    space = make("arm64", base=0, size=1 << width, flags=flags)
    if kind == "guest" and method == "protect":
        answer = ZX_ERR_OUT_OF_RANGE  # an Unmap answers
    assert getattr(space.tables, method)((1 << width) - PAGE, *arguments) is answer
    assert space.tables.is_empty()


@pytest.mark.parametrize("va", [0x0000800000000000, 0xFFFF7FFFFFFFF000])
def test_an_address_is_canonical_on_x86(make, va):
    space = make("x86_64", base=0, size=(1 << 64) - 1)
    tables = space.tables
    assert tables.map(va, [0], RW, ERROR) is ZX_ERR_INVALID_ARGS
    assert tables.map_contiguous(va, 0, 1, RW) is ZX_ERR_INVALID_ARGS
    assert tables.unmap(va, 1) is ZX_ERR_INVALID_ARGS
    assert tables.protect(va, 1, R) is ZX_ERR_INVALID_ARGS
    assert tables.harvest_accessed(va, 1, FREE, CLEAR) is ZX_ERR_INVALID_ARGS


def test_a_page_above_the_physical_limit_is_refused_on_x86(make):
    space = make("x86_64")
    assert space.map(BASE, [1 << 52], RW) is ZX_ERR_INVALID_ARGS
    assert space.tables.map_contiguous(BASE, 1 << 52, 1, RW) is ZX_ERR_INVALID_ARGS


# What counts as an access.


@pytest.mark.parametrize(
    ("arch", "arguments", "counts"),
    [
        ("x86_64", (BASE, [], RW, ERROR), True),
        ("x86_64", (BASE + 8, [0], RW, ERROR), True),
        ("x86_64", (BASE, [0], W, ERROR), True),
        ("x86_64", (PAGE, [0], RW, ERROR), False),
        ("arm64", (BASE, [], RW, ERROR), False),
        ("arm64", (BASE, [0], W, ERROR), False),
        ("arm64", (BASE, [0], RW, ERROR), True),
        ("riscv64", (BASE, [], RW, ERROR), False),
        ("riscv64", (BASE, [0], W, ERROR), False),
        ("riscv64", (BASE, [0], RW, ERROR), True),
    ],
)
def test_a_mapping_counts_as_an_access(make, arch, arguments, counts):
    space = make(arch, base=BASE, size=SIZE)
    space.tables.map(*arguments)
    assert space.tables.accessed_since_last_check(True) is counts
    assert not space.tables.accessed_since_last_check(False)


@pytest.mark.parametrize(("arch", "counts"), [("x86_64", True), ("arm64", False), ("riscv64", True)])
def test_a_contiguous_mapping_of_nothing_counts(make, arch, counts):
    space = make(arch)
    assert space.tables.map_contiguous(BASE, 0, 0, RW) is ZX_OK
    assert space.tables.accessed_since_last_check(True) is counts


def test_a_failed_mapping_counts_too(space):
    space.left = 0
    assert space.map(BASE, [0], RW) is ZX_ERR_NO_MEMORY
    assert space.tables.accessed_since_last_check(True)


# What is in the way.


@pytest.mark.parametrize("action", [ERROR, SKIP, UPGRADE])
def test_a_large_page_in_the_way_of_small_ones(space, action):
    space.tables.map_contiguous(BASE, 0, 512, RW)
    if action is not ERROR and space.name == "x86_64":
        with pytest.raises(AssertionViolation):
            space.map(BASE + PAGE, [0], RW, action)
    else:
        assert space.map(BASE + PAGE, [0], RW, action) is ZX_ERR_ALREADY_EXISTS
        assert space.leaf(BASE).level == 1


def test_what_stands_in_the_way_of_a_run(space):
    space.map(BASE + 2 * MIB + 5 * PAGE, [0x900000], R)
    assert space.tables.map_contiguous(BASE, 0x40000000, 1024, RW) is ZX_ERR_ALREADY_EXISTS
    assert list(space.tables.translations()) == [(BASE + 2 * MIB + 5 * PAGE, 0x900000, R)]
    space.check()
    # Where nothing is in the way, the run goes around by small pages on x86-64 only.
    assert space.tables.map_contiguous(BASE + 2 * MIB, 0x40000000, 5, RW) is ZX_OK
    space.check()


@pytest.mark.parametrize("arch", MACHINES)
def test_a_gigabyte_where_a_shared_root_has_its_table(make, arch):
    system = System(arch)
    shared = make(system, "shared", system.arch.shared_base, system.arch.shared_size)
    start = shared.tables.base + GIB & -GIB
    status = shared.tables.map_contiguous(start, 0, GIB // PAGE, RW)
    if arch == "riscv64":
        assert status is ZX_ERR_ALREADY_EXISTS and shared.tables.is_empty()
    else:
        assert status is ZX_OK and shared.leaf(start).level == 2
    shared.check()


def test_a_gigabyte_in_the_kernels_half_of_riscv(make):
    system = System("riscv64")
    kernel = system.kernel_aspace.arch
    start = system.arch.kernel_aspace_base + 8 * GIB
    assert kernel.map_contiguous(start, 0, GIB // PAGE, RW) is ZX_ERR_ALREADY_EXISTS
    assert kernel.map_contiguous(start, 0, 2 * MIB // PAGE, RW) is ZX_OK
    assert kernel.unmap(start, 2 * MIB // PAGE) is ZX_OK


def test_the_greedy_example(make):
    space = make("x86_64")
    assert space.tables.map_contiguous(0x3FE00000, 0x3FE00000, 512 + GIB // PAGE + 1, RW) is ZX_OK
    assert [(va, step.level, step.slot) for va, step in space.tables.leaves()] == [
        (0x3FE00000, 1, 511),
        (GIB, 2, 1),
        (2 * GIB, 0, 0),
    ]
    assert space.tables.pt_pages == 5
    space.check()


# Splits that fail, or are too early.


@pytest.mark.parametrize("options", [NONE, HARVEST, ENLARGE, ENLARGE | HARVEST])
def test_an_unmap_without_memory_for_a_split(space, options):
    space.map(BASE - PAGE, [0x900000], RW)
    space.tables.map_contiguous(BASE, 0, 512, RW)
    space.left = 0
    status = space.tables.unmap(BASE - PAGE, 3, options)
    # x86-64 wants ENLARGE; elsewhere any option will do.
    is_enlarged = bool(options & ENLARGE) if space.name == "x86_64" else bool(options)
    assert status is (ZX_OK if is_enlarged else ZX_ERR_NO_MEMORY)
    assert [va for va, _, _ in space.tables.translations()] == ([] if is_enlarged else [BASE])
    space.check()


def test_a_protection_without_memory_for_a_split(space):
    space.map(BASE - PAGE, [0x900000], RW)
    space.tables.map_contiguous(BASE, 0, 512, RW)
    space.left = 0
    assert space.tables.protect(BASE - PAGE, 3, R, ENLARGE) is ZX_ERR_NO_MEMORY
    assert [flags for _, _, flags in space.tables.translations()] == [R, RW]


@pytest.mark.parametrize("method", ["unmap", "protect"])
def test_arm64_splits_nothing_early_in_boot(make, method):
    space = make("arm64")
    space.system.allows_break_before_make = False
    space.map(BASE - PAGE, [0x900000], RW)
    space.tables.map_contiguous(BASE, 0, 512, RW)
    flags = (R,) if method == "protect" else ()
    for options in (NONE, HARVEST):
        assert getattr(space.tables, method)(BASE - PAGE, 2, *flags, options) is ZX_ERR_NOT_SUPPORTED
        assert space.leaf(BASE).level == 1
        assert space.at(BASE - PAGE) == (None if method == "unmap" else (0x900000, R))
    log = space.system.tlb.log
    log.clear()
    assert getattr(space.tables, method)(BASE, 1, *flags, ENLARGE) is ZX_OK  # without a break
    assert space.at(BASE) == (None if method == "unmap" else (0, R))
    assert [each.instruction for each in log] == ["vae1is", "vale1is"]
    space.check()


@pytest.mark.parametrize("method", ["unmap", "protect"])
def test_arm64_breaks_before_it_makes_a_split(make, method):
    space = make("arm64")
    space.tables.map_contiguous(BASE, 0, 512, RW)
    log = space.system.tlb.log
    log.clear()
    flags = (R,) if method == "protect" else ()
    assert getattr(space.tables, method)(BASE + PAGE, 1, *flags, NONE) is ZX_OK
    assert [each.instruction for each in log] == ["vale1is", "vae1is", "vale1is"]


def test_updates_are_disabled_on_arm64(make, arch):
    space = make(arch)
    tables = space.tables
    tables.disable_updates()
    if arch != "arm64":
        assert tables.map(BASE, [0], RW, ERROR) is ZX_OK
        return
    for call in (
        lambda: tables.map(BASE, [0], RW, ERROR),
        lambda: tables.map_contiguous(BASE, 0, 1, RW),
        lambda: tables.unmap(BASE, 0),
        lambda: tables.protect(BASE, 0, R),
    ):
        with pytest.raises(AssertionViolation):
            call()
    # What comes before, and what only looks.
    assert tables.map(BASE, [], RW, ERROR) is ZX_OK
    assert tables.map_contiguous(BASE, 0, 0, RW) is ZX_OK
    assert tables.map(BASE, [0], W, ERROR) is ZX_ERR_INVALID_ARGS
    assert tables.harvest_accessed(BASE, 512, FREE, CLEAR) is ZX_OK
    assert tables.mark_accessed(BASE, 1) is ZX_OK
    assert tables.query(BASE)[0] is ZX_ERR_NOT_FOUND


def test_updates_are_not_disabled_while_something_is_mapped(make):
    space = make("arm64")
    space.map(BASE, [0], RW)
    with pytest.raises(AssertionViolation):
        space.tables.disable_updates()


# Guests.


def test_guests(make, arch):
    guest = make(arch, flags=ArchAspaceFlag.GUEST)
    if arch == "riscv64":
        assert guest.status is ZX_ERR_NOT_SUPPORTED
        return
    tables = guest.tables
    # On x86-64 the upper half of a guest's memory is not canonical either.
    high = (1 << guest.arch.guest_size_shift - (arch == "x86_64")) - 4 * MIB
    if arch == "x86_64":
        assert guest.map(high + 4 * MIB, [0x900000], RW) is ZX_ERR_INVALID_ARGS
    assert tables.asid == 0
    assert guest.map(high, [0x900000], RW) is ZX_OK
    assert tables.map_contiguous(high + 2 * MIB, 0x40000000, 512, RW) is ZX_OK
    assert [(va, flags) for va, _, flags in tables.translations()] == [(high, RW), (high + 2 * MIB, RW)]
    assert guest.leaf(high + 2 * MIB).level == 1
    assert tables.protect(high + 2 * MIB, 1, R) is ZX_OK
    assert guest.at(high + 2 * MIB) == (None if arch == "arm64" else (0x40000000, R))
    guest.check()
    with pytest.raises(AssertionViolation):
        tables.destroy()
    assert tables.unmap(high, 1024) is ZX_OK
    assert tables.destroy() is ZX_OK


@pytest.mark.parametrize(("arch", "level"), [("x86_64", 1), ("arm64", 2)])
def test_how_large_a_guests_pages_are(make, arch, level):
    guest = make(arch, flags=ArchAspaceFlag.GUEST)
    assert guest.tables.map_contiguous(GIB, 0, GIB // PAGE, RW) is ZX_OK
    assert guest.leaf(GIB).level == level


# Init and Destroy.


@pytest.mark.parametrize("kind", ["plain", "restricted", "shared"])
def test_ids_run_out(make, arch, kind):
    system = System(arch)
    ids = system.asids
    for _ in range(ids.last - ids.first + 1):
        ids.allocate()
    space = make(system, kind)
    assert space.status is (ZX_ERR_NO_RESOURCES if arch == "x86_64" else ZX_ERR_NO_MEMORY)
    assert space.tables.root is None
    assert space.tables.destroy() is ZX_OK


def test_no_memory_for_the_root(make, arch):
    space = make(arch, "none")
    space.left = 0
    assert space.tables.init() is ZX_ERR_NO_MEMORY
    number = space.tables.asid
    assert space.tables.destroy() is ZX_OK
    assert not space.system.asids.is_taken(number)


@pytest.mark.parametrize("tables", [1, 2, 60])
def test_no_memory_for_a_shared_slot(make, arch, tables):
    system = System(arch)
    shared = make(system, "none", system.arch.shared_base, system.arch.shared_size)
    shared.left, before = tables, system.pmm.free_count
    assert shared.tables.init_shared() is ZX_ERR_NO_MEMORY
    assert shared.tables.pt_pages == tables
    assert shared.tables.destroy() is ZX_OK
    assert shared.tables.pt_pages == 0 and system.pmm.free_count == before


@pytest.mark.parametrize(
    ("arch", "base", "size", "flags"),
    [
        ("arm64", 0, PAGE, 0),
        ("arm64", 0, (1 << 48) + PAGE, 0),
        ("arm64", 0, (1 << 36) + PAGE, ArchAspaceFlag.GUEST),
        ("riscv64", 0, 0, 0),
        ("riscv64", 8, PAGE, 0),
        ("riscv64", 0, (1 << 38) + PAGE, 0),
        ("riscv64", 1 << 38, PAGE, 0),
    ],
)
def test_ranges_that_no_tables_are_made_for(make, arch, base, size, flags):
    with pytest.raises(AssertionViolation):
        make(arch, base=base, size=size, flags=ArchAspaceFlag(flags))


def test_tables_that_hold_something_are_not_destroyed(space):
    space.map(BASE, [0], RW)
    with pytest.raises(AssertionViolation):
        space.tables.destroy()
    space.tables.unmap(BASE, 1)
    number = space.tables.asid
    assert space.tables.destroy() is ZX_OK
    assert not space.system.asids.is_taken(number)


def test_the_kernels_tables_are_not_destroyed(arch):
    with pytest.raises(AssertionViolation):
        System(arch).kernel_aspace.arch.destroy()


def test_x86_forgets_the_slot_that_a_shared_part_ends_in(make):
    system = System("x86_64")
    shared = make(system, "shared", 0x5000, 4 * PAGE)  # no slot at all is its own
    assert shared.tables.pt_pages == 1
    assert shared.map(0x5000, [0x900000], RW) is ZX_OK
    assert shared.tables.pt_pages == 4
    shared.check()
    assert shared.tables.unmap(0x5000, 1) is ZX_OK
    assert shared.tables.pt_pages == 1
    assert shared.tables.destroy() is ZX_OK
    documented = make(System("x86_64", switches=["documented_root_slots"]), "shared", 0x5000, 4 * PAGE)
    assert documented.tables.pt_pages == 2
