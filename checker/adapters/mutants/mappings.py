"""Mutants of mappings: splitting and protection ranges."""

from __future__ import annotations

from typing import Any

from vmaspace.checker.adapters.mutants.registry import mutant
from vmaspace.model import System
from vmaspace.model.mapping import VmMapping
from vmaspace.model.protection import ProtectionRanges


class _RightPartLosesItsOffset(VmMapping):
    __slots__ = ()

    def _piece(self, parent: Any, vmo: Any, base: int, end: int) -> VmMapping:
        piece = super()._piece(parent, vmo, base, end)
        piece.object_offset = self.object_offset
        return piece


@mutant
class SplitLosesTheOffsetOfTheRightPart(System):
    """After a hole was cut, what is right of it shows the VMO from the start of the old mapping."""

    mapping_class = _RightPartLosesItsOffset


class _RangesNotMerged(ProtectionRanges):
    __slots__ = ()

    def part(self, base: int, end: int) -> ProtectionRanges:
        return type(self)(self.first_flags, [], [])


@mutant
class SplitForgetsProtectionRanges(System):
    """The parts of a split mapping have the protection of its first page everywhere."""

    protection_ranges_class = _RangesNotMerged
