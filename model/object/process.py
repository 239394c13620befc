"""Processes, as far as they make, share and destroy address spaces.

Mirrors `ProcessDispatcher` (`zircon/kernel/object/process_dispatcher.cc`) and `ShareableProcessState`
(`zircon/kernel/object/include/object/shareable_process_state.h`).

Does not model when a process starts and ends by its threads: one dies when it is killed, or its last handle is closed.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from vmaspace.model.constants import ByteSize, Vaddr
from vmaspace.model.flags import AspaceType, Right, ShareOpt
from vmaspace.model.object.dispatcher import BASIC_RIGHTS, Dispatcher, Handle, lookup, vmar_handle
from vmaspace.model.object.maps import MapEntry, aspace_maps
from vmaspace.model.status import (
    ZX_ERR_BAD_STATE,
    ZX_ERR_INVALID_ARGS,
    ZX_ERR_NO_MEMORY,
    ZX_OK,
    AssertionViolation,
    Status,
)
from vmaspace.model.vmo.attribution import NOTHING_ATTRIBUTED, AttributionCounts

if TYPE_CHECKING:
    from vmaspace.model.aspace import VmAspace
    from vmaspace.model.system import System

_FILE = "zircon/kernel/object/process_dispatcher.cc"
_STATE_FILE = "zircon/kernel/object/include/object/shareable_process_state.h"

DEFAULT_PROCESS_RIGHTS: Final = (
    BASIC_RIGHTS
    | Right.READ
    | Right.WRITE
    | Right.GET_PROPERTY
    | Right.SET_PROPERTY
    | Right.ENUMERATE
    | Right.DESTROY
    | Right.SIGNAL
    | Right.MANAGE_PROCESS
    | Right.MANAGE_THREAD
)


@dataclass(frozen=True, slots=True)
class TaskStats:
    """What a process uses: `zx_info_task_stats_t`, with the fraction that the structure rounds off."""

    mapped_bytes: ByteSize
    private_bytes: ByteSize
    shared_bytes: ByteSize
    scaled_shared_bytes: ByteSize
    fractional_scaled_shared_bytes: Fraction  # below 1


class ShareableProcessState:
    """The part of a process that a group of processes may share: here, its address space."""

    def __init__(self, aspace: VmAspace) -> None:
        self.aspace = aspace
        self.share_count = 1  # processes that are alive
        self.references = 1  # processes that are not freed

    def increment_share_count(self) -> bool:
        """Join, unless everybody has left.

        *Kernel:* `ShareableProcessState::IncrementShareCount` (shareable_process_state.h)
        *Fails with:* False once the count has reached 0.
        """
        if self.share_count == 0:
            return False
        self.share_count += 1
        self.references += 1
        return True

    def decrement_share_count(self) -> None:
        """Leave; the last one destroys the address space.

        *Kernel:* `ShareableProcessState::DecrementShareCount` (shareable_process_state.h)
        *Fails with:* nothing.
        *Asserts:* the count is above 0; the destruction succeeds.
        """
        if self.share_count == 0:
            raise AssertionViolation("a process leaves a group that it is in", _STATE_FILE)
        self.share_count -= 1
        if self.share_count == 0 and self.aspace.destroy() is not ZX_OK:
            raise AssertionViolation("the shared address space can be destroyed", _STATE_FILE)

    def release(self) -> None:
        """Drop a reference; the last one drops the address space."""
        self.references -= 1
        if self.references == 0:
            if self.share_count:
                raise AssertionViolation("nobody shares a state that is freed", _STATE_FILE)
            self.aspace.release()


class ProcessDispatcher(Dispatcher):
    """A process."""

    def __init__(self, system: System, state: ShareableProcessState) -> None:
        super().__init__(system)
        self.state = state
        self.restricted_aspace: VmAspace | None = None
        self.unified_aspace: VmAspace | None = None
        self.is_dead = False
        self.has_started = False  # once one of its threads runs
        self._vdso_base: Vaddr = 0

    def normal_aspace(self) -> VmAspace:
        """The address space that threads run on in normal mode."""
        return self.state.aspace if self.unified_aspace is None else self.unified_aspace

    def aspace_at(self, va: Vaddr) -> VmAspace:
        """The address space that holds the regions at `va`; never the unified one.

        *Kernel:* `ProcessDispatcher::aspace_at` (zircon/kernel/object/process_dispatcher.cc)
        *Fails with:* nothing.
        """
        restricted = self.restricted_aspace
        if restricted is not None and restricted.base <= va < restricted.base + restricted.size:
            return restricted
        return self.state.aspace

    def vdso_base_address(self) -> Vaddr:
        """Where the vDSO is in the shareable address space, 0 if nowhere; remembered once it is known.

        *Kernel:* `ProcessDispatcher::vdso_base_address` (zircon/kernel/object/process_dispatcher.cc)
        *Fails with:* nothing.
        """
        if self._vdso_base == 0:
            self._vdso_base = self.state.aspace.vdso_base_address()
        return self._vdso_base

    def maps(self) -> tuple[Status, list[MapEntry]]:
        """The listing of the restricted address space, which lies lower, then of the shareable one.

        *Kernel:* `ProcessDispatcher::GetAspaceMaps` (zircon/kernel/object/process_dispatcher.cc)
        *Fails with:* BAD_STATE when the process is dead.
        """
        if self.is_dead:
            return ZX_ERR_BAD_STATE, []
        entries: list[MapEntry] = []
        for aspace in (self.restricted_aspace, self.state.aspace):
            if aspace is not None:
                status, part = aspace_maps(aspace)
                if status is not ZX_OK:
                    return status, []
                entries += part
        return ZX_OK, entries

    def get_stats(self) -> tuple[Status, TaskStats | None]:
        """What the process uses: its part of the shareable address space, and all of its restricted one.

        As implemented, the fraction that goes with the scaled bytes is that of the shareable address space alone.

        *Kernel:* `ProcessDispatcher::GetStats` (zircon/kernel/object/process_dispatcher.cc)
        *Fails with:* BAD_STATE when the process is dead, or nobody shares the state; what `get_memory_usage` answers.
        """
        if self.is_dead or self.state.share_count < 1:
            return ZX_ERR_BAD_STATE, None
        status, shareable = self.state.aspace.get_memory_usage()
        if status is not ZX_OK or shareable is None:
            return status, None
        usage = shareable.shared_by(self.state.share_count)
        if self.restricted_aspace is not None:
            status, restricted = self.restricted_aspace.get_memory_usage()
            if status is not ZX_OK or restricted is None:
                return status, None
            usage += restricted
        return ZX_OK, TaskStats(
            usage.mapped_bytes,
            usage.private_bytes,
            usage.shared_bytes,
            int(usage.scaled_shared_bytes),
            shareable.scaled_shared_bytes % 1,
        )

    def get_attributed_memory(self) -> AttributionCounts:
        """What the pages behind all mappings of the process cost; nothing before it has started, and once it is dead.

        *Kernel:* `ProcessDispatcher::GetAttributedMemory` (zircon/kernel/object/process_dispatcher.cc)
        *Fails with:* nothing.
        """
        counts = NOTHING_ATTRIBUTED
        if self.has_started and not self.is_dead:
            for aspace in (self.state.aspace, self.restricted_aspace):
                root = None if aspace is None else aspace.root_vmar()
                if root is not None:
                    counts += root.get_attributed_memory()
        return counts

    def kill(self) -> None:
        """The process dies: its address spaces are destroyed, the unified one first.

        *Kernel:* `ProcessDispatcher::FinishDeadTransition` (zircon/kernel/object/process_dispatcher.cc)
        *Fails with:* nothing; harmless a second time.
        *Asserts:* each destruction succeeds.
        """
        if self.is_dead:
            return
        self.is_dead = True
        for aspace in (self.unified_aspace, self.restricted_aspace):
            if aspace is not None and aspace.destroy() is not ZX_OK:
                raise AssertionViolation("the address spaces of a dead process can be destroyed", _FILE)
        self.state.decrement_share_count()

    def on_zero_handles(self) -> None:
        """A process that never started dies, and is freed: members in the reverse of their order."""
        self.kill()
        for aspace in (self.unified_aspace, self.restricted_aspace):
            if aspace is not None:
                aspace.release()
        self.state.release()


def create_process(system: System, *, shared: bool = False) -> tuple[Status, Handle | None, Handle | None]:
    """A process and its root VMAR. With `shared` it has the upper half only, for others to join.

    *Kernel:* `ProcessDispatcher::Create` (zircon/kernel/object/process_dispatcher.cc)
    *Fails with:* NO_MEMORY when the address space can not be made.
    """
    arch, name = system.arch, f"proc:{system.next_koid()}"
    if shared:
        aspace = system.create_aspace(
            arch.shared_base, arch.shared_size, AspaceType.USER, name, ShareOpt.SHARED
        )
    else:
        aspace = system.create_aspace(arch.user_aspace_base, arch.user_aspace_size, AspaceType.USER, name)
    if aspace is None or aspace.root is None:
        return ZX_ERR_NO_MEMORY, None, None
    process = system.process_class(system, system.process_state_class(aspace))
    return ZX_OK, Handle(process, DEFAULT_PROCESS_RIGHTS), vmar_handle(aspace.root)


def create_shared_process(prototype: Handle) -> tuple[Status, Handle | None, Handle | None]:
    """A process that shares the upper half of `prototype` and has a lower half of its own, and that one's root.

    *Kernel:* `ProcessDispatcher::CreateShared` (zircon/kernel/object/process_dispatcher.cc)
    *Fails with:* BAD_HANDLE, WRONG_TYPE, ACCESS_DENIED; INVALID_ARGS unless the prototype's address space is
    exactly the shared half; BAD_STATE when everybody has left it; NO_MEMORY.
    """
    status, template = lookup(prototype, ProcessDispatcher, Right.MANAGE_PROCESS)
    if template is None:
        return status, None, None
    system, arch, state = template.system, template.system.arch, template.state
    normal = template.normal_aspace()
    if normal.base != arch.shared_base or normal.size != arch.shared_size:
        return ZX_ERR_INVALID_ARGS, None, None
    if not state.increment_share_count():
        return ZX_ERR_BAD_STATE, None, None
    process = system.process_class(system, state)
    process.restricted_aspace = system.create_aspace(
        arch.user_aspace_base,
        arch.user_restricted_aspace_size,
        AspaceType.USER,
        f"proc(restricted):{process.koid}",
        ShareOpt.RESTRICTED,
    )
    restricted = process.restricted_aspace
    if restricted is not None:
        process.unified_aspace = system.create_unified_aspace(
            state.aspace, restricted, f"proc(unified):{process.koid}"
        )
    if restricted is None or restricted.root is None or process.unified_aspace is None:
        process.on_zero_handles()
        return ZX_ERR_NO_MEMORY, None, None
    return ZX_OK, Handle(process, DEFAULT_PROCESS_RIGHTS), vmar_handle(restricted.root)
