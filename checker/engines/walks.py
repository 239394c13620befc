"""The walk of an address in a run's address space, put in words: the entries, where they lead, and whose page that is.

Not here: how it is laid out; that is `report.walk`.
"""

from __future__ import annotations

from collections.abc import Iterator

from vmaspace.checker.adapters.paging.fields import Role
from vmaspace.checker.adapters.paging.walked import (
    ArchVmAspace,
    Walked,
    is_translated,
    mapped_page,
    root_register,
    walk_to,
    without_tag,
)
from vmaspace.checker.engines.decoding import leads_to, privileges
from vmaspace.checker.engines.rerun import Rerun
from vmaspace.checker.report.notation import flags_text, range_text, rights_text, size_text
from vmaspace.checker.report.space import Aspace, Region, Space, read_space
from vmaspace.checker.report.state import State
from vmaspace.checker.report.walk import Remark, Row, WalkView

PAGE = 0x1000
RIGHTS = {"read", "write", "execute"}
# Why a CPU grants less than the entries let pass.
CPU_RULES = {
    "x86_64": "SMEP and SMAP keep the kernel off a user's pages",
    "arm64": "what EL0 may write EL1 does not execute",
    "riscv64": "without SUM a supervisor does not touch a user's pages, and never executes them",
}
# What a CPU reports a fault in, by the machine or the format of tables.
FAULT_CODES = {
    "x86_64": "error code",
    "EPT": "exit qualification",
    "arm64": "fault status code",
    "riscv64": "scause",
}


class WalkError(Exception):
    """An address or an address space that cannot be walked; the message says why, and what to do."""


# --- which address space ----------------------------------------------------------------------------------------------


def chosen_aspaces(run: Rerun, name: str | None, at: int | None) -> list[str]:
    """The address space that is meant, and its parts if it is unified; all of them if neither name nor address is given.

    Without a name, an address means the youngest address space that it lies in.
    """
    space = read_space(run.state)
    known = ", ".join(
        f"{a.name} {range_text(a.base, a.size) if a.size else 'unified'}" for a in space.aspaces
    )
    if name is None and at is None:
        return [a.name for a in space.aspaces]
    if name is None:
        assert at is not None
        inside = [a for a in space.aspaces if not a.destroyed and _is_inside(run, space, a, at)]
        if not inside:
            raise WalkError(f"{at:#x} is in no address space that is alive; name one with --aspace: {known}")
        chosen = inside[-1]
    else:
        found = next((a for a in space.aspaces if a.name == name), None)
        if found is None:
            raise WalkError(f"there is no address space {name!r} here; there are {known}")
        chosen = found
    return [chosen.name, *(part.name for part in _parts(space, chosen))]


def _is_inside(run: Rerun, space: Space, aspace: Aspace, at: int) -> bool:
    if aspace.type == "user":
        at = without_tag(_tables(run, aspace.name), at)
    return any(part.base <= at < part.base + part.size for part in (aspace, *_parts(space, aspace)))


def _parts(space: Space, aspace: Aspace) -> list[Aspace]:
    """The parts of a unified space, the restricted one first. It has no range of its own."""
    return [part for part in space.aspaces if part.name in (aspace.restricted_part, aspace.shared_part)]


def part_of(state: State, aspaces: list[str]) -> State:
    """The state without other address spaces and their regions; what is left can be drawn by itself."""
    home = state["values"].get("aspace", {})
    elements = dict(state["elements"])
    elements["Aspace"] = [a for a in elements.get("Aspace", ()) if a in aspaces]
    elements["Region"] = [r for r in elements.get("Region", ()) if home.get(r) in aspaces]
    return State(elements=elements, values=state["values"])


# --- one walk ---------------------------------------------------------------------------------------------------------


def walks(run: Rerun, aspaces: list[str], at: int) -> list[WalkView]:
    """The walk through the tables of the first of these address spaces; of a unified one, through those of the part too."""
    try:
        return _views(run, aspaces, at)
    except WalkError:
        raise
    except Exception as error:  # a faulty implementation may raise anything
        raise WalkError(
            f"the page tables of {aspaces[0]} cannot be walked: {type(error).__name__}: {error}"
        ) from error


def _views(run: Rerun, aspaces: list[str], at: int) -> list[WalkView]:
    space = read_space(run.state)
    chosen, *parts = (next(a for a in space.aspaces if a.name == name) for name in aspaces)
    va = without_tag(_tables(run, chosen.name), at)
    first = _walk(run, space, chosen, at, [chosen, *parts])
    views = [first]
    for part in parts:
        if not part.base <= va < part.base + part.size:
            continue
        second = _walk(run, space, part, at, [part])
        if second.root == first.root:
            agrees = f"{part.name} has the same root table: its walk is this one"
        elif _same_end(first, second):
            agrees = f"the walk through {part.name} comes to the same"
            views.append(second)
        else:
            agrees = f"! the walk through {part.name} comes to something else"
            views.append(second)
        views[0] = _with(first, Remark("views", agrees))
    return views


def _same_end(first: WalkView, second: WalkView) -> bool:
    """Whether two walks that start in different roots come to the same: in one table, or at root entries that say the same."""
    one, other = first.rows[-1], second.rows[-1]
    return (
        len(first.rows) == len(second.rows)
        and one.entry == other.entry
        and (one.at == other.at or len(first.rows) == 1)
    )


def _with(view: WalkView, remark: Remark) -> WalkView:
    return WalkView(
        view.title, view.aspace, view.address, view.root, view.rows, view.paddr, (*view.remarks, remark)
    )


def _tables(run: Rerun, aspace: str) -> ArchVmAspace:
    return run.adapter.observer.aspaces[int(aspace.removeprefix("aspace"))].arch


def _walk(run: Rerun, space: Space, aspace: Aspace, at: int, owners: list[Aspace]) -> WalkView:
    tables = _tables(run, aspace.name)
    regime = tables.regime
    if not is_translated(tables, at):
        raise WalkError(_not_translated(run.world.arch, aspace.name, regime.name, regime.width, at))
    va = without_tag(tables, at)
    walked = walk_to(tables, va)
    if walked is None:
        raise WalkError(f"{aspace.name} has no page tables: it was freed")
    register, value = root_register(tables)
    rows = tuple(
        Row(e.decoded.level, e.name, e.slot, e.at, e.decoded.entry, leads_to(e.decoded), e.decoded.text())
        for e in walked.entries
    )
    tag = f" (its tag {at >> 56:#x} is ignored)" if va != at else ""
    title = f"walk of {at:#x}{tag} in {aspace.name}, {regime.name}, {register} {value:#x}"
    remarks = (
        *_translation(run.world.arch, walked), *_faults(tables, walked), *_mapping(run, space, owners, walked)
    )  # fmt: skip
    return WalkView(title, aspace.name, at, walked.root, rows, walked.paddr, remarks)


def _not_translated(arch: str, aspace: str, tables: str, width: int, at: int) -> str:
    if arch == "arm64":
        return f"{at:#x} is not an address of the half that the tables of {aspace} translate ({tables}, {width} bits)"
    return (
        f"{at:#x} is not canonical: {tables} translates {width} bits, and those above them are copies of the highest one"
        if "EPT" not in tables
        else f"{at:#x} is more than the {width} bits that {tables} translates"
    )


def _translation(arch: str, walked: Walked) -> Iterator[Remark]:
    last, name = walked.last, walked.entries[-1].name
    if walked.paddr is None:
        low = walked.va & -last.size
        what = {Role.MALFORMED: "is malformed", Role.TABLE: "leads to no table"}.get(
            last.role, "leads to nothing"
        )
        yield Remark(
            "translation",
            f"none: entry {walked.entries[-1].slot} of the {name} {what}, so nothing is mapped in {range_text(low, last.size)}",
        )
        return
    yield Remark("translation", f"{walked.va:#x} -> {walked.paddr:#x}, in a page of {size_text(last.size)}")
    yield Remark("entries pass", rights_text(walked.rights, privileges(last)))
    kinds = {fault.kind for fault in walked.faults}
    why = ""
    if walked.rights and not walked.granted and kinds != {"permission"}:
        why = f"  (every access faults: {', '.join(sorted(kinds))})"
    elif walked.granted != walked.rights:
        why = f"  ({CPU_RULES[arch]})"
    yield Remark("a CPU grants", rights_text(walked.granted, privileges(last)) + why)


def _faults(tables: ArchVmAspace, walked: Walked) -> Iterator[Remark]:
    """What the CPU reports of the accesses that it does not grant to those whom the tables are for."""
    faults = [fault for fault in walked.faults if fault.is_user is not tables.is_kernel]
    if not faults:
        return
    who = "kernel" if tables.is_kernel else privileges(walked.last)[0]
    code = FAULT_CODES.get(tables.regime.name, FAULT_CODES[tables.arch.name])
    told = [
        ", ".join(f"{fault.access} {fault.code:#x}" for fault in faults if fault.kind == kind) + f": {kind}"
        for kind in dict.fromkeys(fault.kind for fault in faults)
    ]
    yield Remark(f"{who} faults", f"{'; '.join(told)} ({code})")


# --- whose page it is -------------------------------------------------------------------------------------------------


def _mapping(run: Rerun, space: Space, owners: list[Aspace], walked: Walked) -> Iterator[Remark]:
    """What the regions say of the address."""
    va = walked.va
    held = [
        r
        for r in space.regions.values()
        if r.is_alive and r.aspace in [a.name for a in owners] and r.base <= va < r.end
    ]
    mapping = next((r for r in held if r.is_mapping), None)
    if mapping is None:
        gap = max(held, key=lambda r: (r.base, -r.size), default=None)
        is_inside = any(a.base <= va < a.base + a.size for a in owners)
        outside = f"no region is alive at {va:#x}" if is_inside else f"{va:#x} is outside {owners[0].name}"
        where = outside if gap is None else f"a gap of {gap.name}"
        wrong = "! " if walked.paddr is not None and gap is not None else ""
        yield Remark("mapping", f"{wrong}none: {where}; a page fault answers NOT_FOUND")
        return
    flags = next((flags for start, end, flags in mapping.prot_pieces() if start <= va < end), ())
    offset = va - mapping.base + mapping.object_offset
    yield Remark(
        "mapping",
        f"{mapping.name} of {mapping.aspace}, {range_text(mapping.base, mapping.size)}, prot {flags_text(flags)}, "
        f"shows {mapping.object or 'no object'}+{offset:#x} here",
    )
    yield from _page(run, mapping, walked, is_allowed=bool(RIGHTS & set(flags)))


def _page(run: Rerun, mapping: Region, walked: Walked, *, is_allowed: bool) -> Iterator[Remark]:
    behind = mapped_page(run.adapter.observer.regions[int(mapping.name.removeprefix("region"))], walked.va)
    if behind is None:
        return
    vmo = f"{'a private clone of ' if behind.is_private_clone else ''}{mapping.object}"
    name = f"page {behind.offset // PAGE} of {vmo}"
    shown = None if walked.paddr is None else walked.paddr & -PAGE
    if behind.is_past_end:
        wrong = "" if shown is None else "! "
        text = f"{wrong}{vmo} ends below {behind.offset + 1:#x}: a page fault answers OUT_OF_RANGE"
    elif shown is None:
        there = "which is not there yet" if behind.paddr is None else f"at {behind.paddr:#x}"
        then = "the first access is a page fault" if is_allowed else "a page fault answers ACCESS_DENIED"
        text = f"{name}, {there}; not faulted in: {then}"
    elif behind.paddr == shown:
        text = name
    elif behind.paddr is None and shown == behind.zero_page:
        text = f"{name}, never written: the shared zero page"
    else:
        there = "not there" if behind.paddr is None else f"at {behind.paddr:#x}"
        text = f"! {name} is {there}, and {shown:#x} is mapped"
    yield Remark("page", text)
