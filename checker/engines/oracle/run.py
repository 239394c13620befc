"""All comparisons on all architectures, a verdict for each.

A verdict is green only if something was compared and nothing was answered in two ways. What a known deviation of the
emulator explains is counted in the verdict's scope.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from vmaspace.checker.engines.oracle.arena import Arena
from vmaspace.checker.engines.oracle.arm64 import Arm64
from vmaspace.checker.engines.oracle.bench import Bench
from vmaspace.checker.engines.oracle.machine import Machine
from vmaspace.checker.engines.oracle.matrix import compare_matrix
from vmaspace.checker.engines.oracle.model_tables import TablesMaker, compare_model
from vmaspace.checker.engines.oracle.random_tables import compare_random
from vmaspace.checker.engines.oracle.riscv64 import Riscv64
from vmaspace.checker.engines.oracle.staleness import STALE, compare_stale
from vmaspace.checker.engines.oracle.x86_64 import X86
from vmaspace.checker.report.verdict import Kind, Verdict

ENGINE: Final = "oracle"
ARCHES: Final[dict[str, Callable[[Arena], Machine]]] = {"x86_64": X86, "arm64": Arm64, "riscv64": Riscv64}


@dataclass(frozen=True, slots=True)
class Amount:
    """How much is compared: so many of each kind that is drawn by seed, and whether the matrix is the large one."""

    count: int
    is_deep: bool = False


class Comparison(Protocol):
    """One kind of comparison, with a bench of its own."""

    def __call__(self, bench: Bench, seed: int, amount: Amount) -> None: ...


def _matrix(bench: Bench, seed: int, amount: Amount) -> None:
    compare_matrix(bench, is_deep=amount.is_deep)


def _random(bench: Bench, seed: int, amount: Amount) -> None:
    compare_random(bench, seed, amount.count)


def _model(bench: Bench, seed: int, amount: Amount) -> None:
    compare_model(bench, seed, amount.count)


def _stale(bench: Bench, seed: int, amount: Amount) -> None:
    compare_stale(bench, seed, amount.count)


COMPARISONS: Final[dict[str, Comparison]] = {
    "permission_matrix": _matrix,
    "random_tables": _random,
    "model_tables": _model,
    "stale_translations": _stale,
}


def run_oracle(
    amount: Amount,
    seed: int = 0,
    arches: Sequence[str] = tuple(ARCHES),
    *,
    budget: float | None = None,
    progress: Callable[[int, int, str], None] = lambda done, total, what: None,
) -> tuple[list[Verdict], dict[str, Any], bool]:
    """Verdicts, counts ready for JSON, and whether time (in seconds) ran out or Ctrl-C was pressed before all were done.

    *Fails with:* `OracleMissing` without the emulator.
    """
    deadline = None if budget is None else time.monotonic() + budget
    verdicts: list[Verdict] = []
    counts: dict[str, Any] = {}
    why = ""
    total = len(arches) * len(COMPARISONS)
    for arch in arches:
        machine = ARCHES[arch](Arena())
        for name, compare in COMPARISONS.items():
            if not why and deadline is not None and time.monotonic() > deadline:
                why = "the budget ran out before it was done"
            bench = Bench(machine)
            start = time.monotonic()
            try:
                if not why:
                    machine.arena.clear()
                    compare(bench, seed, amount)
            except KeyboardInterrupt:
                why = "interrupted before it was done"
            seconds = time.monotonic() - start
            verdict = _verdict(f"{arch}/{name}", name, bench, seconds, why)
            verdicts.append(verdict)
            counts[verdict.id] = _counts(bench, seconds)
            progress(len(verdicts), total, verdict.id)
    return verdicts, {"seed": seed, "comparisons": counts}, bool(why)


def first_difference(make: TablesMaker, seed: int, count: int) -> tuple[str | None, int]:
    """Which comparison of edited tables first shows a difference, as its verdict's id; and how many were made.

    make: whose tables are edited. count: of comparisons of each kind, on each architecture.

    *Fails with:* `OracleMissing` without the emulator.
    """
    done = 0
    for arch, machine_of in ARCHES.items():
        machine = machine_of(Arena())
        for name, compare in (("model_tables", compare_model), ("stale_translations", compare_stale)):
            machine.arena.clear()
            bench = Bench(machine)
            compare(bench, seed, count, make)
            done += bench.count
            if bench.difference_count:
                return f"{arch}/{name}", done
    return None, done


def _rate(bench: Bench, seconds: float) -> int:
    return round(bench.count / seconds) if seconds else 0


def _counts(bench: Bench, seconds: float) -> dict[str, Any]:
    return {
        "comparisons": bench.count,
        "seconds": round(seconds, 3),
        "per_second": _rate(bench, seconds),
        "differences": bench.difference_count,
        "deviations": dict(bench.explained),
        **{name.replace(" ", "_"): count for name, count in bench.seen.items()},
    }


def _verdict(id: str, name: str, bench: Bench, seconds: float, why: str) -> Verdict:
    kind, reason = Kind.PASSED, ""
    if bench.difference_count:
        kind = Kind.FAILED
        more = bench.difference_count - len(bench.differences)
        lines = [f"{bench.difference_count:,} differences", *map(str, bench.differences)]
        reason = "\n".join([*lines, f"and {more:,} more"] if more else lines)
    elif why:
        kind, reason = Kind.UNKNOWN, why
    elif not bench.count:
        kind, reason = Kind.UNKNOWN, "nothing was compared"
    elif STALE in bench.seen and not bench.seen[STALE]:
        kind, reason = (
            Kind.UNKNOWN,
            "the emulator never remembered what had changed, so nothing was found out",
        )
    parts = [f"{bench.count:,} comparisons, {_rate(bench, seconds):,} a second"]
    parts += [f"{count:,} as the known deviation {each} has it" for each, count in bench.explained.items()]
    parts += [f"{count:,} {what}" for what, count in bench.seen.items()]
    return Verdict(
        id, name, None, ENGINE, kind, seconds, "; ".join(parts), reason=reason
    )
