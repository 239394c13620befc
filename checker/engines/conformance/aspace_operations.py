"""Operations on address spaces, processes, handles and the vDSO."""

from __future__ import annotations

from vmaspace.checker.engines.conformance.environment import Bound, Environment
from vmaspace.checker.engines.conformance.error import BadStep, Unsupported, nearest
from vmaspace.checker.engines.conformance.vocabulary import (
    INTEGER,
    MAYBE_INTEGER,
    MAYBE_WORD,
    MAYBE_WORDS,
    OBJECT,
    WORD,
    WORDS,
    Answer,
    observe_address,
    operation,
)
from vmaspace.model.aspace import VmAspace
from vmaspace.model.flags import AspaceType, Right, ShareOpt, VmOption
from vmaspace.model.object.dispatcher import Handle, lookup, vmo_handle
from vmaspace.model.object.process import ProcessDispatcher, create_process, create_shared_process
from vmaspace.model.object.syscalls import zx_vmar_allocate, zx_vmar_destroy, zx_vmar_map
from vmaspace.model.status import ZX_ERR_BAD_HANDLE, ZX_OK, Status
from vmaspace.model.vmo import VmoKind

_TYPES = {type_.name.lower(): type_ for type_ in AspaceType}
_SHARES = {share.name.lower(): share for share in ShareOpt}


def _bind_aspace(aspace: VmAspace | None) -> Answer:
    if aspace is None:
        return Answer("null", {"result": "null"})
    bound = {"": Bound(aspace, aspace.base, aspace.size)}
    if aspace.root is not None:
        bound[".root"] = Bound(aspace.root, aspace.root.base, aspace.root.size)
    return Answer(observed={"result": "aspace"}, bound=bound)


@operation(
    "aspace.create", "status result", type=WORD, base=MAYBE_INTEGER, size=MAYBE_INTEGER, share=MAYBE_WORD
)
def aspace_create(
    env: Environment, type: str, base: int | None = None, size: int | None = None, share: str | None = None
) -> Answer:
    """Create an address space; without a range, over the whole range of the type."""
    if type not in _TYPES:
        raise BadStep(f"unknown type of address space {type!r}", nearest(type, list(_TYPES)))
    if share is not None and share not in _SHARES:
        raise BadStep(f"unknown share {share!r}", nearest(share, list(_SHARES)))
    if base is None and size is None and share is None:
        return _bind_aspace(env.system.create_default_aspace(_TYPES[type], "test"))
    default_base, default_size = _default_range(env, _TYPES[type])
    return _bind_aspace(
        env.system.create_aspace(
            default_base if base is None else base,
            default_size if size is None else size,
            _TYPES[type],
            "test",
            _SHARES[share or "none"],
        )
    )


def _default_range(env: Environment, type: AspaceType) -> tuple[int, int]:
    arch = env.system.arch
    return {
        AspaceType.USER: (arch.user_aspace_base, arch.user_aspace_size),
        AspaceType.KERNEL: (arch.kernel_aspace_base, arch.kernel_aspace_size),
        AspaceType.LOW_KERNEL: (0, arch.user_top),
        AspaceType.GUEST_PHYSICAL: (0, arch.guest_aspace_size),
    }[type]


@operation("aspace.create_unified", "status result", shared=OBJECT, restricted=OBJECT)
def aspace_create_unified(env: Environment, shared: Bound, restricted: Bound) -> Answer:
    """Unite two address spaces."""
    return _bind_aspace(env.system.create_unified_aspace(env.aspace(shared), env.aspace(restricted)))


@operation("aspace.destroy", aspace=OBJECT)
def aspace_destroy(env: Environment, aspace: Bound) -> Answer:
    """Destroy an address space; the reference stays."""
    return Answer(env.aspace(aspace).destroy().name)


@operation("aspace.kernel", "status result")
def aspace_kernel(env: Environment) -> Answer:
    """Bind the kernel's address space."""
    return _bind_aspace(env.system.kernel_aspace)


@operation("aspace.set_active", aspace=WORD)
def aspace_set_active(env: Environment, aspace: str) -> Answer:
    """Load page tables, or go back to those that were loaded before."""
    if aspace == "previous":
        target = env.previously_active.pop() if env.previously_active else None
        env.system.set_active_aspace(target)
    else:
        env.previously_active.append(env.system.set_active_aspace(env.aspace(env.lookup(aspace))))
    return Answer()


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


# Memory objects.


@operation("vmo.create", size=INTEGER, options=WORDS)
def vmo_create(env: Environment, size: int, options: list[str]) -> Answer:
    """Create an ordinary VMO."""
    known = {"RESIZABLE", "DISCARDABLE", "EXECUTABLE"}
    for option in options:
        if option not in known:
            raise Unsupported(f"the VMO option {option}")
    status, vmo = env.system.create_vmo(
        size, is_resizable="RESIZABLE" in options, is_discardable="DISCARDABLE" in options
    )
    if vmo is None:
        return Answer(status.name)
    rights = Right.EXECUTE if "EXECUTABLE" in options else Right.NONE
    return Answer(status.name, bound={"": Bound(vmo_handle(vmo, rights))})


@operation("vmo.create_contiguous", size=INTEGER)
def vmo_create_contiguous(env: Environment, size: int) -> Answer:
    """Create a VMO in one physical run."""
    return _create_special(env, size, VmoKind.CONTIGUOUS)


@operation("vmo.create_physical", size=INTEGER)
def vmo_create_physical(env: Environment, size: int) -> Answer:
    """Create a VMO of device memory."""
    return _create_special(env, size, VmoKind.PHYSICAL)


def _create_special(env: Environment, size: int, kind: VmoKind) -> Answer:
    status, vmo = env.system.create_vmo(size, kind)
    return Answer(status.name, bound={} if vmo is None else {"": Bound(vmo_handle(vmo))})
