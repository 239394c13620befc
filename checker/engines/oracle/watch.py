"""The oracle beside a fuzzing run: what each step wrote into page tables is compared while the model goes on.

The tables on the way to a few addresses are copied into the emulator's memory; the model's own stay as they are.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from vmaspace.checker.adapters.hardware import mmu_for
from vmaspace.checker.adapters.touched import Place
from vmaspace.checker.engines.oracle.arena import Arena
from vmaspace.checker.engines.oracle.bench import Bench
from vmaspace.checker.engines.oracle.machine import Space
from vmaspace.checker.engines.oracle.matrix import MmuMaker
from vmaspace.checker.engines.oracle.model_tables import MODES, check_wanted, copy_tables
from vmaspace.checker.engines.oracle.run import ARCHES


class Watch:
    """An emulated machine for each architecture that comes up.

    *Fails with:* `OracleMissing` without the emulator, when the first one comes up.
    """

    def __init__(self, maker: MmuMaker = mmu_for) -> None:
        self._maker = maker
        self._benches: dict[str, Bench] = {}
        self._seconds = 0.0

    def judge(self, places: Sequence[Place]) -> list[str]:
        """Compare; the differences, in words."""
        start = time.monotonic()
        found: list[str] = []
        for place in places:
            bench = self._bench(place.arch)
            told = len(bench.differences)
            bench.arena.clear()
            copy_tables(bench, place.regime, place.memory, place.root, [place.va])
            modes = MODES[place.arch]
            is_upper = place.is_kernel and place.arch == "arm64"
            space = Space(self._maker(place.regime, modes), modes, place.root, is_upper)
            bench.compare(space, place.va)
            if place.is_answered:
                is_user, when = not place.is_kernel, "a step of the model"
                check_wanted(bench, space, place.va, is_user=is_user, wanted=place.wanted, when=when)
            found += map(str, bench.differences[told:])
            del bench.differences[told:]  # the run that is made small meets it again
        self._seconds += time.monotonic() - start
        return found

    def counts(self) -> dict[str, Any]:
        """How much was compared, ready for JSON."""
        count = sum(bench.count for bench in self._benches.values())
        return {
            "comparisons": count,
            "per_second": round(count / self._seconds) if self._seconds else 0,
            "by_arch": {arch: bench.count for arch, bench in self._benches.items()},
            "deviations": {
                name: times for bench in self._benches.values() for name, times in bench.explained.items()
            },
        }

    def _bench(self, arch: str) -> Bench:
        if arch not in self._benches:
            self._benches[arch] = Bench(ARCHES[arch](Arena()))
        return self._benches[arch]
