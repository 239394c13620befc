"""Page faults: in which order they are refused, how many pages they map, and with which permissions."""

import pytest

from vmaspace.model.arch.aspace import ArchVmAspace, NonTerminalAction, TerminalAction
from vmaspace.model.constants import MAX_U64
from vmaspace.model.faults import fault_flags_text
from vmaspace.model.flags import AspaceType, FaultFlag, MmuFlag, VmarFlag
from vmaspace.model.mapping import VmMapping
from vmaspace.model.status import AssertionViolation, Status
from vmaspace.model.system import System
from vmaspace.model.vmo import VmoKind
from vmaspace.model.vmo.kinds import CloneType

P = 0x1000
READ, WRITE, EXECUTE = MmuFlag.PERM_READ, MmuFlag.PERM_WRITE, MmuFlag.PERM_EXECUTE
USER = MmuFlag.PERM_USER
RWU = READ | WRITE | USER
W, U, FETCH = FaultFlag.WRITE, FaultFlag.USER, FaultFlag.INSTRUCTION
ACCESS, ABSENT = FaultFlag.ACCESS, FaultFlag.NOT_PRESENT
OK, NOT_FOUND = Status.ZX_OK, Status.ZX_ERR_NOT_FOUND
BEYOND = VmarFlag.SPECIFIC | VmarFlag.FAULT_BEYOND_STREAM_SIZE
FAULTS = (
    lambda aspace, va, flags: aspace.page_fault(va, flags),
    lambda aspace, va, flags: aspace.soft_fault(va, flags),
    lambda aspace, va, flags: aspace.soft_fault_in_range(va, flags, 1),
)


def mapped(mapping: VmMapping) -> str:
    """One letter for each page: `-` not mapped, `r` read-only, `w` writable."""
    letters = ""
    for va in range(mapping.base, mapping.end, P):
        status, _, flags = mapping.aspace.arch.query(va)
        letters += "-" if status is NOT_FOUND else "w" if flags & WRITE else "r"
    return letters


# Refusals, in their order.


@pytest.mark.parametrize("fault", FAULTS)
def test_an_accessed_flag_fault_is_about_something_present(world, fault) -> None:
    with pytest.raises(AssertionViolation):
        fault(world.aspace, world.addr(0), ACCESS | ABSENT)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("lock", ["region_lock", "lock"])
def test_no_lock_is_held_when_a_fault_is_resolved(world, fault, lock: str) -> None:
    mapping = world.map(0, 1, mmu=RWU)
    with getattr(world.aspace, lock)(), pytest.raises(AssertionViolation):
        fault(world.aspace, mapping.base, U)
    with mapping.vmo.lock, pytest.raises(AssertionViolation):
        fault(world.aspace, mapping.base, U)
    assert fault(world.aspace, mapping.base, U) is OK


@pytest.mark.parametrize("fault", FAULTS)
def test_the_refusals_of_a_fault(world, fault) -> None:
    aspace = world.aspace
    assert fault(aspace, world.addr(0), U) is NOT_FOUND
    world.vmar(0, 4)
    assert fault(aspace, world.addr(0), U) is NOT_FOUND
    assert fault(aspace, aspace.base - 1, U) is NOT_FOUND
    _, vmo = world.system.create_vmo(2 * P, is_resizable=True)
    mapping = world.map(8, 4, vmo=vmo, mmu=READ | USER)
    # Permissions come before the bound.
    assert fault(aspace, mapping.base + 2 * P, W | U) is Status.ZX_ERR_ACCESS_DENIED
    assert fault(aspace, mapping.base + 2 * P, U) is Status.ZX_ERR_OUT_OF_RANGE
    vmo.resize(P)
    assert fault(aspace, mapping.base + P, U) is Status.ZX_ERR_OUT_OF_RANGE
    assert fault(aspace, mapping.base + P - 1, U) is OK
    world.system.pmm.fail_next(1)
    writable = world.map(16, 1, mmu=RWU)
    assert fault(aspace, writable.base, W | U) is Status.ZX_ERR_NO_MEMORY
    assert mapped(writable) == "-"
    assert fault(aspace, writable.base, W | U) is OK


@pytest.mark.parametrize(
    ("perms", "flags", "allowed"),
    [
        (READ | USER, U, True),
        (READ | USER, 0, True),
        (READ, U, False),
        (READ, 0, True),
        (READ | USER, W | U, False),
        (READ | WRITE | USER, W | U, True),
        (READ | USER, FETCH | U, False),
        (READ | EXECUTE | USER, FETCH | U, True),
        (USER, U, False),
        (USER, FETCH | U, False),
        (0, 0, False),
        (READ | WRITE, W, True),
        (READ | WRITE, W | U, False),
    ],
)
def test_what_an_access_needs(world, perms: int, flags: int, allowed: bool) -> None:
    mapping = world.map(0, 1, mmu=perms)
    status, pages = mapping.page_fault(mapping.base, flags, 0, mapping.vmo)
    assert (status, pages) == ((OK, 1) if allowed else (Status.ZX_ERR_ACCESS_DENIED, 0))


def test_a_range_fault_checks_its_range(world) -> None:
    mapping = world.map(0, 1, mmu=RWU)
    with pytest.raises(AssertionViolation):
        world.aspace.soft_fault_in_range(mapping.base, U, 0)
    assert world.aspace.soft_fault_in_range(MAX_U64, U, 2) is Status.ZX_ERR_OUT_OF_RANGE
    assert world.aspace.soft_fault_in_range(MAX_U64, U, 1) is NOT_FOUND


def test_the_routine_of_a_mapping(world) -> None:
    mapping, vmo = world.map(0, 2, mmu=RWU), world.vmo
    with pytest.raises(AssertionViolation):
        mapping.page_fault(mapping.base + 1, U, 0, vmo)
    assert mapping.page_fault(mapping.base, U, 1, vmo) == (OK, 2)
    mapping.destroy()
    assert mapping.page_fault(mapping.base, U, 0, vmo) == (Status.ZX_ERR_UNAVAILABLE, 0)


def test_guests_are_not_users() -> None:
    system = System(aslr_disabled=True)
    guest = system.create_default_aspace(AspaceType.GUEST_PHYSICAL)
    _, mapping = guest.root.create_vm_mapping(0, P, 0, 0, system.create_vmo(P)[1], 0, READ | WRITE)
    assert guest.page_fault(mapping.base, W | U) is OK
    assert mapping.page_fault(mapping.base, W | U, 0, mapping.vmo)[0] is Status.ZX_ERR_ACCESS_DENIED


def test_the_end_of_the_stream_is_a_bound_when_the_mapping_says_so(world) -> None:
    _, vmo = world.system.create_vmo(4 * P)
    vmo.set_stream_size(P + 1)
    plain = world.map(0, 4, vmo=vmo, mmu=RWU)
    bounded = world.map(8, 4, vmo=vmo, mmu=RWU, flags=BEYOND)
    assert world.aspace.page_fault(plain.base + 2 * P, W | U) is OK
    assert world.aspace.page_fault(bounded.base + 2 * P, W | U) is Status.ZX_ERR_OUT_OF_RANGE
    assert world.aspace.page_fault(bounded.base + P, W | U) is OK


# How many pages.


def test_pages_that_are_there_come_along(world) -> None:
    world.vmo.commit_range(0, 40 * P)
    mapping = world.map(0, 40, mmu=RWU)
    assert mapping.page_fault(mapping.base, W | U, 0, world.vmo) == (OK, 16)
    assert mapped(mapping) == "w" * 16 + "-" * 24
    assert mapping.page_fault(mapping.base + 16 * P, U, 0, world.vmo) == (OK, 16)
    assert mapping.page_fault(mapping.base + 36 * P, U, 0, world.vmo) == (OK, 4)


def test_none_is_made_to_come_along(world) -> None:
    _, vmo = world.system.create_vmo(8 * P)
    vmo.write(2 * P, b"x")
    mapping = world.map(0, 8, vmo=vmo, mmu=RWU)
    assert mapping.page_fault(mapping.base, W | U, 0, vmo) == (OK, 1)
    assert vmo.attributed_memory().uncompressed == 2 * P
    vmo.write(P, b"x")
    assert mapping.page_fault(mapping.base, W | U, 0, vmo) == (OK, 3)
    assert mapped(mapping) == "www-----"


def test_what_stops_the_pages_that_come_along(world) -> None:
    span = 0x200 * P  # of one last-level table
    _, vmo = world.system.create_vmo(64 * P)
    vmo.commit_range(0, 64 * P)
    page = (span - world.root.base % span) // P - 3
    mapping = world.map(page, 32, vmo=vmo, mmu=RWU)
    assert mapping.page_fault(mapping.base, U, 0, vmo) == (OK, 3)  # the end of the page table
    world.root.protect(mapping.base + 8 * P, P, READ | USER)
    assert mapping.page_fault(mapping.base + 3 * P, U, 0, vmo) == (OK, 5)  # another protection
    assert mapped(mapping)[:10] == "w" * 8 + "--"
    tail = world.map(page + 32, 8, vmo=vmo, vmo_page=60, mmu=RWU)
    assert tail.page_fault(tail.base, U, 0, vmo) == (OK, 4)  # the end of the VMO


def test_a_range_fault_makes_its_pages_and_no_more(world) -> None:
    mapping = world.map(0, 40, mmu=RWU)
    assert world.aspace.soft_fault_in_range(mapping.base + P - 1, W | U, 2 * P) is OK
    assert mapped(mapping) == "www" + "-" * 37
    world.vmo.commit_range(0, 40 * P)
    assert mapping.page_fault(mapping.base + 10 * P, U, 1, world.vmo) == (OK, 2)
    assert mapping.page_fault(mapping.base, W | U, 38, world.vmo) == (OK, 39)
    assert mapped(mapping) == "w" * 39 + "-"
    # Within one page it is a fault of one page.
    other = world.map(64, 4, mmu=RWU)
    assert world.aspace.soft_fault_in_range(other.base + 1, U, P - 1) is OK
    assert mapped(other) == "wwww"


def test_a_range_fault_stays_in_one_piece(world) -> None:
    mapping = world.map(0, 8, mmu=RWU)
    world.map(8, 8, mmu=RWU, vmo_page=8)
    world.root.protect(world.addr(4), 4 * P, READ | USER)
    assert world.aspace.soft_fault_in_range(mapping.base, U | W, 16 * P) is OK
    assert mapped(mapping) == "wwww----"
    assert mapped(world.root.find_region(world.addr(8))) == "-" * 8


# With which permissions.


def test_a_read_maps_what_may_be_written_only_if_the_vmo_says_so(world) -> None:
    mapping = world.map(0, 2, mmu=RWU)
    assert world.aspace.page_fault(mapping.base, U) is OK
    assert mapped(mapping) == "r-"  # the page of zeros is everybody's
    assert world.vmo.attributed_memory().uncompressed == 0
    assert world.aspace.page_fault(mapping.base, W | U) is OK
    assert mapped(mapping) == "w-"
    assert world.vmo.attributed_memory().uncompressed == P


@pytest.mark.parametrize("written", ["parent", "clone"])
def test_a_write_to_a_clone_or_its_parent_copies_the_page(world, written: str) -> None:
    _, vmo = world.system.create_vmo(P)
    vmo.write(0, b"old")
    parent = world.map(0, 1, vmo=vmo, mmu=RWU)
    assert world.aspace.page_fault(parent.base, W | U) is OK and mapped(parent) == "w"
    _, copy = vmo.create_clone(CloneType.SNAPSHOT, 0, P)
    assert mapped(parent) in ("r", "-")  # the next write has to fault
    clone = world.map(4, 1, vmo=copy, mmu=RWU)
    for mapping in (parent, clone):
        assert world.aspace.page_fault(mapping.base, U) is OK and mapped(mapping) == "r"
    assert world.aspace.arch.query(parent.base)[1] == world.aspace.arch.query(clone.base)[1]
    writer = parent if written == "parent" else clone
    assert world.aspace.page_fault(writer.base, W | U) is OK and mapped(writer) == "w"
    assert world.aspace.arch.query(parent.base)[1] != world.aspace.arch.query(clone.base)[1]
    assert vmo.read(0, 3) == copy.read(0, 3) == (OK, b"old")


def test_device_pages_are_mapped_with_all_that_is_allowed(world) -> None:
    _, vmo = world.system.create_vmo(40 * P, VmoKind.PHYSICAL, paddr=0xF000_0000)
    mapping = world.map(0, 40, vmo=vmo, mmu=RWU)
    assert mapping.page_fault(mapping.base, U, 0, vmo) == (OK, 16)
    assert mapped(mapping)[:17] == "w" * 16 + "-"
    assert world.aspace.arch.query(mapping.base + P + 5)[1] == 0xF000_1005
    assert mapping.page_fault(mapping.base, U, 19, vmo) == (OK, 20)


def test_a_protection_takes_effect_at_once_and_gives_nothing_without_a_fault(world) -> None:
    mapping = world.map(0, 1, mmu=RWU)
    world.aspace.page_fault(mapping.base, W | U)
    world.root.protect(mapping.base, P, READ | USER)
    assert mapped(mapping) == "r"
    world.root.protect(mapping.base, P, RWU)
    assert mapped(mapping) == "r"
    assert world.aspace.page_fault(mapping.base, W | U) is OK and mapped(mapping) == "w"


@pytest.mark.parametrize("arch", ["x86_64", "arm64", "riscv64"])
def test_mapping_counts_as_an_access_where_hardware_notes_none(arch: str) -> None:
    system = System(arch, aslr_disabled=True)
    aspace = system.create_default_aspace()
    _, mapping = aspace.root.create_vm_mapping(0, P, 0, 0, system.create_vmo(P)[1], 0, RWU)
    aspace.page_fault(mapping.base, W | U)
    assert aspace.arch.is_accessed(mapping.base) is (arch != "x86_64")


def test_an_accessed_fault_marks_what_is_mapped() -> None:
    system = System("arm64", aslr_disabled=True)
    aspace = system.create_default_aspace()
    _, mapping = aspace.root.create_vm_mapping(0, P, 0, 0, system.create_vmo(P)[1], 0, RWU)
    aspace.page_fault(mapping.base, W | U)
    clear = NonTerminalAction.RETAIN, TerminalAction.UPDATE_AGE_AND_HARVEST
    aspace.arch.harvest_accessed(aspace.base, aspace.size // P, *clear)
    assert not aspace.arch.is_accessed(mapping.base)
    assert aspace.accessed_fault(mapping.base + 1) is OK
    assert aspace.arch.is_accessed(mapping.base)
    # Nothing needs to be mapped there, but the address has to be in range.
    assert aspace.accessed_fault(mapping.base + 64 * P) is OK
    assert aspace.accessed_fault(0) is Status.ZX_ERR_OUT_OF_RANGE


# Page tables that run out.


def test_a_table_that_can_not_be_made(world) -> None:
    world.vmo.commit_range(0, P)
    mapping = world.map(0, 1, mmu=RWU)
    world.system.pmm.fail_next(1)
    assert mapping.page_fault(mapping.base, W | U, 0, world.vmo)[0] is Status.ZX_ERR_NO_MEMORY
    assert mapped(mapping) == "-" and mapping.currently_faulting is None
    assert world.aspace.page_fault(mapping.base, W | U) is OK


class RefusesMore(ArchVmAspace):
    """Page tables that take one batch and no other."""

    __slots__ = ("batches",)

    def map(self, va, paddrs, mmu_flags, action):
        self.batches = getattr(self, "batches", 0) + 1
        return Status.ZX_ERR_NO_MEMORY if self.batches > 1 else super().map(va, paddrs, mmu_flags, action)


class OneBatch(System):
    arch_aspace_class = RefusesMore


def test_batches_that_were_sent_stay(make_world) -> None:
    world = make_world(OneBatch)
    world.vmo.commit_range(0, 40 * P)
    mapping = world.map(0, 40, mmu=RWU)
    # As implemented, a batch counts as mapped though it was refused.
    assert mapping.page_fault(mapping.base, W | U, 39, world.vmo) == (Status.ZX_ERR_NO_MEMORY, 32)
    assert mapped(mapping) == "w" * 16 + "-" * 24


def test_a_fault_that_fails_makes_up_for_the_unmaps_that_it_put_off(make_world) -> None:
    world = make_world(OneBatch)
    mapping = world.map(0, 40, mmu=RWU)
    # The pages that replace the page of zeros would have been unmapped first, had no fault been about to map them.
    assert mapping.page_fault(mapping.base, W | U, 39, world.vmo)[0] is Status.ZX_ERR_NO_MEMORY
    assert mapped(mapping) == "-" * 40


# Pagers.


def paged_mapping(world, pages: int = 8):
    _, vmo = world.system.create_pager_vmo(pages * P)
    return vmo, vmo.cow_pages.source, world.map(0, pages, vmo=vmo, mmu=RWU)


def test_a_page_that_is_waited_for(world) -> None:
    vmo, source, mapping = paged_mapping(world)
    source.service = lambda request: vmo.supply_pages(request.offset, request.size)
    assert world.aspace.page_fault(mapping.base + P, U) is OK
    assert mapped(mapping)[:3] == "-r-" or mapped(mapping)[:3] == "-w-"
    assert vmo.attributed_memory().uncompressed == P


def test_a_range_fault_goes_on_behind_what_it_mapped_before_the_wait(world) -> None:
    vmo, source, mapping = paged_mapping(world)
    vmo.supply_pages(0, 3 * P)
    asked: list[int] = []

    def serve(request) -> None:
        asked.append(request.offset // P)
        vmo.supply_pages(request.offset, request.size)

    source.service = serve
    assert mapping.page_fault(mapping.base, U, 4, vmo) == (Status.ZX_ERR_SHOULD_WAIT, 3)
    assert world.aspace.soft_fault_in_range(mapping.base, U, 5 * P) is OK
    assert asked == [3, 4]
    assert mapped(mapping)[5:] == "---" and "-" not in mapped(mapping)[:5]


@pytest.mark.parametrize(
    "outcome",
    [
        Status.ZX_ERR_IO,
        Status.ZX_ERR_TIMED_OUT,
        Status.ZX_ERR_INTERRUPTED_RETRY,
        Status.ZX_ERR_INTERNAL_INTR_KILLED,
    ],
)
def test_a_wait_that_fails_ends_the_fault(world, outcome: Status) -> None:
    vmo, source, mapping = paged_mapping(world)
    vmo.supply_pages(0, 2 * P)
    source.planned_outcomes = [outcome]
    assert world.aspace.soft_fault_in_range(mapping.base, U, 4 * P) is outcome
    # What was installed before stays.
    assert "-" not in mapped(mapping)[:2] and mapped(mapping)[2:] == "------"
    # A pager that nobody serves does not make the fault go on for ever.
    assert world.aspace.page_fault(mapping.base + 2 * P, U) is Status.ZX_ERR_TIMED_OUT


@pytest.mark.parametrize(("flags", "outcome"), [(U, Status.ZX_ERR_INTERRUPTED_RETRY), (0, Status.ZX_ERR_IO)])
def test_a_suspension_ends_the_wait_of_a_user_only(world, flags: int, outcome: Status) -> None:
    _, source, mapping = paged_mapping(world)
    source.planned_outcomes = [Status.ZX_ERR_INTERRUPTED_RETRY, Status.ZX_ERR_IO]
    assert world.aspace.page_fault(mapping.base, flags) is outcome


def test_a_wait_that_times_out_prints_the_tree(world) -> None:
    _, source, mapping = paged_mapping(world)
    source.planned_outcomes = [Status.ZX_ERR_IO]
    world.aspace.page_fault(mapping.base, U)
    assert not world.system.console
    assert world.aspace.page_fault(mapping.base, U) is Status.ZX_ERR_TIMED_OUT
    assert [line.split()[0] for line in world.system.console] == ["vmar", "map", f"[{mapping.base:#x}", "vmo"]
    # By then the address space may have lost its root, which the kernel does not look at.
    source.service = lambda request: world.aspace.destroy()
    with pytest.raises(AssertionViolation):
        world.aspace.page_fault(mapping.base, U)


def test_an_address_space_that_changes_while_it_is_waited(world) -> None:
    vmo, source, mapping = paged_mapping(world)
    source.planned_outcomes = []

    def serve(request) -> None:
        vmo.supply_pages(request.offset, request.size)
        world.root.unmap(mapping.base, mapping.size)

    source.service = serve
    assert world.aspace.page_fault(mapping.base, U) is NOT_FOUND


# The cache of the last fault.


def hits(world) -> tuple[int, int]:
    counters = world.system.counters
    return counters["vm.aspace.last_fault.hit"], counters["vm.aspace.last_fault.miss"]


def test_the_last_fault_is_remembered(world) -> None:
    aspace = world.aspace
    one, two = world.map(0, 2, mmu=RWU), world.map(4, 2, mmu=READ | USER)
    assert aspace.last_fault is None
    aspace.page_fault(one.base, U)
    aspace.page_fault(one.base + P, U)
    assert aspace.last_fault is one and hits(world) == (1, 1)
    # Also when the fault is refused, and also that nothing was found.
    aspace.page_fault(two.base, W | U)
    assert aspace.last_fault is two and hits(world) == (1, 2)
    aspace.page_fault(world.addr(3), U)
    assert aspace.last_fault is None and hits(world) == (1, 3)
    aspace.accessed_fault(one.base)
    assert aspace.last_fault is None


@pytest.mark.parametrize(
    "change",
    [
        lambda world, mapping: mapping.destroy(),
        lambda world, mapping: world.root.unmap(mapping.base, P),
        lambda world, mapping: world.root.unmap(mapping.base + P, P),
        lambda world, mapping: world.root.destroy(),
        lambda world, mapping: world.aspace.destroy(),
        lambda world, mapping: world.map(0, 4, flags=VmarFlag.SPECIFIC_OVERWRITE),
    ],
)
def test_a_mapping_that_dies_is_forgotten(world, change) -> None:
    mapping = world.map(0, 4, mmu=RWU)
    world.aspace.page_fault(mapping.base, U)
    assert world.aspace.last_fault is mapping
    change(world, mapping)
    assert world.aspace.last_fault is None and not mapping.is_alive()


def test_merging_forgets_too(world) -> None:
    left, right = world.map(0, 1, mmu=RWU), world.map(1, 1, mmu=RWU, vmo_page=1)
    left.mark_mergeable()
    world.aspace.page_fault(right.base, U)
    right.mark_mergeable()
    assert not right.is_alive() and world.aspace.last_fault is None


def test_a_mapping_that_does_not_die_is_remembered_or_forgotten_as_the_kernel_does(world) -> None:
    mapping = world.map(0, 1, mmu=RWU)
    world.aspace.page_fault(mapping.base, U)
    world.root.protect(mapping.base, P, READ | USER)
    assert world.aspace.last_fault is mapping
    # A destruction that is refused has emptied the cache all the same.
    world.aspace.vdso_code_mapping = mapping
    assert mapping.destroy() is Status.ZX_ERR_ACCESS_DENIED
    assert world.aspace.last_fault is None


# The text of flags.


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        (0, "rsdp"),
        (W | U | ABSENT, "wudn"),
        (FETCH | U, "ruip"),
        (FaultFlag.GUEST | W, "wgdp"),
        (FaultFlag.GUEST | U, "rudp"),
        (FaultFlag.HW_FAULT | ACCESS, "rsdp"),
    ],
)
def test_the_text_of_fault_flags(flags: int, text: str) -> None:
    assert fault_flags_text(flags) == text
