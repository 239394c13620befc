"""Edits worth trying: around the borders of tables and of large pages, in every space, by few words that often collide.

Not here: what should come of them.
"""

from __future__ import annotations

from random import Random
from typing import Final

from vmaspace.checker.adapters.table_machine import (
    CPUS,
    EXECUTE,
    LARGE,
    LOADED,
    RAM_PAGES,
    READ,
    REMADE,
    SPACES,
    UNCACHED,
    USER,
    WINDOW,
    WRITE,
    Edit,
)

_KINDS: Final = (
    ["map"] * 22 + ["contiguous"] * 8 + ["unmap"] * 20 + ["protect"] * 14 + ["access"] * 20 + ["load"] * 8
    + ["harvest"] * 4 + ["mark"] * 3 + ["remake"] * 1
)  # fmt: skip
_SPACES: Final = (*SPACES, "plain", "restricted", "restricted", "shared", "shared")
_COUNTS: Final = (1, 1, 2, 2, 3, 5, 8, 16, 40)
_LARGE_COUNTS: Final = (LARGE - 1, LARGE, LARGE + 1, 2 * LARGE)
_NEAR: Final = (-3, -2, -1, 0, 0, 1, 2, 7)  # pages about a border
_ACTIONS: Final = ("ERROR", "SKIP", "UPGRADE", "UPGRADE")
_LEFT: Final = (None, None, None, None, 0, 1, 2, 3)
_SEEN_BY: Final = {  # through whose tables pages of a window are accessed
    "plain": ("plain",),
    "kernel": ("",),
    "restricted": ("restricted", "unified"),
    "restricted2": ("restricted2", "unified2"),
    "shared": ("unified", "unified2"),
}


def draw(random: Random) -> Edit:
    """Any edit."""
    kind, space = random.choice(_KINDS), random.choice(_SPACES)
    cpu = random.randrange(CPUS)
    match kind:
        case "load":
            return Edit(kind, cpu=cpu, loaded=random.choice(("", *LOADED, *LOADED)))
        case "remake":
            return Edit(kind, random.choice(REMADE))
        case "harvest":
            return Edit(kind, "plain" if space == "kernel" else space, options=random.randrange(2))
    page = min(max(0, random.randrange(0, WINDOW, LARGE) + random.choice(_NEAR)), WINDOW - 1)
    if kind == "access":
        access, loaded = random.choice(("READ", "WRITE", "EXECUTE")), random.choice(_SEEN_BY[space])
        return Edit(kind, space, page, action=access, cpu=cpu, loaded=loaded)
    is_wide = random.random() < (0.1 if kind == "map" else 0.4)
    if kind == "contiguous" and random.random() < 0.6:
        page, is_wide = page & -LARGE, True
    size = min(random.choice(_LARGE_COUNTS if is_wide else _COUNTS), WINDOW - page)
    action = random.choice(_ACTIONS) if kind == "map" else "ERROR"
    target = _target(random, kind, page, size)
    return Edit(kind, space, page, size, _flags(random, space), target, action, random.randrange(4), random.choice(_LEFT))


def _target(random: Random, kind: str, page: int, size: int) -> int:
    """Where pages lead to: allocated memory if they are few, or anywhere, or where large pages fit."""
    if size <= 16 and random.random() < 0.5:
        return random.randrange(RAM_PAGES - size + 1)
    if kind == "contiguous" and random.random() < 0.7:
        return page & LARGE - 1 | LARGE * random.randrange(1, 3)
    return RAM_PAGES + random.choice((0, 1, LARGE - RAM_PAGES, LARGE, 2 * LARGE, 2 * LARGE + 3))


def _flags(random: Random, space: str) -> int:
    """MMU flags. All of a space have one cache policy: two of them or-ed, as a protection does, make a third."""
    flags = READ | random.choice((0, WRITE)) | random.choice((0, EXECUTE))
    if space == "shared":
        flags = flags & ~EXECUTE | UNCACHED  # code that is not cached is refused on arm64
    return flags if space == "kernel" else flags | (USER if random.random() < 0.8 else 0)
