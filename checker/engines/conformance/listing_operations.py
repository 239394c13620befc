"""Operations that list what an address space or a VMAR holds."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from vmaspace.checker.engines.conformance.environment import Bound, Environment
from vmaspace.checker.engines.conformance.vocabulary import OBJECT, Answer, operation
from vmaspace.model.flags import Right
from vmaspace.model.object.dispatcher import VmAddressRegionDispatcher, lookup
from vmaspace.model.object.maps import MapEntry, vmar_maps
from vmaspace.model.object.process import ProcessDispatcher


def _listing(env: Environment, entries: list[MapEntry]) -> dict[str, object]:
    lines: list[dict[str, Any]] = [
        {
            "index": index,
            "kind": entry.kind.name.lower(),
            "depth": entry.depth,
            "base": entry.base,
            "size": entry.size,
            "name": entry.name,
            "vmo_offset": entry.vmo_offset,
            "mmu": [word for word in ("READ", "WRITE", "EXECUTE") if entry.mmu_flags & env.mmu_flags([word])],
            "vmo_koid": entry.vmo_koid,
            "committed": entry.committed_bytes,
            "populated": entry.populated_bytes,
            "private": entry.populated_private_bytes,
            "scaled": int(entry.populated_scaled_bytes),
        }
        for index, entry in enumerate(entries)
    ]
    return {
        "count": len(entries),
        "lines": lines,
        "bases_non_descending": _holds(lambda: _is_sorted([entry.base for entry in entries])),
        "preorder": _holds(lambda: _is_preorder(entries)),
    }


def _holds(predicate: Callable[[], bool]) -> Callable[[bool], str | None]:
    return lambda expected: None if predicate() is expected else str(not expected).lower()


def _is_sorted(numbers: list[int]) -> bool:
    return all(low <= high for low, high in pairwise(numbers))


def _is_preorder(entries: list[MapEntry]) -> bool:
    """Whether every entry lies inside the entry above it, and comes after it."""
    above: list[MapEntry] = []
    for entry in entries:
        del above[entry.depth :]
        if len(above) != entry.depth:
            return False
        if above and not (
            above[-1].base <= entry.base and entry.base + entry.size <= above[-1].base + above[-1].size
        ):
            return False
        above.append(entry)
    return True


_LISTING = "status count bases_non_descending preorder entries contains_once"


@operation("vmar.maps", _LISTING, vmar=OBJECT)
def maps_of_vmar(env: Environment, vmar: Bound) -> Answer:
    """What a VMAR holds."""
    status, dispatcher = lookup(env.handle(vmar), VmAddressRegionDispatcher, Right.INSPECT)
    if dispatcher is None:
        return Answer(status.name)
    status, entries = vmar_maps(dispatcher.vmar)
    return Answer(status.name, _listing(env, entries))


@operation("process.maps", _LISTING, process=OBJECT)
def maps_of_process(env: Environment, process: Bound) -> Answer:
    """What the address spaces of a process hold."""
    status, dispatcher = lookup(env.handle(process), ProcessDispatcher, Right.READ)
    if dispatcher is None:
        return Answer(status.name)
    status, entries = dispatcher.maps()
    return Answer(status.name, _listing(env, entries))
