"""Operations on VMOs, and on the reclaim queues that their pages stand in.

Through a handle the rights of the system call count.
"""

from __future__ import annotations

from vmaspace.checker.engines.conformance.environment import Bound, Environment
from vmaspace.checker.engines.conformance.error import BadStep, Unsupported, nearest
from vmaspace.checker.engines.conformance.payload import PROBE, payload, show_payload
from vmaspace.checker.engines.conformance.vocabulary import (
    INTEGER,
    MAYBE_INTEGER,
    MAYBE_TRUTH,
    MAYBE_WORD,
    MAYBE_WORDS,
    OBJECT,
    TRUTH,
    WORD,
    Answer,
    operation,
)
from vmaspace.model.constants import PAGE_SHIFT, PAGE_SIZE
from vmaspace.model.flags import MmuFlag, Right
from vmaspace.model.object.dispatcher import Handle, VmObjectDispatcher, lookup, vmo_handle
from vmaspace.model.status import ZX_ERR_INVALID_ARGS, ZX_OK, Status
from vmaspace.model.vmo import CloneType, RangeChangeOp, VmObject, VmoKind
from vmaspace.model.vmo.kinds import round_vmo_size

_CACHE_POLICIES = {"CACHED", "UNCACHED", "UNCACHED_DEVICE", "WRITE_COMBINING"}
_CLONES = {kind.name.lower(): kind for kind in CloneType}
_CHILDREN = (*_CLONES, "slice", "reference")


def behind_handle(env: Environment, bound: Bound, rights: Right = Right.NONE) -> tuple[Status, VmObject | None]:
    """The VMO that is bound; a handle to it needs `rights`."""
    if not isinstance(bound.value, Handle):
        return ZX_OK, env.vmo(bound)
    status, dispatcher = lookup(bound.value, VmObjectDispatcher, rights)
    return status, None if dispatcher is None else dispatcher.vmo


def _bind(status: Status, vmo: VmObject | None, extra_rights: Right = Right.NONE) -> Answer:
    return Answer(status.name, bound={} if vmo is None else {"": Bound(vmo_handle(vmo, extra_rights))})


# Creation.


@operation("vmo.create", size=INTEGER, options=MAYBE_WORDS)
def vmo_create(env: Environment, size: int, options: list[str] | None = None) -> Answer:
    """Create an ordinary VMO."""
    options = options or []
    known = {"RESIZABLE", "UNBOUNDED", "DISCARDABLE", "EXECUTABLE"}
    for option in options:
        if option not in known:
            raise Unsupported(f"the VMO option {option}")
    status, vmo = env.system.create_vmo(
        size,
        is_resizable="RESIZABLE" in options,
        is_unbounded="UNBOUNDED" in options,
        is_discardable="DISCARDABLE" in options,
    )
    return _bind(status, vmo, Right.EXECUTE if "EXECUTABLE" in options else Right.NONE)


@operation("vmo.create_contiguous", size=INTEGER)
def vmo_create_contiguous(env: Environment, size: int) -> Answer:
    """Create a VMO in one physical run."""
    return _bind(*env.system.create_vmo(size, VmoKind.CONTIGUOUS))


@operation("vmo.create_physical", size=INTEGER)
def vmo_create_physical(env: Environment, size: int) -> Answer:
    """Create a VMO of device memory."""
    return _bind(*env.system.create_vmo(size, VmoKind.PHYSICAL))


@operation(
    "vmo.create_pager",
    pages=INTEGER,
    committed=MAYBE_INTEGER,
    trap_dirty=MAYBE_TRUTH,
    resizable=MAYBE_TRUTH,
    ignore_requests=MAYBE_TRUTH,
)
def vmo_create_pager(
    env: Environment,
    pages: int,
    committed: int | None = None,
    trap_dirty: bool = False,
    resizable: bool = False,
    ignore_requests: bool = False,
) -> Answer:
    """Create a VMO whose pages come from a pager; the first `committed` are supplied at once.

    Nobody answers requests unless a case does, so there is nothing to ignore.
    """
    status, vmo = env.system.create_pager_vmo(
        pages << PAGE_SHIFT, is_resizable=resizable, trap_dirty=trap_dirty
    )
    if vmo is not None and committed:
        status = vmo.supply_pages(0, committed << PAGE_SHIFT)
    return _bind(status, vmo)


@operation("vmo.clone", of=OBJECT, type=WORD, offset=INTEGER, size=INTEGER, options=MAYBE_WORDS)
def vmo_clone(
    env: Environment, of: Bound, type: str, offset: int, size: int, options: list[str] | None = None
) -> Answer:
    """Make a child. Its handle has the rights of its parent's, except that a copy may be written and not executed.

    *Kernel:* `sys_vmo_create_child` (zircon/kernel/lib/syscalls/vmo.cc)
    """
    for option in options or []:
        if option not in ("RESIZABLE", "NO_WRITE"):
            raise Unsupported(f"the child option {option}")
    if type not in _CHILDREN:
        raise BadStep(f"unknown type of child {type!r}", nearest(type, list(_CHILDREN)))
    resizable, read_only = "RESIZABLE" in (options or []), "NO_WRITE" in (options or [])
    status, rounded = round_vmo_size(size)
    if status is not ZX_OK:
        return Answer(status.name)
    if resizable and (read_only or type == "slice"):
        return Answer(ZX_ERR_INVALID_ARGS.name)
    passes_through = Right.RESIZE if resizable and type == "reference" else Right.NONE
    status, vmo = behind_handle(env, of, Right.DUPLICATE | Right.READ | passes_through)
    if vmo is None:
        return Answer(status.name)
    if type == "slice":
        status, child = vmo.create_child_slice(offset, rounded)
    elif type == "reference":
        status, child = vmo.create_child_reference(offset, rounded, is_resizable=resizable)
    else:
        status, child = vmo.create_clone(_CLONES[type], offset, size, is_resizable=resizable)
    if child is None:
        return Answer(status.name)
    handle = vmo_handle(child)
    rights = of.value.rights if isinstance(of.value, Handle) else handle.rights
    rights = rights & ~Right.RESIZE | Right.GET_PROPERTY | Right.SET_PROPERTY
    if read_only:
        rights &= ~Right.WRITE
    elif type in _CLONES:
        rights = rights & ~Right.EXECUTE | Right.WRITE
    handle.rights = rights | (Right.RESIZE if resizable else Right.NONE)
    return Answer(status.name, bound={"": Bound(handle)})


# Contents.


@operation("vmo.read", "status value data data_hex all_bytes", vmo=OBJECT, offset=INTEGER, len=MAYBE_INTEGER)
def vmo_read(env: Environment, vmo: Bound, offset: int, len: int | None = None) -> Answer:
    """Read bytes."""
    status, object_ = behind_handle(env, vmo, Right.READ)
    if object_ is None:
        return Answer(status.name)
    status, data = object_.read(offset, 1 if len is None else len)
    return Answer(status.name, show_payload(data))


@operation(
    "vmo.write",
    vmo=OBJECT,
    offset=INTEGER,
    len=MAYBE_INTEGER,
    value=MAYBE_INTEGER,
    data=MAYBE_WORD,
    data_hex=MAYBE_WORD,
)
def vmo_write(
    env: Environment,
    vmo: Bound,
    offset: int,
    len: int | None = None,
    value: int | None = None,
    data: str | None = None,
    data_hex: str | None = None,
) -> Answer:
    """Write bytes."""
    status, object_ = behind_handle(env, vmo, Right.WRITE)
    if object_ is None:
        return Answer(status.name)
    return Answer(object_.write(offset, payload(len, value, data, data_hex)).name)


@operation("vmo.fill", vmo=OBJECT, offset=INTEGER, len=INTEGER, value=MAYBE_INTEGER)
def vmo_fill(env: Environment, vmo: Bound, offset: int, len: int, value: int = PROBE) -> Answer:
    """Write equal bytes."""
    status, object_ = behind_handle(env, vmo, Right.WRITE)
    if object_ is None:
        return Answer(status.name)
    return Answer(object_.write(offset, bytes([value & 0xFF]) * len).name)


# Ranges.


@operation("vmo.zero", vmo=OBJECT, offset=INTEGER, size=INTEGER)
def vmo_zero(env: Environment, vmo: Bound, offset: int, size: int) -> Answer:
    """Let bytes read as zeros."""
    status, object_ = behind_handle(env, vmo, Right.WRITE)
    return Answer(status.name if object_ is None else object_.zero_range(offset, size).name)


@operation("vmo.commit", vmo=OBJECT, offset=INTEGER, size=INTEGER)
def vmo_commit(env: Environment, vmo: Bound, offset: int, size: int) -> Answer:
    """Give a range pages of its own."""
    status, object_ = behind_handle(env, vmo, Right.WRITE)
    return Answer(status.name if object_ is None else object_.commit_range(offset, size).name)


@operation("vmo.decommit", vmo=OBJECT, offset=INTEGER, size=INTEGER)
def vmo_decommit(env: Environment, vmo: Bound, offset: int, size: int) -> Answer:
    """Take the pages of a range away."""
    status, object_ = behind_handle(env, vmo, Right.WRITE)
    return Answer(status.name if object_ is None else object_.decommit_range(offset, size).name)


@operation("vmo.range_unmap", "", vmo=OBJECT, offset=INTEGER, size=INTEGER)
def vmo_range_unmap(env: Environment, vmo: Bound, offset: int, size: int) -> Answer:
    """Tell the mappings of the VMO and of its children that the pages of a range went."""
    env.vmo(vmo).range_change_update(offset, size, RangeChangeOp.UNMAP)
    return Answer()


@operation("vmo.resize", vmo=OBJECT, size=INTEGER)
def vmo_resize(env: Environment, vmo: Bound, size: int) -> Answer:
    """Change the size; only of a VMO that has one to change is the right for it asked."""
    status, object_ = behind_handle(env, vmo, Right.WRITE)
    if object_ is not None and object_.is_resizable:
        status, object_ = behind_handle(env, vmo, Right.RESIZE)
    return Answer(status.name if object_ is None else object_.resize(size).name)


@operation("vmo.get_size", "status value size gt", vmo=OBJECT)
def vmo_get_size(env: Environment, vmo: Bound) -> Answer:
    """The size in bytes."""
    status, object_ = behind_handle(env, vmo)
    return Answer(status.name) if object_ is None else Answer(status.name, _show_size(object_.size))


@operation("vmo.get_stream_size", "status value size gt", vmo=OBJECT)
def vmo_get_stream_size(env: Environment, vmo: Bound) -> Answer:
    """The stream size in bytes."""
    status, object_ = behind_handle(env, vmo)
    return Answer(status.name) if object_ is None else Answer(status.name, _show_size(object_.get_stream_size()))


def _show_size(size: int) -> dict[str, object]:
    def greater(expected: int) -> str | None:
        return None if size > expected else f"{size:#x}"

    return {"value": size, "size": size, "gt": greater}


@operation("vmo.set_stream_size", vmo=OBJECT, size=INTEGER)
def vmo_set_stream_size(env: Environment, vmo: Bound, size: int) -> Answer:
    """Change the stream size."""
    status, object_ = behind_handle(env, vmo, Right.WRITE)
    return Answer(status.name if object_ is None else object_.set_stream_size(size).name)


@operation("vmo.set_cache_policy", vmo=OBJECT, policy=WORD)
def vmo_set_cache_policy(env: Environment, vmo: Bound, policy: str) -> Answer:
    """Choose how accesses are cached."""
    if policy not in _CACHE_POLICIES:
        raise BadStep(f"unknown cache policy {policy!r}", nearest(policy, sorted(_CACHE_POLICIES)))
    status, object_ = behind_handle(env, vmo, Right.MAP)
    return Answer(status.name if object_ is None else object_.set_cache_policy(int(MmuFlag[policy])).name)


@operation("vmo.lock", vmo=OBJECT, offset=MAYBE_INTEGER, size=MAYBE_INTEGER)
def vmo_lock(env: Environment, vmo: Bound, offset: int = 0, size: int | None = None) -> Answer:
    """Keep a discardable VMO's pages."""
    status, object_ = behind_handle(env, vmo, Right.READ)
    if object_ is None:
        return Answer(status.name)
    return Answer(object_.lock_range(offset, object_.size if size is None else size)[0].name)


@operation("vmo.unlock", vmo=OBJECT, offset=MAYBE_INTEGER, size=MAYBE_INTEGER)
def vmo_unlock(env: Environment, vmo: Bound, offset: int = 0, size: int | None = None) -> Answer:
    """Let a discardable VMO's pages go when memory is short."""
    status, object_ = behind_handle(env, vmo, Right.READ)
    if object_ is None:
        return Answer(status.name)
    return Answer(object_.unlock_range(offset, object_.size if size is None else size).name)


@operation("vmo.pager_stats", "status modified", vmo=OBJECT, reset=MAYBE_TRUTH)
def vmo_pager_stats(env: Environment, vmo: Bound, reset: bool = False) -> Answer:
    """Whether the VMO was modified since the last reset."""
    status, is_modified = env.vmo(vmo).query_pager_vmo_stats(reset)
    return Answer(status.name, {"modified": is_modified})


# Reclaim queues.


@operation("pq.snapshot", vmo=OBJECT, page=INTEGER)
def pq_snapshot(env: Environment, vmo: Bound, page: int) -> Answer:
    """Remember in which queue a page stands."""
    queue = _queue(env, vmo, page)
    return Answer(bound={"": Bound(queue, queue)})


@operation("pq.rotate")
def pq_rotate(env: Environment) -> Answer:
    """Let all pages grow older by one queue."""
    env.system.page_queues.rotate_reclaim_queues()
    return Answer()


@operation("expect.queue_changed", "", vmo=OBJECT, page=INTEGER, since=OBJECT, changed=TRUTH)
def expect_queue_changed(env: Environment, vmo: Bound, page: int, since: Bound, changed: bool) -> Answer:
    """Whether a page stands in another queue than it did."""
    queue = _queue(env, vmo, page)
    if (queue != since.value) is changed:
        return Answer()
    return Answer(mismatch=(f"{'another' if changed else 'the same'} queue as {since.value}", str(queue)))


def _queue(env: Environment, vmo: Bound, page: int) -> int:
    target = env.vmo(vmo)
    with target.lock:
        found = target.existing_page(page * PAGE_SIZE, False)
    if found is None:
        raise BadStep(f"page {page} of the VMO is not there", "only a committed page stands in a queue")
    return found[0].queue
