"""Threads, as far as they run on an address space and take its faults.

Mirrors the parts of `Thread` that the VM layer touches (`zircon/kernel/kernel/thread.cc`), and the page-fault handler
that an exception ends up in (`zircon/kernel/vm/vmm.cc`).

Does not model scheduling: a test says which thread runs (`System.switch_to`), and whether one waits is not asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmaspace.model.constants import ByteSize, Vaddr, stored_name
from vmaspace.model.flags import VMM_PF_FLAG_HW_FAULT, VMM_PF_FLAG_USER
from vmaspace.model.status import (
    ZX_ERR_INTERNAL_INTR_KILLED,
    ZX_ERR_INTERNAL_INTR_RETRY,
    ZX_ERR_NOT_FOUND,
    ZX_OK,
    AssertionViolation,
    Status,
)

if TYPE_CHECKING:
    from vmaspace.model.aspace import VmAspace
    from vmaspace.model.locks import Mutex
    from vmaspace.model.object.process import ProcessDispatcher
    from vmaspace.model.system import System

_FILE = "zircon/kernel/kernel/thread.cc"


class Thread:
    """A thread of a process, or, without one, of the kernel."""

    __slots__ = ("aspace", "held_locks", "is_restricted", "is_running", "name", "process", "system")

    def __init__(self, system: System, name: str, process: ProcessDispatcher | None = None) -> None:
        self.system = system
        self.name = stored_name(name)
        self.process = process
        self.aspace: VmAspace | None = (
            None  # whose page tables are loaded while it runs; it holds no reference
        )
        self.is_running = False
        self.is_restricted = False
        self.held_locks: list[Mutex] = []

    def __repr__(self) -> str:
        return f"<thread {self.name!r}{' running' if self.is_running else ''}>"

    # Restricted mode.

    def enter_restricted_mode(self) -> None:
        """Go on in the restricted half of the process, on its page tables alone.

        *Kernel:* restricted mode as fault dispatch sees it (zircon/kernel/kernel/thread.cc)
        *Fails with:* nothing.
        *Asserts:* the thread runs, not restricted, in a process with a restricted address space.
        """
        if not self.is_running or self.is_restricted:
            raise AssertionViolation("a running thread in normal mode enters restricted mode", _FILE)
        if self.process is None or self.process.restricted_aspace is None:
            raise AssertionViolation("restricted mode needs a restricted address space", _FILE)
        self.is_restricted = True
        self.system.set_active_aspace(self.process.restricted_aspace)

    def leave_restricted_mode(self) -> None:
        """Go back to the page tables of the whole process.

        *Kernel:* restricted mode as fault dispatch sees it (zircon/kernel/kernel/thread.cc)
        *Fails with:* nothing.
        *Asserts:* the thread runs in restricted mode.
        """
        if not self.is_running or not self.is_restricted or self.process is None:
            raise AssertionViolation("a running thread in restricted mode leaves it", _FILE)
        self.is_restricted = False
        self.system.set_active_aspace(self.process.normal_aspace())

    # Faults.

    def aspace_for_fault(self, va: Vaddr) -> VmAspace | None:
        """The address space that resolves a fault at `va`; None for an address of the kernel's.

        A unified address space is never the answer: its constituents hold the regions.

        *Kernel:* `Thread::Current::PageFault` and its siblings (zircon/kernel/kernel/thread.cc)
        *Fails with:* nothing.
        *Asserts:* a thread of the kernel that faults has an address space.
        """
        if not self.system.arch.is_user_accessible(va):
            return None
        if self.process is not None and not self.is_restricted:
            return self.process.aspace_at(va)
        if self.aspace is None:
            raise AssertionViolation("a thread of the kernel that faults has an address space", _FILE)
        return self.aspace

    def page_fault(self, va: Vaddr, flags: int) -> Status:
        """`VmAspace.page_fault` where the regions are.

        *Kernel:* `Thread::Current::PageFault` (zircon/kernel/kernel/thread.cc)
        *Fails with:* NOT_FOUND for an address of the kernel's; then as `VmAspace.page_fault`.
        """
        aspace = self.aspace_for_fault(va)
        return ZX_ERR_NOT_FOUND if aspace is None else aspace.page_fault(va, flags)

    def soft_fault(self, va: Vaddr, flags: int) -> Status:
        """`VmAspace.soft_fault` where the regions are.

        *Kernel:* `Thread::Current::SoftFault` (zircon/kernel/kernel/thread.cc)
        *Fails with:* NOT_FOUND for an address of the kernel's; then as `VmAspace.soft_fault`.
        """
        aspace = self.aspace_for_fault(va)
        return ZX_ERR_NOT_FOUND if aspace is None else aspace.soft_fault(va, flags)

    def soft_fault_in_range(self, va: Vaddr, flags: int, size: ByteSize) -> Status:
        """`VmAspace.soft_fault_in_range` where the regions of its first byte are.

        *Kernel:* `Thread::Current::SoftFaultInRange` (zircon/kernel/kernel/thread.cc)
        *Fails with:* NOT_FOUND for an address of the kernel's; then as `VmAspace.soft_fault_in_range`.
        """
        aspace = self.aspace_for_fault(va)
        return ZX_ERR_NOT_FOUND if aspace is None else aspace.soft_fault_in_range(va, flags, size)

    def accessed_fault(self, va: Vaddr) -> Status:
        """`VmAspace.accessed_fault` where the regions are.

        *Kernel:* `Thread::Current::AccessedFault` (zircon/kernel/kernel/thread.cc)
        *Fails with:* NOT_FOUND for an address of the kernel's; then as `VmAspace.accessed_fault`.
        """
        aspace = self.aspace_for_fault(va)
        return ZX_ERR_NOT_FOUND if aspace is None else aspace.accessed_fault(va)

    def handle_page_fault(self, va: Vaddr, flags: int) -> Status:
        """Resolve a fault that hardware raised; OK lets the access be tried again.

        A wait that a suspension or a kill ends is OK: the thread deals with that before it returns to user mode. Only
        a copy in the kernel has to be told that it was killed.

        *Kernel:* `vmm_page_fault_handler` (zircon/kernel/vm/vmm.cc)
        *Fails with:* NOT_FOUND for an address that is no user's; then as `page_fault`.
        """
        if not self.system.arch.is_user_accessible(va):
            return ZX_ERR_NOT_FOUND
        status = self.page_fault(va, flags | VMM_PF_FLAG_HW_FAULT)
        if status is ZX_ERR_INTERNAL_INTR_RETRY:
            return ZX_OK
        if status is ZX_ERR_INTERNAL_INTR_KILLED and flags & VMM_PF_FLAG_USER:
            return ZX_OK
        return status
