"""Operations on the data structures below a VMAR, and on addresses."""

from __future__ import annotations

from vmaspace.checker.engines.conformance.environment import Bound, Environment
from vmaspace.checker.engines.conformance.error import BadStep, Unsupported, nearest
from vmaspace.checker.engines.conformance.vocabulary import (
    INTEGER,
    MAYBE_OBJECT,
    OBJECT,
    WORD,
    Answer,
    operation,
)
from vmaspace.model.constants import PAGE_SHIFT
from vmaspace.model.enumerator import EnumerationMode, VmAddressRegionEnumerator
from vmaspace.model.flags import MmuFlag, VmarFlag
from vmaspace.model.region import VmAddressRegionOrMapping
from vmaspace.model.region_list import RegionList
from vmaspace.model.status import ZX_ERR_INVALID_ARGS, ZX_ERR_NOT_FOUND, Status
from vmaspace.model.vmar import VmAddressRegion

# Region lists.


def _region_list(bound: Bound) -> RegionList:
    if not isinstance(bound.value, RegionList):
        raise BadStep("expected a region list")
    return bound.value


def _found(region: VmAddressRegionOrMapping | None) -> Answer:
    if region is None:
        return Answer(observed={"found": False, "base": None, "size": None})
    return Answer(observed={"found": True, "base": region.base, "size": region.size})


@operation("rlist.create")
def rlist_create(env: Environment) -> Answer:
    """An empty list."""
    return Answer(bound={"": Bound(env.system.region_list_class(env.system.heap))})


@operation("rlist.insert", list=OBJECT, base=INTEGER, size=INTEGER)
def rlist_insert(env: Environment, list: Bound, base: int, size: int) -> Answer:
    """Insert a region that stands in no tree."""
    region = env.system.vmar_class(env.system.kernel_aspace, None, base, size, 0, "listed")
    return Answer(_region_list(list).insert_region(region).name)


@operation("rlist.remove", "status removed", list=OBJECT, base=INTEGER)
def rlist_remove(env: Environment, list: Bound, base: int) -> Answer:
    """Remove the region with this base."""
    regions = _region_list(list)
    region = regions.find_region(base)
    if region is None or region.base != base:
        return Answer(ZX_ERR_NOT_FOUND.name, {"removed": False})
    regions.remove_region(region)
    return Answer(observed={"removed": True})


@operation("rlist.find", "status found base size", list=OBJECT, addr=INTEGER)
def rlist_find(env: Environment, list: Bound, addr: int) -> Answer:
    """The region that contains an address."""
    return _found(_region_list(list).find_region(addr))


@operation("rlist.include_or_higher", "status found base size", list=OBJECT, addr=INTEGER)
def rlist_include_or_higher(env: Environment, list: Bound, addr: int) -> Answer:
    """The region that contains an address, or the first above it."""
    return _found(_region_list(list).include_or_higher(addr))


@operation("rlist.upper_bound", "status found base size", list=OBJECT, addr=INTEGER)
def rlist_upper_bound(env: Environment, list: Bound, addr: int) -> Answer:
    """The first region whose base is above an address."""
    return _found(_region_list(list).upper_bound(addr))


@operation(
    "rlist.is_range_available", "status available value result", list=OBJECT, base=INTEGER, size=INTEGER
)
def rlist_is_range_available(env: Environment, list: Bound, base: int, size: int) -> Answer:
    """Whether no region meets a range."""
    free = _region_list(list).is_range_available(base, size)
    return Answer(observed={"available": free, "value": free, "result": free})


@operation(
    "rlist.alloc_spot",
    "status addr",
    list=OBJECT,
    align_pow2=INTEGER,
    entropy=INTEGER,
    size=INTEGER,
    parent_base=INTEGER,
    parent_size=INTEGER,
)
def rlist_alloc_spot(
    env: Environment,
    list: Bound,
    align_pow2: int,
    entropy: int,
    size: int,
    parent_base: int,
    parent_size: int,
) -> Answer:
    """A place in a gap."""
    status, addr = _region_list(list).get_alloc_spot(
        align_pow2, entropy, size, parent_base, parent_size, env.system.prng if entropy else None
    )
    return Answer(status.name, {"addr": addr}, {"": Bound(addr, addr)})


# The walk that can pause.


class _Walk:
    def __init__(self, base: int, enumerator: VmAddressRegionEnumerator) -> None:
        self.base = base
        self.enumerator = enumerator


def _walk(bound: Bound) -> _Walk:
    if not isinstance(bound.value, _Walk):
        raise BadStep("expected what enum.begin bound")
    return bound.value


def _deepest_vmar(vmar: VmAddressRegion, addr: int) -> VmAddressRegion:
    """The innermost VMAR that holds an address."""
    while True:
        child = vmar.find_region(addr)
        if not isinstance(child, VmAddressRegion):
            return vmar
        vmar = child


@operation("enum.add_region", vmar=OBJECT, kind=WORD, begin_page=INTEGER, end_page=INTEGER, vmo=MAYBE_OBJECT)
def enum_add_region(
    env: Environment, vmar: Bound, kind: str, begin_page: int, end_page: int, vmo: Bound | None = None
) -> Answer:
    """Put a region into the innermost VMAR that holds its first page."""
    top = env.vmar(vmar)
    base = top.base + (begin_page << PAGE_SHIFT)
    size = (end_page - begin_page) << PAGE_SHIFT
    parent = _deepest_vmar(top, base)
    status: Status
    if kind == "vmar":
        flags = VmarFlag.SPECIFIC | VmarFlag.CAN_MAP_SPECIFIC | VmarFlag.CAN_MAP_READ
        status, _ = parent.create_sub_vmar(base - parent.base, size, 0, flags)
    elif kind == "mapping":
        if vmo is None:
            raise BadStep("a mapping shows a vmo")
        status, _ = parent.create_vm_mapping(
            base - parent.base,
            size,
            0,
            VmarFlag.SPECIFIC,
            env.vmo(vmo),
            begin_page << PAGE_SHIFT,
            MmuFlag.PERM_USER | MmuFlag.PERM_READ,
        )
    else:
        raise BadStep(f"a region is a vmar or a mapping, not {kind!r}")
    return Answer(status.name)


@operation("enum.unmap", vmar=OBJECT, begin_page=INTEGER, end_page=INTEGER)
def enum_unmap(env: Environment, vmar: Bound, begin_page: int, end_page: int) -> Answer:
    """Unmap pages in the outermost VMAR that accepts it."""
    region = env.vmar(vmar)
    base = region.base + (begin_page << PAGE_SHIFT)
    size = (end_page - begin_page) << PAGE_SHIFT
    while True:
        status = region.unmap(base, size, op_children=True)
        child = region.find_region(base)
        if status is not ZX_ERR_INVALID_ARGS or not isinstance(child, VmAddressRegion):
            return Answer(status.name)
        region = child


@operation("enum.begin", vmar=OBJECT, kind=WORD, begin_page=INTEGER, end_page=INTEGER)
def enum_begin(env: Environment, vmar: Bound, kind: str, begin_page: int, end_page: int) -> Answer:
    """Start a walk."""
    modes = {mode.name.lower(): mode for mode in EnumerationMode}
    if kind not in modes:
        raise BadStep(f"unknown kind of walk {kind!r}", nearest(kind, list(modes)))
    top = env.vmar(vmar)
    walk = env.system.enumerator_class(
        top, modes[kind], top.base + (begin_page << PAGE_SHIFT), top.base + (end_page << PAGE_SHIFT)
    )
    return Answer(bound={"": Bound(_Walk(top.base, walk))})


@operation("enum.next", "kind begin_page end_page depth none not_region", enum=OBJECT)
def enum_next(env: Environment, enum: Bound) -> Answer:
    """The next item of a walk."""
    walk = _walk(enum)
    step = walk.enumerator.next()
    if step is None:
        return Answer(observed={"none": True, "not_region": lambda expected: None})
    region, depth = step
    item: dict[str, object] = {
        "kind": "mapping" if region.is_mapping else "vmar",
        "begin_page": (region.base - walk.base) >> PAGE_SHIFT,
        "end_page": (region.end - walk.base) >> PAGE_SHIFT,
        "depth": depth,
    }

    def is_another(expected: dict[str, object]) -> str | None:
        same = all(item.get(key) == value for key, value in expected.items())
        return f"that region: {item}" if same else None

    return Answer(observed={**item, "none": False, "not_region": is_another})


@operation("enum.pause", enum=OBJECT)
def enum_pause(env: Environment, enum: Bound) -> Answer:
    """Let the tree change."""
    _walk(enum).enumerator.pause()
    return Answer()


@operation("enum.resume", enum=OBJECT)
def enum_resume(env: Environment, enum: Bound) -> Answer:
    """Go on with a walk."""
    _walk(enum).enumerator.resume()
    return Answer()


# Addresses.


@operation("user_range.check", "accessible", fn=WORD, vaddr=INTEGER, len=INTEGER)
def user_range_check(env: Environment, fn: str, vaddr: int, len: int) -> Answer:
    """Whether a range can be user memory."""
    arch = env.system.arch
    predicates = {
        "is_user_accessible_range": lambda: arch.is_user_accessible_range(vaddr, len),
        "is_user_accessible": lambda: arch.is_user_accessible(vaddr),
    }
    if fn not in predicates:
        raise Unsupported(f"the predicate {fn}")
    return Answer(observed={"accessible": predicates[fn]()})
