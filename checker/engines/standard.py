"""The contract and the properties that come with vmaspace, found wherever it is installed.

Files are named `spec/regions.aspec` and so on, so that no report depends on the machine that made it.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from importlib.resources import files

from vmaspace.checker.language.check import check
from vmaspace.checker.language.parser import parse
from vmaspace.checker.logic.contract import Contract
from vmaspace.checker.logic.elaborate import elaborate

ROOMS = ("spec", "properties")


def standard_contract(switches: Iterable[str] = ()) -> Contract:
    """The contract as it is shipped, with these switches on.  The same switches give the same object."""
    return _standard(frozenset(switches))


@lru_cache(maxsize=8)
def _standard(switches: frozenset[str]) -> Contract:
    return elaborate(check(parse(standard_texts())), switches)


def standard_texts() -> dict[str, str]:
    """The text of every shipped file, by its name."""
    texts = {}
    for room in ROOMS:
        for file in sorted(files(f"vmaspace.{room}").iterdir(), key=lambda f: f.name):
            if file.name.endswith(".aspec"):
                texts[f"{room}/{file.name}"] = file.read_text(encoding="utf-8")
    return texts
