"""Address spaces as text: for each its tree of live regions in address order, with ranges, rights and gaps.

    aspace1                 [0x200000, 0x1200000)  16 MiB  user
    └─ region1 vmar         [0x200000, 0x1200000)  16 MiB  can rwxs
       ├─ · gap             [0x200000, 0x400000)   2 MiB
       └─ region2 mapping   [0x400000, 0x402000)   8 KiB   can rw-  vmo0+0x0  prot r--u

What cannot be true of a sound tree is drawn all the same and marked with an exclamation mark: overlapping siblings, a
child outside its parent, a region that hangs on nothing. `change` draws the difference of two states.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from vmaspace.checker.report.notation import flags_text, natural, range_text, size_text
from vmaspace.checker.report.space import Aspace, Region, Space, read_space
from vmaspace.checker.report.state import State, number_of, value_of


@dataclass(frozen=True)
class Line:
    """One line of a drawing. `key` says which thing it is about, so that two drawings can be compared."""

    key: str
    stem: str = ""                  # the branches of the tree left of the label
    label: str = ""
    range: str = ""
    size: str = ""
    rest: str = ""
    under: str = ""                 # the key of the line that this one hangs on

    @property
    def content(self) -> tuple[str, ...]:
        """What has to differ for the line to have changed; the shape of the branches is not part of it."""
        return (self.under, self.label, self.range, self.size, self.rest)


def draw_state(state: State, given: State | None = None) -> str:
    """The drawing of a state; `given` adds the memory objects."""
    return "\n".join(lay_out(drawn_lines(state, given)))


def drawn_lines(state: State, given: State | None = None) -> list[Line]:
    drawer = Drawer(read_space(state))
    lines = [*drawer.spaces(), *drawer.strays(), *drawer.departed(), *(objects(given) if given else ())]
    return lines or [Line("nothing", label="no address space")]


def lay_out(lines: Sequence[Line]) -> list[str]:
    """The lines as text, in columns that are as wide as these lines need."""
    first = max((len(line.stem + line.label) for line in lines if line.range or line.size), default=0)
    second = max((len(line.range) for line in lines), default=0)
    third = max((len(line.size) for line in lines), default=0)
    return [
        f"{line.stem + line.label:{first}}  {line.range:{second}}  {line.size:{third}}  {line.rest}".rstrip()
        if line.range or line.size
        else f"{line.stem}{line.label} {line.rest}".rstrip()
        for line in lines
    ]


def excerpt(lines: Sequence[Line], near: Mapping[str, int], limit: int) -> list[Line]:
    """Of more lines than `limit`, those that begin a space and those of the things in `near`, each with so many lines around it.

    What is left out is counted in its place. A drawing in which nothing is near to anything is cut at its end.
    """
    if len(lines) <= limit:
        return list(lines)
    kept = set[int]()
    for index, line in enumerate(lines):
        around = near.get(line.key)
        if around is not None:
            kept.update(range(max(0, index - around), min(len(lines), index + around + 1)))
    if not kept:
        kept.update(range(limit))
    kept.update(index for index, line in enumerate(lines) if not line.under)
    shown, left_out = list[Line](), 0
    for index, line in enumerate(lines):
        if index not in kept:
            left_out += 1
            if index + 1 < len(lines) and index + 1 not in kept:
                continue
            shown.append(Line(f"left out {index}", label=f"   ··· {left_out:,} {'line' if left_out == 1 else 'lines'}"))
            left_out = 0
        else:
            shown.append(line)
    return shown


@dataclass
class Drawer:
    """Walks the trees of one state; `seen` keeps a cycle of parents from going round forever."""

    space: Space
    seen: set[str] = field(default_factory=set)

    def spaces(self) -> Iterator[Line]:
        for aspace in self.space.aspaces:
            yield Line(
                aspace.name,
                label=aspace.name,
                range=range_text(aspace.base, aspace.size) if aspace.size else "",
                size=size_text(aspace.size) if aspace.size else "",
                rest=", ".join(aspace_marks(aspace)),
            )
            roots = self.space.roots(aspace)
            for index, region in enumerate(roots):
                remark = self.root_remark(aspace, region)
                yield from self.tree(region, aspace.name, "", index == len(roots) - 1, remark)

    def root_remark(self, aspace: Aspace, region: Region) -> str:
        if region.name == aspace.root:
            return "" if region.is_alive else f"! the root is {region.life}"
        return f"! parent {region.parent} is not alive" if region.parent else "! hangs on nothing"

    def strays(self) -> Iterator[Line]:
        """Live regions that no address space leads to."""
        rest = [region for region in self.space.regions.values() if region.is_alive and region.name not in self.seen]
        if rest:
            yield Line("strays", label="in no tree")
        for region in rest:
            if region.name not in self.seen:
                yield from self.tree(region, "strays", "", True, f"! parent {region.parent}, aspace {region.aspace}")

    def departed(self) -> Iterator[Line]:
        """Regions that are not alive, by what they are instead."""
        gone: dict[str, list[str]] = {}
        for region in self.space.regions.values():
            if not region.is_alive and region.name not in self.seen:
                gone.setdefault(region.life, []).append(region.name)
        for life, names in sorted(gone.items()):
            yield Line(life, label=f"{life.replace('_', ' ')}:", rest=" ".join(names))

    def tree(self, region: Region, under: str, stem: str, is_last: bool, remark: str = "") -> Iterator[Line]:
        """A region and what is below it. `stem` is what stands left of this level's branches."""
        self.seen.add(region.name)
        notes = [*region_notes(region), *([remark] if remark else [])]
        children = [child for child in self.space.children(region.name) if child.name not in self.seen]
        if not region.is_mapping and not children:
            notes.append("empty")
        yield Line(
            region.name,
            stem + ("└─ " if is_last else "├─ "),
            f"{region.name} {region.kind}",
            range_text(region.base, region.size),
            size_text(region.size),
            "  ".join(notes),
            under,
        )
        below = stem + ("   " if is_last else "│  ")
        yield from prot_lines(region, below)
        yield from self.level(region, children, below)

    def level(self, region: Region, children: list[Region], stem: str) -> Iterator[Line]:
        """The children of a region with the gaps between them."""
        reached, widest = region.base, ""
        final_gap = bool(children) and max(child.end for child in children) < region.end
        for index, child in enumerate(children):
            if child.base > reached:
                yield gap(region, reached, min(child.base, region.end), stem, False)
            remarks = []
            if widest and child.base < reached:
                remarks.append(f"! overlaps {widest}")
            if child.base < region.base or child.end > region.end:
                remarks.append(f"! outside {region.name}")
            if child.name not in self.seen:         # below a cycle of parents, a sibling may have led here already
                is_last = index == len(children) - 1 and not final_gap
                yield from self.tree(child, region.name, stem, is_last, "  ".join(remarks))
            if child.end > reached:
                reached, widest = child.end, child.name
        if final_gap:
            yield gap(region, reached, region.end, stem, True)


def gap(region: Region, start: int, end: int, stem: str, is_last: bool) -> Line:
    return Line(
        f"{region.name} gap {start:#x}",
        stem + ("└─ " if is_last else "├─ "),
        "· gap",
        range_text(start, end - start),
        size_text(end - start),
        under=region.name,
    )


def aspace_marks(aspace: Aspace) -> Iterator[str]:
    yield aspace.type
    if aspace.share != "none":
        yield f"share {aspace.share}"
    if aspace.unified and not (aspace.restricted_part or aspace.shared_part):
        yield "unified"  # as a dump tells it
    elif aspace.unified:
        parts = aspace.restricted_part or "nothing", aspace.shared_part or "nothing"
        yield "unified: {} (restricted) below {} (shared)".format(*parts)
    if aspace.references:
        yield f"references {aspace.references}"
    if aspace.vdso_code:
        yield f"vdso code {aspace.vdso_code}"
    if aspace.destroyed:
        yield "destroyed"
    if aspace.freed:
        yield "freed"


def region_notes(region: Region) -> Iterator[str]:
    if region.flags is not None:
        yield f"can {flags_text(region.flags)}"
    if not region.is_mapping:
        return
    yield f"{region.object or 'no object'}+{region.object_offset:#x}"
    pieces = region.prot_pieces()
    if region.prot is not None and len(pieces) <= 1:
        yield f"prot {flags_text(pieces[0][2] if pieces else ())}"
    if region.mergeable:
        yield "mergeable"


def prot_lines(region: Region, stem: str) -> Iterator[Line]:
    """A line for each piece, where a mapping has more than one permission."""
    pieces = region.prot_pieces()
    if not region.is_mapping or len(pieces) < 2:
        return
    for start, end, flags in pieces:
        yield Line(
            f"{region.name} prot {start:#x}",
            f"{stem}  ",
            "prot",
            range_text(start, end - start),
            size_text(end - start),
            flags_text(flags),
            region.name,
        )


def objects(given: State) -> Iterator[Line]:
    """The memory objects, by the facts that the world gives about them."""
    for name in sorted(given["elements"].get("Vmo", ()), key=natural):
        marks = [str(value_of(given, "vmo_kind", name, default="paged")), size_text(number_of(given, "vmo_size", name))]
        origin = str(value_of(given, "vmo_origin", name, default="alone"))
        marks += [] if origin == "alone" else [f"{origin} of vmo0" if origin in ("snapshot", "slice") else origin]
        marks += [word for word, fact in (("vdso", "is_vdso"), ("pinned", "pinned")) if value_of(given, fact, name)]
        yield Line(name, label=name, rest=" ".join(marks))
