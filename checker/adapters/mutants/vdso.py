"""Mutants of the rules about vDSO code."""

from __future__ import annotations

from vmaspace.checker.adapters.mutants.registry import mutant
from vmaspace.model import System
from vmaspace.model.aspace import VmAspace
from vmaspace.model.mapping import VmMapping
from vmaspace.model.status import Status


class _CodeCanGo(VmMapping):
    __slots__ = ()

    def _destroy_locked(self) -> Status:
        if self.aspace.vdso_code_mapping is self:
            self.aspace.vdso_code_mapping = None
        return super()._destroy_locked()


@mutant
class VdsoCodeCanBeDestroyed(System):
    """Destroying the vDSO code mapping itself is allowed."""

    mapping_class = _CodeCanGo


class _RecordStays(VmAspace):
    __slots__ = ()

    def destroy(self) -> Status:
        code = self.vdso_code_mapping
        status = super().destroy()
        self.vdso_code_mapping = code
        return status


@mutant
class DestroyLeavesTheVdsoRecord(System):
    """A destroyed address space still has its record of the vDSO code."""

    aspace_class = _RecordStays
