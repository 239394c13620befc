"""What callers of the page tables choose.

Mirrors the enumerations of `zircon/kernel/vm/include/vm/arch_vm_aspace.h`.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import Final


class ExistingEntryAction(IntEnum):
    """`ExistingEntryAction`: what a mapping does where something is mapped."""

    SKIP = 0
    ERROR = 1
    UPGRADE = 2


class ArchUnmapOptions(IntFlag):
    """`ArchUnmapOptions`: what else an unmap may touch, and whether accessed flags are reported on the way."""

    NONE = 0
    ENLARGE = 1 << 0
    HARVEST = 1 << 1


class NonTerminalAction(IntEnum):
    """`NonTerminalAction`: what a harvest does with a page table that was not accessed."""

    FREE_UNACCESSED = 0
    RETAIN = 1


class TerminalAction(IntEnum):
    """`TerminalAction`: whether a harvest clears the flags of the pages that it reports."""

    UPDATE_AGE_AND_HARVEST = 0
    UPDATE_AGE = 1


class ArchAspaceKind(IntEnum):
    """What the tables are for; set by the initialiser that was used."""

    PLAIN = 0
    RESTRICTED = 1
    SHARED = 2
    UNIFIED = 3


# The same by plain names: to look a member up in its class is a call before Python 3.12, and flag objects cost an
# allocation for each operator.
SKIP: Final = ExistingEntryAction.SKIP
ERROR: Final = ExistingEntryAction.ERROR
UPGRADE: Final = ExistingEntryAction.UPGRADE
UNMAP_ENLARGE: Final = int(ArchUnmapOptions.ENLARGE)
UNMAP_HARVEST: Final = int(ArchUnmapOptions.HARVEST)
PLAIN: Final = ArchAspaceKind.PLAIN
RESTRICTED: Final = ArchAspaceKind.RESTRICTED
SHARED: Final = ArchAspaceKind.SHARED
UNIFIED: Final = ArchAspaceKind.UNIFIED
