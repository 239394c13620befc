"""arm64 entries field by field: Arm ARM, section D8.3 (4 KiB granule, 48-bit addresses): stage 1, EL2 and stage 2.

The manual counts levels from the root, so level 3 is the one that is 0 elsewhere here. The names of memory types are those of
MAIR_EL1 as Zircon programs it, 0x44ff0400.
"""

from __future__ import annotations

from collections.abc import Iterable

from vmaspace.checker.adapters.paging.layout import Field, Layout, Layouts, span

_NAMES = ("L3", "L2", "L1", "L0")
_FRAMES = (span(47, 12), span(47, 21), span(47, 30))

_TABLE_TYPE = Field("type", 0, 2, ("invalid", "block", "invalid", "table"))
_LEAF_TYPE = Field("type", 0, 2, ("invalid", "block", "invalid", "page"))
_SH = Field("SH", 8, 2, ("non-shareable", "reserved", "outer", "inner"))
_AF = Field("AF", 10, 1, ("an access faults", "accessed"))
_HINTS = (Field("DBM", 51), Field("Contiguous", 52))
_ATTR = Field("AttrIndx", 2, 3, ("device nGnRnE", "device nGnRE", "normal WB", "normal NC"))
_MARK = Field("accessed", 55, 1, ("not accessed", "accessed; software's"))

_STAGE1 = (
    _LEAF_TYPE,
    _ATTR,
    Field("NS", 5, 1, ("secure", "non-secure")),
    Field("AP", 6, 2, ("EL1 rw", "EL0 rw, EL1 rw", "EL1 r-", "EL0 r-, EL1 r-")),
    _SH,
    _AF,
    Field("nG", 11, 1, ("global", "of one ASID")),
    *_HINTS,
    Field("PXN", 53, 1, ("", "EL1 does not execute")),
    Field("UXN", 54, 1, ("", "EL0 does not execute")),
)
_STAGE1_TABLE = (
    _TABLE_TYPE,
    _MARK,
    Field("PXNTable", 59, 1, ("", "EL1 does not execute below")),
    Field("UXNTable", 60, 1, ("", "EL0 does not execute below")),
    Field("APTable", 61, 2, ("", "no EL0 below", "no writes below", "no writes and no EL0 below")),
    Field("NSTable", 63),
)
_EL2 = (
    _LEAF_TYPE,
    _ATTR,
    Field("NS", 5, 1, ("secure", "non-secure")),
    Field("AP[1]", 6),
    Field("AP[2]", 7, 1, ("rw", "r-")),
    _SH,
    _AF,
    *_HINTS,
    Field("XN", 54, 1, ("", "no execute")),
)
_EL2_TABLE = (
    _TABLE_TYPE,
    _MARK,
    Field("XNTable", 60, 1, ("", "no execute below")),
    Field("APTable[1]", 62, 1, ("", "no writes below")),
    Field("NSTable", 63),
)
# MemAttr: above 3 the upper two bits are the outer cache policy and the lower two the inner one.
_MEM_ATTR = (
    "device nGnRnE", "device nGnRE", "device nGRE", "device GRE",
    "reserved", "normal NC", "outer NC, inner WT", "outer NC, inner WB",
    "reserved", "outer WT, inner NC", "normal WT", "outer WT, inner WB",
    "reserved", "outer WB, inner NC", "outer WB, inner WT", "normal WB",
)  # fmt: skip
_STAGE2 = (
    _LEAF_TYPE,
    Field("MemAttr", 2, 4, _MEM_ATTR),
    Field("S2AP", 6, 2, ("none", "r-", "-w", "rw")),
    _SH,
    _AF,
    *_HINTS,
    Field("XN", 54, 1, ("", "no execute")),
)
_STAGE2_TABLE = (_TABLE_TYPE, _MARK)

_LEAF_IGNORED = span(63, 55)


def _layouts(
    top: int, leaf: tuple[Field, ...], leaf_ignored: int, table: tuple[Field, ...], table_zero: int
) -> Layouts:
    named = sum(field.mask for field in table)
    ignored = (span(11, 2) | span(63, 51)) & ~named & ~table_zero
    return Layouts(
        _NAMES[: top + 1],
        leaves={level: Layout(frame, leaf, leaf_ignored) for level, frame in enumerate(_FRAMES)},
        tables={level: Layout(_FRAMES[0], table, ignored) for level in _levels(top)},
    )


def _levels(top: int) -> Iterable[int]:
    return range(1, top + 1)


_USER = _layouts(3, _STAGE1, _LEAF_IGNORED, _STAGE1_TABLE, 0)

ARM64_LAYOUTS = {
    "arm64": _USER,
    "arm64 kernel": _USER,
    "arm64 EL2": _layouts(2, _EL2, _LEAF_IGNORED, _EL2_TABLE, 1 << 59 | 1 << 61),
    "arm64 stage 2": _layouts(2, _STAGE2, _LEAF_IGNORED, _STAGE2_TABLE, span(63, 59)),
}
