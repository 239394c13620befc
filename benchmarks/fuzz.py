"""How many steps a second the fuzz engine judges, and where the time goes.

    python benchmarks/fuzz.py [steps] [seed]

One campaign is timed as it is; another is timed with a clock around each part, and gives the shares.  The clocks cost
something: only the ratios of the second campaign mean anything.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from vmaspace.checker.adapters.model import ModelAdapter
from vmaspace.checker.engines.fuzz import fuzz
from vmaspace.checker.engines.fuzz.arguments import Arguments
from vmaspace.checker.engines.fuzz.judge import Judge
from vmaspace.checker.engines.fuzz.properties import Properties
from vmaspace.checker.engines.standard import standard_contract

PARTS: tuple[tuple[str, type[Any], str], ...] = (
    ("arguments", Arguments, "call"),
    ("model", ModelAdapter, "call"),
    ("observe", ModelAdapter, "observe"),
    ("judge: status and effect", Judge, "judge"),
    ("judge: properties", Properties, "broken"),
)


def clocked(method: Callable[..., Any], part: str, spent: Counter[str]) -> Callable[..., Any]:
    def timed(*args: Any, **options: Any) -> Any:
        began = time.perf_counter()
        try:
            return method(*args, **options)
        finally:
            spent[part] += time.perf_counter() - began  # type: ignore[assignment]

    return timed


def campaign(steps: int, seed: int) -> tuple[int, float]:
    contract = standard_contract()
    began = time.perf_counter()
    result = fuzz(contract, lambda: ModelAdapter(contract), seed=seed, steps=steps)
    assert all(v.is_green or v.is_undecided for v in result.verdicts)
    return result.statistics["steps"], time.perf_counter() - began


def main() -> None:
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    campaign(200, seed)  # everything is compiled once
    done, seconds = campaign(steps, seed)
    print(
        f"{done:,} steps in {seconds:.2f} s: {done / seconds:,.0f} steps/s, {seconds / done * 1e6:.0f} µs a step"
    )

    spent: Counter[str] = Counter()
    for part, owner, name in PARTS:
        setattr(owner, name, clocked(getattr(owner, name), part, spent))
    _, seconds = campaign(steps, seed)
    spent["judge: status and effect"] -= spent["judge: properties"]  # type: ignore[assignment]
    spent["Hypothesis and the rest"] = seconds - sum(spent.values())  # type: ignore[assignment]
    for part, share in spent.most_common():
        print(f"  {share / seconds:6.1%}  {part}")


if __name__ == "__main__":
    main()
