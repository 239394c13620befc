"""What the tests of the oracle share: emulated machines, one of each."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest

from vmaspace.checker.engines.oracle.arena import Arena
from vmaspace.checker.engines.oracle.bench import Bench
from vmaspace.checker.engines.oracle.machine import Machine
from vmaspace.checker.engines.oracle.run import ARCHES


@cache
def _machine(arch: str) -> Machine:
    return ARCHES[arch](Arena())


@pytest.fixture
def machine() -> Callable[[str], Machine]:
    """The emulated machine of an architecture; its memory is zeros."""

    def make(arch: str) -> Machine:
        made = _machine(arch)
        made.arena.clear()
        return made

    return make


@pytest.fixture
def bench(machine: Callable[[str], Machine]) -> Callable[[str], Bench]:
    """A fresh comparison on an architecture."""
    return lambda arch: Bench(machine(arch))
