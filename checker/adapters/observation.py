"""What the contract sees of the reference model: every variable, read off the objects.

Nothing is cached that a faulty model could change behind our back: each look reads every object ever seen
again.  `parent` is what a region says of itself and `under` what the lists of children say, so that the two
are held against each other.

Of a dead region everything but parent and object is what its object still holds.  Of a freed address space
the constituents are the last that were seen: its page tables are gone, and the contract keeps what they were.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vmaspace.checker.adapters.interface import BrokenImplementation
from vmaspace.checker.adapters.pagers import Pager
from vmaspace.checker.logic.contract import Contract
from vmaspace.checker.logic.state import EMPTY, Pieces, State, Table
from vmaspace.model.arch.aspace import ArchAspaceKind, ArchVmAspace
from vmaspace.model.aspace import VmAspace
from vmaspace.model.flags import MMU_CACHE_MASK, AspaceType, ShareOpt
from vmaspace.model.mapping import VmMapping
from vmaspace.model.region import LifeCycleState, MemoryPriority, VmAddressRegionOrMapping
from vmaspace.model.system import System
from vmaspace.model.vmar_tree import VmarTree
from vmaspace.model.vmo import VmObject, VmObjectPaged

VARIABLES = (
    "type", "share", "aspace_base", "aspace_size", "name_length", "root", "destroyed", "freed", "unified", "shared_part",
    "restricted_part", "references", "vdso_code", "kind", "life", "aspace", "parent", "base", "size", "flags", "object",
    "object_offset", "prot", "mergeable", "priority", "source", "under", "branch", "locks", "discarded", "pager",
)  # fmt: skip
WORD = 1 << 64
_ROLES = {ArchAspaceKind.RESTRICTED: ShareOpt.RESTRICTED, ArchAspaceKind.SHARED: ShareOpt.SHARED}


class Observer:
    """Numbers the objects of one system, and turns what they hold into a state."""

    def __init__(
        self,
        contract: Contract,
        system: System,
        vmos: list[VmObject],
        pagers: Mapping[VmObject, Pager],
        givens: State,
    ) -> None:
        unknown = contract.variables.keys() - set(VARIABLES)
        if unknown:
            raise ValueError(f"the model adapter does not observe the variable {min(unknown)!r}")
        self.system = system
        self.givens = givens
        self.aspaces: list[VmAspace] = []
        self.regions: list[VmAddressRegionOrMapping] = []
        self.aspace_ids: dict[VmAspace, int] = {}
        self.arch_ids: dict[ArchVmAspace, int] = {}
        self.region_ids: dict[VmAddressRegionOrMapping, int] = {}
        self.vmo_ids = {vmo: i for i, vmo in enumerate(vmos)}
        self.discardable = [
            (i, vmo.discardable)
            for i, vmo in enumerate(vmos)
            if isinstance(vmo, VmObjectPaged) and vmo.discardable is not None
        ]
        self.pagers = [(self.vmo_ids[vmo], pager) for vmo, pager in pagers.items()]
        self.answers = contract.enums["PagerAnswer"]
        self.origins: dict[VmObject, VmObject] = {}
        self.clone_sources: dict[VmObject, int] = {}  # of a private clone: the mapping that was first seen of it
        self.last: dict[str, Table] = {}
        self.pieces: dict[tuple[int, int, int], Pieces] = {}
        self.types = _indices(contract, "Type", AspaceType)
        self.lives = _indices(contract, "Life", LifeCycleState)
        self.shares = _indices(contract, "ShareOpt", ShareOpt)
        self.priorities = _indices(contract, "Priority", MemoryPriority)
        self.mapping = contract.enums["Kind"].index("mapping")

    # --- numbering -------------------------------------------------------------------------------------------------

    def aspace_id(self, aspace: VmAspace) -> int:
        found = self.aspace_ids.get(aspace)
        if found is None:
            found = self.aspace_ids[aspace] = self.arch_ids[aspace.arch] = len(self.aspaces)
            self.aspaces.append(aspace)
        return found

    def region_id(self, region: VmAddressRegionOrMapping) -> int:
        found = self.region_ids.get(region)
        if found is None:
            found = self.region_ids[region] = len(self.regions)
            self.regions.append(region)
        return found

    # --- looking ---------------------------------------------------------------------------------------------------

    def observe(self) -> State:
        """Everything, in the normal form of the contract's own states."""
        t: dict[str, Table] = {name: {} for name in VARIABLES}
        try:
            for aspace in self.system.aspaces:
                self.aspace_id(aspace)
            for a, aspace in enumerate(self.aspaces):
                self.look_at_aspace(a, aspace, t)
            # Looking at a region may bring to light another one: a parent that is in no list.
            for r, region in enumerate(self.regions):
                self.look_at_region(r, region, t)
            self.look_at_vmos(t)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError, RecursionError) as error:
            raise BrokenImplementation(f"{type(error).__name__}: {error}") from error
        # Tables that are as they were stay the same objects, so that comparing states is cheap.
        for name, before in self.last.items():
            if before == t[name]:
                t[name] = before
        self.last = t
        domains = {
            **self.givens.domains,
            "Aspace": tuple(range(len(self.aspaces))),
            "Region": tuple(range(len(self.regions))),
        }
        return State(domains, {**t, **self.givens.tables})

    def look_at_vmos(self, t: dict[str, Table]) -> None:
        for o, tracker in self.discardable:
            if tracker.lock_count:
                t["locks"][o] = tracker.lock_count
            if tracker.is_discarded:
                t["discarded"][o] = 1
        for o, pager in self.pagers:
            answer = self.answers.index(pager.answer)
            if answer:
                t["pager"][o] = answer

    def look_at_aspace(self, a: int, aspace: VmAspace, t: dict[str, Table]) -> None:
        arch = aspace.arch
        is_unified = arch.kind == ArchAspaceKind.UNIFIED
        numbers = (
            ("type", self.types[aspace.type]),
            ("share", self.shares[_ROLES.get(arch.kind, ShareOpt.NONE)]),
            ("aspace_base", aspace.base),
            ("aspace_size", aspace.size),
            ("name_length", len(aspace.name_bytes)),
            ("destroyed", 1 if aspace.destroyed else 0),
            ("freed", 1 if aspace.freed else 0),
            ("unified", 1 if is_unified else 0),
            ("references", arch.references),
        )
        for name, value in numbers:
            if value:
                t[name][a] = value
        self.look_at_constituents(a, aspace, t)
        if aspace.vdso_code_mapping is not None:
            t["vdso_code"][a] = self.region_id(aspace.vdso_code_mapping)
        root = aspace.root
        if root is not None:
            t["root"][a] = self.region_id(root)
            self.walk(root, [], set(), t["under"], t["branch"])

    def look_at_constituents(self, a: int, aspace: VmAspace, t: dict[str, Table]) -> None:
        arch = aspace.arch
        if aspace.freed and self.last:
            for name in ("shared_part", "restricted_part"):
                if a in self.last[name]:
                    t[name][a] = self.last[name][a]
            return
        if arch.shared is not None:
            t["shared_part"][a] = self.arch_ids[arch.shared]
        if arch.restricted is not None:
            t["restricted_part"][a] = self.arch_ids[arch.restricted]

    def walk(
        self, region: VmAddressRegionOrMapping, above: list[int], seen: set[int], under: Table, branch: Table
    ) -> None:
        """What the lists below `region` say of who is below whom.  `above`: the way down from the root."""
        r = self.region_id(region)
        if r in seen:  # a faulty model may hang one region in two places, or in a circle
            return
        seen.add(r)
        chain = [*above, r]
        for s in chain:
            under[r, s] = 1
        for s, child in zip(above, chain[1:], strict=True):
            branch[s, r] = child
        if isinstance(region, VmarTree):
            for c in region.subregions:
                self.walk(c, chain, seen, under, branch)

    def look_at_region(self, r: int, region: VmAddressRegionOrMapping, t: dict[str, Table]) -> None:
        state = self.lives[region.state]
        if state:
            t["life"][r] = state
        t["aspace"][r] = self.aspace_ids[region.aspace]
        if region.parent is not None:
            t["parent"][r] = self.region_id(region.parent)
        if region.base:
            t["base"][r] = region.base
        if region.size:
            t["size"][r] = region.size
        if region._flags:  # `flags` would make a flag object each time
            t["flags"][r] = region._flags
        if region.memory_priority:
            t["priority"][r] = self.priorities[region.memory_priority]
        if region.is_mapping:
            self.look_at_mapping(r, region, t)  # type: ignore[arg-type]

    def look_at_mapping(self, r: int, mapping: VmMapping, t: dict[str, Table]) -> None:
        t["kind"][r] = self.mapping
        vmo = mapping.vmo
        if vmo is not None:
            if mapping.private_clone:
                t["source"][r] = self.clone_sources.setdefault(vmo, r)
                vmo = self.origin(vmo)
            t["object"][r] = self.vmo_ids[vmo]
        if mapping.object_offset:
            t["object_offset"][r] = mapping.object_offset
        if mapping.mergeable:
            t["mergeable"][r] = 1
        pieces = self.protection(mapping)
        if pieces.starts:
            t["prot"][r] = pieces

    def origin(self, vmo: VmObject) -> VmObject:
        """The VMO of the contract that a private clone was made of, through any number of clones."""
        origin = self.origins.get(vmo)
        if origin is None:
            origin = vmo
            while origin not in self.vmo_ids and isinstance(origin.parent, VmObject):
                origin = origin.parent
            self.origins[vmo] = origin
        return origin

    def protection(self, mapping: VmMapping) -> Pieces:
        """Permissions by address, without the cache policy; the default from the end on."""
        ranges = mapping._ranges  # `protection_ranges` of the dead are empty, and it makes flag objects
        base, end = mapping.base, mapping.base + mapping.size
        if ranges.is_single():
            key = (base, end, ranges.first_flags)
            found = self.pieces.get(key)
            if found is None:
                found = self.pieces[key] = _pieces([(base, end, ranges.first_flags)])
            return found
        return _pieces(ranges.ranges(base, end))


def _pieces(ranges: Any) -> Pieces:
    points: list[tuple[int, int]] = []
    stop = 0
    for start, stop, flags in ranges:  # noqa: B007
        points.append((start, flags & ~MMU_CACHE_MASK))
    if stop < WORD:
        points.append((stop, 0))
    return Pieces.of(points) if points else EMPTY


def _indices(contract: Contract, enum: str, members: Any) -> dict[Any, int]:
    """The contract's index of each member of one of the model's enumerations, matched by name."""
    return {m: contract.enums[enum].index(m.name.lower()) for m in members}
