"""Operations on VMARs and mappings.

`api: "kernel"` is the kernel's own interface: no handle rights, permissions as `mmu`. Without it, the system
calls are meant.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from vmaspace.checker.engines.conformance.environment import Bound, Environment
from vmaspace.checker.engines.conformance.error import BadStep, Unsupported
from vmaspace.checker.engines.conformance.vocabulary import (
    INTEGER,
    MAYBE_INTEGER,
    MAYBE_OBJECT,
    MAYBE_WORD,
    MAYBE_WORDS,
    OBJECT,
    TRUTH,
    WORDS,
    Answer,
    observe_address,
    operation,
)
from vmaspace.model.constants import MAX_U64, is_page_aligned, round_up_page
from vmaspace.model.dispatcher import VmAddressRegionDispatcher, lookup
from vmaspace.model.flags import ZX_VM_ALIGN_BASE, Right
from vmaspace.model.mapping import VmMapping
from vmaspace.model.maps import MapEntry, vmar_maps
from vmaspace.model.process import ProcessDispatcher
from vmaspace.model.region import VmAddressRegionOrMapping
from vmaspace.model.status import (
    ZX_ERR_ACCESS_DENIED,
    ZX_ERR_BAD_STATE,
    ZX_ERR_INVALID_ARGS,
    ZX_OK,
    Status,
)
from vmaspace.model.syscalls import (
    zx_vmar_allocate,
    zx_vmar_destroy,
    zx_vmar_map,
    zx_vmar_protect,
    zx_vmar_unmap,
)


def _is_kernel(api: str | None) -> bool:
    if api not in (None, "kernel"):
        raise Unsupported(f"the interface {api!r}")
    return api == "kernel"


def _tagged(addr: int, tag: int | None) -> int:
    """The address as it is passed: a tag stands in its top byte."""
    return addr if tag is None else (addr | tag << 56) & MAX_U64


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
    tag=MAYBE_INTEGER,
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
    tag: int | None = None,  # of addresses that are passed; a mapping is made without one
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
    tag=MAYBE_INTEGER,
    api=MAYBE_WORD,
)
def vmar_unmap(
    env: Environment,
    vmar: Bound,
    addr: int,
    size: int,
    op_children: str | None = None,
    tag: int | None = None,
    api: str | None = None,
) -> Answer:
    """Unmap a range."""
    addr = _tagged(addr, tag)
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
    tag=MAYBE_INTEGER,
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
    tag: int | None = None,
    api: str | None = None,
) -> Answer:
    """Change the permissions of a range."""
    addr = _tagged(addr, tag)
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


@operation("vmar.has_parent", "status value has_parent attached", vmar=OBJECT)
def vmar_has_parent(env: Environment, vmar: Bound) -> Answer:
    """Whether a VMAR still hangs in its tree."""
    attached = env.vmar(vmar).has_parent()
    return Answer(observed={"value": attached, "has_parent": attached, "attached": attached})


@operation(
    "vmar.find_region",
    "found kind base size",
    addr=INTEGER,
    recurse=TRUTH,
    vmar=MAYBE_OBJECT,
    aspace=MAYBE_OBJECT,
)
def vmar_find_region(
    env: Environment, addr: int, recurse: bool, vmar: Bound | None = None, aspace: Bound | None = None
) -> Answer:
    """The region at an address; with `recurse`, the mapping below any number of VMARs."""
    if (vmar is None) == (aspace is None):
        raise BadStep("a place to look in is either vmar or aspace")
    found: VmAddressRegionOrMapping | None
    if aspace is not None:
        found = env.aspace(aspace).find_region(addr)
    else:
        root = env.vmar(vmar) if vmar is not None else None
        found = None if root is None else root.find_region(addr)
        if recurse and root is not None and root.is_alive():
            found = root.find_mapping(addr)
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


# Listings.


def _listing(env: Environment, entries: list[MapEntry]) -> dict[str, object]:
    lines: list[dict[str, Any]] = [
        {
            "index": index,
            "kind": entry.kind.name.lower(),
            "depth": entry.depth,
            "base": entry.base,
            "size": entry.size,
            "name": entry.name,
            "vmo_offset": entry.vmo_offset,
            "mmu": [word for word in ("READ", "WRITE", "EXECUTE") if entry.mmu_flags & env.mmu_flags([word])],
        }
        for index, entry in enumerate(entries)
    ]
    for line, entry in zip(lines, entries, strict=True):
        line["vmo_koid"] = entry.vmo_koid
    return {
        "count": len(entries),
        "lines": lines,
        "bases_non_descending": _holds(lambda: _is_sorted([entry.base for entry in entries])),
        "preorder": _holds(lambda: _is_preorder(entries)),
    }


def _holds(predicate: Callable[[], bool]) -> Callable[[bool], str | None]:
    return lambda expected: None if predicate() is expected else str(not expected).lower()


def _is_sorted(numbers: list[int]) -> bool:
    return all(low <= high for low, high in pairwise(numbers))


def _is_preorder(entries: list[MapEntry]) -> bool:
    """Whether every entry lies inside the entry above it, and comes after it."""
    above: list[MapEntry] = []
    for entry in entries:
        del above[entry.depth :]
        if len(above) != entry.depth:
            return False
        if above and not (
            above[-1].base <= entry.base and entry.base + entry.size <= above[-1].base + above[-1].size
        ):
            return False
        above.append(entry)
    return True


_LISTING = "status count bases_non_descending preorder entries contains_once"


@operation("vmar.maps", _LISTING, vmar=OBJECT)
def maps_of_vmar(env: Environment, vmar: Bound) -> Answer:
    """What a VMAR holds."""
    status, dispatcher = lookup(env.handle(vmar), VmAddressRegionDispatcher)
    if dispatcher is None:
        return Answer(status.name)
    status, entries = vmar_maps(dispatcher.vmar)
    return Answer(status.name, _listing(env, entries))


@operation("process.maps", _LISTING, process=OBJECT)
def maps_of_process(env: Environment, process: Bound) -> Answer:
    """What the address spaces of a process hold."""
    status, dispatcher = lookup(env.handle(process), ProcessDispatcher, Right.READ)
    if dispatcher is None:
        return Answer(status.name)
    status, entries = dispatcher.maps()
    return Answer(status.name, _listing(env, entries))


# Mappings.


@operation("mapping.destroy", mapping=OBJECT)
def mapping_destroy(env: Environment, mapping: Bound) -> Answer:
    """Destroy a mapping."""
    return Answer(env.mapping(mapping).destroy().name)


@operation("mapping.mark_mergeable", mapping=OBJECT)
def mapping_mark_mergeable(env: Environment, mapping: Bound) -> Answer:
    """Let a mapping merge with its neighbours."""
    env.mapping(mapping).mark_mergeable()
    return Answer()


@operation("mapping.unmap", addr=INTEGER, size=INTEGER, mapping=MAYBE_OBJECT, mapping_at=MAYBE_INTEGER)
def mapping_unmap(
    env: Environment, addr: int, size: int, mapping: Bound | None = None, mapping_at: int | None = None
) -> Answer:
    """Unmap a part of one mapping, or all of it."""
    if (mapping is None) == (mapping_at is None):
        raise BadStep("a mapping is given either as mapping or as mapping_at")
    target = env.mapping(mapping) if mapping is not None else _mapping_at(env, mapping_at or 0)
    rounded = round_up_page(size)
    if rounded == 0 or not is_page_aligned(addr):
        return Answer(ZX_ERR_INVALID_ARGS.name)
    if target is None or not target.is_alive():
        return Answer(ZX_ERR_BAD_STATE.name)
    if not target.is_in_range(addr, rounded):
        return Answer(ZX_ERR_INVALID_ARGS.name)
    if rounded == target.size:
        return Answer(target.destroy().name)
    if target.aspace.vdso_code_mapping is target:
        return Answer(ZX_ERR_ACCESS_DENIED.name)
    return Answer(target.unmap_part(addr, rounded).name)


def _mapping_at(env: Environment, addr: int) -> VmMapping | None:
    """The mapping that holds an address, in the youngest address space that has one there."""
    for aspace in reversed(env.system.aspaces):
        if aspace.root is not None and aspace.root.is_alive():
            found = aspace.root.find_mapping(addr)
            if found is not None:
                return found
    return None


@operation("mapping.protect", mapping=OBJECT, addr=INTEGER, size=INTEGER, mmu=WORDS)
def mapping_protect(env: Environment, mapping: Bound, addr: int, size: int, mmu: list[str]) -> Answer:
    """Change the permissions of a part of one mapping."""
    target = env.mapping(mapping)
    rounded = round_up_page(size)
    if rounded == 0 or not is_page_aligned(addr):
        return Answer(ZX_ERR_INVALID_ARGS.name)
    if target.parent is None:
        return Answer(ZX_ERR_BAD_STATE.name)
    if not target.is_in_range(addr, rounded):
        return Answer(ZX_ERR_INVALID_ARGS.name)
    return Answer(target.parent.protect(addr, rounded, env.mmu_flags(mmu)).name)
