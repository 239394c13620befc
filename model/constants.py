"""Pages, and the 64-bit arithmetic of addresses and sizes.

Mirrors the page constants and roundings that `zircon/kernel/vm/vm_aspace.cc` and `vm_address_region.cc` rely
on. Addresses, sizes and offsets are unsigned 64-bit numbers in bytes; they wrap unless a check says otherwise.

Does not model page sizes other than 4 KiB.
"""

from typing import Final, TypeAlias

Vaddr: TypeAlias = int  # a virtual address, in bytes
Paddr: TypeAlias = int  # a physical address, in bytes
ByteSize: TypeAlias = int  # a length, in bytes
ByteOffset: TypeAlias = int  # an offset into a VMAR or a VMO, in bytes

PAGE_SHIFT: Final = 12
PAGE_SIZE: Final = 1 << PAGE_SHIFT
PAGE_MASK: Final = PAGE_SIZE - 1

ADDRESS_SPACE: Final = 1 << 64  # one past the largest vaddr_t, size_t and object offset
MAX_U64: Final = ADDRESS_SPACE - 1

ZX_MAX_NAME_LEN: Final = 32  # bytes, the terminating NUL included


def name_bytes(name: str) -> bytes:
    """`name` as the kernel's buffers of ZX_MAX_NAME_LEN bytes keep it: in UTF-8, up to a NUL, at most 31 bytes.

    *Kernel:* the names of address spaces, VMARs, VMOs and threads (zircon/kernel/vm/vm_aspace.cc, …)
    *Fails with:* nothing.
    """
    try:
        raw = name.encode("utf-8", "surrogateescape")  # what was cut before stays what it was
    except UnicodeEncodeError:
        raw = name.encode("utf-8", "surrogatepass")
    return raw.split(b"\0", 1)[0][: ZX_MAX_NAME_LEN - 1]


def name_text(raw: bytes) -> str:
    """A stored name as text. Of a letter that was cut in two, the bytes that are left are lone surrogates."""
    return raw.decode("utf-8", "surrogateescape")


def stored_name(name: str) -> str:
    """What is left of `name` once it has been stored; see `name_bytes`."""
    return name_text(name_bytes(name))


def round_up_page(size: ByteSize) -> ByteSize:
    """`size` rounded up to whole pages; wraps, so that sizes within a page of 2^64 become 0."""
    return (size + PAGE_MASK) & ~PAGE_MASK & MAX_U64


def is_page_aligned(value: int) -> bool:
    """Whether `value`, in bytes, is a whole number of pages. 0 is."""
    return not value & PAGE_MASK


def wrap(value: int) -> int:
    """`value` as an unsigned 64-bit number keeps it."""
    return value & MAX_U64


def range_wraps(base: int, size: ByteSize) -> bool:
    """Whether `base + size` does not fit in 64 bits."""
    return base + size > MAX_U64
