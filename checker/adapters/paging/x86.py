"""x86-64 entries field by field: Intel SDM volume 3, section 4.5 (4-level paging), and the EPT translation mechanism.

The names of memory types are those of the PAT as Zircon programs it. Protection keys are off, so bits 62 to 59 are ignored.
"""

from __future__ import annotations

from vmaspace.checker.adapters.paging.layout import Field, Layout, Layouts, span

_NAMES = ("PT", "PD", "PDPT", "PML4")
_FRAMES = {0: span(51, 12), 1: span(51, 21), 2: span(51, 30)}

_PAT = ("WB", "WT", "UC-", "UC", "WB", "WT", "UC-", "WC")  # IA32_PAT is 0x0107040600070406

_FLAGS = (
    Field("P", 0, 1, ("not present", "present")),
    Field("RW", 1, 1, ("read only", "may be written")),
    Field("U/S", 2, 1, ("supervisor only", "user too")),
    Field("PWT", 3),
    Field("PCD", 4),
    Field("A", 5, 1, ("not accessed", "accessed")),
    Field("NX", 63, 1, ("may be executed", "no execute")),
)
_LEAF = (
    *_FLAGS,
    Field("D", 6, 1, ("not dirty", "dirty")),
    Field("G", 8, 1, ("of one PCID", "global")),
)
_SMALL = (*_LEAF, Field("PAT", 7))
_LARGE = (*_LEAF, Field("PS", 7, 1, ("a table", "a large page")), Field("PAT", 12))
_TABLE = (*_FLAGS, Field("PS", 7, 1, ("a table", "a large page")))

_HIGH = span(62, 52)

_MMU = Layouts(
    _NAMES,
    leaves={
        0: Layout(_FRAMES[0], _SMALL, _HIGH | span(11, 9), (3, 4, 7), _PAT),
        1: Layout(_FRAMES[1], _LARGE, _HIGH | span(11, 9), (3, 4, 12), _PAT),
        2: Layout(_FRAMES[2], _LARGE, _HIGH | span(11, 9), (3, 4, 12), _PAT),
    },
    tables={
        1: Layout(_FRAMES[0], _TABLE, _HIGH | span(11, 8) | 1 << 6),
        2: Layout(_FRAMES[0], _TABLE, _HIGH | span(11, 8) | 1 << 6),
        3: Layout(_FRAMES[0], _FLAGS, _HIGH | span(11, 8) | 1 << 6),
    },
)

# Extended page tables: what guests take for physical memory.

_EPT_FLAGS = (
    Field("R", 0, 1, ("", "may be read")),
    Field("W", 1, 1, ("", "may be written")),
    Field("X", 2, 1, ("", "may be executed")),
    Field("A", 8, 1, ("", "accessed, if the EPTP says so")),
)
_EPT_SMALL = (
    *_EPT_FLAGS,
    Field("type", 3, 3, ("UC", "WC", "reserved", "reserved", "WT", "WP", "WB", "reserved")),
    Field("IPAT", 6, 1, ("", "the guest's PAT is ignored")),
    Field("D", 9, 1, ("", "dirty, if the EPTP says so")),
)
_EPT_LARGE = (*_EPT_SMALL, Field("PS", 7, 1, ("a table", "a large page")))
_EPT_TABLE = (*_EPT_FLAGS, Field("PS", 7, 1, ("a table", "a large page")))
_EPT_HIGH = span(63, 52)

_EPT = Layouts(
    _NAMES,
    leaves={
        0: Layout(_FRAMES[0], _EPT_SMALL, _EPT_HIGH | span(11, 10) | 1 << 7),
        1: Layout(_FRAMES[1], _EPT_LARGE, _EPT_HIGH | span(11, 10)),
        2: Layout(_FRAMES[2], _EPT_LARGE, _EPT_HIGH | span(11, 10)),
    },
    tables={
        1: Layout(_FRAMES[0], _EPT_TABLE, _EPT_HIGH | span(11, 9)),
        2: Layout(_FRAMES[0], _EPT_TABLE, _EPT_HIGH | span(11, 9)),
        3: Layout(_FRAMES[0], _EPT_FLAGS, _EPT_HIGH | span(11, 9)),
    },
)

X86_LAYOUTS = {"x86-64": _MMU, "x86-64 kernel": _MMU, "EPT": _EPT}
