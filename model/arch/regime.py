"""One format of page tables: which levels there are, and what the bits of an entry say.

Mirrors what `zircon/kernel/arch/*/include/arch/*/mmu.h` says as constants and `zircon/kernel/arch/*/mmu*` as small
functions. Tables have 512 entries of 8 bytes. An entry of level L reaches `4 KiB << 9 L`; the root has the highest level.

The functions of an entry are branch-free arithmetic on 64-bit words. They take integers and the bit-vectors of a solver
alike, so that what is proved of them is proved of the code that runs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from vmaspace.model.constants import MAX_U64, PAGE_SHIFT, ByteSize, Paddr, Vaddr

ENTRIES_SHIFT: Final = 9  # log2 of the entries of a table
ENTRIES: Final = 1 << ENTRIES_SHIFT
INDEX_MASK: Final = ENTRIES - 1

# What a path of entries lets pass, by privilege: six bits. A path lets pass what each of its entries does.
USER_READ: Final = 1 << 0
USER_WRITE: Final = 1 << 1
USER_EXECUTE: Final = 1 << 2
KERNEL_READ: Final = 1 << 3
KERNEL_WRITE: Final = 1 << 4
KERNEL_EXECUTE: Final = 1 << 5
ALL_RIGHTS: Final = (1 << 6) - 1
KERNEL_RIGHTS_SHIFT: Final = 3  # from what a user may to what the kernel may


def shift_of(level: int) -> int:
    """log2 of the bytes that one entry of `level` reaches."""
    return PAGE_SHIFT + ENTRIES_SHIFT * level


SHIFTS: Final = tuple(map(shift_of, range(4)))  # by level, for paths that are walked often


def reach(level: int) -> ByteSize:
    """The bytes that one entry of `level` reaches."""
    return 1 << PAGE_SHIFT + ENTRIES_SHIFT * level


def index_at(va: Vaddr, level: int) -> int:
    """Which entry of a table of `level` is on the way to `va`."""
    return va >> PAGE_SHIFT + ENTRIES_SHIFT * level & INDEX_MASK


@dataclass(frozen=True, slots=True, eq=False)
class Regime:
    """A format of page tables. An entry is 0, or present: a table's address, or a leaf."""

    name: str
    width: int  # bits of an address that the tables translate
    top_level: int  # of the root
    leaf_levels: tuple[int, ...]  # at which leaves are made
    present: int  # the bit of every present entry
    leaf_flip: int  # a present entry above level 0 is a leaf
    leaf_any: int  # if (entry ^ leaf_flip) & leaf_any is not 0
    frame_shift: int  # an address stands shifted right by this in an entry
    table_frame: int  # where a table entry holds the address
    leaf_frames: tuple[int, ...]  # where a leaf does, by level
    table_fixed: int  # what a table entry holds besides
    leaf_fixed: int  # what every new leaf of this regime holds
    accessed: int  # of a leaf
    dirty: int  # of a leaf; 0: there is none
    table_accessed: int  # of a table entry, by hardware or by software; 0: there is none
    protect_clears: int  # bits that a new protection replaces; the others are kept. 0: the leaf is made anew
    leaf_bits: Callable[
        [int, int], int
    ]  # (MMU flags, level): the bits of a leaf but for address and `leaf_fixed`
    mmu_flags: Callable[[int, int], int]  # (leaf, level): the MMU flags that a query answers
    is_known: Callable[
        [int, int], int
    ]  # (leaf, level): 1 if `mmu_flags` knows the leaf's memory type, else 0
    split_bits: Callable[[int, int], int]  # (leaf, its level): the bits of the leaves that replace it
    table_rights: Callable[[int], int]  # (table entry): what it lets pass
    leaf_rights: Callable[[int], int]  # (leaf): what it lets pass

    # Entries.

    def leaf(self, paddr: Paddr, mmu_flags: int, level: int) -> int:
        """A leaf for `paddr`, with MMU flags as given to `ArchVmAspace::Map`."""
        return (
            paddr >> self.frame_shift & self.leaf_frames[level]
            | self.leaf_bits(mmu_flags, level)
            | self.leaf_fixed
        )

    def table(self, paddr: Paddr) -> int:
        """A table entry for the table at `paddr`."""
        return paddr >> self.frame_shift & self.table_frame | self.table_fixed

    def is_leaf(self, entry: int, level: int) -> bool:
        """Whether a present entry of `level` is a leaf."""
        return level == 0 or (entry ^ self.leaf_flip) & self.leaf_any != 0

    def table_paddr(self, entry: int) -> Paddr:
        """The address of the table that a table entry leads to."""
        return (entry & self.table_frame) << self.frame_shift

    def leaf_paddr(self, entry: int, level: int) -> Paddr:
        """The address of the page or the run of pages that a leaf leads to."""
        return (entry & self.leaf_frames[level]) << self.frame_shift

    def child_leaf(self, entry: int, level: int, index: int) -> int:
        """The leaf of `level - 1` that stands at `index` when the leaf `entry` of `level` is split."""
        paddr = self.leaf_paddr(entry, level) + (index << shift_of(level - 1))
        return paddr >> self.frame_shift | self.split_bits(entry, level)

    def protected(self, entry: int, mmu_flags: int, level: int) -> int:
        """A leaf with other MMU flags, at the same address."""
        fresh = self.leaf_bits(mmu_flags, level) | self.leaf_fixed
        kept = ~self.protect_clears & MAX_U64 if self.protect_clears else self.leaf_frames[level]
        return entry & kept | fresh

    # Addresses.

    def is_root_index_valid(self, index: int) -> bool:
        """Whether the root has an entry of that index."""
        return index < 1 << self.width - shift_of(self.top_level)
