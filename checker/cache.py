"""Where is kept what a later run need not compute again; all of it can be deleted at any time."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder(what: str) -> Path:
    """The folder for one kind of thing, which may not be there yet: under XDG_CACHE_HOME, or else `~/.cache`."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path("~/.cache").expanduser()) / "vmaspace" / what
