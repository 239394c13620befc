"""The objects of a dump: address spaces with their trees, as the lines say.

What could not have been printed by a kernel is refused, with its place. What a kernel could print and should not, such as
children that overlap, is read: judging it is for the properties.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from vmaspace.checker.adapters.dumps.text import DumpError, DumpLine, dump_lines

_WORD = 1 << 64
_MAPPED = re.compile(r"/k[0-9]+[ \t]+off\b")  # on the line of a VMO that a mapping prints
_CUT_HINT = "the dump is cut off or lines are missing; paste it whole"
_TWICE_HINT = (
    "is the same tree pasted twice? inspect one dump at a time; if memory was used again while the machine printed, "
    "one address space at a time"
)
_DEEPEST = 256  # levels of VMARs; a kernel prints them by recursion, on a stack that ends much earlier


@dataclass(slots=True, eq=False)  # its parent leads back to it
class DumpedRegion:
    """A VMAR or a mapping. Sizes in bytes; `ranges` are (first, last, MMU flags); past 2^64 they do not wrap."""

    kind: str
    line: int
    pointer: int
    base: int
    size: int
    state: int
    depth: int
    name: str = ""
    subregions: int = 0
    mergeable: bool = False
    ranges: list[tuple[int, int, int]] = field(default_factory=list)
    vmo: int | None = None  # its pointer: VMOs of the kernel's own have no koid
    vmo_line: int = 0
    koid: int = 0
    offset: int = 0
    parent: DumpedRegion | None = None
    children: list[DumpedRegion] = field(default_factory=list)


@dataclass(slots=True)
class DumpedAspace:
    """An address space; without a root when it is destroyed, unified, or its tree was not printed.

    `has_header` is false for a tree without the line above it, as a fault prints it whose page never came: then only
    `line`, `pointer` (those of the root) and `root` say something.
    """

    line: int
    pointer: int
    base: int
    size: int
    type: int
    references: int
    name: str
    destroyed: bool
    root: DumpedRegion | None = None
    has_header: bool = True

    @property
    def unified(self) -> bool:
        """Only a unified space has no range: every other one lies above address 0 or has a size."""
        return self.has_header and not self.base and not self.size and self.type == 0


def read_dump(text: str, file: str) -> list[DumpedAspace]:
    """The address spaces of a dump; `DumpError` says what can not be read."""
    return _Reader(file).read(dump_lines(text, file))


class _Reader:
    def __init__(self, file: str) -> None:
        self.file = file
        self.aspaces: list[DumpedAspace] = []
        self.vmars: list[DumpedRegion] = []  # those that are open, by level
        self.top = 1  # the depth at which a root is printed
        self.mapping: DumpedRegion | None = None  # whose lines may follow
        self.pointers: dict[int, int] = {}  # of address spaces and regions, with their lines
        self.vmos: dict[int, tuple[int, int]] = {}  # by pointer: koid and line
        self.koids: dict[int, tuple[int, int]] = {}  # pointer and line

    def read(self, lines: Iterable[DumpLine]) -> list[DumpedAspace]:
        readers = {
            "as": self.aspace,
            "vmar": self.vmar,
            "map": self.map,
            "vmo": self.vmo,
            "range": self.range,
        }
        for line in lines:
            readers[line.kind](line)
            line.end()
        self.close()
        if not self.aspaces:
            raise DumpError(
                self.file, 0, 0, "there is no address space in it", "the first line of a dump begins with as"
            )
        return self.aspaces

    # --- lines -----------------------------------------------------------------------------------------------------

    def aspace(self, line: DumpLine) -> None:
        self.close()
        if line.indent:
            raise line.error("an address space is not indented", "remove what stands in front of the line")
        pointer = self.pointer(line)
        base, size = self.sized(line)
        line.word("typ")
        type_ = line.decimal("the number of the type")
        if type_ > 3:
            raise line.error(f"there is no type {type_}", "types are 0 user, 1 kernel, 2 low kernel, 3 guest")
        line.word("ref")
        references = line.decimal("a reference count")
        name = line.quoted("a name in quotes, and destroyed 0 or 1", " +destroyed +[01]$")
        line.word("destroyed")
        destroyed = line.take("[01]", "0 or 1") == "1"
        self.top = 1
        self.aspaces.append(
            DumpedAspace(line.number, pointer, base, size, type_, references, name, destroyed)
        )

    def vmar(self, line: DumpLine) -> None:
        if not line.indent:
            self.bare()
        depth = self.depth(line)
        pointer = self.pointer(line)
        base, size = self.sized(line)
        line.word("ref")
        line.decimal("a reference count")
        state = self.state(line)
        name = line.quoted("a name in quotes, and the number of subregions", " +subregions +[0-9]+$")
        line.word("subregions")
        count = line.decimal("the number of subregions")
        region = DumpedRegion("vmar", line.number, pointer, base, size, state, depth, name, count)
        self.add(region)
        self.vmars.append(region)

    def map(self, line: DumpLine) -> None:
        depth = self.depth(line)
        if depth == self.top:
            raise line.error("a mapping lies in a VMAR", _CUT_HINT)
        pointer = self.pointer(line)
        base, size = self.sized(line)
        state = self.state(line)
        line.word("mergeable")
        mergeable = line.take("true|false", "true or false") == "true"
        region = DumpedRegion("mapping", line.number, pointer, base, size, state, depth, mergeable=mergeable)
        self.add(region)
        self.mapping = region

    def range(self, line: DumpLine) -> None:
        mapping = self.owner(
            line, 2 * (self.mapping.depth + 1) + 1 if self.mapping else 0, "a protection range"
        )
        if mapping.vmo is not None:
            raise line.error("protection ranges stand before the VMO", "is the dump in its own order?")
        first, last = line.span()
        line.word("mmufl")
        flags = line.hexadecimal("MMU flags")
        expected = mapping.ranges[-1][1] + 1 if mapping.ranges else mapping.base
        # Of a mapping that wraps, which is for a property to judge, the last byte is printed wrapped.
        last += _WORD * (last < first) + expected // _WORD * _WORD
        if first != expected % _WORD or not expected <= last < mapping.base + mapping.size:
            raise line.error(
                f"expected a protection range from {expected % _WORD:#x} on, inside the mapping of line {mapping.line}",
                "protection ranges cover their mapping without a gap, in address order",
            )
        mapping.ranges.append((expected, last, flags))

    def vmo(self, line: DumpLine) -> None:
        if self.mapping is not None and self.mapping.vmo is not None and not _MAPPED.search(line.text, line.at):
            line.at = len(line.text)  # what the VMO prints of itself in a verbose dump: it says nothing of the tree
            return
        mapping = self.owner(line, 2 * (self.mapping.depth + 1) if self.mapping else 0, "a VMO")
        if mapping.vmo is not None:
            raise line.error(f"the mapping of line {mapping.line} has a VMO already", _CUT_HINT)
        mapping.vmo, mapping.koid = self.shown(line)
        mapping.vmo_line = line.number
        line.word("off")
        mapping.offset = line.hexadecimal("the offset in the VMO")
        line.word("bytes")
        for before, after in (("\\(", "/"), ("/", "\\)")):
            line.take(rf"{before}(?=[0-9]+{after})", "byte counts such as (8192/0)")
            line.decimal("a byte count")
        line.take("\\)", "the end of the byte counts")
        line.word("ref")
        line.decimal("a reference count")
        line.quoted("a name in quotes", "$")

    # --- pieces ----------------------------------------------------------------------------------------------------

    def pointer(self, line: DumpLine) -> int:
        """The pointer of what this line prints: no other line prints the same."""
        at = line.at
        pointer = line.number_of(line.take("0x[0-9a-f]+", "a pointer"))
        if pointer in self.pointers or pointer in self.vmos:
            line.at = at
            earlier = f"the object of line {self.pointers[pointer]}" if pointer in self.pointers else (
                f"the VMO of line {self.vmos[pointer][1]}"
            )
            raise line.error(f"{pointer:#x} is {earlier} already", _TWICE_HINT)
        self.pointers[pointer] = line.number
        return pointer

    def shown(self, line: DumpLine) -> tuple[int, int]:
        """The pointer and the koid of a VMO. Many mappings may show it; each gives it the same koid, and no other VMO that."""
        at = line.at
        pointer = line.number_of(line.take("0x[0-9a-f]+", "a pointer"))
        if pointer in self.pointers:
            line.at = at
            raise line.error(f"{pointer:#x} is the object of line {self.pointers[pointer]}, and no VMO", _TWICE_HINT)
        at = line.at
        line.take("/k(?=[0-9])", "the koid of the VMO, such as /k1234")
        koid = line.decimal("a koid")
        known, there = self.vmos.setdefault(pointer, (koid, line.number))
        if known != koid:
            line.at = at
            raise line.error(f"the VMO {pointer:#x} has koid {koid} here, and {known} in line {there}", _TWICE_HINT)
        if koid:  # 0 is ZX_KOID_INVALID
            other, there = self.koids.setdefault(koid, (pointer, line.number))
            if other != pointer:
                line.at = at
                raise line.error(f"koid {koid} is that of the VMO {other:#x} in line {there}", _TWICE_HINT)
        return pointer, koid

    def sized(self, line: DumpLine) -> tuple[int, int]:
        """A range, and the size that has to agree with it."""
        first, last = line.span()
        line.word("sz")
        size = line.hexadecimal("a size")
        if (first + size - 1) % _WORD != last:
            raise line.error(f"the size {size:#x} does not fit the range [{first:#x} {last:#x}]")
        return first, size

    def state(self, line: DumpLine) -> int:
        line.word("state")
        state = line.decimal("the number of a state")
        if state > 2:
            raise line.error(f"there is no state {state}", "states are 0 not ready, 1 alive, 2 dead")
        return state

    def bare(self) -> None:
        """A root at the left edge: a tree without its address space's line begins here."""
        self.close()
        self.top = 0
        self.aspaces.append(DumpedAspace(0, 0, 0, 0, 0, 0, "", False, has_header=False))

    def depth(self, line: DumpLine) -> int:
        """How deep a region is printed; everything that is not above it is complete."""
        if not self.aspaces:
            raise line.error(
                "there is no address space above this line", "the first line of a dump begins with as"
            )
        depth, odd = divmod(line.indent, 2)
        deepest = len(self.vmars) + self.top
        if odd or not self.top <= depth <= deepest:
            raise line.error(
                f"indented by {line.indent} spaces; a region here is indented by {2 * self.top} to {2 * deepest}, "
                "two a level",
                _CUT_HINT,
            )
        if depth > _DEEPEST:
            raise line.error(f"more than {_DEEPEST} VMARs in one another", "is this the dump of a real machine?")
        if depth == self.top and self.aspaces[-1].root is not None:
            raise line.error("the address space has a root VMAR already", _CUT_HINT)
        self.close(depth - self.top)
        return depth

    def add(self, region: DumpedRegion) -> None:
        aspace = self.aspaces[-1]
        if region.depth == self.top:
            aspace.root = region
            if not aspace.has_header:
                aspace.line, aspace.pointer = region.line, region.pointer
            return
        region.parent = self.vmars[region.depth - self.top - 1]
        region.parent.children.append(region)

    def owner(self, line: DumpLine, indent: int, what: str) -> DumpedRegion:
        """The mapping that a line belongs to."""
        if self.mapping is None:
            raise line.error(f"{what} belongs to a mapping, and there is none above", _CUT_HINT)
        if line.indent != indent:
            raise line.error(
                f"{what} of the mapping above is indented by {indent} spaces, not {line.indent}", _CUT_HINT
            )
        return self.mapping

    def close(self, level: int = 0) -> None:
        """The mapping that was open, and all VMARs from this level on, are complete. The root's is 0."""
        self.close_mapping()
        while len(self.vmars) > level:
            vmar = self.vmars.pop()
            if len(vmar.children) != vmar.subregions:
                message = f"it has {vmar.subregions} subregions, and {len(vmar.children)} follow"
                raise DumpError(self.file, vmar.line, 1, message, _CUT_HINT)

    def close_mapping(self) -> None:
        mapping, self.mapping = self.mapping, None
        if mapping is None or mapping.state != 1:
            return
        covered = mapping.ranges[-1][1] + 1 if mapping.ranges else mapping.base
        if covered != mapping.base + mapping.size:
            message = f"its protection ranges end at {covered:#x}, not at {mapping.base + mapping.size:#x}"
            raise DumpError(self.file, mapping.line, 1, message, f"they cover their mapping; {_CUT_HINT}")
        if mapping.vmo is None:
            raise DumpError(self.file, mapping.line, 1, "the line with its VMO is missing", _CUT_HINT)
