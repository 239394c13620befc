"""Which discardable VMOs are locked, and which lost their pages.

Mirrors `DiscardableVmoTracker` (`zircon/kernel/vm/include/vm/discardable_vmo_tracker.h`,
`zircon/kernel/vm/discardable_vmo_tracker.cc`).

Does not model the list of candidates: a test says which VMO is discarded.
"""

from __future__ import annotations

from dataclasses import dataclass

from vmaspace.model.constants import ByteOffset, ByteSize


@dataclass(frozen=True, slots=True)
class LockState:
    """`zx_vmo_lock_state_t`, in bytes: what is locked, and what had been discarded before."""

    offset: ByteOffset
    size: ByteSize
    discarded_offset: ByteOffset
    discarded_size: ByteSize


class DiscardableTracker:
    """How often one VMO is locked, and whether its pages are gone."""

    __slots__ = ("is_discarded", "lock_count")

    def __init__(self) -> None:
        self.lock_count = 0
        self.is_discarded = False
