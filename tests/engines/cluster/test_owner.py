"""Owners without Ray: the same calls in this process; and owners that lose something, which is seen in the counts."""

import pytest

from vmaspace.checker.engines.cluster.owner import Owner
from vmaspace.checker.engines.cluster.search import ClusterSearch
from vmaspace.checker.engines.explore.checkpoint import Checkpoint
from vmaspace.checker.engines.explore.search import Search
from vmaspace.checker.logic.execute import Interpreter
from vmaspace.checker.logic.packed.layout import ScopeError


class Forgetful(Owner):
    """Loses what the last owner sends to others."""

    def gather(self, *batches):
        return super().gather(*batches[:-1], b"")


class Crew:
    """Calls that are done at once."""

    def __init__(self, kind, workers):
        self.owners = [kind() for _ in range(workers)]
        self.places = ["here"] * workers

    def call(self, number, method, *arguments, results=1):
        return getattr(self.owners[number], method)(*arguments)

    def get(self, results):
        return results


class Here:
    workers = 3

    def crew(self, kind):
        return Crew(kind, self.workers)


@pytest.fixture
def result_of(arena, cache):
    def result_of(owner):
        search = ClusterSearch(Here(), arena, arena.scopes["p2r2b1s3"], Interpreter(arena).initial, cache=cache)
        search.owner = owner
        return search.run()

    return result_of


def test_owners_find_every_state(result_of):
    result = result_of(Owner)
    assert (result.states, result.transitions, result.depth, result.reason) == (10_289, 98_476, 9, "")


def test_what_is_lost_on_the_way_is_missing(result_of):
    assert result_of(Forgetful).states < 10_289


def test_states_that_nobody_has_room_for_end_the_search(arena, cache):
    search = ClusterSearch(Here(), arena, arena.scopes["p2r2b1s3"], Interpreter(arena).initial, cache=cache)
    search.most_states = 2_000
    result = search.run()
    assert result.reason == "a worker has no more than 2,000 numbers for states"
    assert 1_000 < result.states <= 6_000


def test_one_machine_goes_on_where_a_cluster_was(arena, cache, tmp_path):
    def search(kind, *where, **options):
        scope, kept = arena.scopes["p2r2b1s3"], Checkpoint(tmp_path, 0.0)
        return kind(*where, arena, scope, Interpreter(arena).initial, cache=cache, checkpoint=kept, **options)

    part = search(ClusterSearch, Here(), memory=1 << 17).run()
    assert "memory limit" in part.reason
    depths = []
    whole = search(Search, jobs=3).run(lambda reached: depths.append(reached.depth))
    assert (whole.states, whole.transitions, whole.depth, whole.reason) == (10_289, 98_476, 9, "")
    assert depths[0] >= part.depth
    (tmp_path / "states.1").unlink()
    with pytest.raises(ScopeError, match=r"cannot be read \(worker 1, here: states.1 is missing\)"):
        search(ClusterSearch, Here()).run()
