"""Work that falls into independent tasks, and who does it: this process, some processes of this machine, or a cluster.

A task goes to whoever is free, and its result comes back when it is there: in what order, nobody says.  A worker that dies
costs the tasks that it had, not the run.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any, Protocol

POLL_SECONDS = 0.5

Do = Callable[[Any], Any]
GoesOn = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Lost:
    """What comes in place of a result: the worker died."""

    reason: str


class Workers(Protocol):
    """Who does the work.

    make: called once by every worker, gives what does a task.  It is copied to workers elsewhere, and so are tasks and
    results.  goes_on: asked now and then; when it says no, tasks that are not done are left.  At Ctrl-C they are left too.
    """

    def run(self, make: Callable[[], Do], tasks: Sequence[Any], goes_on: GoesOn) -> Iterator[tuple[Any, Any]]:
        """Every task with its result, or with `Lost`."""
        ...


class Here:
    """This process, one task after the other."""

    def run(self, make: Callable[[], Do], tasks: Sequence[Any], goes_on: GoesOn) -> Iterator[tuple[Any, Any]]:
        do = make()
        for task in tasks:
            if not goes_on():
                return
            yield task, do(task)


class Processes:
    """So many processes of this machine.  They inherit what `make` knows: nothing is copied to them but tasks."""

    def __init__(self, jobs: int) -> None:
        self.jobs = jobs

    def run(self, make: Callable[[], Do], tasks: Sequence[Any], goes_on: GoesOn) -> Iterator[tuple[Any, Any]]:
        context = multiprocessing.get_context("fork")
        with ProcessPoolExecutor(self.jobs, context, _start, (make,)) as pool:
            running: dict[Future[Any], Any] = {pool.submit(_do, task): task for task in tasks}
            try:
                while running:
                    if not goes_on():
                        _stop(pool)
                        return
                    finished, _ = wait(running, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
                    for f in finished:
                        task = running.pop(f)
                        yield task, _result(f)
            except KeyboardInterrupt:
                _stop(pool)
                raise


def local(jobs: int) -> Workers:
    """Workers on this machine; 0 and 1: this process."""
    return Processes(jobs) if jobs > 1 else Here()


_work: Do | None = None


def _start(make: Callable[[], Do]) -> None:
    global _work
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    _work = make()


def _do(task: Any) -> Any:
    assert _work is not None
    return _work(task)


def _result(future: Future[Any]) -> Any:
    try:
        return future.result()
    except BrokenProcessPool:
        return Lost("the worker process died (out of memory?)")


def _stop(pool: ProcessPoolExecutor) -> None:
    """Leave what is under way: the results so far are what counts."""
    pool.shutdown(wait=False, cancel_futures=True)
    for child in multiprocessing.active_children():
        child.terminate()
