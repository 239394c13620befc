"""Mutants of address spaces: creation, unification, destruction, names."""

from __future__ import annotations

from vmaspace.checker.adapters.mutants.registry import mutant
from vmaspace.model import System
from vmaspace.model.arch.aspace import ArchVmAspace
from vmaspace.model.aspace import VmAspace
from vmaspace.model.status import Status


class _ReferencesStay(ArchVmAspace):
    __slots__ = ()

    def destroy(self) -> Status:
        shared = self.shared
        status = super().destroy()
        if shared is not None:
            shared.references += 1
        return status


@mutant
class FreeingUnifiedKeepsAReference(System):
    """Freeing a unified space does not decrement the reference count of its shared part."""

    arch_aspace_class = _ReferencesStay


class _TwoRestricted(ArchVmAspace):
    __slots__ = ()

    def _assert_can_unify(self, shared: ArchVmAspace, restricted: ArchVmAspace) -> None:
        kind, shared.kind = shared.kind, type(shared.kind).SHARED
        try:
            super()._assert_can_unify(shared, restricted)
        finally:
            shared.kind = kind


@mutant
class AnythingIsTakenForShared(System):
    """CreateUnified does not look whether its shared part was created shared."""

    arch_aspace_class = _TwoRestricted


class _KillsItsNeighbour(VmAspace):
    __slots__ = ()

    def destroy(self) -> Status:
        status = super().destroy()
        for other in self.system.aspaces:
            if other.root is not None and other.type == self.type:
                for child in list(other.root.subregions):
                    child.destroy()
        return status


@mutant
class DestroyReachesIntoAnotherSpace(System):
    """Destroying an address space also destroys the regions of another one."""

    aspace_class = _KillsItsNeighbour


class _NameWithoutEnd(VmAspace):
    __slots__ = ()

    def rename(self, name: str | None) -> None:
        super().rename(name)
        if name is not None:
            self._name = name.encode()[:32]


@mutant
class NameFillsItsBuffer(System):
    """A name may fill all of its buffer, and leaves no room for the NUL."""

    aspace_class = _NameWithoutEnd
