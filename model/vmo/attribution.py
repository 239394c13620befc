"""What memory costs whom.

Mirrors `AttributionCounts` (`zircon/kernel/vm/include/vm/vm_object.h`) and `VmCowPages::GetAttributedMemoryInRange`
(`zircon/kernel/vm/vm_cow_pages.cc`). A page that one VMO alone sees is private to it; one that `n` VMOs see through
copy-on-write counts for each of them, and a share of `1/n` is charged to each. The shares are exact fractions.

Does not model compression: the compressed parts are always 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from vmaspace.model.constants import ByteSize


@dataclass(frozen=True, slots=True)
class AttributionCounts:
    """Bytes of memory behind a range; scaled parts may have a fraction."""

    uncompressed: ByteSize = 0
    private_uncompressed: ByteSize = 0
    scaled_uncompressed: Fraction = Fraction(0)
    compressed: ByteSize = 0
    private_compressed: ByteSize = 0
    scaled_compressed: Fraction = Fraction(0)

    def __add__(self, other: AttributionCounts) -> AttributionCounts:
        return AttributionCounts(
            self.uncompressed + other.uncompressed,
            self.private_uncompressed + other.private_uncompressed,
            self.scaled_uncompressed + other.scaled_uncompressed,
            self.compressed + other.compressed,
            self.private_compressed + other.private_compressed,
            self.scaled_compressed + other.scaled_compressed,
        )

    @property
    def total(self) -> ByteSize:
        """All bytes, compressed or not."""
        return self.uncompressed + self.compressed

    @property
    def total_private(self) -> ByteSize:
        """All private bytes, compressed or not."""
        return self.private_uncompressed + self.private_compressed

    @property
    def total_scaled(self) -> Fraction:
        """All charged bytes, compressed or not."""
        return self.scaled_uncompressed + self.scaled_compressed


NOTHING_ATTRIBUTED = AttributionCounts()
