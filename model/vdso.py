"""The vDSO image: where its code segment is.

Mirrors what `zircon/kernel/lib/userabi/vdso.cc` knows about the image that the build made. Every copy of the
image in memory is a VMO of one of the vDSO variants.

Does not model the contents.
"""

from dataclasses import dataclass

from vmaspace.model.constants import PAGE_SIZE, ByteOffset, ByteSize


@dataclass(frozen=True, slots=True)
class VdsoImage:
    """The layout of the image, in bytes. The code segment ends it."""

    code_start: ByteOffset = 7 * PAGE_SIZE
    code_size: ByteSize = 2 * PAGE_SIZE

    @property
    def size(self) -> ByteSize:
        """The size of the whole image."""
        return self.code_start + self.code_size

    def is_exact_code_mapping(self, vmo_offset: ByteOffset, size: ByteSize) -> bool:
        """Whether a mapping at `vmo_offset` of page-rounded `size` is exactly the code segment.

        *Kernel:* `VDso::valid_code_mapping` (zircon/kernel/lib/userabi/vdso.cc)
        *Fails with:* nothing.
        """
        return vmo_offset == self.code_start and size == self.code_size
