"""The VMOs that a world starts with: VMOs of the model, pinned or not as the world says.

In the contract `pinned` is a fact about a whole VMO, past its end too; the model pins page by page. So the given VMOs say of
themselves what the world says, and their pages are really pinned where there are not too many of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from vmaspace.checker.adapters.world import VmoSpec
from vmaspace.model.constants import PAGE_SIZE
from vmaspace.model.status import Status
from vmaspace.model.system import System
from vmaspace.model.vmo import CloneType, VmObject, VmObjectPaged, VmObjectPhysical, VmoKind
from vmaspace.model.vmo.page_source import PageSource

_CHILDREN = ("snapshot", "slice")
_STREAM = 4 * PAGE_SIZE  # how much of an unbounded VMO is its stream
_REALLY_PINNED = 1 << 20  # bytes; the worlds that proofs think of have VMOs of any size


def given_vmos(system: System, specs: Sequence[VmoSpec]) -> list[VmObject]:
    """The VMOs of a world, without pages yet but for what is pinned; children of the first one among them."""
    made: list[VmObject] = []
    for spec in specs:
        if spec.origin in _CHILDREN and made:
            made.append(_child(made[0], spec))
        else:
            made.append(_given_vmo(system, spec))
    return made


def _child(first: VmObject, spec: VmoSpec) -> VmObject:
    if spec.origin == "slice":
        status, child = first.create_child_slice(0, spec.size)
    else:
        status, child = first.create_clone(CloneType.SNAPSHOT, 0, spec.size)
    if child is None:
        raise ValueError(f"the first VMO of the world has no {spec.origin}: {status.name}")
    return child


def _given_vmo(system: System, spec: VmoSpec) -> VmObject:
    kind = VmoKind[spec.kind.upper()]

    if kind is VmoKind.PHYSICAL:
        physical_class: type[VmObjectPhysical] = system.physical_vmo_class

        class GivenPhysical(physical_class):  # type: ignore[valid-type, misc]  # the class of this system
            __slots__ = ()

            def is_range_pinned(self, offset: int, size: int) -> bool:
                return spec.pinned

        return GivenPhysical(system, 0, spec.size)

    paged_class: type[VmObjectPaged] = system.paged_vmo_class

    class GivenPaged(paged_class):  # type: ignore[valid-type, misc]  # the class of this system
        __slots__ = ()

        def is_range_pinned(self, offset: int, size: int) -> bool:
            return spec.pinned

    match spec.origin:
        case "unbounded":
            return _made(GivenPaged.create(system, _STREAM, is_unbounded=True))
        case "discardable":
            return _made(GivenPaged.create(system, spec.size, is_discardable=True))
        case "pager" | "trapping_pager":
            source = PageSource(traps_dirty=spec.origin == "trapping_pager")
            return _made(GivenPaged.create(system, spec.size, source=source))
    pages = system.cow_pages_class(system, spec.size)
    is_resizable = spec.origin == "resizable"
    vmo = GivenPaged(system, kind, pages, is_vdso=spec.is_vdso, is_resizable=is_resizable)
    if spec.pinned and spec.size <= _REALLY_PINNED:
        vmo.commit_range_pinned(0, spec.size, True)
    return vmo


def _made(made: tuple[Status, VmObject | None]) -> VmObject:
    status, vmo = made
    if vmo is None:
        raise ValueError(f"a VMO of the world can not be made: {status.name}")
    return vmo
