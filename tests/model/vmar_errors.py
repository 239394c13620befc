"""The errors of VMARs, row by row in the kernel's order: creation, unmapping, protection, range operations."""

from typing import Any

from tests.model.conftest import PAGE as P
from tests.model.conftest import World
from tests.model.error_rows import ASSERTS, ErrorTable, Facts, Outcome
from vmaspace.model.constants import MAX_U64
from vmaspace.model.flags import AspaceType, MmuFlag, VmarFlag
from vmaspace.model.status import Status
from vmaspace.model.system import System
from vmaspace.model.vmar_range_op import RangeOpType
from vmaspace.model.vmo import VmObject, VmObjectPaged, VmoKind

OK, INVALID_ARGS, BAD_STATE = Status.ZX_OK, Status.ZX_ERR_INVALID_ARGS, Status.ZX_ERR_BAD_STATE
ACCESS_DENIED, OUT_OF_RANGE = Status.ZX_ERR_ACCESS_DENIED, Status.ZX_ERR_OUT_OF_RANGE
ALREADY_EXISTS, NOT_FOUND = Status.ZX_ERR_ALREADY_EXISTS, Status.ZX_ERR_NOT_FOUND
NO_MEMORY, NO_RESOURCES = Status.ZX_ERR_NO_MEMORY, Status.ZX_ERR_NO_RESOURCES
NOT_SUPPORTED = Status.ZX_ERR_NOT_SUPPORTED

R, W, X = MmuFlag.PERM_READ, MmuFlag.PERM_WRITE, MmuFlag.PERM_EXECUTE
CAN_W, CAN_X = VmarFlag.CAN_MAP_WRITE, VmarFlag.CAN_MAP_EXECUTE
VMAR_PAGES = 64


class FickleVmo(VmObjectPaged):
    """A VMO that destroys a VMAR while it is asked something, as another thread could, and then may refuse."""

    __slots__ = ("refuses", "victim")

    def __init__(self, *args: Any, **settings: Any) -> None:
        self.victim, self.refuses = None, False
        super().__init__(*args, **settings)

    def get_stream_size(self) -> int:
        victim, self.victim = self.victim, None
        if victim is not None:
            assert victim.destroy() is OK
        return super().get_stream_size()

    def zero_range(self, offset: int, size: int) -> Status:
        return NO_RESOURCES if self.refuses else super().zero_range(offset, size)


class FickleSystem(System):
    paged_vmo_class = FickleVmo


class Scene:
    """A VMAR of 64 pages at a multiple of its size, what is in it, and a VMO to map.

    In use is `[8, 20)`, as far as asked for: vDSO code at 8, a VMAR at 10, a mapping from 12 on.
    """

    def __init__(
        self,
        *,
        system_class: type[System] = System,
        kernel: bool = False,
        can_specific: bool = True,
        can_execute: bool = True,
        vmo: str = "paged",
        full: bool = False,
        has_vdso: bool = False,
        has_vmar: bool = False,
        has_mapping: bool = False,
        dead: bool = False,
        no_memory: int = 0,
    ) -> None:
        self.world = World(system_class(aslr_disabled=True))
        self.system = self.world.system
        root = self.world.root
        if kernel:
            root = self.system.create_default_aspace(AspaceType.LOW_KERNEL).root
        size = VMAR_PAGES * P
        flags = VmarFlag.CAN_MAP_SPECIFIC | VmarFlag.CAN_MAP_READ | CAN_W | CAN_X
        _, self.vmar = root.create_sub_vmar(-root.base % size, size, 0, flags | VmarFlag.SPECIFIC)
        assert self.vmar.base % size == 0
        self.kernel, self.vmo = kernel, self.make_vmo(vmo)
        if full:
            _, mapping = self.vmar.create_vm_mapping(0, size, 0, self.dynamic, self.world.vmo, 0, R)
            assert mapping is not None
        if has_vdso:
            self.put_vdso_code(8)
        if has_vmar:
            self.world.vmar(10, 2, vmar=self.vmar)
        if has_mapping:
            self.put_mapping(12, 8)
        # As if it had been created with less.
        self.vmar._flags &= ~(CAN_X * (not can_execute) | VmarFlag.CAN_MAP_SPECIFIC * (not can_specific))
        if dead:
            assert self.vmar.destroy() is OK
        self.system.heap.fail_next(no_memory)

    dynamic = VmarFlag.DEBUG_DYNAMIC_KERNEL_MAPPING  # so that what is in the way needs no pinning

    def make_vmo(self, kind: str) -> VmObject:
        if kind == "vdso":
            return self.system.create_vdso_vmo()
        _, vmo = self.system.create_vmo(256 * P, VmoKind[kind.upper()])
        assert vmo is not None
        return vmo

    def put_mapping(self, page: int, pages: int, vmar: Any = None, flags: int = 0, vmo: Any = None) -> Any:
        flags |= VmarFlag.SPECIFIC | self.dynamic
        return self.world.map(page, pages, vmar=vmar or self.vmar, vmo=vmo, mmu=R, flags=flags)

    def put_vdso_code(self, page: int, vmar: Any = None) -> None:
        code = self.system.vdso.code_start // P
        vdso, flags = self.make_vmo("vdso"), VmarFlag.SPECIFIC | self.dynamic
        self.world.map(page, 2, vmar=vmar or self.vmar, vmo=vdso, vmo_page=code, mmu=R | X, flags=flags)


# Creation.


def create_sub_vmar(
    *,
    offset: int = 0,
    size: int = P,
    align: int = 0,
    specific: bool = False,
    upper_limit: bool = False,
    asks_execute: bool = False,
    bad_flag: bool = False,
    **scene: Any,
) -> Any:
    flags = VmarFlag.SPECIFIC * specific | VmarFlag.OFFSET_IS_UPPER_LIMIT * upper_limit
    flags |= CAN_X * asks_execute | VmarFlag.SPECIFIC_OVERWRITE * bad_flag
    return Scene(**scene).vmar.create_sub_vmar(offset, size, align, flags)


EMPTY: Facts = {"has_vdso": False, "has_vmar": False, "has_mapping": False}
NO_PLACE: Facts = {"specific": False, "overwrite": False}
# Rows 3 to 13 of a VMAR, and 8 to 18 of a mapping.
PLACEMENT: dict[str, tuple[Outcome, Facts]] = {
    "dead": (
        BAD_STATE,
        {**EMPTY, "dead": True, "full": False},
    ),
    "size 0": (INVALID_ARGS, {"size": 0}),
    "CAN_MAP beyond the parent": (ACCESS_DENIED, {"asks_execute": True, "can_execute": False}),
    "place and upper limit": (INVALID_ARGS, {"specific": True, "upper_limit": True}),
    "offset without a use": (INVALID_ARGS, {**NO_PLACE, "upper_limit": False, "offset": P}),
    "place misaligned": (INVALID_ARGS, {"specific": True, "offset": P + 1}),
    "limit misaligned": (INVALID_ARGS, {"upper_limit": True, "offset": 4 * P + 1}),
    "place without CAN_MAP_SPECIFIC": (ACCESS_DENIED, {"specific": True, "can_specific": False}),
    "limit without CAN_MAP_SPECIFIC": (ACCESS_DENIED, {"upper_limit": True, "can_specific": False}),
    "place past the end": (
        INVALID_ARGS,
        {"specific": True, "upper_limit": False, "offset": VMAR_PAGES * P},
    ),
    "limit past the end": (
        INVALID_ARGS,
        {**NO_PLACE, "upper_limit": True, "offset": (VMAR_PAGES + 1) * P},
    ),
    "limit below the size": (INVALID_ARGS, {**NO_PLACE, "upper_limit": True, "offset": 0}),
    "larger than the parent": (INVALID_ARGS, {"upper_limit": False, "size": (VMAR_PAGES + 1) * P}),
    "place against the alignment": (
        INVALID_ARGS,
        {"specific": True, "upper_limit": False, "offset": 9 * P, "align": 13},
    ),
    "place in use": (
        ALREADY_EXISTS,
        {"specific": True, "upper_limit": False, "overwrite": False, "offset": 9 * P, "has_vdso": True},
    ),
    "no gap": (
        NO_RESOURCES,
        {**EMPTY, **NO_PLACE, "upper_limit": False, "full": True},
    ),
    "no gap below the limit": (
        NO_RESOURCES,
        {**EMPTY, **NO_PLACE, "upper_limit": True, "offset": 16 * P, "size": 16 * P, "full": True},
    ),
}
PLACED_BOTH: dict[tuple[str, str], Facts] = {
    ("place misaligned", "place past the end"): {"specific": True, "offset": VMAR_PAGES * P + 1},
    ("place past the end", "place against the alignment"): {
        "specific": True,
        "offset": (VMAR_PAGES + 1) * P,
        "align": 13,
    },
    ("larger than the parent", "place in use"): {
        "specific": True,
        "offset": 9 * P,
        "size": VMAR_PAGES * P,
        "has_vdso": True,
    },
    ("larger than the parent", "no gap"): {"size": (VMAR_PAGES + 1) * P, "full": True},
    ("limit below the size", "no gap below the limit"): {"upper_limit": True, "offset": 0, "full": True},
}
ONE_PLACE = "a request is for a place, or below a limit, or neither"
PLACED_APART = {
    ("limit without CAN_MAP_SPECIFIC", "place past the end"): ONE_PLACE,
    ("place in use", "no gap"): ONE_PLACE,
}


def without(name: str, rows: dict[str, tuple[Outcome, Facts]]) -> dict[str, tuple[Outcome, Facts]]:
    """The rows without a fact that one of the two requests does not have."""
    return {
        row: (outcome, {k: v for k, v in facts.items() if k != name})
        for row, (outcome, facts) in rows.items()
    }


CREATE_SUB_VMAR = ErrorTable(
    create_sub_vmar,
    {
        "size not whole pages": (INVALID_ARGS, {"size": P + 1}),
        "flag not taken": (INVALID_ARGS, {"bad_flag": True}),
        **without("overwrite", PLACEMENT),
        "no memory for the object": (NO_MEMORY, {"no_memory": 1}),
        "no memory for the list": (NO_MEMORY, {"no_memory": 2}),
    },
    PLACED_BOTH,
    PLACED_APART,
)


def create_vm_mapping(
    *,
    offset: int = 0,
    size: int = P,
    align: int = 0,
    vmo_offset: int = 0,
    execute: bool = False,
    specific: bool = False,
    overwrite: bool = False,
    upper_limit: bool = False,
    dynamic: bool = False,
    asks_execute: bool = False,
    fault_beyond: bool = False,
    bad_flag: bool = False,
    **scene: Any,
) -> Any:
    flags = VmarFlag.SPECIFIC * specific | VmarFlag.SPECIFIC_OVERWRITE * overwrite
    flags |= VmarFlag.OFFSET_IS_UPPER_LIMIT * upper_limit | CAN_X * asks_execute | Scene.dynamic * dynamic
    flags |= VmarFlag.FAULT_BEYOND_STREAM_SIZE * fault_beyond | VmarFlag.COMPACT * bad_flag
    at = Scene(**scene)
    return at.vmar.create_vm_mapping(offset, size, align, flags, at.vmo, vmo_offset, R | X * execute)


OVERWRITES: Facts = {"overwrite": True, "upper_limit": False, "offset": 8 * P, "size": 8 * P}
CREATE_VM_MAPPING = ErrorTable(
    create_vm_mapping,
    {
        "flag not taken": (INVALID_ARGS, {"bad_flag": True}),
        "permission beyond the VMAR": (ACCESS_DENIED, {"execute": True, "can_execute": False}),
        "VMO offset misaligned": (INVALID_ARGS, {"vmo_offset": P - 1}),
        "size wraps when rounded": (OUT_OF_RANGE, {"size": MAX_U64}),
        "end in the VMO wraps": (OUT_OF_RANGE, {"vmo_offset": MAX_U64 - P + 1, "size": P}),
        "past a physical VMO": (OUT_OF_RANGE, {"vmo": "physical", "vmo_offset": 256 * P, "size": P}),
        "FAULT_BEYOND on a physical VMO": (ASSERTS, {"fault_beyond": True, "vmo": "physical"}),
        "FAULT_BEYOND on a contiguous VMO": (ASSERTS, {"fault_beyond": True, "vmo": "contiguous"}),
        **PLACEMENT,
        "overwrite, no memory for the object": (NO_MEMORY, {**OVERWRITES, "has_mapping": True, "no_memory": 1}),
        "overwrite, vDSO code in range": (ACCESS_DENIED, {**OVERWRITES, "has_vdso": True}),
        "overwrite, VMAR in range": (INVALID_ARGS, {**OVERWRITES, "has_vmar": True}),
        "overwrite, no memory to cut": (NO_MEMORY, {**OVERWRITES, "has_mapping": True, "no_memory": 2}),
        "overwrite, no memory for the list": (NO_MEMORY, {**OVERWRITES, "has_mapping": True, "no_memory": 5}),
        "kernel mapping of what is not pinned": (
            ASSERTS,
            {"kernel": True, "dynamic": False, "vmo": "paged", "overwrite": False},
        ),
        "no memory for the object": (NO_MEMORY, {"overwrite": False, "no_memory": 1}),
        "vDSO code, not the whole": (
            ACCESS_DENIED,
            {"overwrite": False, "vmo": "vdso", "execute": True, "vmo_offset": 0},
        ),
        "vDSO code, a second time": (
            ACCESS_DENIED,
            {
                "overwrite": False,
                "vmo": "vdso",
                "execute": True,
                "vmo_offset": 7 * P,
                "size": 2 * P,
                "has_vdso": True,
            },
        ),
        "no memory for the list": (NO_MEMORY, {"overwrite": False, "no_memory": 2}),
    },
    PLACED_BOTH,
    {
        **PLACED_APART,
        ("no gap below the limit", "overwrite, no memory for the object"): ONE_PLACE,
        ("overwrite, no memory for the list", "kernel mapping of what is not pinned"): "an overwrite does not look",
    },
)


# Unmapping.


def unmap(
    *, offset: int = 8 * P, size: int = 8 * P, op_children: bool = True, **scene: Any
) -> Any:
    at = Scene(**scene)
    return at.vmar.unmap(at.vmar.base + offset, size, op_children)


UNMAP = ErrorTable(
    unmap,
    {
        "size 0": (INVALID_ARGS, {"size": 0}),
        "size wraps when rounded": (INVALID_ARGS, {"size": MAX_U64}),
        "base misaligned": (INVALID_ARGS, {"offset": 8 * P + 1}),
        "dead": (BAD_STATE, {**EMPTY, "dead": True}),
        "below the VMAR": (INVALID_ARGS, {"offset": -P}),
        "past the end": (INVALID_ARGS, {"offset": (VMAR_PAGES - 7) * P}),
        "no children": (OK, EMPTY),
        "vDSO code in range": (ACCESS_DENIED, {"has_vdso": True}),
        "VMAR that may not go": (INVALID_ARGS, {"has_vmar": True, "op_children": False}),
        "VMAR partly covered": (INVALID_ARGS, {"has_vmar": True, "size": 3 * P}),
        "no memory to cut": (NO_MEMORY, {"has_mapping": True, "size": 8 * P, "no_memory": 1}),
    },
    {
        ("VMAR partly covered", "no memory to cut"): {
            "has_vmar": True,
            "has_mapping": True,
            "offset": 11 * P,
            "size": 3 * P,
            "no_memory": 1,
        }
    },
    {("no children", "vDSO code in range"): "the code is a child"},
    good={"has_mapping": True},
)


# Protection. The range is [8, 16); what is mapped there goes on to 20.


class Mapped(Scene):
    """A scene in which `[8, 16)` is mapped, but for gaps at either end; directly, or in a sub-VMAR."""

    def __init__(
        self,
        *,
        gap: bool = False,
        tail_gap: bool = False,
        vdso: bool = False,
        nested: bool = False,
        writable: bool = True,
        fault_beyond: bool = False,
        stream_pages: int = 256,
        dead: bool = False,
        no_memory: int = 0,
        **scene: Any,
    ) -> None:
        super().__init__(**scene)
        flags = CAN_W * writable | VmarFlag.FAULT_BEYOND_STREAM_SIZE * fault_beyond
        parent, start = self.vmar, 8 + gap
        if nested:
            parent, start = self.world.vmar(8, 12, vmar=self.vmar), int(gap)
        if vdso:
            self.put_vdso_code(start, parent)
            start += 2
        end = (20 if not tail_gap else 15) - (8 if nested else 0)
        self.put_mapping(start, end - start, parent, flags, self.vmo)
        if fault_beyond:
            assert self.vmo.set_stream_size(stream_pages * P) is OK
        if dead:
            assert self.vmar.destroy() is OK
        self.system.heap.fail_next(no_memory)


NOTHING_MAPPED: Facts = {"dead": True, "gap": False, "tail_gap": False, "vdso": False, "nested": False}


def protect(
    *,
    offset: int = 8 * P,
    size: int = 8 * P,
    write: bool = False,
    execute: bool = False,
    cache: bool = False,
    op_children: bool = True,
    **scene: Any,
) -> Any:
    at = Mapped(**scene)
    flags = (R | W) * write | (R | X) * execute | MmuFlag.UNCACHED * cache
    return at.vmar.protect(at.vmar.base + offset, size, flags, op_children)


PROTECT = ErrorTable(
    protect,
    {
        "size 0": (INVALID_ARGS, {"size": 0}),
        "size wraps when rounded": (INVALID_ARGS, {"size": MAX_U64}),
        "base misaligned": (INVALID_ARGS, {"offset": 8 * P + 1}),
        "dead": (BAD_STATE, NOTHING_MAPPED),
        "below the VMAR": (INVALID_ARGS, {"offset": -P}),
        "past the end": (INVALID_ARGS, {"offset": (VMAR_PAGES - 7) * P}),
        "cache bits": (INVALID_ARGS, {"cache": True}),
        "gap": (NOT_FOUND, {"gap": True}),
        "permission beyond the mapping": (ACCESS_DENIED, {"execute": True, "vdso": False}),
        "vDSO code": (ACCESS_DENIED, {"vdso": True}),
        "in a sub-VMAR without op_children": (INVALID_ARGS, {"nested": True, "op_children": False}),
        "in a sub-VMAR, more than there was": (
            ACCESS_DENIED,
            {"nested": True, "op_children": True, "write": True},
        ),
        "gap at the end": (NOT_FOUND, {"tail_gap": True}),
        "no memory": (NO_MEMORY, {"no_memory": 1, "tail_gap": False}),
        "write access in a kernel space": (ASSERTS, {"kernel": True, "write": True}),
    },
    {},
    {
        ("in a sub-VMAR without op_children", "in a sub-VMAR, more than there was"): "op_children or not",
        ("gap at the end", "no memory"): "nothing is changed where a gap is",
    },
)


# Operations on the VMOs of a range.


def range_op(
    *,
    offset: int = 8 * P,
    size: int = 8 * P,
    op: int = RangeOpType.ZERO,
    op_children: bool = True,
    buffer: object = None,
    buffer_size: int = 0,
    dies: bool = False,
    refuses: bool = False,
    **scene: Any,
) -> Any:
    at = Mapped(system_class=FickleSystem, **scene)
    if isinstance(at.vmo, FickleVmo):
        at.vmo.victim, at.vmo.refuses = at.vmar if dies else None, refuses
    return at.vmar.range_op(op, at.vmar.base + offset, size, op_children, buffer, buffer_size)


RANGE_OP = ErrorTable(
    range_op,
    {
        "buffer": (INVALID_ARGS, {"buffer": b""}),
        "size of a buffer": (INVALID_ARGS, {"buffer_size": 1}),
        "size 0": (INVALID_ARGS, {"size": 0}),
        "size wraps when rounded": (INVALID_ARGS, {"size": MAX_U64}),
        "base misaligned": (INVALID_ARGS, {"offset": 8 * P + 1}),
        "past the end": (OUT_OF_RANGE, {"offset": (VMAR_PAGES - 7) * P}),
        "dead": (BAD_STATE, NOTHING_MAPPED),
        "vDSO code in range": (ACCESS_DENIED, {"vdso": True}),
        "gap": (BAD_STATE, {"gap": True}),
        "in a sub-VMAR without op_children": (INVALID_ARGS, {"nested": True, "op_children": False}),
        "commits in a sub-VMAR": (INVALID_ARGS, {"nested": True, "op": RangeOpType.COMMIT}),
        "decommits in a sub-VMAR": (INVALID_ARGS, {"nested": True, "op": RangeOpType.DECOMMIT}),
        "prefetches in a sub-VMAR": (INVALID_ARGS, {"nested": True, "op": RangeOpType.PREFETCH}),
        "the VMAR dies meanwhile": (BAD_STATE, {"dies": True, "fault_beyond": True, "tail_gap": False}),
        "past the stream size": (OUT_OF_RANGE, {"fault_beyond": True, "stream_pages": 2}),
        "unknown operation": (NOT_SUPPORTED, {"op": 7}),
        "zeroes what is not to be written": (ACCESS_DENIED, {"op": RangeOpType.ZERO, "writable": False}),
        "commits what is not to be written": (ACCESS_DENIED, {"op": RangeOpType.COMMIT, "writable": False}),
        "the VMO refuses": (NO_RESOURCES, {"op": RangeOpType.ZERO, "refuses": True, "vmo": "paged"}),
        "a physical VMO refuses": (
            NOT_SUPPORTED,
            {"op": RangeOpType.COMMIT, "vmo": "physical", "fault_beyond": False},
        ),
        "gap at the end": (BAD_STATE, {"tail_gap": True}),
    },
    {("base misaligned", "past the end"): {"offset": VMAR_PAGES * P + 1}},
    {
        ("dead", "vDSO code in range"): "nothing is left in it",
        ("unknown operation", "zeroes what is not to be written"): "an unknown operation needs nothing",
        ("commits what is not to be written", "the VMO refuses"): "one operation",
        ("the VMO refuses", "a physical VMO refuses"): "one VMO",
    },
)

TABLES = {
    "CreateSubVmar": CREATE_SUB_VMAR,
    "CreateVmMapping": CREATE_VM_MAPPING,
    "Unmap": UNMAP,
    "Protect": PROTECT,
    "RangeOp": RANGE_OP,
}
