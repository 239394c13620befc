"""A walk over what is below a VMAR that can pause while the tree changes.

Mirrors `VmAddressRegionEnumerator` (`zircon/kernel/vm/include/vm/vm_address_region_enumerator.h`), including that
a mapping wholly below the range ends the walk when it is the last child of a sub-VMAR.

Does not model the lock that a pause lets go.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, cast

from vmaspace.model.constants import Vaddr
from vmaspace.model.mapping import VmMapping
from vmaspace.model.region import VmAddressRegionOrMapping
from vmaspace.model.status import AssertionViolation

if TYPE_CHECKING:
    from vmaspace.model.vmar import VmAddressRegion

_FILE = "zircon/kernel/vm/include/vm/vm_address_region_enumerator.h"


class EnumerationMode(IntEnum):
    """`VmAddressRegionEnumeratorType`: what is yielded."""

    VMARS_AND_MAPPINGS = 0
    MAPPINGS_ONLY = 1


class VmAddressRegionEnumerator:
    """Yields the descendants of `vmar` in `[minimum, maximum)`, parents first, in address order."""

    def __init__(self, vmar: VmAddressRegion, mode: EnumerationMode, minimum: Vaddr, maximum: Vaddr) -> None:
        self._vmar = vmar
        self._mode = mode
        self._minimum = minimum
        self._maximum = maximum
        self._depth = 1
        self._next: VmAddressRegionOrMapping | None = None
        self._is_paused = False
        first = vmar.subregions.include_or_higher(minimum)
        if (
            mode is EnumerationMode.VMARS_AND_MAPPINGS
            and first is not None
            and first.base < maximum
            and not first.is_mapping
            and (first.base < minimum or first.end > maximum)
        ):
            raise AssertionViolation("a walk over VMARs does not start inside one", _FILE)
        self._seek()

    def next(self) -> tuple[VmAddressRegionOrMapping, int] | None:
        """The next region and its depth below the VMAR, from 1; None when the walk is over.

        *Kernel:* `VmAddressRegionEnumerator::next` (vm_address_region_enumerator.h)
        *Fails with:* nothing.
        *Asserts:* not paused; every region met is ALIVE.
        """
        if self._is_paused:
            raise AssertionViolation("a paused walk does not go on", _FILE)
        while self._next is not None and self._next.base < self._maximum:
            current, depth = self._next, self._depth
            if not current.is_alive() or current.parent is None:
                raise AssertionViolation("a walk meets only what is alive", _FILE)
            above = current.parent.subregions.upper_bound(current.base)
            if isinstance(current, VmMapping):
                if current.end <= self._minimum:
                    # As implemented, without climbing out of a sub-VMAR that ends here.
                    self._next = above
                    continue
                self._climb_to(above, current)
                return current, depth
            vmar = cast("VmAddressRegion", current)
            if vmar.subregions.is_empty():
                self._climb_to(above, current)
            else:
                self._next = vmar.subregions.front()
                self._depth += 1
            if self._mode is EnumerationMode.VMARS_AND_MAPPINGS and current.base >= self._minimum:
                return current, depth
        return None

    def pause(self) -> None:
        """Let the tree change; the next region is remembered.

        *Kernel:* `VmAddressRegionEnumerator::pause` (vm_address_region_enumerator.h)
        *Fails with:* nothing.
        *Asserts:* not paused.
        """
        if self._is_paused:
            raise AssertionViolation("pause and resume alternate", _FILE)
        self._is_paused = True

    def resume(self) -> None:
        """Go on: at the remembered region, or, if that died, from the top behind its former end.

        *Kernel:* `VmAddressRegionEnumerator::resume` (vm_address_region_enumerator.h)
        *Fails with:* nothing.
        *Asserts:* paused.
        """
        if not self._is_paused:
            raise AssertionViolation("pause and resume alternate", _FILE)
        self._is_paused = False
        if self._next is not None and not self._next.is_alive():
            self._minimum = self._next.end
            self._seek()

    def _seek(self) -> None:
        """Find the first region at or behind the minimum, inside the VMARs that the minimum lies in.

        In the gap behind the last child of a VMAR nothing is found there, and the walk starts at that VMAR.
        """
        self._next = self._vmar.subregions.include_or_higher(self._minimum)
        self._depth = 1
        while self._next is not None and not self._next.is_mapping and self._next.base < self._minimum:
            inner = cast("VmAddressRegion", self._next).subregions.include_or_higher(self._minimum)
            if inner is None:
                return
            self._next = inner
            self._depth += 1

    def _climb_to(self, above: VmAddressRegionOrMapping | None, below: VmAddressRegionOrMapping) -> None:
        """Continue at `above`, or past the ends of the VMARs that end with `below`."""
        vmar = below.parent
        while above is None and self._depth > 1 and vmar is not None and vmar.parent is not None:
            above = vmar.parent.subregions.upper_bound(vmar.base)
            vmar = vmar.parent
            self._depth -= 1
        self._next = above
