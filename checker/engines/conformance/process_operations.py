"""Operations on processes, handles and the vDSO."""

from __future__ import annotations

from vmaspace.checker.engines.conformance.environment import Bound, Environment
from vmaspace.checker.engines.conformance.error import BadStep, Unsupported
from vmaspace.checker.engines.conformance.vocabulary import (
    MAYBE_WORDS,
    OBJECT,
    Answer,
    observe_address,
    operation,
)
from vmaspace.model.aspace import VmAspace
from vmaspace.model.flags import Right, VmOption
from vmaspace.model.object.dispatcher import Handle, lookup, vmo_handle
from vmaspace.model.object.process import ProcessDispatcher, create_process, create_shared_process
from vmaspace.model.object.syscalls import zx_vmar_allocate, zx_vmar_destroy, zx_vmar_map
from vmaspace.model.status import ZX_ERR_BAD_HANDLE, ZX_OK, Status

# Processes.


def _bind_process(status: Status, process: Handle | None, root: Handle | None) -> Answer:
    if process is None or root is None:
        return Answer(status.name)
    dispatcher = process.dispatcher
    if not isinstance(dispatcher, ProcessDispatcher):
        return Answer(status.name)
    aspace = dispatcher.restricted_aspace or dispatcher.state.aspace
    return Answer(
        status.name,
        bound={
            "": Bound(process, aspace.base, aspace.size),
            ".vmar": Bound(root, aspace.base, aspace.size),
        },
    )


@operation("process.create", options=MAYBE_WORDS)
def process_create(env: Environment, options: list[str] | None = None) -> Answer:
    """Create a process; SHARED gives it the shared half only."""
    for option in options or []:
        if option != "SHARED":
            raise Unsupported(f"the process option {option}")
    return _bind_process(*create_process(env.system, shared="SHARED" in (options or [])))


@operation("process.create_shared", prototype=OBJECT)
def process_create_shared(env: Environment, prototype: Bound) -> Answer:
    """Create a process that shares the upper half of another one."""
    return _bind_process(*create_shared_process(env.handle(prototype)))


@operation("process.vdso_base", "status value nonzero", process=OBJECT)
def process_vdso_base(env: Environment, process: Bound) -> Answer:
    """Where the vDSO is; 0 if nowhere."""
    status, dispatcher = lookup(env.handle(process), ProcessDispatcher, Right.GET_PROPERTY)
    if dispatcher is None:
        return Answer(status.name)
    base = dispatcher.vdso_base_address()
    return Answer(observed=observe_address(base), bound={"": Bound(base, base)})


@operation("process.task_stats", "status mapped private shared scaled_shared", process=OBJECT)
def process_task_stats(env: Environment, process: Bound) -> Answer:
    """What the process uses, in bytes."""
    status, dispatcher = lookup(env.handle(process), ProcessDispatcher, Right.INSPECT)
    if dispatcher is None:
        return Answer(status.name)
    status, stats = dispatcher.get_stats()
    if stats is None:
        return Answer(status.name)
    return Answer(
        status.name,
        {
            "mapped": stats.mapped_bytes,
            "private": stats.private_bytes,
            "shared": stats.shared_bytes,
            "scaled_shared": stats.scaled_shared_bytes,
        },
    )


# Handles.


@operation("handle.duplicate", of=OBJECT, rights=MAYBE_WORDS, drop=MAYBE_WORDS)
def handle_duplicate(
    env: Environment, of: Bound, rights: list[str] | None = None, drop: list[str] | None = None
) -> Answer:
    """Duplicate a handle, with exactly some rights or with all but some."""
    handle = env.handle(of)
    if (rights is None) == (drop is None):
        raise BadStep("a duplicate has either rights or drop")
    wanted = env.rights(rights) if rights is not None else handle.rights & ~env.rights(drop or [])
    status, duplicate = handle.duplicate(wanted)
    if duplicate is None:
        return Answer(status.name)
    return Answer(status.name, bound={"": Bound(duplicate, of.base, of.size)})


@operation("handle.close", handle=OBJECT)
def handle_close(env: Environment, handle: Bound) -> Answer:
    """Close a handle."""
    return Answer(env.handle(handle).close().name)


@operation("handle.valid", handle=OBJECT)
def handle_valid(env: Environment, handle: Bound) -> Answer:
    """Whether a handle still refers to something."""
    is_closed = env.handle(handle).is_closed
    return Answer((ZX_ERR_BAD_HANDLE if is_closed else ZX_OK).name)


@operation("object.drop", of=OBJECT)
def object_drop(env: Environment, of: Bound) -> Answer:
    """Drop the test's own reference."""
    if isinstance(of.value, Handle):
        return Answer(of.value.close().name)
    if isinstance(of.value, VmAspace):
        of.value.release()
    return Answer()


# The vDSO.


@operation("vdso.vmo")
def vdso_vmo(env: Environment) -> Answer:
    """Bind a handle to the VMO of the vDSO image."""
    return Answer(bound={"": Bound(vmo_handle(env.system.create_vdso_vmo(), Right.EXECUTE))})


@operation("vdso.load", process=OBJECT, vmar=OBJECT)
def vdso_load(env: Environment, process: Bound, vmar: Bound) -> Answer:
    """Do what the loader does: map the whole image into a new sub-VMAR."""
    status, _ = lookup(env.handle(process), ProcessDispatcher)
    if status is not ZX_OK:
        return Answer(status.name)
    vdso, image = env.system.vdso, vmo_handle(env.system.create_vdso_vmo(), Right.EXECUTE)
    can_map = VmOption.CAN_MAP_READ | VmOption.CAN_MAP_EXECUTE | VmOption.CAN_MAP_SPECIFIC
    status, child, base = zx_vmar_allocate(env.handle(vmar), can_map, 0, vdso.size)
    if child is None:
        return Answer(status.name)
    data_options = VmOption.SPECIFIC | VmOption.PERM_READ
    status, _, _ = zx_vmar_map(child, data_options, 0, image, 0, vdso.code_start)
    code_base, code = 0, None
    if status is ZX_OK:
        code_options = data_options | VmOption.PERM_EXECUTE
        status, code_base, code = zx_vmar_map(
            child, code_options, vdso.code_start, image, vdso.code_start, vdso.code_size
        )
    if code is None:
        zx_vmar_destroy(child)
        return Answer(status.name)
    return Answer(
        bound={
            "": Bound(child, base, vdso.size),
            ".vmar": Bound(child, base, vdso.size),
            ".code": Bound(code, code_base, vdso.code_size),
        }
    )
