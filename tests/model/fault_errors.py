"""The errors of page faults, row by row: of address spaces, of threads and of the routine of a mapping."""

from contextlib import ExitStack
from typing import Any

from tests.model.conftest import PAGE as P
from tests.model.conftest import World
from tests.model.error_rows import ASSERTS, ErrorTable, Facts, Outcome
from tests.model.region_errors import StuckSystem
from vmaspace.model.constants import MAX_U64
from vmaspace.model.flags import FaultFlag, MmuFlag, ShareOpt
from vmaspace.model.object.process import create_process
from vmaspace.model.object.thread import Thread
from vmaspace.model.status import Status

OK, NOT_FOUND, ACCESS_DENIED = Status.ZX_OK, Status.ZX_ERR_NOT_FOUND, Status.ZX_ERR_ACCESS_DENIED
OUT_OF_RANGE, NO_MEMORY, IO = Status.ZX_ERR_OUT_OF_RANGE, Status.ZX_ERR_NO_MEMORY, Status.ZX_ERR_IO
BAD_STATE, TIMED_OUT, UNAVAILABLE = Status.ZX_ERR_BAD_STATE, Status.ZX_ERR_TIMED_OUT, Status.ZX_ERR_UNAVAILABLE
SHOULD_WAIT, RETRY = Status.ZX_ERR_SHOULD_WAIT, Status.ZX_ERR_INTERRUPTED_RETRY
KILLED = Status.ZX_ERR_INTERNAL_INTR_KILLED

U, W, ACCESS = FaultFlag.USER, FaultFlag.WRITE, FaultFlag.ACCESS
NOT_PRESENT = FaultFlag.NOT_PRESENT
RU = MmuFlag.PERM_READ | MmuFlag.PERM_USER
RWU = RU | MmuFlag.PERM_WRITE


class Scene:
    """A user's address space with 4 pages that may be written at its base; page 3 is past the end of the VMO."""

    def __init__(
        self,
        *,
        arch: str = "x86_64",
        unified: bool = False,
        locked: bool = False,
        destroyed: bool = False,
        read_only: bool = False,
        behind: str = "pages",  # or nothing, what was discarded, or a pager
        wait: Status | str | None = None,  # how a wait for the pager ends
        stuck: bool = False,
        no_page: bool = False,
        page: int = 0,
        byte: int = 0,
        flags: int = U | W,
        access: bool = False,
        absent: bool = False,
    ) -> None:
        self.system = StuckSystem(arch, aslr_disabled=True)
        _, self.process, root = create_process(self.system)
        self.aspace = root.dispatcher.vmar.aspace
        self.thread = Thread(self.system, "t", self.process.dispatcher)
        if behind == "pager":
            _, vmo = self.system.create_pager_vmo(3 * P)
            if wait == "gone":
                vmo.cow_pages.source.detach()
            elif wait is not None:
                vmo.cow_pages.source.planned_outcomes = [wait]
        else:
            _, vmo = self.system.create_vmo(3 * P, is_discardable=behind == "discarded")
            if behind != "nothing":
                vmo.commit_range(0, 3 * P)
            if behind == "discarded":
                vmo.lock_range(0, 3 * P)
                vmo.unlock_range(0, 3 * P)
                assert vmo.discard_pages() == 3
        world = World(self.system)
        self.vmo = vmo
        mmu = RU if read_only else RWU
        self.mapping = world.map(0, 4, vmar=self.aspace.root, vmo=vmo, mmu=mmu)
        self.va = self.aspace.base + page * P + byte
        self.flags = flags | ACCESS * access | NOT_PRESENT * absent
        if unified:
            self.aspace = self._unified()
        if destroyed:
            assert self.aspace.destroy() is OK
        self.aspace.arch.is_stuck = stuck
        self.system.pmm.fail_next(int(no_page))
        self.is_locked = locked

    def _unified(self) -> Any:
        arch = self.system.arch
        low = self.system.create_aspace(
            arch.user_aspace_base, arch.user_restricted_aspace_size, 0, "low", ShareOpt.RESTRICTED
        )
        high = self.system.create_aspace(arch.shared_base, arch.shared_size, 0, "high", ShareOpt.SHARED)
        return self.system.create_unified_aspace(high, low)

    def held(self) -> ExitStack:
        """The aspace's lock, if the caller is to hold it."""
        stack = ExitStack()
        if self.is_locked:
            stack.enter_context(self.aspace.lock())
        return stack


def page_fault(**scene: Any) -> Any:
    at = Scene(**scene)
    with at.held():
        return at.aspace.page_fault(at.va, at.flags)


def soft_fault(**scene: Any) -> Any:
    at = Scene(**scene)
    with at.held():
        return at.aspace.soft_fault(at.va, at.flags)


def soft_fault_in_range(*, size: int | None = P, **scene: Any) -> Any:
    at = Scene(**scene)
    with at.held():
        return at.aspace.soft_fault_in_range(at.va, at.flags, MAX_U64 - at.va + 2 if size is None else size)


def accessed_fault(*, va: int | None = None, **scene: Any) -> Any:
    at = Scene(arch="arm64", **scene)
    return at.aspace.accessed_fault(at.va if va is None else va)


def dispatch(*, va: int | None = None, **scene: Any) -> Any:
    at = Scene(**scene)
    return at.thread.page_fault(at.va if va is None else va, at.flags)


def handle(*, va: int | None = None, **scene: Any) -> Any:
    at = Scene(**scene)
    return at.thread.handle_page_fault(at.va if va is None else va, at.flags)


def routine(*, dead: bool = False, additional: int = 0, **scene: Any) -> Any:
    at = Scene(**{**scene, "stuck": False})
    if dead:
        assert at.mapping.destroy() is OK
    at.aspace.arch.is_stuck = scene.get("stuck", False)
    return at.mapping.page_fault(at.va, at.flags, additional, at.vmo)


IN_FLAGS: tuple[Outcome, Facts] = (ASSERTS, {"access": True, "absent": True})
ON_X86: tuple[Outcome, Facts] = (Status.ZX_ERR_NOT_SUPPORTED, {"access": True, "absent": False})
# What the VMO, its pager and the page tables make of the page: the last rows of every fault.
PAGE_ROWS: dict[str, tuple[Outcome, Facts]] = {
    "permissions": (ACCESS_DENIED, {"read_only": True, "flags": U | W}),
    "past the VMO": (OUT_OF_RANGE, {"page": 3}),
    "discarded": (NOT_FOUND, {"behind": "discarded", "page": 0}),
    "no page": (NO_MEMORY, {"behind": "nothing", "no_page": True, "page": 0}),
    "the pager fails": (IO, {"behind": "pager", "wait": IO, "page": 0}),
    "the pager is gone": (BAD_STATE, {"behind": "pager", "wait": "gone", "page": 0}),
    "the pager is silent": (TIMED_OUT, {"behind": "pager", "page": 0, "wait": TIMED_OUT}),
    "suspended": (RETRY, {"behind": "pager", "wait": RETRY, "page": 0, "flags": U | W}),
    "killed": (KILLED, {"behind": "pager", "wait": KILLED, "page": 0}),
    "page tables": (NO_MEMORY, {"behind": "pages", "stuck": True, "page": 0}),
}
PAGE_APART = {
    ("past the VMO", "discarded"): "one page at a time",
    ("discarded", "no page"): "one VMO at a time",
    ("no page", "the pager fails"): "one VMO at a time",
    ("the pager fails", "the pager is gone"): "one wait at a time",
    ("the pager is gone", "the pager is silent"): "one wait at a time",
    ("the pager is silent", "suspended"): "one wait at a time",
    ("suspended", "killed"): "one wait at a time",
    ("killed", "page tables"): "one VMO at a time",
}
HEAD_ROWS: dict[str, tuple[Outcome, Facts]] = {
    "present and absent": IN_FLAGS,
    "an accessed-flag fault": ON_X86,
}
STATE_ROWS: dict[str, tuple[Outcome, Facts]] = {
    "a lock is held": (ASSERTS, {"locked": True}),
    "destroyed": (ASSERTS, {"destroyed": True}),
    "unified": (ASSERTS, {"unified": True}),
    "nothing is mapped": (NOT_FOUND, {"page": 4}),
}
FAULT = {**HEAD_ROWS, **STATE_ROWS, **PAGE_ROWS}
APART = {
    ("present and absent", "an accessed-flag fault"): "one is absent, the other not",
    **PAGE_APART,
}

TABLES = {
    "PageFault": ErrorTable(page_fault, FAULT, apart=APART),
    "SoftFault": ErrorTable(soft_fault, FAULT, apart=APART),
    "SoftFaultInRange": ErrorTable(
        soft_fault_in_range,
        {
            **HEAD_ROWS,
            "empty": (ASSERTS, {"size": 0}),
            "the range wraps": (OUT_OF_RANGE, {"size": None}),
            **STATE_ROWS,
            **PAGE_ROWS,
        },
        apart={**APART, ("empty", "the range wraps"): "one size at a time"},
    ),
}
TABLES |= {
    "AccessedFault": ErrorTable(
        accessed_fault,
        {
            "below the address space": (OUT_OF_RANGE, {"va": P}),
            "behind the address space": (OUT_OF_RANGE, {"va": 0xFFFFFF000000}),
        },
        good={"page": 7},  # whether or not something is mapped
    ),
    "the fault of a thread": ErrorTable(
        dispatch,
        {"an address of the kernel": (NOT_FOUND, {"va": 1 << 63}), "permissions": PAGE_ROWS["permissions"]},
        apart={},
    ),
    "the fault of hardware": ErrorTable(
        handle,
        {
            "an address of the kernel": (NOT_FOUND, {"va": 1 << 63}),
            "suspended": (OK, PAGE_ROWS["suspended"][1] | {"va": None}),
            "killed, a user": (OK, PAGE_ROWS["killed"][1] | {"flags": U, "va": None}),
            "killed, a copy": (KILLED, PAGE_ROWS["killed"][1] | {"flags": 0, "va": None}),
        },
        apart={
            ("an address of the kernel", "suspended"): "one address at a time",
            ("killed, a user", "killed, a copy"): "one access at a time",
        },
    ),
    "the routine of a mapping": ErrorTable(
        routine,
        {
            "misaligned": (ASSERTS, {"byte": 1}),
            "dead": (UNAVAILABLE, {"dead": True}),
            "permissions": PAGE_ROWS["permissions"],
            "past the VMO": PAGE_ROWS["past the VMO"],
            "the page is a pager's": (SHOULD_WAIT, {"behind": "pager", "page": 0}),
            "discarded": PAGE_ROWS["discarded"],
            "no page": PAGE_ROWS["no page"],
            "page tables": PAGE_ROWS["page tables"],
        },
        apart={
            ("past the VMO", "the page is a pager's"): "one page at a time",
            ("the page is a pager's", "discarded"): "one VMO at a time",
            ("discarded", "no page"): "one VMO at a time",
        },
    ),
}
