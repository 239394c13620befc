"""Where results go: looked at before the work, so that nobody learns after an hour that nothing can be written."""

from __future__ import annotations

import argparse
from pathlib import Path

from vmaspace.checker.cli.error import UsageError


def demand_places(o: argparse.Namespace) -> None:
    """`UsageError` if one of the options names a place where nothing can be written."""
    for name in ("traces", "junit", "checkpoint", "smt2"):
        place = getattr(o, name, None)
        if place is None:
            continue
        option, path = f"--{name} {place}", Path(place)
        if name == "junit" and path.is_dir():
            raise UsageError(f"{option}: this is a folder; name a file")
        folder = path.parent if name == "junit" else path
        while not folder.exists():
            folder = folder.parent
        if not folder.is_dir():
            raise UsageError(f"{option}: {folder} is a file; name a folder that is there or can be made")
