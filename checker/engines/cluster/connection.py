"""Ray, and all that is known of it here: how to reach or start it, its actors, and what it says when one is lost.

Ray is an extra and is imported when somebody asks for a cluster.  It is kept quiet: no dashboard, no statistics sent to
anybody, nothing of its logs on the terminal.  Whoever starts it ends it; a Ray that this process was connected to before is
used and left as it is.
"""

from __future__ import annotations

import hashlib
import importlib
import logging
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

LOCAL, AUTO = "local", "auto"
NO_RAY = "--cluster needs Ray, which is not installed: pip install 'vmaspace[cluster]'"
SECONDS_TO_ANSWER = 5.0
SECONDS_TO_START = 120.0
SECONDS_TO_TELL = 20.0


class ClusterError(Exception):
    """There is no such cluster, or it is too small; the message says what to do."""


class WorkerLost(Exception):
    """A worker is gone, or its machine; what it held is gone with it.  `number` is None if it is not known which."""

    def __init__(self, message: str, number: int | None = None) -> None:
        super().__init__(message)
        self.number = number


class Actor:
    """What every actor tells of itself."""

    def where(self) -> str:
        """This process, as it is named to people."""
        return f"pid {os.getpid()} on {socket.gethostname()}"

    def made_of(self) -> str:
        return fingerprint()


@cache
def fingerprint() -> str:
    """A hash of our own code, of which every machine must have the same."""
    found = hashlib.sha256()
    for room in ("checker", "model"):
        top = Path(str(files(f"vmaspace.{room}")))
        for file in sorted(top.rglob("*.py")):
            found.update(f"{file.relative_to(top)}\0".encode() + file.read_bytes())
    return found.hexdigest()


class Crew:
    """Actors of one class, counted from 0; each does one call after the other."""

    def __init__(self, ray: Any, actors: Sequence[Any]) -> None:
        self.ray = ray
        self.actors = list(actors)
        self.places: list[str] = []  # "pid 12 on host"
        self.is_broken = False  # one is gone

    def __len__(self) -> int:
        return len(self.actors)

    def call(self, number: int, method: str, *arguments: Any, results: int = 1) -> Any:
        """A call that is under way: a reference to what it will give, or several."""
        return getattr(self.actors[number], method).options(num_returns=results).remote(*arguments)

    def put(self, value: Any) -> Any:
        """A reference to a value that many calls are given."""
        return self.ray.put(value)

    def get(self, references: Any, number: int | None = None) -> Any:
        """What calls have given, all to this worker if a number says so.  `WorkerLost`: one of them has given nothing, since
        a worker is gone or has failed."""
        try:
            return self.ray.get(references)
        except self.ray.exceptions.RayError as error:
            raise self.lost(error, number) from None

    def first(self, references: Sequence[Any], seconds: float) -> list[Any]:
        """Those of these calls that are done, as soon as one is, or after so many seconds."""
        done, _ = self.ray.wait(list(references), num_returns=1, timeout=seconds)
        return list(done)

    def lost(self, error: BaseException, number: int | None = None) -> WorkerLost:
        """Which worker an error is about: the one with this number, or one that does not answer any more."""
        self.is_broken = True
        failed = getattr(error, "cause", None)
        if isinstance(error, self.ray.exceptions.RayTaskError) and not isinstance(failed, self.ray.exceptions.RayError):
            return WorkerLost(f"a worker has failed: {type(failed).__name__}: {failed}")
        if number is None:
            number = self._silent()
        if number is None:
            return WorkerLost(f"what a worker has sent was lost{_why(error)}")
        return WorkerLost(f"worker {number} ({self.places[number]}) was lost", number)

    def _silent(self) -> int | None:
        """A worker that is gone; those that are busy are not."""
        asked = {self.call(number, "where"): number for number in range(len(self))}
        while asked and (done := self.first(list(asked), SECONDS_TO_TELL)):
            for reference in done:
                number = asked.pop(reference)
                try:
                    self.ray.get(reference)
                except self.ray.exceptions.RayError:
                    return number
        return None

    def end(self) -> None:
        """End every actor."""
        self.is_broken = True
        for actor in self.actors:
            self.ray.kill(actor)


class Cluster:
    """A Ray that this process is connected to, and the workers that it has started for us."""

    def __init__(self, ray: Any, workers: int) -> None:
        self.ray = ray
        self.workers = workers
        self._crews: dict[type[Actor], Crew] = {}

    def crew(self, kind: type[Actor]) -> Crew:
        """One actor for each worker; the same ones again, unless one of them was lost.  `ClusterError`: the cluster has no
        room for them, or another vmaspace.
        """
        found = self._crews.get(kind)
        if found is not None and not found.is_broken:
            return found
        if found is not None:
            found.end()
        self._crews[kind] = crew = self._start(kind)
        return crew

    def _start(self, kind: type[Actor]) -> Crew:
        actor = self.ray.remote(kind).options(num_cpus=1, scheduling_strategy="SPREAD")
        crew = Crew(self.ray, [actor.remote() for _ in range(self.workers)])
        try:
            crew.places = self.ray.get([a.where.remote() for a in crew.actors], timeout=SECONDS_TO_START)
            codes = self.ray.get([a.made_of.remote() for a in crew.actors], timeout=SECONDS_TO_START)
        except self.ray.exceptions.GetTimeoutError:
            crew.end()
            raise ClusterError(
                f"the cluster did not start {self.workers} workers within {SECONDS_TO_START:.0f} s: is it busy? "
                "--cluster-workers says how many"
            ) from None
        except self.ray.exceptions.RayError as error:
            crew.end()
            raise ClusterError(
                f"the cluster cannot run the workers{_why(error)}; vmaspace must be installed on every machine of it"
            ) from None
        for place, code in zip(crew.places, codes, strict=True):
            if code != fingerprint():
                crew.end()
                raise ClusterError(f"the worker with {place} runs another vmaspace: install this one on every machine")
        return crew

    def end(self) -> None:
        """End every worker."""
        for crew in self._crews.values():
            crew.end()


@contextmanager
def connected(address: str, workers: int | None = None) -> Iterator[Cluster]:
    """The cluster at an address: `host:port`; `auto` takes one that runs on this machine, `local` starts one; "" is RAY_ADDRESS,
    and `local` if that is not set.

    workers: how many to use; None: one for each processor.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        ray = importlib.import_module("ray")
    except ModuleNotFoundError as error:
        if error.name != "ray":
            raise
        raise ClusterError(NO_RAY) from None
    own = not ray.is_initialized()
    try:
        if own:
            logging.getLogger("ray").setLevel(logging.CRITICAL)
            _connect(ray, address or os.environ.get("RAY_ADDRESS") or LOCAL, workers)
        processors = int(ray.cluster_resources().get("CPU", 0))
        if workers is not None and workers > processors:
            raise ClusterError(f"the cluster has {processors} processors, too few for {workers} workers")
        cluster = Cluster(ray, workers or max(1, processors))
        try:
            yield cluster
        finally:
            cluster.end()
    finally:
        if own:
            ray.shutdown()


def _connect(ray: Any, address: str, workers: int | None) -> None:
    settings: dict[str, Any] = {"log_to_driver": False, "configure_logging": False, "logging_level": logging.CRITICAL}
    try:
        if address == LOCAL:
            settings |= {"num_cpus": max(workers or 0, os.cpu_count() or 1), "include_dashboard": False}
        elif address != AUTO:
            _demand_answer(address)
        with _silence():
            ray.init(address=address, **settings)
    except ConnectionError as error:
        hint = "" if address == AUTO else "; if that Ray asks for its token, RAY_AUTH_MODE=token makes Ray show it"
        raise ClusterError(f"--cluster {address}: {_first_line(error)}{hint}") from None
    except (ValueError, RuntimeError, ImportError, OSError) as error:
        raise ClusterError(f"--cluster {address}: {_first_line(error)}") from None


@contextmanager
def _silence() -> Iterator[None]:
    """Nothing on standard error: a connection that fails is told of there once a second, by code that no setting reaches."""
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(nowhere)
        os.close(kept)


def _demand_answer(address: str) -> None:
    """Ray itself would try for minutes, and say so on the terminal."""
    host, colon, port = address.rpartition(":")
    if "://" in address or not (host and colon and port.isdecimal()):
        raise ClusterError(f"--cluster {address}: this is not HOST:PORT (6379, if Ray was started with its defaults)")
    try:
        socket.create_connection((host.strip("[]"), int(port)), SECONDS_TO_ANSWER).close()
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ClusterError(f"--cluster {address}: nobody answers there ({reason}); `ray status` says where a Ray runs") from None


def _why(error: BaseException) -> str:
    line = _first_line(error)
    return f": {line}" if line else ""


def _first_line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
