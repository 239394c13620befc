"""What a dump tells of the contract's state, and what it does not.

Each address space tells something of its own: one whose tree is missing tells nothing of regions, and a tree without the
line above it nothing of its address space. What is not told is not guessed: `Told.part` leaves such spaces out.

Elements are numbered in the order of their lines; `lines` leads back to them.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass

from vmaspace.checker.adapters.dumps.tree import DumpedAspace, DumpedRegion
from vmaspace.checker.logic.contract import Contract
from vmaspace.checker.logic.state import NULL, Pieces, State, Table

_OF_LIVE_SPACES = frozenset({"destroyed", "freed", "unified"})
_OF_HEADERS = _OF_LIVE_SPACES | {"type", "aspace_base", "aspace_size", "name_length"}
_OF_TREES = frozenset({
    "root", "kind", "life", "aspace", "parent", "base", "size", "object", "object_offset", "prot", "mergeable", "under",
    "branch",
})  # fmt: skip
_CACHE_BITS = 3
_WORD = 1 << 64
_KERNEL_BASES = {
    0xFFFF_FF80_0000_0000: "x86_64", 0xFFFF_0000_0000_0000: "arm64", 0xFFFF_FFC0_0000_0000: "riscv64",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Told:
    """A state, which of its variables the dump tells, and where each element stands."""

    state: State
    facts: frozenset[str]  # what it tells of the machine
    by_space: tuple[frozenset[str], ...]  # what it tells of each address space
    lines: dict[tuple[str, int], tuple[int, int]]  # (sort, element) to (line, pointer); of a VMO, its first line
    names: dict[tuple[str, int], str]  # those of address spaces and VMARs; of a VMO, its koid
    has_kernel: bool

    @property
    def variables(self) -> frozenset[str]:
        """What the dump tells of at least one address space."""
        return self.facts.union(*self.by_space)

    def silent(self, variables: Iterable[str]) -> tuple[int, ...]:
        """The address spaces that do not tell all of these."""
        asked = frozenset(variables) - self.facts
        return tuple(a for a, told in enumerate(self.by_space) if not asked <= told)

    def above(self, region: int) -> list[int]:
        """The regions that a region stands in, the nearest first."""
        parent, found = self.state.tables["parent"], list[int]()
        while (region := parent.get(region, NULL)) != NULL:
            found.append(region)
        return found

    def part(self, aspaces: Iterable[int]) -> State:
        """The state of these address spaces and what belongs to them, as if there were no others."""
        kept, state = frozenset(aspaces), self.state
        if len(kept) == len(self.by_space):
            return state
        owner, shows = state.tables["aspace"], state.tables["object"]
        regions = frozenset(r for r in state.domains["Region"] if owner[r] in kept)
        vmos = frozenset(shows[r] for r in regions if r in shows)
        of = {"Aspace": kept, "Region": regions, "Vmo": vmos}
        domains = {s: tuple(i for i in ids if i in of[s]) if s in of else ids for s, ids in state.domains.items()}
        tables = dict(state.tables)
        for name in _OF_HEADERS | {"root"}:
            tables[name] = _only(tables[name], kept.__contains__)
        for name in _OF_TREES - {"root"}:
            is_pair = name in ("under", "branch")
            tables[name] = _only(tables[name], regions.issuperset if is_pair else regions.__contains__)
        return State(domains, tables)


def _only(table: Table, is_kept: Callable[..., bool]) -> Table:
    return {key: value for key, value in table.items() if is_kept(key)}


def told_of(contract: Contract, aspaces: Sequence[DumpedAspace], arch: str | None = None) -> Told:
    """The contract's view of a dump. `arch`: the machine, where no kernel space says which it is."""
    return _Teller(contract, aspaces).tell(arch)


def lacking(contract: Contract) -> list[str]:
    """What a contract has to know, and does not, for a dump to be told in its words."""
    words: dict[str, tuple[Iterable[str], Container[str]]] = {
        "sort": (("Aspace", "Region", "Vmo"), contract.sorts),
        "enum": (("Kind", "Arch"), contract.enums),
        "var": (sorted(_OF_HEADERS | _OF_TREES), contract.variables),
        "given": (("arch",), contract.givens),
    }
    return [f"{what} {name}" for what, (names, known) in words.items() for name in names if name not in known]


class _Teller:
    def __init__(self, contract: Contract, aspaces: Sequence[DumpedAspace]) -> None:
        self.contract = contract
        self.aspaces = aspaces
        self.tables: dict[str, Table] = {name: {} for name in contract.variables}
        self.givens: dict[str, Table] = {name: {} for name in contract.givens}
        self.lines: dict[tuple[str, int], tuple[int, int]] = {}
        self.names: dict[tuple[str, int], str] = {}
        self.regions: list[DumpedRegion] = []
        self.vmos: dict[int, int] = {}
        self.mapping = contract.enums["Kind"].index("mapping")

    def tell(self, arch: str | None) -> Told:
        for a, aspace in enumerate(self.aspaces):
            self.aspace(a, aspace)
        facts = set()
        machine = arch or next(
            (_KERNEL_BASES[s.base] for s in self.aspaces if s.type == 1 and s.base in _KERNEL_BASES), None
        )
        if machine is not None:
            facts.add("arch")
            self.put(self.givens["arch"], (), self.contract.enums["Arch"].index(machine))
        counts = {"Aspace": len(self.aspaces), "Region": len(self.regions), "Vmo": len(self.vmos)}
        domains = {sort: tuple(range(counts.get(sort, 0))) for sort in self.contract.sorts}
        state = State(domains, {**self.tables, **self.givens})
        by_space = tuple(map(_told_by, self.aspaces))
        if not self.regions and not all(map(_OF_TREES.issubset, by_space)):
            # Not verbose: that destroyed spaces have no tree is then nothing that properties of trees rest on.
            by_space = tuple(told - _OF_TREES for told in by_space)
        has_kernel = any(aspace.type == 1 for aspace in self.aspaces)
        return Told(state, frozenset(facts), by_space, self.lines, self.names, has_kernel)

    @staticmethod
    def put(table: Table, key: object, value: int) -> None:
        if value:  # what is at its default has no entry
            table[key] = value

    def aspace(self, a: int, aspace: DumpedAspace) -> None:
        t = self.tables
        self.lines["Aspace", a] = (aspace.line, aspace.pointer)
        self.names["Aspace", a] = repr(aspace.name)  # with control characters in plain sight
        self.put(t["type"], a, aspace.type)
        self.put(t["aspace_base"], a, aspace.base)
        self.put(t["aspace_size"], a, aspace.size)
        self.put(t["name_length"], a, len(aspace.name.encode("utf-8", "surrogateescape")))
        self.put(t["destroyed"], a, int(aspace.destroyed))
        self.put(t["unified"], a, int(aspace.unified))
        if aspace.root is not None:
            t["root"][a] = self.region(a, aspace.root, [])

    def region(self, a: int, region: DumpedRegion, above: list[int]) -> int:
        t, r = self.tables, len(self.regions)
        self.regions.append(region)
        self.lines["Region", r] = (region.line, region.pointer)
        t["aspace"][r] = a
        self.put(t["life"], r, region.state)
        self.put(t["base"], r, region.base)
        self.put(t["size"], r, region.size)
        if above:
            t["parent"][r] = above[-1]
        chain = [*above, r]
        for s in chain:
            t["under"][r, s] = 1
        for s, child in zip(above, chain[1:], strict=True):
            t["branch"][s, r] = child
        if region.kind == "mapping":
            self.shown(r, region)
        else:
            self.names["Region", r] = repr(region.name)
        for inner in region.children:
            self.region(a, inner, chain)
        return r

    def shown(self, r: int, mapping: DumpedRegion) -> None:
        t = self.tables
        t["kind"][r] = self.mapping
        self.put(t["mergeable"], r, int(mapping.mergeable))
        if mapping.vmo is not None:
            vmo = t["object"][r] = self.vmos.setdefault(mapping.vmo, len(self.vmos))
            self.lines.setdefault(("Vmo", vmo), (mapping.vmo_line, mapping.vmo))
            self.names["Vmo", vmo] = f"k{mapping.koid}"
            self.put(t["object_offset"], r, mapping.offset)
        points = [(first, flags & ~_CACHE_BITS) for first, _, flags in mapping.ranges if first < _WORD]
        if mapping.ranges and mapping.ranges[-1][1] + 1 < _WORD:
            points.append((mapping.ranges[-1][1] + 1, 0))
        pieces = Pieces.of(points) if points else None
        if pieces is not None and pieces.starts:
            t["prot"][r] = pieces


def _told_by(aspace: DumpedAspace) -> frozenset[str]:
    if not aspace.has_header:
        # It was printed under its locks: a space that has a tree then is neither destroyed nor unified.
        return _OF_LIVE_SPACES | _OF_TREES
    # Destroyed and unified spaces have no tree. Of any other one it was not printed: the dump is not verbose, or cut.
    is_whole = aspace.root is not None or aspace.destroyed or aspace.unified
    return _OF_HEADERS | _OF_TREES if is_whole else _OF_HEADERS
