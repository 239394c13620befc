"""The VMOs that a world starts with: VMOs of the model, pinned or not as the world says.

In the contract `pinned` is a fact about a whole VMO, past its end too; the model pins page by page. So the given VMOs say of
themselves what the world says, and their pages are really pinned where there are not too many of them.
"""

from __future__ import annotations

from vmaspace.checker.adapters.world import VmoSpec
from vmaspace.model.system import System
from vmaspace.model.vmo import VmObject, VmObjectPaged, VmObjectPhysical, VmoKind

_REALLY_PINNED = 1 << 20  # bytes; the worlds that proofs think of have VMOs of any size


def given_vmo(system: System, spec: VmoSpec) -> VmObject:
    """A VMO of a world, without pages yet."""
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

    vmo = GivenPaged(system, kind, system.cow_pages_class(system, spec.size), is_vdso=spec.is_vdso)
    if spec.pinned and spec.size <= _REALLY_PINNED:
        vmo.commit_range_pinned(0, spec.size, True)
    return vmo
