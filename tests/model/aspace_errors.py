"""The errors of the members of address spaces, and of the processes that own them, row by row."""

from typing import Any

from tests.model.conftest import PAGE as P
from tests.model.conftest import World
from tests.model.error_rows import ASSERTS, ErrorTable, Facts, Outcome
from tests.model.region_errors import DYNAMIC, StuckSystem
from vmaspace.model.constants import MAX_U64
from vmaspace.model.flags import VMAR_CAN_RWX_FLAGS as CAN_RWX
from vmaspace.model.flags import AspaceType, MmuFlag, Right, ShareOpt, VmarFlag, VmmFlag
from vmaspace.model.object.process import create_process, create_shared_process
from vmaspace.model.object.thread import Thread
from vmaspace.model.status import Status

OK, INVALID_ARGS, BAD_STATE = Status.ZX_OK, Status.ZX_ERR_INVALID_ARGS, Status.ZX_ERR_BAD_STATE
NO_MEMORY, NOT_FOUND, OUT_OF_RANGE = Status.ZX_ERR_NO_MEMORY, Status.ZX_ERR_NOT_FOUND, Status.ZX_ERR_OUT_OF_RANGE
ALREADY_EXISTS, ACCESS_DENIED = Status.ZX_ERR_ALREADY_EXISTS, Status.ZX_ERR_ACCESS_DENIED
NULL = "null"  # a factory that made nothing

USER, LOW = AspaceType.USER, AspaceType.LOW_KERNEL
NONE, RESTRICTED, SHARED = ShareOpt.NONE, ShareOpt.RESTRICTED, ShareOpt.SHARED
RW = MmuFlag.PERM_READ | MmuFlag.PERM_WRITE
UNKNOWN_TYPE = 9
BASE = 0x1000000  # of the address space that the kernel allocates from


def made(aspace: object) -> Outcome:
    return NULL if aspace is None else OK


def plan(system: Any, no_memory: int, no_page: int) -> None:
    system.heap.fail_next(no_memory)
    system.pmm.fail_next(no_page)


# Factories.


def create(
    *, base: int = BASE, size: int = P, type: int = USER, share: int = NONE, no_memory: int = 0, no_page: int = 0
) -> Any:
    system = StuckSystem()
    plan(system, no_memory, no_page)
    return made(system.create_aspace(base, size, type, "t", share))


def create_default(*, type: int = USER, no_memory: int = 0, no_page: int = 0) -> Any:
    system = StuckSystem()
    plan(system, no_memory, no_page)
    return made(system.create_default_aspace(type, "t"))


CREATE_ROWS: dict[str, tuple[Outcome, Facts]] = {
    "the range wraps": (NULL, {"base": MAX_U64 - P + 1, "size": 2 * P}),
    "the range ends where addresses do": (NULL, {"base": MAX_U64 - P + 1, "size": P}),
    "unknown type": (ASSERTS, {"type": UNKNOWN_TYPE}),
    "below the lowest": (NULL, {"base": 0x200000 - 1}),
    "behind the highest": (NULL, {"base": 0x7FFFFFFFF000 - P, "size": P + 1}),
    "no object": (NULL, {"no_memory": 1}),
    "no page for the root table": (NULL, {"no_page": 1}),
    "no root VMAR": (NULL, {"no_memory": 2}),
}


def create_unified(
    *,
    arch: str = "x86_64",
    shared: int = SHARED,
    restricted: int = RESTRICTED,
    apart: bool = True,
    populated: bool = False,
    joined: bool = False,
    no_memory: int = 0,
    no_page: int = 0,
) -> Any:
    """Halves that do not overlap; made with another share option, in one root slot, not empty, or in use already."""
    system = StuckSystem(arch)
    machine = system.arch
    low = system.create_aspace(machine.user_aspace_base, machine.user_restricted_aspace_size, USER, "low", restricted)
    base, size = (machine.shared_base, machine.shared_size) if apart else (machine.user_aspace_base, 0x40000000)
    high = system.create_aspace(base, size, USER, "high", shared)
    if populated:
        _, vmo = system.create_vmo(P)
        vmo.commit_range(0, P)
        _, mapping = low.root.create_vm_mapping(0, P, 0, 0, vmo, 0, RW)
        assert mapping.map_range(0, P) is OK
    if joined:
        assert system.create_unified_aspace(high, low) is not None
    plan(system, no_memory, no_page)
    return made(system.create_unified_aspace(high, low))


# Members.


def destroy(*, stuck: bool = False, again: bool = False) -> Any:
    world = World(StuckSystem(aslr_disabled=True))
    world.map(0, 1)
    if again:
        assert world.aspace.destroy() is OK
    world.aspace.arch.is_stuck = stuck
    status = world.aspace.destroy()
    assert world.aspace.is_destroyed() is (status is OK)
    return status


class Kernel:
    """An address space that the kernel allocates from: a mapping of 2 pages at its base, and a VMAR behind it."""

    def __init__(
        self,
        *,
        user: bool = False,
        destroyed: bool = False,
        stuck: bool = False,
        no_memory: int = 0,
        no_page: int = 0,
    ) -> None:
        self.system = StuckSystem(aslr_disabled=True)
        type = USER if user else LOW
        self.aspace = self.system.create_aspace(BASE, 64 * P, type, "k")
        root = self.aspace.root
        _, old = self.system.create_vmo(2 * P)
        old.commit_range_pinned(0, 2 * P, True)
        # Where the mapping is not dynamic, the pages can not be unpinned while it is there: that asserts.
        assert root.create_vm_mapping(0, 2 * P, 0, CAN_RWX | DYNAMIC | VmarFlag.SPECIFIC, old, 0, RW)[0] is OK
        assert root.create_sub_vmar(4 * P, 4 * P, 0, CAN_RWX | VmarFlag.SPECIFIC)[0] is OK
        _, self.vmo = self.system.create_vmo(8 * P)
        if destroyed:
            assert self.aspace.destroy() is OK
        self.aspace.arch.is_stuck = stuck
        plan(self.system, no_memory, no_page)


def flags_of(commit: bool, specific: bool) -> int:
    return VmmFlag.COMMIT * commit | VmmFlag.VALLOC_SPECIFIC * specific


def map_object(
    *,
    vmo: bool = True,
    offset: int = 0,
    size: int = P,
    commit: bool = True,
    specific: bool = False,
    at: int | None = None,
    **kernel: Any,
) -> Any:
    k = Kernel(**kernel)
    flags = flags_of(commit, specific)
    return k.aspace.map_object_internal(k.vmo if vmo else None, "t", offset, size, 0, flags, RW, at=at)


def alloc_physical(*, paddr: int = 0xFE000000, size: int = P, **kernel: Any) -> Any:
    return Kernel(**kernel).aspace.alloc_physical("t", size, 0, paddr, 0, RW)


def alloc_contiguous(*, size: int = P, commit: bool = True, **kernel: Any) -> Any:
    return Kernel(**kernel).aspace.alloc_contiguous("t", size, 0, flags_of(commit, False), RW)


def alloc(*, size: int = P, **kernel: Any) -> Any:
    return Kernel(**kernel).aspace.alloc("t", size, 0, 0, RW)


def free_region(*, page: int = 1, **kernel: Any) -> Any:
    return Kernel(**kernel).aspace.free_region(BASE + page * P)


def attach(*, thread: bool = True, has_aspace: bool = False, runs: bool = False) -> Any:
    world = World(StuckSystem())
    new = Thread(world.system, "t")
    if runs:
        world.system.switch_to(new)
    if has_aspace:
        new.aspace = world.aspace
    world.aspace.attach_to_thread(new if thread else None)
    return OK


def change_priority(*, destroyed: bool = False, delta: int = 1) -> Any:
    aspace = World(StuckSystem()).aspace
    if destroyed:
        aspace.destroy()
    with aspace.lock():
        aspace.change_high_priority_count_locked(delta)
    return OK


# Processes.


def initialise(*, shared: bool = False, no_memory: int = 0, no_page: int = 0) -> Any:
    system = StuckSystem()
    plan(system, no_memory, no_page)
    return create_process(system, shared=shared)


def initialise_further(
    *,
    handle: str = "process",
    rights: Right = Right.NONE,
    template: str = "shared",
    left: bool = False,
    no_memory: int = 0,
    no_page: int = 0,
) -> Any:
    system = StuckSystem()
    _, process, root = create_process(system, shared=template != "plain")
    if template == "unified":
        _, process, root = create_shared_process(process)
    if left:
        process.dispatcher.kill()
    process.rights &= ~rights
    if handle == "closed":
        process.close()
    plan(system, no_memory, no_page)
    return create_shared_process(root if handle == "vmar" else process)


def die(*, half: str = "none", dead: bool = False) -> Any:
    """A process of a group of one dies; the page tables of one half can not be edited."""
    system = StuckSystem(aslr_disabled=True)
    _, prototype, _ = create_process(system, shared=True)
    _, kid, _ = create_shared_process(prototype)
    process = kid.dispatcher
    prototype.close()
    for aspace in (process.restricted_aspace, process.state.aspace):
        assert aspace.root.create_vm_mapping(0, P, 0, 0, system.create_vmo(P)[1], 0, RW)[0] is OK
    if dead:
        process.kill()
    stuck = {"low": process.restricted_aspace, "high": process.state.aspace}.get(half)
    if stuck is not None:
        stuck.arch.is_stuck = True
    process.kill()
    return OK


def stats(*, dead: bool = False, alone: bool = False, torn: bool = False) -> Any:
    """What a process uses: dead, in a group that everybody has left, or with an address space that is gone."""
    _, handle, _ = create_process(StuckSystem())
    process = handle.dispatcher
    if torn:
        process.state.aspace.destroy()
    if alone:
        process.state.share_count = 0
    process.is_dead = dead
    return process.get_stats()


def usage(*, destroyed: bool = False, root_dead: bool = False) -> Any:
    aspace = World(StuckSystem()).aspace
    if root_dead:
        aspace.root.destroy()
    if destroyed:
        aspace.destroy()
    status, record = aspace.get_memory_usage()
    assert (record is None) is destroyed  # untouched, not emptied
    return status


USER_ROW: tuple[Outcome, Facts] = (ASSERTS, {"user": True})
INTERNAL = Status.ZX_ERR_INTERNAL
TABLES = {
    "Create": ErrorTable(
        create,
        CREATE_ROWS,
    ),
    "Create of a type": ErrorTable(
        create_default,
        {
            "unknown type": (ASSERTS, {"type": UNKNOWN_TYPE}),
            "the kernel's": (NULL, {"type": AspaceType.KERNEL}),
            "no object": (NULL, {"no_memory": 1}),
            "no page for the root table": (NULL, {"no_page": 1}),
            "no root VMAR": (NULL, {"no_memory": 2}),
        },
        apart={("unknown type", "the kernel's"): "one type at a time"},
    ),
    "CreateUnified": ErrorTable(
        create_unified,
        {
            "no object": (NULL, {"no_memory": 1}),
            "the shared half is not": (ASSERTS, {"shared": NONE}),
            "the restricted half is not": (ASSERTS, {"restricted": NONE}),
            "one root slot": (ASSERTS, {"apart": False}),
            "the restricted half is not empty": (ASSERTS, {"populated": True}),
            "the restricted half is in use": (ASSERTS, {"joined": True}),
            "no page for the root table": (NULL, {"no_page": 1}),
        },
    ),
    # The restricted part's root and ASID do for both: nothing that could run out is taken.
    "CreateUnified on arm64": ErrorTable(
        create_unified,
        {
            "no object": (NULL, {"no_memory": 1}),
            "the shared half is not": (ASSERTS, {"arch": "arm64", "shared": NONE}),
            "one root slot": (ASSERTS, {"arch": "arm64", "apart": False}),
        },
        good={"arch": "arm64", "no_memory": 2, "no_page": 1},
    ),
    "Destroy": ErrorTable(
        destroy,
        {"page tables": (NO_MEMORY, {"stuck": True, "again": False})},
        good={"again": True},
    ),
    "MapObjectInternal": ErrorTable(
        map_object,
        {
            "a user's": USER_ROW,
            "size 0": (INVALID_ARGS, {"size": 0}),
            "size wraps when rounded": (INVALID_ARGS, {"size": MAX_U64}),
            "no VMO": (INVALID_ARGS, {"vmo": False}),
            "misaligned in the VMO": (INVALID_ARGS, {"offset": 1}),
            "no address": (INVALID_ARGS, {"specific": True, "at": None}),
            "misaligned address": (INVALID_ARGS, {"specific": True, "at": BASE + 1}),
            "below the base": (INVALID_ARGS, {"specific": True, "at": BASE - P}),
            "past the end of the VMO": (OUT_OF_RANGE, {"offset": 8 * P}),
            "no page": (NO_MEMORY, {"no_page": 1}),
            "destroyed": (ASSERTS, {"destroyed": True}),
            "in use": (ALREADY_EXISTS, {"specific": True, "at": BASE + P, "destroyed": False}),
            "no memory for the mapping": (NO_MEMORY, {"no_memory": 1}),
            "page tables": (NO_MEMORY, {"stuck": True, "commit": True}),
        },
        apart={("destroyed", "in use"): "nothing is in it"},
        good={"specific": True, "at": BASE + 2 * P},
    ),
    "AllocPhysical": ErrorTable(
        alloc_physical,
        {
            "misaligned in memory": (ASSERTS, {"paddr": 1}),
            "size 0": (OK, {"size": 0}),
            "no memory for the VMO": (NO_MEMORY, {"no_memory": 1}),
            "a user's": USER_ROW,
            "destroyed": (ASSERTS, {"destroyed": True}),
            "no memory for the mapping": (NO_MEMORY, {"no_memory": 2}),
            "page tables": (NO_MEMORY, {"stuck": True}),
        },
    ),
    "AllocContiguous": ErrorTable(
        alloc_contiguous,
        {
            "size 0": (INVALID_ARGS, {"size": 0}),
            "size wraps when rounded": (INVALID_ARGS, {"size": MAX_U64}),
            "without COMMIT": (INVALID_ARGS, {"commit": False}),
            "no memory for the VMO": (NO_MEMORY, {"no_memory": 1}),
            "no run of pages": (NO_MEMORY, {"no_page": 1}),
            "a user's": USER_ROW,
            "destroyed": (ASSERTS, {"destroyed": True}),
            "page tables": (NO_MEMORY, {"stuck": True}),
        },
    ),
    "Alloc": ErrorTable(
        alloc,
        {
            "size 0": (INVALID_ARGS, {"size": 0}),
            "size wraps when rounded": (INVALID_ARGS, {"size": MAX_U64}),
            "no memory for the VMO": (NO_MEMORY, {"no_memory": 1}),
            "a user's": USER_ROW,
            "no page": (NO_MEMORY, {"no_page": 1}),
            "destroyed": (ASSERTS, {"destroyed": True}),
        },
    ),
    "FreeRegion": ErrorTable(
        free_region,
        {
            "a user's": USER_ROW,
            "destroyed": (NOT_FOUND, {"destroyed": True}),
            "in a gap": (NOT_FOUND, {"page": 2}),
            "outside": (NOT_FOUND, {"page": 64}),
            "a VMAR": (BAD_STATE, {"page": 5}),
            "page tables": (NO_MEMORY, {"stuck": True, "page": 0, "destroyed": False}),
        },
        apart={
            ("outside", "a VMAR"): "one address at a time",
            ("a VMAR", "page tables"): "the VMAR is left alone",
        },
    ),
    "AttachToThread": ErrorTable(
        attach,
        {
            "no thread": (ASSERTS, {"thread": False}),
            "it has an address space": (ASSERTS, {"has_aspace": True}),
            "it runs": (ASSERTS, {"runs": True}),
        },
    ),
    "ChangeHighPriorityCount": ErrorTable(
        change_priority,
        {
            "destroyed": (ASSERTS, {"destroyed": True}),
            "below 0": (ASSERTS, {"delta": -1}),
        },
    ),
    "GetMemoryUsage": ErrorTable(
        usage,
        {
            "no root": (INTERNAL, {"destroyed": True}),
            "the walk fails": (INTERNAL, {"root_dead": True, "destroyed": False}),
        },
    ),
    "a process": ErrorTable(
        initialise,
        {
            "no object": (NO_MEMORY, {"no_memory": 1}),
            "no page": (NO_MEMORY, {"no_page": 1}),
            "no page, shared": (NO_MEMORY, {"shared": True, "no_page": 2}),
            "no root VMAR": (NO_MEMORY, {"no_memory": 2}),
        },
    ),
    "a further process": ErrorTable(
        initialise_further,
        {
            "closed": (Status.ZX_ERR_BAD_HANDLE, {"handle": "closed"}),
            "not a process": (Status.ZX_ERR_WRONG_TYPE, {"handle": "vmar"}),
            "may not be joined": (ACCESS_DENIED, {"rights": Right.MANAGE_PROCESS, "handle": "process"}),
            "not the shared range": (INVALID_ARGS, {"template": "plain"}),
            "a unified range": (INVALID_ARGS, {"template": "unified"}),
            "everybody has left": (BAD_STATE, {"left": True, "template": "shared"}),
            "no restricted half": (NO_MEMORY, {"no_memory": 1}),
            "no unified view": (NO_MEMORY, {"no_memory": 3}),
        },
        both={
            ("not the shared range", "everybody has left"): {"template": "plain", "left": True},
            ("a unified range", "everybody has left"): {"template": "unified", "left": True},
        },
        apart={
            ("closed", "not a process"): "one handle at a time",
            ("not a process", "may not be joined"): "a handle to a VMAR never has this right",
        },
    ),
    "the death of a process": ErrorTable(
        die,
        {
            "the restricted half stays": (ASSERTS, {"half": "low", "dead": False}),
            "the shared half stays": (ASSERTS, {"half": "high", "dead": False}),
        },
        good={"half": "low", "dead": True},
    ),
    "the statistics of a process": ErrorTable(
        stats,
        {
            "dead": (BAD_STATE, {"dead": True}),
            "nobody shares the state": (BAD_STATE, {"alone": True}),
            "the address space is gone": (INTERNAL, {"torn": True}),
        },
    ),
}
