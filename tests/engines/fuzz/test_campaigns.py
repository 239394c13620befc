"""Campaigns with seeds of their own come to one result, whoever does them and in whatever order."""

from dataclasses import replace
from functools import cache

import pytest

from vmaspace.checker.engines.fuzz.campaigns import Campaign, Recipe, divided, fuzz_together
from vmaspace.checker.engines.standard import standard_texts
from vmaspace.checker.engines.workers import Here, Lost
from vmaspace.checker.language.check import check
from vmaspace.checker.language.parser import parse
from vmaspace.checker.report.verdict import Kind

MODEL = "vmaspace.model.system:System"


class Backwards:
    """Results come from the last to the first; work is done once.  Some are lost; after some, Ctrl-C."""

    def __init__(self, lost=(), stop=99):
        self.lost, self.stop = lost, stop

    def run(self, make, tasks, goes_on):
        do = make()
        for number, task in enumerate(reversed(tasks)):
            if number == self.stop:
                raise KeyboardInterrupt
            if not goes_on():
                return
            yield task, Lost("it died") if task.seed in self.lost else do(task)


def test_steps_are_divided_alike_for_any_number_of_workers():
    three = [Campaign(7, 2_000, None), Campaign(8, 2_000, None), Campaign(9, 1_000, None)]
    assert divided(7, 5_000, None, 1) == divided(7, 5_000, None, 9) == three
    assert divided(0, None, 12.0, 2) == [Campaign(i, None, 4.0) for i in range(6)]


@pytest.fixture(scope="module")
def do():
    """A worker that does each campaign once: the next time it has the same result."""
    return cache(Recipe(check(parse(standard_texts())), MODEL, ("x86_64",))())


def test_the_sum_is_that_of_the_campaigns(do):
    campaigns = divided(3, 125, None, 2, length=50)
    alone = [do(c) for c in campaigns]
    result = fuzz_together(Backwards(), lambda: do, campaigns)
    s = result.statistics
    assert [v.id for v in result.verdicts] == [v.id for v in alone[0].verdicts]
    assert (s["campaigns"], s["seed"], s["found"], s["interrupted"]) == (3, 3, None, False)
    assert s["steps"] == sum(r.statistics["steps"] for r in alone) >= 125
    assert s["outcomes"] == {name: sum(r.statistics["outcomes"][name] for r in alone) for name in s["outcomes"]}
    for v in result.verdicts:
        before = [next(w for w in r.verdicts if w.id == v.id) for r in alone]
        assert (v.verdict is Kind.PASSED) == any(w.verdict is Kind.PASSED for w in before)


def test_what_the_first_campaign_finds_is_the_result_and_later_ones_do_not_count(do):
    """In whatever order results come, and it is said which seed has found it."""

    def work(campaign):
        result = do(campaign)
        if campaign.seed not in (2, 4):
            return result
        red = replace(result.verdicts[7], verdict=Kind.FAILED, reason=f"seed {campaign.seed}")
        found = {"steps": 3, "seconds": 0.1}
        return replace(result, verdicts=[red, *result.verdicts], statistics={**result.statistics, "found": found})

    campaigns = divided(0, 60, None, 2, length=10)
    for workers in (Backwards(), Here()):
        result = fuzz_together(workers, lambda: work, campaigns)
        s = result.statistics
        assert [v.reason for v in result.verdicts if v.is_red] == ["seed 2"]
        assert (s["found"]["seed"], s["campaigns"]) == (2, 3)
        assert s["steps"] == sum(do(c).statistics["steps"] for c in campaigns[:3])


@pytest.mark.parametrize(
    ("workers", "done", "reason"),
    [
        (Backwards(lost=(1,)), (0, 2), "the campaign of seed 1 was not done: it died"),
        (Backwards(stop=1), (2,), "interrupted before the budget was used up"),
        (Backwards(stop=0), (), "interrupted before the budget was used up"),
    ],
)
def test_what_is_not_done_is_unknown(do, workers, done, reason):
    campaigns = divided(0, 30, None, 2, length=10)
    result = fuzz_together(workers, lambda: do, campaigns)
    assert {(v.verdict, v.reason) for v in result.verdicts} == {(Kind.UNKNOWN, reason)}
    assert len(result.verdicts) > 100
    assert result.statistics["steps"] == sum(do(campaigns[i]).statistics["steps"] for i in done)
    assert result.statistics["interrupted"] == ("interrupted" in reason)
