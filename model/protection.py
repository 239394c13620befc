"""The protection ranges of one mapping: which MMU flags apply where.

Mirrors the first-range flags and the rest-range map of `VmMapping` (`zircon/kernel/vm/vm_mapping.cc`; in older
trees the class `MappingProtectionRanges`). The form is minimal: boundaries are page aligned, strictly inside the
mapping, and the flags on both sides of one differ. All ranges have the same cache bits.

Does not model what the hardware is told; the caller is shown each old range that an update covers.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from vmaspace.model.constants import Vaddr
from vmaspace.model.status import ZX_ERR_NO_MEMORY, ZX_OK, Status

if TYPE_CHECKING:
    from vmaspace.model.heap import Heap


class ProtectionRanges:
    """Flags at the base of a mapping, and from each boundary on."""

    __slots__ = ("_boundaries", "_flags", "first_flags")

    def __init__(
        self, first_flags: int, boundaries: list[Vaddr] | None = None, flags: list[int] | None = None
    ) -> None:
        self.first_flags = first_flags
        self._boundaries: list[Vaddr] = [] if boundaries is None else boundaries
        self._flags: list[int] = [] if flags is None else flags  # as long as the boundaries

    @property
    def boundaries(self) -> tuple[Vaddr, ...]:
        """The addresses at which the flags change."""
        return tuple(self._boundaries)

    def is_single(self) -> bool:
        """Whether the same flags apply everywhere."""
        return not self._boundaries

    def flags_at(self, addr: Vaddr) -> int:
        """The flags that apply at `addr`."""
        index = bisect_right(self._boundaries, addr)
        return self._flags[index - 1] if index else self.first_flags

    def range_at(self, addr: Vaddr, region_end: Vaddr) -> tuple[int, Vaddr]:
        """The flags that apply at `addr`, and one past the last address of their range."""
        boundaries = self._boundaries
        if not boundaries:
            return self.first_flags, region_end
        index = bisect_right(boundaries, addr)
        top = boundaries[index] if index < len(boundaries) else region_end
        return self._flags[index - 1] if index else self.first_flags, top

    def ranges(self, base: Vaddr, end: Vaddr) -> Iterator[tuple[Vaddr, Vaddr, int]]:
        """The ranges `(start, end, flags)` within `[base, end)`, in address order, clipped."""
        first = bisect_right(self._boundaries, base)
        start, flags = base, self._flags[first - 1] if first else self.first_flags
        for index in range(first, bisect_left(self._boundaries, end)):
            boundary = self._boundaries[index]
            yield start, boundary, flags
            start, flags = boundary, self._flags[index]
        yield start, end, flags

    def update(
        self,
        region_base: Vaddr,
        region_end: Vaddr,
        base: Vaddr,
        end: Vaddr,
        flags: int,
        heap: Heap,
        on_old_range: Callable[[Vaddr, Vaddr, int], None],
    ) -> Status:
        """Let `flags` apply in `[base, end)` of the mapping `[region_base, region_end)`.

        `on_old_range` is called with each old range in `[base, end)` before anything is written.

        *Kernel:* `VmMapping::ProtectLocked` (zircon/kernel/vm/vm_mapping.cc)
        *Fails with:* NO_MEMORY when a boundary can not be allocated; nothing is changed then.
        *Leaves alone:* the flags outside `[base, end)`.
        """
        low = bisect_left(self._boundaries, base)
        high = bisect_right(self._boundaries, end)
        flags_before = self._flags[low - 1] if low else self.first_flags
        end_flags = self._flags[high - 1] if high else self.first_flags
        keeps_base = base > region_base and flags_before != flags
        keeps_end = end < region_end and end_flags != flags
        has_base = low < len(self._boundaries) and self._boundaries[low] == base
        has_end = high > 0 and self._boundaries[high - 1] == end

        if keeps_base and not has_base and not heap.allocate():
            return ZX_ERR_NO_MEMORY
        if keeps_end and not has_end and not heap.allocate():
            return ZX_ERR_NO_MEMORY
        for start, stop, old_flags in self.ranges(base, end):
            on_old_range(start, stop, old_flags)

        boundaries: list[Vaddr] = []
        new_flags: list[int] = []
        if keeps_base:
            boundaries.append(base)
            new_flags.append(flags)
        if keeps_end:
            boundaries.append(end)
            new_flags.append(end_flags)
        if base == region_base:
            self.first_flags = flags
        self._boundaries[low:high] = boundaries
        self._flags[low:high] = new_flags
        return ZX_OK

    def part(self, base: Vaddr, end: Vaddr) -> ProtectionRanges:
        """The ranges of a mapping that covers only `[base, end)` of this one."""
        low = bisect_right(self._boundaries, base)
        high = bisect_left(self._boundaries, end)
        return type(self)(self.flags_at(base), self._boundaries[low:high], self._flags[low:high])

    def joined(self, seam: Vaddr, right: ProtectionRanges) -> ProtectionRanges:
        """These ranges up to `seam` and those of `right` from there on."""
        boundaries, flags = list(self._boundaries), list(self._flags)
        if self.flags_before(seam) != right.first_flags:
            boundaries.append(seam)
            flags.append(right.first_flags)
        return type(self)(self.first_flags, boundaries + right._boundaries, flags + right._flags)

    def flags_before(self, addr: Vaddr) -> int:
        """The flags that apply just below `addr`."""
        return self.flags_at(addr - 1)

    def set_cache_policy(self, cache_policy: int, cache_mask: int) -> None:
        """Replace the cache bits of a mapping that has one range."""
        self.first_flags = (self.first_flags & ~cache_mask) | cache_policy
