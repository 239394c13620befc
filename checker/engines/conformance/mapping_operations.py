"""Operations on single mappings, which only the kernel's own interface has."""

from __future__ import annotations

from vmaspace.checker.engines.conformance.environment import Bound, Environment
from vmaspace.checker.engines.conformance.error import BadStep
from vmaspace.checker.engines.conformance.vocabulary import (
    INTEGER,
    MAYBE_INTEGER,
    MAYBE_OBJECT,
    MAYBE_TRUTH,
    OBJECT,
    WORDS,
    Answer,
    operation,
)
from vmaspace.model.constants import is_page_aligned, round_up_page
from vmaspace.model.mapping import VmMapping
from vmaspace.model.status import ZX_ERR_ACCESS_DENIED, ZX_ERR_BAD_STATE, ZX_ERR_INVALID_ARGS


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
    with target.aspace.region_lock(), target.aspace.lock():
        return Answer(target.unmap_part(addr, rounded).name)


def _mapping_at(env: Environment, addr: int) -> VmMapping | None:
    """The mapping that holds an address, in the youngest address space that has one there."""
    for aspace in reversed(env.system.aspaces):
        if aspace.root is not None and aspace.root.is_alive():
            with aspace.lock():
                found = aspace.root.find_mapping_locked(addr)
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


@operation(
    "mapping.map_range", mapping=OBJECT, offset=INTEGER, size=INTEGER, commit=MAYBE_TRUTH, ignore_existing=MAYBE_TRUTH
)
def mapping_map_range(
    env: Environment, mapping: Bound, offset: int, size: int, commit: bool = False, ignore_existing: bool = False
) -> Answer:
    """Fill the page tables."""
    target = env.mapping(mapping)
    return Answer(target.map_range(offset, size, commit=commit, ignore_existing=ignore_existing).name)


@operation("mapping.decommit", mapping=OBJECT, offset=INTEGER, size=INTEGER)
def mapping_decommit(env: Environment, mapping: Bound, offset: int, size: int) -> Answer:
    """Take the pages of a part of the mapping away."""
    return Answer(env.mapping(mapping).decommit_range(offset, size).name)


@operation("mapping.force_writable", mapping=OBJECT)
def mapping_force_writable(env: Environment, mapping: Bound) -> Answer:
    """Put a private clone in the place of a mapping that may not be written."""
    status, forced = env.mapping(mapping).force_writable()
    if forced is None:
        return Answer(status.name)
    return Answer(status.name, bound={"": Bound(forced, forced.base, forced.size)})
