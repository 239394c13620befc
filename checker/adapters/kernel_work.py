"""What the rest of the kernel does with address spaces, from beginning to end: nothing is left of it.

It walks regions, allocates memory for itself, and runs processes. Memory may run out on the way; what was made goes all the same.

Not here: what may go wrong meanwhile; that is for `invariants`.
"""

from __future__ import annotations

from vmaspace.model.aspace import VmAspace
from vmaspace.model.constants import PAGE_SIZE, ByteSize, Vaddr, round_up_page
from vmaspace.model.enumerator import EnumerationMode, VmAddressRegionEnumerator
from vmaspace.model.flags import VMM_FLAG_COMMIT, FaultFlag, MmuFlag, VmarFlag
from vmaspace.model.object.dispatcher import Handle
from vmaspace.model.object.process import ProcessDispatcher, create_process, create_shared_process
from vmaspace.model.object.thread import Thread
from vmaspace.model.status import ZX_OK, Status
from vmaspace.model.system import System
from vmaspace.model.vmar import VmAddressRegion

KERNEL_RW = MmuFlag.PERM_READ | MmuFlag.PERM_WRITE
USER_RW = KERNEL_RW | MmuFlag.PERM_USER
PHYSICAL = 0x4000_0000  # where device memory is taken to be
NAME = "kernel"


class Walks:
    """Somebody walks each address space all the time, and pauses behind every region while operations change the tree."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.walks: dict[VmAddressRegion, VmAddressRegionEnumerator] = {}
        self.begun = 0

    def go_on(self) -> None:
        """Yield the next region of each address space, or the first one of a walk that begins."""
        walks, self.walks = self.walks, {}
        for aspace in self.system.aspaces:
            root = aspace.root
            if root is not None:
                walk = walks.pop(root, None)
                if walk is None:
                    walk = self._begin(root)
                else:
                    walk.resume()
                if walk.next() is not None:
                    walk.pause()
                    self.walks[root] = walk

    def _begin(self, root: VmAddressRegion) -> VmAddressRegionEnumerator:
        self.begun += 1
        mode = EnumerationMode(self.begun % len(EnumerationMode))
        return self.system.enumerator_class(root, mode, root.base, root.end)


def allocate_and_free(aspace: VmAspace, how: str, size: ByteSize, align_pow2: int) -> Status:
    """Allocate by one of the kernel's allocators, named as the member, and free what was allocated."""
    system, root = aspace.system, aspace.root
    assert root is not None
    before = set(root.subregions)
    match how:
        case "alloc":
            status, _ = aspace.alloc(NAME, size, align_pow2, VMM_FLAG_COMMIT, KERNEL_RW)
        case "alloc_contiguous":
            status, _ = aspace.alloc_contiguous(NAME, size, align_pow2, VMM_FLAG_COMMIT, KERNEL_RW)
        case "alloc_physical":
            status, _ = aspace.alloc_physical(NAME, size, align_pow2, PHYSICAL, 0, KERNEL_RW)
        case "reserve_space":
            status = _reserve(aspace, root, size, align_pow2)
        case _:
            status, vmo = system.create_vmo(size)
            if vmo is not None:
                status, _ = aspace.map_object_internal(vmo, NAME, 0, size, align_pow2, 0, KERNEL_RW)
                vmo.release()
    system.heap.fail_next(0)  # what was allocated can be freed
    for made in set(root.subregions) - before:  # a reservation that fails late stays
        # What is reserved has no pages, and so none that are pinned as the allocators' are.
        freed = made.destroy() if how == "reserve_space" else aspace.free_region(made.base)
        status = status if freed is ZX_OK else freed
    return status


def _reserve(aspace: VmAspace, root: VmAddressRegion, size: ByteSize, align_pow2: int) -> Status:
    """Reserve the lowest place with room, as boot does where it knows one."""
    room = max(PAGE_SIZE, round_up_page(size))
    with aspace.region_lock():
        status, at = root.subregions.get_alloc_spot(align_pow2, 0, room, root.base, root.size)
    if status is not ZX_OK:
        return status
    system = aspace.system
    online, system.online_cpus = system.online_cpus, 1  # the others come later in boot
    try:
        return root.reserve_space(NAME, at, size, KERNEL_RW)
    finally:
        system.online_cpus = online


def run_process(system: System, at: Vaddr, *, is_shared: bool, is_joined: bool, is_killed: bool) -> Status:
    """Let a process run, with `is_joined` another that shares its upper half, and let both go. at: where a thread faults too."""
    status, first, root = create_process(system, shared=is_shared)
    if first is None or root is None:
        return status
    handles = [first, root]
    processes = [first]
    if is_shared and is_joined:
        status, second, second_root = create_shared_process(first)
        if second is not None and second_root is not None:
            handles += [second, second_root]
            processes.append(second)
    system.heap.fail_next(0)  # a destruction for which there is no memory stops the kernel
    for handle in processes:
        _run_thread(system, handle, at)
    if is_killed:
        for handle in processes:
            _process(handle).kill()
    for handle in handles:
        handle.close()
    return status


def _process(handle: Handle) -> ProcessDispatcher:
    process = handle.dispatcher
    assert isinstance(process, ProcessDispatcher)
    return process


def _run_thread(system: System, handle: Handle, at: Vaddr) -> None:
    """Run a thread of a process, in restricted mode too if there is one, and go back to the thread that ran."""
    process = _process(handle)
    thread = system.thread_class(system, "user", process)
    process.normal_aspace().attach_to_thread(thread)
    previous = system.switch_to(thread)
    _touch(system, thread, process.state.aspace, at)
    if process.restricted_aspace is not None:
        _touch(system, thread, process.restricted_aspace, at)
        thread.enter_restricted_mode()
        _touch(system, thread, process.restricted_aspace, at)
        thread.leave_restricted_mode()
    system.switch_to(previous)


def _touch(system: System, thread: Thread, aspace: VmAspace, at: Vaddr) -> None:
    """Map a page and let the thread fault on it, and at an address that may be anywhere."""
    root = aspace.root
    _, vmo = system.create_vmo(PAGE_SIZE)
    if root is None or vmo is None:
        return
    flags = int(VmarFlag.CAN_MAP_READ | VmarFlag.CAN_MAP_WRITE)
    _, mapping = root.create_vm_mapping(0, PAGE_SIZE, 0, flags, vmo, 0, USER_RW)
    vmo.release()
    if mapping is not None:
        thread.page_fault(mapping.base, int(FaultFlag.WRITE | FaultFlag.USER))
        thread.soft_fault(mapping.base, int(FaultFlag.WRITE | FaultFlag.USER))
        thread.accessed_fault(mapping.base)
    thread.handle_page_fault(at, int(FaultFlag.USER))
    thread.page_fault(at, int(FaultFlag.USER))
