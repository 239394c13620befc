"""Operations on page tables of their own, and on pages of physical memory."""

from __future__ import annotations

from typing import Any, Final

from vmaspace.checker.engines.conformance.environment import Bound, Environment
from vmaspace.checker.engines.conformance.error import BadStep, nearest
from vmaspace.checker.engines.conformance.vocabulary import (
    INTEGER,
    INTEGERS,
    MAYBE_INTEGER,
    MAYBE_OBJECT,
    MAYBE_WORD,
    MAYBE_WORDS,
    OBJECT,
    TRUTH,
    WORDS,
    Answer,
    operation,
)
from vmaspace.model.arch.aspace import ArchUnmapOptions, ArchVmAspace, ExistingEntryAction
from vmaspace.model.aspace import VmAspace
from vmaspace.model.flags import ArchAspaceFlag
from vmaspace.model.physical_memory import PhysicalMemory, VmPage
from vmaspace.model.status import ZX_ERR_NO_MEMORY

_KINDS: Final = {
    "user": ArchAspaceFlag.NONE,
    "kernel": ArchAspaceFlag.KERNEL,
    "guest": ArchAspaceFlag.GUEST,
}
_ACTIONS: Final = {action.name.lower(): action for action in ExistingEntryAction}
_ALLOCATORS: Final = ["default", "toggle", "limited"]
_OPTIONS: Final = {"enlarge": ArchUnmapOptions.ENLARGE, "harvest": ArchUnmapOptions.HARVEST}


class TablePages:
    """An allocator of table pages that can be told to fail, and may have a limited number of them."""

    def __init__(self, memory: PhysicalMemory, pages: int | None) -> None:
        self.memory = memory
        self.left = pages
        self.fails = False

    def __call__(self) -> VmPage | None:
        if self.fails or self.left == 0:
            return None
        if self.left is not None:
            self.left -= 1
        return self.memory.allocate_page()


def _tables(bound: Bound) -> ArchVmAspace:
    """The page tables that are bound, or those of the address space that is."""
    if isinstance(bound.value, VmAspace):
        return bound.value.arch
    if not isinstance(bound.value, ArchVmAspace):
        raise BadStep("expected page tables or an address space")
    return bound.value


def _unmap_options(words: list[str] | None) -> ArchUnmapOptions:
    options = ArchUnmapOptions.NONE
    for word in words or []:
        if word not in _OPTIONS:
            raise BadStep(f"unknown option {word!r}", nearest(word, list(_OPTIONS)))
        options |= _OPTIONS[word]
    return options


@operation(
    "arch.create", base=INTEGER, size=INTEGER, kind=MAYBE_WORD, allocator=MAYBE_WORD, table_pages=MAYBE_INTEGER
)
def arch_create(
    env: Environment,
    base: int,
    size: int,
    kind: str = "user",
    allocator: str = "default",
    table_pages: int | None = None,
) -> Answer:
    """Page tables without an address space."""
    if kind not in _KINDS:
        raise BadStep(f"unknown kind of page tables {kind!r}", nearest(kind, list(_KINDS)))
    if allocator not in _ALLOCATORS:
        raise BadStep(f"unknown allocator {allocator!r}", nearest(allocator, _ALLOCATORS))
    if (allocator == "limited") != (table_pages is not None):
        raise BadStep("a limited allocator, and no other, has a number of table pages")
    source = None if allocator == "default" else TablePages(env.system.pmm, table_pages)
    tables = env.system.arch_aspace_class(env.system, base, size, _KINDS[kind], source)
    return Answer(bound={"": Bound(tables, base, size)})


@operation("arch.init", aspace=OBJECT, kind=MAYBE_WORD, shared=MAYBE_OBJECT, restricted=MAYBE_OBJECT)
def arch_init(
    env: Environment,
    aspace: Bound,
    kind: str = "plain",
    shared: Bound | None = None,
    restricted: Bound | None = None,
) -> Answer:
    """Make the root table."""
    tables = _tables(aspace)
    if kind == "unified":
        if shared is None or restricted is None:
            raise BadStep("unified page tables have a shared and a restricted part")
        return Answer(tables.init_unified(_tables(shared), _tables(restricted)).name)
    initialisers = {
        "plain": tables.init,
        "shared": tables.init_shared,
        "restricted": tables.init_restricted,
    }
    if kind not in initialisers:
        raise BadStep(f"unknown kind of page tables {kind!r}", nearest(kind, [*initialisers, "unified"]))
    return Answer(initialisers[kind]().name)


@operation("arch.set_alloc", "", aspace=OBJECT, fail=TRUTH)
def arch_set_alloc(env: Environment, aspace: Bound, fail: bool) -> Answer:
    """Let every allocation of a table fail from now on, or none."""
    source = _tables(aspace).allocate_table
    if not isinstance(source, TablePages):
        raise BadStep("these page tables were not made with an allocator of their own")
    source.fails = fail
    return Answer()


@operation(
    "arch.map", "status table_pages_left", aspace=OBJECT, vaddr=INTEGER, paddrs=INTEGERS, mmu=WORDS, existing=MAYBE_WORD
)
def arch_map(
    env: Environment, aspace: Bound, vaddr: int, paddrs: list[int], mmu: list[str], existing: str = "error"
) -> Answer:
    """Map pages one by one."""
    if existing not in _ACTIONS:
        raise BadStep(f"unknown action {existing!r}", nearest(existing, list(_ACTIONS)))
    tables = _tables(aspace)
    status = tables.map(vaddr, paddrs, env.mmu_flags(mmu), _ACTIONS[existing])
    source = tables.allocate_table
    left = source.left if isinstance(source, TablePages) else None
    return Answer(status.name, {} if left is None else {"table_pages_left": left})


@operation("arch.map_contiguous", aspace=OBJECT, vaddr=INTEGER, paddr=INTEGER, count=INTEGER, mmu=WORDS)
def arch_map_contiguous(
    env: Environment, aspace: Bound, vaddr: int, paddr: int, count: int, mmu: list[str]
) -> Answer:
    """Map a run of pages."""
    return Answer(_tables(aspace).map_contiguous(vaddr, paddr, count, env.mmu_flags(mmu)).name)


@operation("arch.unmap", aspace=OBJECT, vaddr=INTEGER, count=INTEGER, options=MAYBE_WORDS)
def arch_unmap(
    env: Environment, aspace: Bound, vaddr: int, count: int, options: list[str] | None = None
) -> Answer:
    """Take translations away."""
    return Answer(_tables(aspace).unmap(vaddr, count, _unmap_options(options)).name)


@operation("arch.protect", aspace=OBJECT, vaddr=INTEGER, count=INTEGER, mmu=WORDS, options=MAYBE_WORDS)
def arch_protect(
    env: Environment, aspace: Bound, vaddr: int, count: int, mmu: list[str], options: list[str] | None = None
) -> Answer:
    """Change permissions."""
    status = _tables(aspace).protect(vaddr, count, env.mmu_flags(mmu), _unmap_options(options))
    return Answer(status.name)


@operation("arch.query", "status paddr mmu mmu_has mmu_lacks same_paddr_as", aspace=OBJECT, vaddr=INTEGER)
def arch_query(env: Environment, aspace: Bound, vaddr: int) -> Answer:
    """The translation of an address."""
    status, paddr, mmu_flags = _tables(aspace).query(vaddr)
    words = [word for word in ("READ", "WRITE", "EXECUTE") if mmu_flags & env.mmu_flags([word])]
    if mmu_flags & env.mmu_flags(["USER"]):
        words.append("USER")

    def has(expected: list[str]) -> str | None:
        return None if set(expected) <= set(words) else str(words)

    def lacks(expected: list[str]) -> str | None:
        return None if not set(expected) & set(words) else str(words)

    def same_paddr_as(expected: str) -> str | None:
        return None if env.lookup(expected).base == paddr else f"{paddr:#x}"

    def exactly(expected: list[str]) -> str | None:
        return None if set(expected) == set(words) else str(words)

    checks: dict[str, Any] = {"mmu": exactly, "mmu_has": has, "mmu_lacks": lacks, "same_paddr_as": same_paddr_as}
    return Answer(status.name, {"paddr": paddr, **checks}, {"": Bound(paddr, paddr)})


@operation("arch.walk", "status present", aspace=OBJECT, vaddr=INTEGER)
def arch_walk(env: Environment, aspace: Bound, vaddr: int) -> Answer:
    """Whether the tables in memory lead from the root to a page."""
    return Answer(observed={"present": _tables(aspace).leaf_at(vaddr) is not None})


@operation("arch.top_level_user_entries", "status all_zero", aspace=OBJECT)
def arch_top_level_user_entries(env: Environment, aspace: Bound) -> Answer:
    """The entries of the root that are not the kernel's."""
    tables = _tables(aspace)
    words = tables.own_root().words[: tables.arch.user_root_slots]
    return Answer(observed={"all_zero": not any(words)})


@operation("arch.destroy", "status table_pages_left", aspace=OBJECT)
def arch_destroy(env: Environment, aspace: Bound) -> Answer:
    """Free the tables."""
    tables = _tables(aspace)
    return Answer(tables.destroy().name, {"table_pages_left": tables.pt_pages})


@operation("pmm.alloc_pages", count=INTEGER)
def pmm_alloc_pages(env: Environment, count: int) -> Answer:
    """Take pages of physical memory."""
    pages = [env.system.pmm.allocate_page() for _ in range(count)]
    paddrs = tuple(page.paddr for page in pages if page is not None)
    if len(paddrs) < count:
        return Answer(ZX_ERR_NO_MEMORY.name)
    return Answer(bound={"": Bound(paddrs, items=paddrs)})
