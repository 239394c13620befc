"""riscv64 entries field by field: Privileged Specification, Sv39 and Sv48, with and without Svpbmt."""

from __future__ import annotations

from vmaspace.checker.adapters.paging.layout import Field, Layout, Layouts, span

_NAMES = ("level 0", "level 1", "level 2", "level 3")

_V = Field("V", 0, 1, ("not valid", "valid"))
_RWX = (
    Field("R", 1, 1, ("", "may be read")),
    Field("W", 2, 1, ("", "may be written")),
    Field("X", 3, 1, ("", "may be executed")),
)
_G = Field("G", 5, 1, ("of one ASID", "global"))
_RSW = Field("RSW", 8, 2)
_LEAF = (
    _V,
    *_RWX,
    Field("U", 4, 1, ("supervisor only", "user only")),
    _G,
    Field("A", 6, 1, ("not accessed", "accessed")),
    Field("D", 7, 1, ("not dirty", "dirty")),
    _RSW,
)
_PBMT = Field("PBMT", 61, 2, ("PMA", "NC", "IO", "reserved"))
_TABLE = (_V, *_RWX, _G, _RSW)


def _layouts(width: int, has_svpbmt: bool) -> Layouts:
    top = 2 if width == 39 else 3
    leaf = (*_LEAF, _PBMT) if has_svpbmt else _LEAF
    return Layouts(
        _NAMES[: top + 1],
        leaves={level: Layout(span(53, 10 + 9 * level), leaf, 0) for level in range(top + 1)},
        tables={level: Layout(span(53, 10), _TABLE, 0) for level in range(1, top + 1)},
    )


RISCV64_LAYOUTS = {
    f"riscv64 Sv{width}{kernel}{' with Svpbmt' if has_svpbmt else ''}": _layouts(width, has_svpbmt)
    for width in (39, 48)
    for kernel in ("", " kernel")
    for has_svpbmt in (False, True)
}
