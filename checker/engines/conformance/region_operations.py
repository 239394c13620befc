"""Operations on VMARs and mappings.

`api: "kernel"` is the kernel's own interface: no handle rights, permissions as `mmu`. Without it, the system
calls are meant.
"""

from __future__ import annotations

from vmaspace.checker.engines.conformance.environment import Bound, Environment, System
from vmaspace.checker.engines.conformance.error import BadStep, Unsupported, nearest
from vmaspace.checker.engines.conformance.vocabulary import (
    INTEGER,
    MAYBE_INTEGER,
    MAYBE_OBJECT,
    MAYBE_TRUTH,
    MAYBE_WORD,
    MAYBE_WORDS,
    OBJECT,
    WORD,
    WORDS,
    Answer,
    observe_address,
    operation,
)
from vmaspace.model.constants import round_up_page
from vmaspace.model.flags import ZX_VM_ALIGN_BASE, Right
from vmaspace.model.object.dispatcher import (
    BASIC_RIGHTS,
    Dispatcher,
    Handle,
    VmAddressRegionDispatcher,
    lookup,
)
from vmaspace.model.object.syscalls import (
    zx_vmar_allocate,
    zx_vmar_destroy,
    zx_vmar_map,
    zx_vmar_op_range,
    zx_vmar_protect,
    zx_vmar_unmap,
)
from vmaspace.model.region import MemoryPriority, VmAddressRegionOrMapping
from vmaspace.model.status import (
    ZX_OK,
    Status,
)
from vmaspace.model.vmar_range_op import RangeOpType


def _is_kernel(api: str | None) -> bool:
    if api not in (None, "kernel"):
        raise Unsupported(f"the interface {api!r}")
    return api == "kernel"


def _op_children(word: str | None) -> bool:
    if word not in (None, "yes", "no"):
        raise BadStep(f"op_children is yes or no, not {word!r}")
    return word != "no"


def _place_of_first_fit(env: Environment, vmar: Bound, alignment: int, size: int) -> int:
    """The offset of the first address with this alignment that has room."""
    if alignment <= 0 or alignment & (alignment - 1):
        raise BadStep(f"an alignment is a power of two, not {alignment}")
    region = env.vmar(vmar)
    status, base = region.subregions.get_alloc_spot(
        alignment.bit_length() - 1, 0, round_up_page(size), region.base, region.size
    )
    if status is not ZX_OK:
        raise BadStep(f"there is no room for {size} bytes with this alignment")
    return base - region.base


@operation(
    "vmar.allocate",
    "status base base_nonzero aligned_log2 top_byte_zero",
    vmar=OBJECT,
    options=WORDS,
    size=INTEGER,
    offset=MAYBE_INTEGER,
    offset_from_aligned_base=MAYBE_INTEGER,
    align_pow2=MAYBE_INTEGER,
    api=MAYBE_WORD,
)
def vmar_allocate(
    env: Environment,
    vmar: Bound,
    options: list[str],
    size: int,
    offset: int | None = None,
    offset_from_aligned_base: int | None = None,
    align_pow2: int | None = None,
    api: str | None = None,
) -> Answer:
    """Make a sub-VMAR."""
    if (offset is None) == (offset_from_aligned_base is None):
        raise BadStep("a place is either offset or offset_from_aligned_base")
    if offset_from_aligned_base is not None:
        offset = _place_of_first_fit(env, vmar, offset_from_aligned_base, size)
    offset = offset or 0
    if _is_kernel(api):
        flags, alignment = env.vmar_flags(options)
        status, child = env.vmar(vmar).create_sub_vmar(offset, size, align_pow2 or alignment, flags)
        return _bind_region(status, child)
    word = env.vm_options(options) | (align_pow2 or 0) << ZX_VM_ALIGN_BASE
    status, handle, base = zx_vmar_allocate(env.handle(vmar), word, offset, size)
    if handle is None:
        return Answer(status.name)
    return Answer(status.name, observe_address(base), {"": Bound(handle, base, size)})


@operation(
    "vmar.map",
    "status base base_nonzero aligned_log2 top_byte_zero",
    vmar=OBJECT,
    options=WORDS,
    offset=INTEGER,
    vmo=OBJECT,
    vmo_offset=INTEGER,
    size=INTEGER,
    mmu=MAYBE_WORDS,
    align_pow2=MAYBE_INTEGER,
    api=MAYBE_WORD,
)
def vmar_map(
    env: Environment,
    vmar: Bound,
    options: list[str],
    offset: int,
    vmo: Bound,
    vmo_offset: int,
    size: int,
    mmu: list[str] | None = None,
    align_pow2: int | None = None,
    api: str | None = None,
) -> Answer:
    """Map a VMO."""
    if _is_kernel(api):
        if mmu is None:
            raise BadStep("the kernel's own interface takes permissions as mmu")
        flags, alignment = env.vmar_flags(options)
        status, mapping = env.vmar(vmar).create_vm_mapping(
            offset,
            size,
            align_pow2 or alignment,
            flags,
            env.vmo(vmo),
            vmo_offset,
            env.mmu_flags(mmu),
            "test",
        )
        return _bind_region(status, mapping)
    if mmu is not None:
        raise Unsupported("mmu without the kernel's own interface")
    word = env.vm_options(options) | (align_pow2 or 0) << ZX_VM_ALIGN_BASE
    status, base, mapping = zx_vmar_map(env.handle(vmar), word, offset, env.handle(vmo), vmo_offset, size)
    if mapping is None:
        return Answer(status.name)
    return Answer(status.name, observe_address(base), {"": Bound(mapping, base, round_up_page(size))})


@operation(
    "vmar.unmap",
    vmar=OBJECT,
    addr=INTEGER,
    size=INTEGER,
    op_children=MAYBE_WORD,
    api=MAYBE_WORD,
)
def vmar_unmap(
    env: Environment,
    vmar: Bound,
    addr: int,
    size: int,
    op_children: str | None = None,
    api: str | None = None,
) -> Answer:
    """Unmap a range."""
    if _is_kernel(api):
        return Answer(env.vmar(vmar).unmap(addr, size, _op_children(op_children)).name)
    if op_children is not None:
        raise Unsupported("op_children without the kernel's own interface")
    return Answer(zx_vmar_unmap(env.handle(vmar), addr, size).name)


@operation(
    "vmar.protect",
    vmar=OBJECT,
    addr=INTEGER,
    size=INTEGER,
    options=MAYBE_WORDS,
    mmu=MAYBE_WORDS,
    op_children=MAYBE_WORD,
    api=MAYBE_WORD,
)
def vmar_protect(
    env: Environment,
    vmar: Bound,
    addr: int,
    size: int,
    options: list[str] | None = None,
    mmu: list[str] | None = None,
    op_children: str | None = None,
    api: str | None = None,
) -> Answer:
    """Change the permissions of a range."""
    if _is_kernel(api):
        if mmu is None or options:
            raise BadStep("the kernel's own interface takes permissions as mmu")
        status = env.vmar(vmar).protect(addr, size, env.mmu_flags(mmu), _op_children(op_children))
        return Answer(status.name)
    if mmu is not None or op_children is not None:
        raise Unsupported("mmu or op_children without the kernel's own interface")
    if options is None:
        raise BadStep("vmar.protect has no 'options'")
    return Answer(zx_vmar_protect(env.handle(vmar), env.vm_options(options), addr, size).name)


@operation("vmar.destroy", vmar=OBJECT, api=MAYBE_WORD)
def vmar_destroy(env: Environment, vmar: Bound, api: str | None = None) -> Answer:
    """Destroy a VMAR."""
    if _is_kernel(api):
        return Answer(env.vmar(vmar).destroy().name)
    return Answer(zx_vmar_destroy(env.handle(vmar)).name)


@operation("vmar.op_range", vmar=OBJECT, range_op=WORD, addr=INTEGER, size=INTEGER, api=MAYBE_WORD)
def vmar_op_range(
    env: Environment, vmar: Bound, range_op: str, addr: int, size: int, api: str | None = None
) -> Answer:
    """Do something to the VMOs behind a range."""
    if range_op not in RangeOpType.__members__:
        raise BadStep(f"unknown range operation {range_op!r}", nearest(range_op, list(RangeOpType.__members__)))
    op = RangeOpType[range_op]
    if _is_kernel(api):
        return Answer(env.vmar(vmar).range_op(op, addr, size, op_children=True).name)
    return Answer(zx_vmar_op_range(env.handle(vmar), op, addr, size).name)


@operation("vmar.set_memory_priority", vmar=OBJECT, level=WORD)
def vmar_set_memory_priority(env: Environment, vmar: Bound, level: str) -> Answer:
    """Set the memory priority of a VMAR and of all below it."""
    priorities = {priority.name.lower(): priority for priority in MemoryPriority}
    if level not in priorities:
        raise BadStep(f"unknown memory priority {level!r}", nearest(level, list(priorities)))
    return Answer(env.vmar(vmar).set_memory_priority(priorities[level]).name)


class _Profile(Dispatcher):
    """A profile that holds a memory priority and nothing else."""

    def __init__(self, system: System, priority: MemoryPriority) -> None:
        super().__init__(system)
        self.priority = priority


@operation("profile.create", kind=WORD)
def profile_create(env: Environment, kind: str) -> Answer:
    """Make a profile of a memory priority: high or default, with or without the words that say so."""
    named = {*kind.lower().replace("-", "_").replace(" ", "_").split("_")} - {"memory", "priority"}
    found = [priority for priority in MemoryPriority if named == {priority.name.lower()}]
    if not found:
        raise Unsupported(f"a profile of the kind {kind!r}")
    return Answer(bound={"": Bound(Handle(_Profile(env.system, found[0]), BASIC_RIGHTS | Right.APPLY_PROFILE))})


@operation("vmar.set_profile", vmar=OBJECT, profile=OBJECT)
def vmar_set_profile(env: Environment, vmar: Bound, profile: Bound) -> Answer:
    """Give a VMAR, and all below it, the memory priority of a profile.

    *Kernel:* `sys_object_set_profile` (zircon/kernel/lib/syscalls/profile.cc)
    """
    status, chosen = lookup(env.handle(profile), _Profile, Right.APPLY_PROFILE)
    if chosen is None:
        return Answer(status.name)
    status, dispatcher = lookup(env.handle(vmar), VmAddressRegionDispatcher, Right.OP_CHILDREN)
    if dispatcher is None:
        return Answer(status.name)
    return Answer(dispatcher.vmar.set_memory_priority(chosen.priority).name)


@operation("vmar.info", "status base size", vmar=OBJECT)
def vmar_info(env: Environment, vmar: Bound) -> Answer:
    """Base and size, whatever the state."""
    status, dispatcher = lookup(env.handle(vmar), VmAddressRegionDispatcher, Right.INSPECT)
    if dispatcher is None:
        return Answer(status.name)
    region = dispatcher.vmar
    return Answer(
        observed={"base": region.base, "size": region.size},
        bound={"": Bound(region, region.base, region.size)},
    )


@operation("vmar.has_parent", "status value result has_parent attached", vmar=OBJECT)
def vmar_has_parent(env: Environment, vmar: Bound) -> Answer:
    """Whether a VMAR still hangs in its tree."""
    attached = env.vmar(vmar).has_parent()
    return Answer(observed=dict.fromkeys(("value", "result", "has_parent", "attached"), attached))


@operation(
    "vmar.find_region",
    "found kind base size",
    addr=INTEGER,
    recurse=MAYBE_TRUTH,
    vmar=MAYBE_OBJECT,
    aspace=MAYBE_OBJECT,
)
def vmar_find_region(
    env: Environment, addr: int, recurse: bool = False, vmar: Bound | None = None, aspace: Bound | None = None
) -> Answer:
    """The direct child at an address; with `recurse`, the mapping below any number of VMARs.

    An address space answers with the innermost region, as its own lookup does.
    """
    if (vmar is None) == (aspace is None):
        raise BadStep("a place to look in is either vmar or aspace")
    found: VmAddressRegionOrMapping | None
    if aspace is not None:
        found = env.aspace(aspace).find_region(addr)
    else:
        root = env.vmar(vmar) if vmar is not None else None
        found = None if root is None else root.find_region(addr)
        if recurse and root is not None and root.is_alive():
            with root.aspace.lock():
                found = root.find_mapping_locked(addr)
    if found is None:
        return Answer(observed={"found": False, "kind": None, "base": None, "size": None})
    kind = "mapping" if found.is_mapping else "vmar"
    return Answer(
        observed={"found": True, "kind": kind, "base": found.base, "size": found.size},
        bound={"": Bound(found, found.base, found.size)},
    )


def _bind_region(status: Status, region: VmAddressRegionOrMapping | None) -> Answer:
    if region is None:
        return Answer(status.name)
    return Answer(status.name, observe_address(region.base), {"": Bound(region, region.base, region.size)})
