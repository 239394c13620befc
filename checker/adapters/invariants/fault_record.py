"""A fault that a mapping is resolving, with what it may map and what was seen of it so far."""

from __future__ import annotations

from vmaspace.model.constants import Paddr, Vaddr
from vmaspace.model.mapping import VmMapping
from vmaspace.model.mapping_faults import FaultInProgress


class FaultRecord:
    """One call of a mapping's fault routine.

    top: where the protection range, or the VMO, ends.  flags: of the protection range.
    """

    __slots__ = (
        "additional", "allocated", "flags", "is_write", "mapped", "mapping", "marker", "top", "unmapped", "va", "writable",
    )  # fmt: skip

    def __init__(
        self, mapping: VmMapping, va: Vaddr, is_write: bool, additional: int, flags: int, top: Vaddr
    ) -> None:
        self.mapping = mapping
        self.va = va
        self.is_write = is_write
        self.additional = additional
        self.flags = flags
        self.top = top
        self.allocated: set[Paddr] = set()
        self.writable: set[Paddr] = set()  # that the VMO called so
        self.mapped: set[Vaddr] = set()
        self.unmapped = False
        self.marker: FaultInProgress | None = None
