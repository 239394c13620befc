"""The address spaces of a STATE as objects: what `drawing` draws.

Variables are looked up by the names that the contract gives them (`aspace_base`, `life`, `prot`, ...). A state of
another contract may lack any of them; then the default stands in, and nothing here fails.

Not here: judging. A state in which siblings overlap, or a region is its own ancestor, is read like any other: it is
exactly what a counterexample looks like.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from vmaspace.checker.report.notation import natural
from vmaspace.checker.report.state import State, number_of, pieces_of, value_of

ASPACE_VARIABLES = frozenset({
    "type", "share", "aspace_base", "aspace_size", "root", "unified", "shared_part", "restricted_part", "references",
    "destroyed", "freed", "vdso_code",
})  # fmt: skip
REGION_VARIABLES = frozenset({
    "kind", "life", "aspace", "parent", "base", "size", "flags", "object", "object_offset", "prot", "mergeable",
})  # fmt: skip
# Derived from the tree that the drawing shows anyway.
TREE_VARIABLES = frozenset({"under", "branch"})
DRAWN_VARIABLES = ASPACE_VARIABLES | REGION_VARIABLES | TREE_VARIABLES


@dataclass(frozen=True)
class Aspace:
    name: str
    type: str
    share: str
    base: int
    size: int
    root: str | None
    unified: bool
    shared_part: str | None
    restricted_part: str | None
    references: int
    destroyed: bool
    freed: bool
    vdso_code: str | None


@dataclass(frozen=True)
class Region:
    name: str
    kind: str
    life: str
    aspace: str | None
    parent: str | None
    base: int
    size: int
    flags: tuple[str, ...] | None       # None where nothing is known of rights
    object: str | None
    object_offset: int
    prot: tuple[tuple[int, tuple[str, ...]], ...] | None    # None: the state has no such variable
    mergeable: bool

    @property
    def end(self) -> int:
        return self.base + self.size

    @property
    def is_alive(self) -> bool:
        return self.life == "alive"

    @property
    def is_mapping(self) -> bool:
        return self.kind == "mapping"

    def prot_pieces(self) -> list[tuple[int, int, tuple[str, ...]]]:
        """The pieces `(from, to, flags)` inside the region; equal neighbours are one."""
        pieces: list[tuple[int, int, tuple[str, ...]]] = []
        bounds = [(0, ()), *(self.prot or ())]
        for index, (start, flags) in enumerate(bounds):
            end = bounds[index + 1][0] if index + 1 < len(bounds) else self.end
            start, end = max(start, self.base), min(end, self.end)
            if start >= end:
                continue
            if pieces and pieces[-1][2] == flags and pieces[-1][1] == start:
                start = pieces.pop()[0]
            pieces.append((start, end, flags))
        return pieces


@dataclass(frozen=True)
class Space:
    """All address spaces and regions of one state."""

    aspaces: tuple[Aspace, ...]
    regions: dict[str, Region]
    below: dict[str, list[Region]]      # live regions by the name of their parent, in address order

    def children(self, name: str) -> list[Region]:
        return self.below.get(name, [])

    def roots(self, aspace: Aspace) -> list[Region]:
        """Where the trees of an address space start: its root, then whatever live region hangs on nothing alive."""
        roots = [self.regions[aspace.root]] if aspace.root in self.regions else []
        for region in in_address_order(self.regions.values()):
            if region.is_alive and region.aspace == aspace.name and region not in roots:
                parent = self.regions.get(region.parent or "")
                if parent is None or not parent.is_alive:
                    roots.append(region)
        return roots


def in_address_order(regions: Iterable[Region]) -> list[Region]:
    return sorted(regions, key=lambda region: (region.base, region.size, natural(region.name)))


def read_space(state: State) -> Space:
    elements = state["elements"]
    regions = {name: read_region(state, name) for name in sorted(elements.get("Region", ()), key=natural)}
    below: dict[str, list[Region]] = {}
    for region in in_address_order(regions.values()):
        if region.is_alive and region.parent is not None:
            below.setdefault(region.parent, []).append(region)
    aspaces = tuple(read_aspace(state, name) for name in sorted(elements.get("Aspace", ()), key=natural))
    return Space(aspaces, regions, below)


def read_aspace(state: State, name: str) -> Aspace:
    return Aspace(
        name=name,
        type=str(value_of(state, "type", name, default="user")),
        share=str(value_of(state, "share", name, default="none")),
        base=number_of(state, "aspace_base", name),
        size=number_of(state, "aspace_size", name),
        root=name_of(state, "root", name),
        unified=bool(value_of(state, "unified", name)),
        shared_part=name_of(state, "shared_part", name),
        restricted_part=name_of(state, "restricted_part", name),
        references=number_of(state, "references", name),
        destroyed=bool(value_of(state, "destroyed", name)),
        freed=bool(value_of(state, "freed", name)),
        vdso_code=name_of(state, "vdso_code", name),
    )


def read_region(state: State, name: str) -> Region:
    # Without a variable `life` there is nothing dead to tell apart.
    newborn = "not_ready" if "life" in state["values"] else "alive"
    prot = None
    if "prot" in state["values"]:
        prot = tuple((start, flags_of(held)) for start, held in pieces_of(state, "prot", name))
    return Region(
        name=name,
        kind=str(value_of(state, "kind", name, default="vmar")),
        life=str(value_of(state, "life", name, default=newborn)),
        aspace=name_of(state, "aspace", name),
        parent=name_of(state, "parent", name),
        base=number_of(state, "base", name),
        size=number_of(state, "size", name),
        flags=flags_of(value_of(state, "flags", name)) if "flags" in state["values"] else None,
        object=name_of(state, "object", name),
        object_offset=number_of(state, "object_offset", name),
        prot=prot,
        mergeable=bool(value_of(state, "mergeable", name)),
    )


def name_of(state: State, variable: str, element: str) -> str | None:
    """The element that a variable refers to."""
    value = value_of(state, variable, element)
    return value if isinstance(value, str) else None


def flags_of(value: Any) -> tuple[str, ...]:
    return tuple(str(name) for name in value) if isinstance(value, list) else ()
