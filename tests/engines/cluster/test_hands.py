"""Independent tasks by actors, without Ray: who gets what, and what becomes of the task of a worker that dies."""

from itertools import count

import pytest

from vmaspace.checker.engines.cluster.connection import WorkerLost
from vmaspace.checker.engines.cluster.hands import Hand, Hands
from vmaspace.checker.engines.workers import Here, Lost, Processes


class Crew:
    """Calls that are done when they are asked for; `deadly`: how often a task kills whoever has it."""

    def __init__(self, kind, workers, deadly):
        self.hands = [kind() for _ in range(workers)]
        self.deadly = dict(deadly)
        self.calls = {}
        self.number = count()
        self.ended = False

    def __len__(self):
        return len(self.hands)

    def put(self, value):
        return value

    def call(self, number, method, *arguments):
        reference = next(self.number)
        self.calls[reference] = number, method, arguments
        return reference

    def first(self, references, seconds):
        return [references[-1]]

    def get(self, reference, number):
        number, method, arguments = self.calls[reference]
        if method == "do" and self.deadly.get(arguments[0], 0):
            self.deadly[arguments[0]] -= 1
            raise WorkerLost(f"worker {number} was lost", number)
        try:
            return getattr(self.hands[number], method)(*arguments)
        except ZeroDivisionError as error:
            raise WorkerLost(f"a worker has failed: {error}") from None

    def end(self):
        self.ended = True


class Cluster:
    def __init__(self, workers, deadly=()):
        self.made = Crew(Hand, workers, deadly)

    def crew(self, kind):
        return self.made


def inverse():
    return lambda task: 60 // task


@pytest.mark.parametrize("workers", [Here(), Processes(2), Hands(Cluster(3))], ids=["here", "processes", "cluster"])
def test_every_task_is_done_once(workers):
    found = list(workers.run(inverse, [1, 2, 3, 4, 5, 6], lambda: True))
    assert sorted(found) == [(1, 60), (2, 30), (3, 20), (4, 15), (5, 12), (6, 10)]


def test_the_task_of_a_dead_worker_is_done_by_another():
    assert dict(Hands(Cluster(2, {4: 1})).run(inverse, [6, 5, 4], lambda: True)) == {6: 10, 5: 12, 4: 15}


def test_a_task_that_kills_twice_is_given_up_and_the_others_are_done():
    found = dict(Hands(Cluster(3, {5: 9})).run(inverse, [6, 5, 4], lambda: True))
    assert (found[6], found[4]) == (10, 15)
    assert found[5].reason.endswith("was lost")


def test_without_workers_every_task_says_why():
    found = dict(Hands(Cluster(1, {6: 1})).run(inverse, [6, 5], lambda: True))
    assert found == {6: Lost("worker 0 was lost"), 5: Lost("worker 0 was lost")}


def test_a_task_that_fails_costs_itself():
    found = dict(Hands(Cluster(1)).run(inverse, [6, 0, 5], lambda: True))
    assert found[0].reason.startswith("a worker has failed: ")
    assert (found[6], found[5]) == (10, 12)


def test_when_time_is_up_the_rest_is_left_and_the_workers_end():
    cluster, answers = Cluster(1), iter([True, True, True, False])
    found = list(Hands(cluster).run(inverse, [6, 5, 4, 3], lambda: next(answers)))
    assert 0 < len(found) < 4
    assert cluster.made.ended
