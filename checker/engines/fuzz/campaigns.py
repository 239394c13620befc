"""Many campaigns, each with a seed of its own, done by whatever workers there are; and the one result that they come to.

Steps are divided into campaigns of the same length however many workers there are, and the result is that of campaigns
done one after the other until one has found something: the same seed and steps, the same result.
"""

from __future__ import annotations

import math
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from vmaspace.checker.adapters.model import ModelAdapter
from vmaspace.checker.adapters.subject import system_class_of
from vmaspace.checker.engines.fuzz.findings import CONFORMS
from vmaspace.checker.engines.fuzz.run import FuzzResult, Listener, fuzz
from vmaspace.checker.engines.workers import Lost, Workers
from vmaspace.checker.language.check import CheckedProgram
from vmaspace.checker.logic.elaborate import elaborate
from vmaspace.checker.report.verdict import Kind, Verdict

STEPS = 2_000  # of a campaign
SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Campaign:
    """One of them: its seed, and how long it is."""

    seed: int
    steps: int | None
    seconds: float | None


def divided(seed: int, steps: int | None, seconds: float | None, workers: int, length: int = STEPS) -> list[Campaign]:
    """Campaigns with seeds from this one on: so many steps in all, or so many seconds if each worker is always busy."""
    if steps is not None:
        sizes = [min(length, steps - done) for done in range(0, steps, length)]
        return [Campaign(seed + i, size, None) for i, size in enumerate(sizes)]
    assert seconds is not None
    turns = math.ceil(seconds / SECONDS)
    return [Campaign(seed + i, None, seconds / turns) for i in range(turns * workers)]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a worker is made that does campaigns: what is driven, and from which folder modules may come."""

    program: CheckedProgram
    model: str
    arches: tuple[str, ...] = ()
    folder: str = ""

    def __call__(self) -> Callable[[Campaign], FuzzResult]:
        if self.folder and self.folder not in sys.path:
            sys.path.append(self.folder)
        contract, chosen = elaborate(self.program), system_class_of(self.model)

        def work(c: Campaign) -> FuzzResult:
            def adapter() -> ModelAdapter:
                return ModelAdapter(contract, chosen)

            return fuzz(contract, adapter, seed=c.seed, steps=c.steps, seconds=c.seconds, arches=self.arches)

        return work


@dataclass(slots=True)
class _Found:
    """Results of campaigns as they come in, in any order."""

    campaigns: Sequence[Campaign]
    results: dict[Campaign, FuzzResult] = field(default_factory=dict)
    lost: dict[Campaign, str] = field(default_factory=dict)

    def counting(self) -> list[Campaign]:
        """The campaigns that count: all until the first in which something was found."""
        reds = (i for i, c in enumerate(self.campaigns) if c in self.results and _is_red(self.results[c]))
        return list(self.campaigns[: next(reds, len(self.campaigns)) + 1])

    @property
    def is_settled(self) -> bool:
        return all(c in self.results or c in self.lost for c in self.counting())


def fuzz_together(
    workers: Workers,
    recipe: Callable[[], Callable[[Campaign], FuzzResult]],
    campaigns: Sequence[Campaign],
    progress: Listener | None = None,
) -> FuzzResult:
    """Do campaigns, and put together what they say.  Ctrl-C ends them early, with those that are done.

    recipe: makes a worker.
    """
    began = time.monotonic()
    found = _Found(campaigns)
    interrupted = False
    try:
        for campaign, result in workers.run(recipe, campaigns, lambda: not found.is_settled):
            if isinstance(result, Lost):
                found.lost[campaign] = result.reason
            else:
                found.results[campaign] = result
            if progress is not None:
                steps = sum(r.statistics["steps"] for r in found.results.values())
                progress.update(steps, f"{len(found.results)} of {len(campaigns)} campaigns")
    except KeyboardInterrupt:
        interrupted = True
    return _together(found, recipe, interrupted, time.monotonic() - began)


def _together(
    found: _Found, recipe: Callable[[], Callable[[Campaign], FuzzResult]], interrupted: bool, seconds: float
) -> FuzzResult:
    counting = found.counting()
    results = [found.results[c] for c in counting if c in found.results]
    # In all but the last nothing was found.  If there is none, one that does nothing has the names of what was to be judged.
    last = results[-1] if results else recipe()(Campaign(counting[0].seed, 0, None))
    calls, outcomes = Counter[str](), Counter[str]()
    for result in results:
        calls.update(result.calls)
        outcomes.update(result.statistics["outcomes"])
    outcomes.update(dict.fromkeys(last.statistics["outcomes"], 0))
    steps = sum(r.statistics["steps"] for r in results)
    doubt = "interrupted before the budget was used up" if interrupted else ""
    for campaign in counting:
        if campaign in found.lost:
            doubt = doubt or f"the campaign of seed {campaign.seed} was not done: {found.lost[campaign]}"
    spent: dict[str, float] = {}
    for v in (v for result in results for v in result.verdicts):
        spent[v.id] = spent.get(v.id, 0.0) + v.seconds
    verdicts = [v if v.is_red else _summed(v, calls, steps, doubt, spent.get(v.id, 0.0)) for v in last.verdicts]
    first = last.statistics["found"]
    statistics = {
        **last.statistics,
        "seed": counting[0].seed,
        "seconds": round(seconds, 3),
        "interrupted": interrupted,
        "found": first and {**first, "seed": last.statistics["seed"]},
        "steps": steps,
        "runs": sum(r.statistics["runs"] for r in results),
        "outcomes": dict(outcomes),
        "never_seen": [name for name, count in outcomes.items() if not count],
        "campaigns": len(counting),
    }
    return FuzzResult(verdicts, statistics, dict(calls))


def _summed(v: Verdict, calls: Counter[str], steps: int, doubt: str, seconds: float) -> Verdict:
    """What nothing was found about, with what all campaigns have seen of it."""
    count, what = (calls[v.operation], "calls") if v.property == CONFORMS and v.operation else (steps, "steps")
    kind, reason = Kind.PASSED, ""
    if doubt:
        kind, reason = Kind.UNKNOWN, doubt
    elif not count:
        kind, reason = Kind.UNKNOWN, "never called within the budget"
    return replace(v, verdict=kind, reason=reason, scope=f"{count:,} {what}", seconds=seconds)


def _is_red(result: FuzzResult) -> bool:
    return any(v.is_red for v in result.verdicts)
