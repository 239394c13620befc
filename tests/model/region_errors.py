"""The errors of the other members of regions, row by row."""

from typing import Any

from tests.model.conftest import PAGE as P
from tests.model.conftest import World
from tests.model.error_rows import ASSERTS, ErrorTable, Facts, Outcome
from vmaspace.model.arch.aspace import ArchVmAspace
from vmaspace.model.constants import MAX_U64
from vmaspace.model.flags import AspaceType, MmuFlag, VmarFlag
from vmaspace.model.region import MemoryPriority
from vmaspace.model.status import Status
from vmaspace.model.system import System
from vmaspace.model.vmo import VmoKind

OK, INVALID_ARGS, BAD_STATE = Status.ZX_OK, Status.ZX_ERR_INVALID_ARGS, Status.ZX_ERR_BAD_STATE
ACCESS_DENIED, OUT_OF_RANGE = Status.ZX_ERR_ACCESS_DENIED, Status.ZX_ERR_OUT_OF_RANGE
ALREADY_EXISTS, NO_MEMORY = Status.ZX_ERR_ALREADY_EXISTS, Status.ZX_ERR_NO_MEMORY
NOT_SUPPORTED, NEXT = Status.ZX_ERR_NOT_SUPPORTED, Status.ZX_ERR_NEXT

R, W, X = MmuFlag.PERM_READ, MmuFlag.PERM_WRITE, MmuFlag.PERM_EXECUTE
DYNAMIC = VmarFlag.DEBUG_DYNAMIC_KERNEL_MAPPING


class StuckTables(ArchVmAspace):
    """Page tables that can not be edited any more once they are stuck."""

    is_stuck = False

    def map(self, *request: Any) -> Status:
        return NO_MEMORY if self.is_stuck else super().map(*request)

    def unmap(self, *request: Any) -> Status:
        return NO_MEMORY if self.is_stuck else super().unmap(*request)

    def protect(self, *request: Any) -> Status:
        return NO_MEMORY if self.is_stuck else super().protect(*request)


class StuckSystem(System):
    arch_aspace_class = StuckTables


class Scene:
    """A VMAR of 64 pages that holds a mapping of 4 pages, or vDSO code, or both with one of them first."""

    def __init__(
        self,
        *,
        kernel: bool = False,
        kind: str = "paged",
        vdso: bool = False,
        vdso_first: bool = True,
        writable: bool = True,
        pinned: bool = False,
        fault_beyond: bool = False,
        mapped: bool = False,
        committed: bool = True,
        cpus: int = 1,
        stuck: bool = False,
        dead: bool = False,
        no_memory: int = 0,
        no_page: bool = False,
    ) -> None:
        self.world = World(StuckSystem(aslr_disabled=True, online_cpus=cpus))
        self.system = self.world.system
        root = self.world.root
        if kernel:
            root = self.system.create_default_aspace(AspaceType.LOW_KERNEL).root
        _, self.vmar = root.create_sub_vmar(-root.base % 0x40000, 0x40000, 0, VmarFlag.SPECIFIC | 0x78)
        status, self.vmo = self.system.create_vmo(8 * P, VmoKind[kind.upper()])
        assert status is OK
        if pinned or (committed and kind == "paged"):
            self.vmo.commit_range_pinned(0, 8 * P, True)
            if not pinned:
                self.vmo.unpin(0, 8 * P)
        flags = VmarFlag.FAULT_BEYOND_STREAM_SIZE * fault_beyond | VmarFlag.CAN_MAP_WRITE * writable
        flags |= VmarFlag.SPECIFIC | DYNAMIC
        self.mapping = self.world.map(8, 4, vmar=self.vmar, vmo=self.vmo, mmu=R | W * writable, flags=flags)
        if kernel and not pinned:
            self.mapping._flags &= ~DYNAMIC  # as if it had been pinned, and is not any more
        if vdso:
            image, code = self.system.create_vdso_vmo(), self.system.vdso.code_start // P
            page, flags = 0 if vdso_first else 16, VmarFlag.SPECIFIC
            self.code = self.world.map(page, 2, vmar=self.vmar, vmo=image, vmo_page=code, mmu=R | X, flags=flags)
        if mapped:
            assert self.mapping.map_range(P, P) is OK
        if dead:
            assert self.vmar.destroy() is OK
        self.vmar.aspace.arch.is_stuck = stuck
        self.system.heap.fail_next(no_memory)
        self.system.pmm.fail_next(int(no_page))


def destroy_vmar(**scene: Any) -> Any:
    return Scene(**scene).vmar.destroy()


def destroy_mapping(**scene: Any) -> Any:
    at = Scene(**scene)
    return (at.code if scene.get("vdso") else at.mapping).destroy()


def set_memory_priority(**scene: Any) -> Any:
    return Scene(**scene).vmar.set_memory_priority(MemoryPriority.HIGH)


def enumerate_children(*, says: Status = NEXT, **scene: Any) -> Any:
    return Scene(**scene).vmar.enumerate_children(lambda region, depth: says)


def map_range(
    *, offset: int = 0, size: int = 4 * P, commit: bool = False, ignore: bool = False, **scene: Any
) -> Any:
    return Scene(**scene).mapping.map_range(offset, size, commit=commit, ignore_existing=ignore)


def decommit_range(*, offset: int = 0, size: int = 4 * P, **scene: Any) -> Any:
    return Scene(**scene).mapping.decommit_range(offset, size)


def reserve_space(*, offset: int = 32 * P, size: int = 4 * P, mmu: int = R, **scene: Any) -> Any:
    at = Scene(**scene)
    return at.vmar.reserve_space("boot", at.vmar.base + offset, size, mmu)


def force_writable(**scene: Any) -> Any:
    at = Scene(writable=False, **scene)
    return (at.code if scene.get("vdso") else at.mapping).force_writable()


DEAD: tuple[Outcome, Facts] = (BAD_STATE, {"dead": True, "vdso": False})
TABLES = {
    "Destroy of a VMAR": ErrorTable(
        destroy_vmar,
        {
            "dead": DEAD,
            "vDSO code": (ACCESS_DENIED, {"vdso": True, "vdso_first": True}),
            "page tables": (NO_MEMORY, {"stuck": True}),
            "vDSO code, later": (ACCESS_DENIED, {"vdso": True, "vdso_first": False}),
        },
        apart={("dead", "vDSO code"): "nothing is left in it"},
    ),
    "Destroy of a mapping": ErrorTable(
        destroy_mapping,
        {
            "dead": DEAD,
            "vDSO code": (ACCESS_DENIED, {"vdso": True}),
            "page tables": (NO_MEMORY, {"stuck": True}),
        },
        apart={("dead", "vDSO code"): "the code dies with its address space only"},
    ),
    "SetMemoryPriority": ErrorTable(set_memory_priority, {"dead": DEAD}),
    "EnumerateChildren": ErrorTable(
        enumerate_children,
        {
            "dead": DEAD,
            "the visitor refuses": (NO_MEMORY, {"says": NO_MEMORY}),
        },
    ),
    "MapRange": ErrorTable(
        map_range,
        {
            "size 0": (INVALID_ARGS, {"size": 0}),
            "size wraps when rounded": (INVALID_ARGS, {"size": MAX_U64}),
            "dead": DEAD,
            "misaligned": (INVALID_ARGS, {"offset": 1, "size": P}),
            "past the end": (INVALID_ARGS, {"offset": P, "size": 4 * P}),
            "end wraps": (INVALID_ARGS, {"offset": MAX_U64 - P + 1, "size": 4 * P}),
            "kernel mapping of what is not pinned": (ASSERTS, {"kernel": True, "pinned": False}),
            "the VMO refuses": (NO_MEMORY, {"commit": True, "committed": False, "no_page": True}),
            "an entry is there": (ALREADY_EXISTS, {"mapped": True, "committed": True, "ignore": False}),
            "page tables": (NO_MEMORY, {"stuck": True, "mapped": False}),
        },
        apart={
            ("the VMO refuses", "an entry is there"): "what is mapped here is committed",
            ("an entry is there", "page tables"): "one call to the page tables",
        },
    ),
    "DecommitRange": ErrorTable(
        decommit_range,
        {
            "dead": DEAD,
            "past the end": (OUT_OF_RANGE, {"offset": P}),
            "end wraps": (OUT_OF_RANGE, {"offset": MAX_U64 - P + 1}),
            "the VMO refuses": (NOT_SUPPORTED, {"kind": "physical"}),
        },
    ),
    "ReserveSpace": ErrorTable(
        reserve_space,
        {
            "outside": (INVALID_ARGS, {"offset": 61 * P}),
            "no memory for the VMO": (NO_MEMORY, {"no_memory": 1}),
            "dead": DEAD,
            "in use": (ALREADY_EXISTS, {"offset": 8 * P}),
            "no memory for the mapping": (NO_MEMORY, {"no_memory": 3}),
            "more than one CPU": (ASSERTS, {"cpus": 2, "mmu": R}),
            "page tables": (NO_MEMORY, {"stuck": True}),
        },
    ),
    "ForceWritable": ErrorTable(
        force_writable,
        {
            "dead": DEAD,
            "vDSO code": (ACCESS_DENIED, {"vdso": True}),
            "no memory for the clone": (NO_MEMORY, {"no_memory": 1}),
            "no memory for the mapping": (NO_MEMORY, {"no_memory": 3}),
        },
        apart={("dead", "vDSO code"): "the code dies with its address space only"},
    ),
}
