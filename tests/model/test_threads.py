"""Which address space a thread runs on, and which one resolves its faults."""

import pytest

from vmaspace.model.flags import FaultFlag, MmuFlag
from vmaspace.model.object.process import create_process, create_shared_process
from vmaspace.model.object.thread import Thread
from vmaspace.model.status import AssertionViolation, Status
from vmaspace.model.system import System

P = 0x1000
ARCH_NAMES = ["x86_64", "arm64", "riscv64"]
RWU = MmuFlag.PERM_READ | MmuFlag.PERM_WRITE | MmuFlag.PERM_USER
WRITE = FaultFlag.WRITE | FaultFlag.USER


class Group:
    """A process with both halves, a page mapped at the start of each, and a thread that runs in it."""

    def __init__(self, arch: str = "x86_64") -> None:
        self.system = System(arch, aslr_disabled=True)
        _, prototype, shared_root = create_process(self.system, shared=True)
        _, kid, restricted_root = create_shared_process(prototype)
        self.process = kid.dispatcher
        self.low, self.high = (self._map(root.dispatcher.vmar) for root in (restricted_root, shared_root))
        self.thread = Thread(self.system, "user", self.process)
        self.process.normal_aspace().attach_to_thread(self.thread)
        self.system.switch_to(self.thread)

    def _map(self, vmar):
        status, mapping = vmar.create_vm_mapping(0, P, 0, 0, self.system.create_vmo(P)[1], 0, RWU)
        assert mapping is not None, status.name
        return mapping


# Attaching and running.


def test_a_thread_gets_an_address_space_once_and_before_it_runs(world) -> None:
    thread = Thread(world.system, "t")
    world.aspace.attach_to_thread(thread)
    assert thread.aspace is world.aspace and world.system.active_aspace is None
    assert world.aspace.references == 1
    with pytest.raises(AssertionViolation):
        world.aspace.attach_to_thread(thread)
    with pytest.raises(AssertionViolation):
        world.aspace.attach_to_thread(None)
    with pytest.raises(AssertionViolation):
        world.aspace.attach_to_thread(world.system.current_thread)
    assert world.system.current_thread.aspace is None


def test_the_active_space_is_that_of_the_thread_that_runs(world) -> None:
    system, boot = world.system, world.system.current_thread
    thread = Thread(system, "t")
    world.aspace.attach_to_thread(thread)
    assert system.switch_to(thread) is boot
    assert system.active_aspace is world.aspace and thread.is_running and not boot.is_running
    assert system.is_loaded(world.aspace.arch)
    assert system.set_active_aspace(None) is world.aspace and thread.aspace is None
    assert system.switch_to(boot) is thread and not thread.is_running


def test_locks_stay_with_their_thread(world) -> None:
    system, boot = world.system, world.system.current_thread
    lock, thread = world.aspace.lock(), Thread(system, "t")
    with lock:
        system.switch_to(thread)
        assert not lock.is_held()
        system.held_locks.assert_none()
        with pytest.raises(AssertionViolation):
            lock.acquire()
        system.switch_to(boot)
        assert lock.is_held()


@pytest.mark.parametrize("arch", ARCH_NAMES)
def test_running_is_an_access_where_a_switch_counts_as_one(arch: str) -> None:
    group = Group(arch)
    group.system.switch_to(Thread(group.system, "idle"))
    spaces = [group.process.normal_aspace(), group.low.aspace, group.high.aspace]
    for aspace in spaces:
        aspace.arch.accessed_since_last_check(clear=True)
    group.system.switch_to(group.thread)
    counts = group.system.arch.switch_counts_as_access
    assert [aspace.arch.accessed_since_last_check(clear=False) for aspace in spaces] == [counts] * 3


def test_a_freed_space_is_not_run_on(world) -> None:
    thread = Thread(world.system, "late")
    world.aspace.attach_to_thread(thread)
    world.aspace.destroy()
    world.aspace.release()
    with pytest.raises(AssertionViolation):
        world.system.switch_to(thread)


# Who resolves a fault.


@pytest.mark.parametrize("arch", ARCH_NAMES)
def test_the_constituents_resolve_the_faults_of_a_unified_space(arch: str) -> None:
    group = Group(arch)
    assert group.system.active_aspace is group.process.unified_aspace
    for mapping in (group.low, group.high):
        assert group.thread.handle_page_fault(mapping.base, WRITE | FaultFlag.NOT_PRESENT) is Status.ZX_OK
        assert mapping.aspace.arch.query(mapping.base)[0] is Status.ZX_OK
        # The unified tables show it too.
        assert group.process.unified_aspace.arch.leaf_at(mapping.base) is not None
    with pytest.raises(AssertionViolation):
        group.process.unified_aspace.page_fault(group.low.base, WRITE)


def test_in_restricted_mode_there_is_only_the_restricted_half() -> None:
    group = Group()
    thread, system = group.thread, group.system
    thread.enter_restricted_mode()
    assert system.active_aspace is group.low.aspace
    assert thread.page_fault(group.low.base, WRITE) is Status.ZX_OK
    assert thread.page_fault(group.high.base, WRITE) is Status.ZX_ERR_NOT_FOUND
    with pytest.raises(AssertionViolation):
        thread.enter_restricted_mode()
    thread.leave_restricted_mode()
    assert system.active_aspace is group.process.unified_aspace
    assert thread.page_fault(group.high.base, WRITE) is Status.ZX_OK
    with pytest.raises(AssertionViolation):
        thread.leave_restricted_mode()


def test_restricted_mode_needs_a_restricted_half_and_a_running_thread() -> None:
    system = System()
    _, process, _ = create_process(system)
    plain = Thread(system, "plain", process.dispatcher)
    with pytest.raises(AssertionViolation):
        plain.enter_restricted_mode()
    system.switch_to(plain)
    with pytest.raises(AssertionViolation):
        plain.enter_restricted_mode()
    assert not plain.is_restricted


@pytest.mark.parametrize("arch", ARCH_NAMES)
def test_addresses_of_the_kernel_never_reach_a_fault_routine(arch: str) -> None:
    group = Group(arch)
    va = group.system.arch.kernel_aspace_base
    for fault in (
        lambda: group.thread.page_fault(va, WRITE),
        lambda: group.thread.soft_fault(va, WRITE),
        lambda: group.thread.soft_fault_in_range(va, WRITE, P),
        lambda: group.thread.accessed_fault(va),
        lambda: group.thread.handle_page_fault(va, WRITE),
    ):
        assert fault() is Status.ZX_ERR_NOT_FOUND


def test_a_thread_of_the_kernel_faults_where_it_runs(world) -> None:
    mapping, thread = world.map(0, 4, mmu=RWU), Thread(world.system, "t")
    with pytest.raises(AssertionViolation):
        thread.page_fault(mapping.base, WRITE)
    world.aspace.attach_to_thread(thread)
    world.system.switch_to(thread)
    assert thread.soft_fault(mapping.base, WRITE) is Status.ZX_OK
    assert thread.soft_fault_in_range(mapping.base + P + 1, WRITE, 2 * P) is Status.ZX_OK
    pages = [world.aspace.arch.query(mapping.base + page * P)[0] for page in range(4)]
    assert pages == [Status.ZX_OK] * 4
    world.root.unmap(mapping.base, P)
    assert thread.soft_fault(mapping.base, WRITE) is Status.ZX_ERR_NOT_FOUND


@pytest.mark.parametrize("arch", ARCH_NAMES)
def test_accessed_faults_go_to_the_page_tables(arch: str) -> None:
    group = Group(arch)
    expected = Status.ZX_ERR_NOT_SUPPORTED if arch == "x86_64" else Status.ZX_OK
    for mapping in (group.low, group.high):
        group.thread.page_fault(mapping.base, WRITE)
        assert group.thread.accessed_fault(mapping.base + 1) is expected
        assert mapping.aspace.arch.is_accessed(mapping.base) is (expected is Status.ZX_OK)


# What the exception handler makes of it.


@pytest.mark.parametrize(
    ("outcome", "flags", "expected"),
    [
        (Status.ZX_ERR_INTERRUPTED_RETRY, FaultFlag.USER, Status.ZX_OK),
        (Status.ZX_ERR_INTERRUPTED_RETRY, 0, Status.ZX_ERR_TIMED_OUT),  # the wait goes on, and nobody answers
        (Status.ZX_ERR_INTERNAL_INTR_KILLED, FaultFlag.USER, Status.ZX_OK),
        (Status.ZX_ERR_INTERNAL_INTR_KILLED, 0, Status.ZX_ERR_INTERNAL_INTR_KILLED),
        (Status.ZX_ERR_TIMED_OUT, FaultFlag.USER, Status.ZX_ERR_TIMED_OUT),
        (Status.ZX_ERR_IO, FaultFlag.USER, Status.ZX_ERR_IO),
    ],
)
def test_how_a_wait_that_fails_ends_a_hardware_fault(outcome, flags, expected) -> None:
    system = System(aslr_disabled=True)
    _, process, root = create_process(system)
    _, vmo = system.create_pager_vmo(P)
    _, mapping = root.dispatcher.vmar.create_vm_mapping(0, P, 0, 0, vmo, 0, RWU)
    thread = Thread(system, "user", process.dispatcher)
    vmo.cow_pages.source.planned_outcomes = [outcome]
    assert thread.handle_page_fault(mapping.base, flags) is expected
    assert mapping.aspace.arch.query(mapping.base)[0] is Status.ZX_ERR_NOT_FOUND
