"""The objects of a dump: address spaces with their trees, as the lines say.

What could not have been printed by a kernel is refused, with its place. What a kernel could print and should not, such as
children that overlap, is read: judging it is for the properties.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from vmaspace.checker.adapters.dumps.text import DumpError, DumpLine, dump_lines

_WORD = 1 << 64
_CUT_HINT = "the dump is cut off or lines are missing; paste it whole"


@dataclass(slots=True)
class DumpedRegion:
    """A VMAR or a mapping. Sizes in bytes; `ranges` are (first, last, MMU flags)."""

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
    vmo: int | None = None  # its koid
    offset: int = 0
    parent: DumpedRegion | None = None
    children: list[DumpedRegion] = field(default_factory=list)


@dataclass(slots=True)
class DumpedAspace:
    """An address space; without a root when it is destroyed, unified, or its tree was not printed."""

    line: int
    pointer: int
    base: int
    size: int
    type: int
    references: int
    name: str
    destroyed: bool
    root: DumpedRegion | None = None


def read_dump(text: str, file: str) -> list[DumpedAspace]:
    """The address spaces of a dump; `DumpError` says what can not be read."""
    return _Reader(file).read(dump_lines(text, file))


class _Reader:
    def __init__(self, file: str) -> None:
        self.file = file
        self.aspaces: list[DumpedAspace] = []
        self.vmars: list[DumpedRegion] = []  # those that are open, by depth from 1
        self.mapping: DumpedRegion | None = None  # whose lines may follow
        self.pointers: dict[int, int] = {}

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
        self.close(0)
        if not self.aspaces:
            raise DumpError(
                self.file, 0, 0, "there is no address space in it", "the first line of a dump begins with as"
            )
        return self.aspaces

    # --- lines -----------------------------------------------------------------------------------------------------

    def aspace(self, line: DumpLine) -> None:
        self.close(0)
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
        name = line.take(r"'.*'(?= destroyed [01]$)", "a name in quotes, and destroyed 0 or 1")[1:-1]
        line.word("destroyed")
        destroyed = line.take("[01]", "0 or 1") == "1"
        self.aspaces.append(
            DumpedAspace(line.number, pointer, base, size, type_, references, name, destroyed)
        )

    def vmar(self, line: DumpLine) -> None:
        depth = self.depth(line)
        pointer = self.pointer(line)
        base, size = self.sized(line)
        line.word("ref")
        line.decimal("a reference count")
        state = self.state(line)
        name = line.take(r"'.*'(?= subregions \d+$)", "a name in quotes, and the number of subregions")[1:-1]
        line.word("subregions")
        count = line.decimal("the number of subregions")
        region = DumpedRegion("vmar", line.number, pointer, base, size, state, depth, name, count)
        self.add(region, line)
        self.vmars.append(region)

    def map(self, line: DumpLine) -> None:
        depth = self.depth(line)
        if depth == 1:
            raise line.error("a mapping lies in a VMAR", _CUT_HINT)
        pointer = self.pointer(line)
        base, size = self.sized(line)
        state = self.state(line)
        line.word("mergeable")
        mergeable = line.take("true|false", "true or false") == "true"
        region = DumpedRegion("mapping", line.number, pointer, base, size, state, depth, mergeable=mergeable)
        self.add(region, line)
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
        if first != expected or last < first or last >= mapping.base + mapping.size:
            raise line.error(
                f"expected a protection range from {expected:#x} on, inside the mapping of line {mapping.line}",
                "protection ranges cover their mapping without a gap, in address order",
            )
        mapping.ranges.append((first, last, flags))

    def vmo(self, line: DumpLine) -> None:
        mapping = self.owner(line, 2 * (self.mapping.depth + 1) if self.mapping else 0, "a VMO")
        if mapping.vmo is not None:
            raise line.error(f"the mapping of line {mapping.line} has a VMO already", _CUT_HINT)
        line.take("0x[0-9a-f]+", "a pointer")
        mapping.vmo = line.number_of(
            line.take(r"/k\d+", "the koid of the VMO, such as /k1234").removeprefix("/k")
        )
        line.word("off")
        mapping.offset = line.hexadecimal("the offset in the VMO")
        line.word("bytes")
        line.take(r"\(\d+/\d+\)", "byte counts such as (8192/0)")
        line.word("ref")
        line.decimal("a reference count")
        line.quoted("a name in quotes")

    # --- pieces ----------------------------------------------------------------------------------------------------

    def pointer(self, line: DumpLine) -> int:
        at = line.at
        pointer = line.number_of(line.take("0x[0-9a-f]+", "a pointer"))
        if pointer in self.pointers:
            line.at = at
            raise line.error(
                f"{pointer:#x} is the object of line {self.pointers[pointer]} already",
                "is the same tree pasted twice? inspect one dump at a time",
            )
        self.pointers[pointer] = line.number
        return pointer

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

    def depth(self, line: DumpLine) -> int:
        """How deep a region stands; everything that is not above it is complete."""
        if not self.aspaces:
            raise line.error(
                "there is no address space above this line", "the first line of a dump begins with as"
            )
        depth, odd = divmod(line.indent, 2)
        deepest = len(self.vmars) + 1
        if odd or not 1 <= depth <= deepest:
            raise line.error(
                f"indented by {line.indent} spaces; a region here is indented by 2 to {2 * deepest}, two a level",
                _CUT_HINT,
            )
        if depth == 1 and self.aspaces[-1].root is not None:
            raise line.error("the address space has a root VMAR already", _CUT_HINT)
        self.close(depth)
        return depth

    def add(self, region: DumpedRegion, line: DumpLine) -> None:
        if region.depth == 1:
            self.aspaces[-1].root = region
            return
        region.parent = self.vmars[region.depth - 2]
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

    def close(self, depth: int) -> None:
        """The mapping that was open, and all VMARs from this depth on, are complete."""
        self.close_mapping()
        while len(self.vmars) >= max(depth, 1):
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
            raise DumpError(self.file, mapping.line, 1, message, _CUT_HINT)
        if mapping.vmo is None:
            raise DumpError(self.file, mapping.line, 1, "the line with its VMO is missing", _CUT_HINT)
