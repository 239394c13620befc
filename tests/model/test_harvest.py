"""Harvesting accessed flags: which address spaces are walked, and when a walk is not worth it."""

import pytest

from vmaspace.model import cpu
from vmaspace.model.arch.aspace import ArchVmAspace, NonTerminalAction, TerminalAction
from vmaspace.model.flags import AspaceType, FaultFlag, MmuFlag, ShareOpt
from vmaspace.model.status import AssertionViolation, Status
from vmaspace.model.system import System

P = 0x1000
FREE, RETAIN = NonTerminalAction.FREE_UNACCESSED, NonTerminalAction.RETAIN
CLEAR, KEEP = TerminalAction.UPDATE_AGE_AND_HARVEST, TerminalAction.UPDATE_AGE
RWU = MmuFlag.PERM_READ | MmuFlag.PERM_WRITE | MmuFlag.PERM_USER
ARCH_NAMES = ["x86_64", "arm64", "riscv64"]


def harvest(
    system: System, non_terminal: NonTerminalAction, terminal: TerminalAction = CLEAR
) -> tuple[int, int]:
    """Harvest, and answer how many spaces were walked and how many were left."""
    names = [f"vm.aspace.accessed_harvest.{what}" for what in ("performed", "skipped")]
    before = [system.counters[name] for name in names]
    system.aspace_class.harvest_all_user_accessed_bits(system, non_terminal, terminal)
    performed, skipped = (system.counters[name] - old for name, old in zip(names, before, strict=True))
    return performed, skipped


@pytest.mark.parametrize("accessed", [True, False])
@pytest.mark.parametrize("rounds", [0, 1, 2])
@pytest.mark.parametrize("non_terminal", [FREE, RETAIN])
def test_the_decision_table(world, accessed: bool, rounds: int, non_terminal: NonTerminalAction) -> None:
    aspace = world.aspace
    aspace.arch.accessed_since_check = accessed
    aspace.pt_harvest_since_active = rounds
    if accessed:
        walks, after = True, 1 if non_terminal is FREE else 0
    elif non_terminal is FREE:
        walks, after = rounds < 2, min(rounds + 1, 2)
    else:
        walks, after = False, rounds
    assert harvest(world.system, non_terminal) == (int(walks), int(not walks))
    assert aspace.pt_harvest_since_active == after


@pytest.mark.parametrize(("terminal", "remembers"), [(CLEAR, False), (KEEP, True)])
def test_asking_clears_when_the_flags_of_pages_are_cleared(world, terminal, remembers: bool) -> None:
    world.aspace.arch.accessed_since_check = True
    harvest(world.system, RETAIN, terminal)
    assert world.aspace.arch.accessed_since_check is remembers


@pytest.mark.parametrize("arch", ARCH_NAMES)
def test_page_tables_that_nobody_uses_go_in_the_second_round(arch: str) -> None:
    system = System(arch, aslr_disabled=True)
    aspace = system.create_default_aspace()
    _, mapping = aspace.root.create_vm_mapping(0, P, 0, 0, system.create_vmo(P)[1], 0, RWU)
    assert cpu.write(aspace, mapping.base, b"x") is Status.ZX_OK
    page = aspace.arch.query(mapping.base)[1]
    assert [harvest(system, FREE) for _ in range(4)] == [(1, 0), (1, 0), (0, 1), (0, 1)]
    # riscv64 has no accessed flags above the last level, and frees nothing.
    expected = Status.ZX_OK if arch == "riscv64" else Status.ZX_ERR_NOT_FOUND
    assert aspace.arch.query(mapping.base)[0] is expected
    # The regions stay, and so does what was written.
    assert mapping.is_alive() and cpu.read(aspace, mapping.base, 1) == (Status.ZX_OK, b"x")
    assert aspace.arch.query(mapping.base)[1] == page
    assert harvest(system, FREE) == (1, 0) and aspace.pt_harvest_since_active == 1


@pytest.mark.parametrize("arch", ARCH_NAMES)
@pytest.mark.parametrize(("terminal", "stays"), [(CLEAR, False), (KEEP, True)])
def test_the_flags_of_pages(arch: str, terminal: TerminalAction, stays: bool) -> None:
    system = System(arch, aslr_disabled=True)
    aspace = system.create_default_aspace()
    _, mapping = aspace.root.create_vm_mapping(0, P, 0, 0, system.create_vmo(P)[1], 0, RWU)
    cpu.write(aspace, mapping.base, b"x")
    assert aspace.arch.is_accessed(mapping.base)
    harvest(system, RETAIN, terminal)
    assert aspace.arch.is_accessed(mapping.base) is stays
    assert aspace.arch.query(mapping.base)[0] is Status.ZX_OK


def test_who_is_not_looked_at(world) -> None:
    system = world.system
    system.create_default_aspace(AspaceType.GUEST_PHYSICAL)
    system.create_default_aspace(AspaceType.LOW_KERNEL)
    assert harvest(system, FREE) == (1, 0)
    arch = system.arch
    restricted = system.create_aspace(
        arch.user_aspace_base, arch.user_restricted_aspace_size, share_opt=ShareOpt.RESTRICTED
    )
    shared = system.create_aspace(arch.shared_base, arch.shared_size, share_opt=ShareOpt.SHARED)
    system.create_unified_aspace(shared, restricted)
    assert harvest(system, FREE) == (3, 0)


def test_a_space_of_high_priority_is_left_alone(world) -> None:
    aspace, mapping = world.aspace, world.map(0, 1, mmu=RWU)
    aspace.page_fault(mapping.base, FaultFlag.WRITE)
    aspace.arch.accessed_since_check = True
    with aspace.lock():
        aspace.change_high_priority_count_locked(1)
    assert aspace.is_high_memory_priority() and world.system.counters["vm.aspace.high_priority"] == 1
    assert harvest(world.system, FREE) == harvest(world.system, FREE) == (0, 0)
    # Nothing was cleared or counted for it.
    assert aspace.arch.accessed_since_check and aspace.pt_harvest_since_active == 0
    assert aspace.arch.query(mapping.base)[0] is Status.ZX_OK
    with aspace.lock():
        aspace.change_high_priority_count_locked(-1)
    assert world.system.counters["vm.aspace.high_priority"] == 0 and harvest(world.system, FREE) == (1, 0)


def test_the_count_of_high_priority_regions(world) -> None:
    aspace = world.aspace
    with pytest.raises(AssertionViolation):
        aspace.change_high_priority_count_locked(1)
    with aspace.lock(), pytest.raises(AssertionViolation):
        aspace.change_high_priority_count_locked(-1)
    aspace.high_priority_count = -1
    with pytest.raises(AssertionViolation):
        aspace.is_high_memory_priority()


def test_destroyed_spaces_are_visited_until_they_are_freed(world) -> None:
    world.aspace.destroy()
    assert harvest(world.system, FREE) == (1, 0)
    world.aspace.release()
    assert harvest(world.system, FREE) == (0, 0)


def test_the_list_is_locked_meanwhile(world) -> None:
    with world.system.aspace_list_lock, pytest.raises(AssertionViolation):
        harvest(world.system, FREE)


class Unharvestable(ArchVmAspace):
    __slots__ = ()

    def harvest_accessed(self, va, count, non_terminal, terminal):
        return Status.ZX_ERR_INTERNAL


class StuckFlags(System):
    arch_aspace_class = Unharvestable


def test_a_whole_space_can_be_harvested(make_world) -> None:
    world = make_world(StuckFlags)
    with pytest.raises(AssertionViolation):
        harvest(world.system, FREE)
