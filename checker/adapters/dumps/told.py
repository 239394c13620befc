"""What a dump tells of the contract's state, and what it does not.

Elements are numbered in the order of their lines; `lines` leads back to them. A variable that is not among `variables` is
not guessed: its table is empty, and nobody may read it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vmaspace.checker.adapters.dumps.tree import DumpedAspace, DumpedRegion
from vmaspace.checker.logic.contract import Contract
from vmaspace.checker.logic.state import Pieces, State, Table

_ALWAYS = frozenset({
    "type", "aspace_base", "aspace_size", "name_length", "destroyed", "freed", "unified",
})  # fmt: skip
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
    variables: frozenset[str]
    lines: dict[tuple[str, int], tuple[int, int]]  # (sort, element) to (line, pointer)
    is_whole: bool  # every address space of the machine is in it, the kernel's among them


def told_of(contract: Contract, aspaces: Sequence[DumpedAspace], arch: str | None = None) -> Told:
    """The contract's view of a dump. `arch`: the machine, where no kernel space says which it is."""
    return _Teller(contract, aspaces).tell(arch)


class _Teller:
    def __init__(self, contract: Contract, aspaces: Sequence[DumpedAspace]) -> None:
        self.contract = contract
        self.aspaces = aspaces
        self.tables: dict[str, Table] = {name: {} for name in contract.variables}
        self.givens: dict[str, Table] = {name: {} for name in contract.givens}
        self.lines: dict[tuple[str, int], tuple[int, int]] = {}
        self.regions: list[DumpedRegion] = []
        self.vmos: dict[int, int] = {}
        self.mapping = contract.enums["Kind"].index("mapping")

    def tell(self, arch: str | None) -> Told:
        told = set(_ALWAYS)
        for a, aspace in enumerate(self.aspaces):
            self.aspace(a, aspace)
        # A dump that is not verbose has no trees: then nothing is said of regions.
        if all(aspace.root is not None or aspace.destroyed or not aspace.size for aspace in self.aspaces):
            told |= _OF_TREES
        machine = arch or next(
            (_KERNEL_BASES[s.base] for s in self.aspaces if s.type == 1 and s.base in _KERNEL_BASES), None
        )
        if machine is not None:
            told.add("arch")
            self.put(self.givens["arch"], (), self.contract.enums["Arch"].index(machine))
        counts = {"Aspace": len(self.aspaces), "Region": len(self.regions), "Vmo": len(self.vmos)}
        domains = {sort: tuple(range(counts.get(sort, 0))) for sort in self.contract.sorts}
        state = State(domains, {**self.tables, **self.givens})
        is_whole = any(aspace.type == 1 for aspace in self.aspaces)
        return Told(state, frozenset(told), self.lines, is_whole)

    @staticmethod
    def put(table: Table, key: object, value: int) -> None:
        if value:  # what is at its default has no entry
            table[key] = value

    def aspace(self, a: int, aspace: DumpedAspace) -> None:
        t = self.tables
        self.lines["Aspace", a] = (aspace.line, aspace.pointer)
        self.put(t["type"], a, aspace.type)
        self.put(t["aspace_base"], a, aspace.base)
        self.put(t["aspace_size"], a, aspace.size)
        self.put(t["name_length"], a, len(aspace.name.encode("utf-8")))
        self.put(t["destroyed"], a, int(aspace.destroyed))
        # Only a unified space has no range: every other one lies above address 0 or has a size.
        self.put(t["unified"], a, int(not aspace.base and not aspace.size and aspace.type == 0))
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
        for inner in region.children:
            self.region(a, inner, chain)
        return r

    def shown(self, r: int, mapping: DumpedRegion) -> None:
        t = self.tables
        t["kind"][r] = self.mapping
        self.put(t["mergeable"], r, int(mapping.mergeable))
        if mapping.vmo is not None:
            t["object"][r] = self.vmos.setdefault(mapping.vmo, len(self.vmos))
            self.put(t["object_offset"], r, mapping.offset)
        points = [(first, flags & ~_CACHE_BITS) for first, _, flags in mapping.ranges]
        if mapping.ranges and mapping.ranges[-1][1] + 1 < _WORD:
            points.append((mapping.ranges[-1][1] + 1, 0))
        pieces = Pieces.of(points) if points else None
        if pieces is not None and pieces.starts:
            t["prot"][r] = pieces
