"""A cluster that cannot do the work says so in one line.  Ray is played here: nothing is started."""

from types import SimpleNamespace

import pytest

from vmaspace.checker.engines.cluster import connection
from vmaspace.checker.engines.cluster.connection import Actor, Cluster, ClusterError


class RayError(Exception):
    pass


class GetTimeoutError(RayError):
    pass


class Ray:
    """As much of Ray as starting a crew needs; `answers`: what actors say of their code, `error`: what starting them raises."""

    exceptions = SimpleNamespace(RayError=RayError, GetTimeoutError=GetTimeoutError)

    def __init__(self, answers=None, error=None):
        self.answers, self.error, self.ended = answers, error, 0

    def remote(self, kind):
        return SimpleNamespace(options=lambda **_: SimpleNamespace(remote=lambda: self.actor(kind())))

    def actor(self, made):
        code = made.made_of() if self.answers is None else self.answers.pop()
        return SimpleNamespace(
            where=SimpleNamespace(remote=made.where), made_of=SimpleNamespace(remote=lambda: code), kill=self.kill
        )

    def get(self, values, timeout):
        if self.error is not None:
            raise self.error
        return values

    def kill(self, actor):
        self.ended += 1


def test_a_crew_is_started_once():
    cluster = Cluster(Ray(), 2)
    crew = cluster.crew(Actor)
    assert len(crew) == 2
    assert crew.places[0].startswith("pid ")
    assert cluster.crew(Actor) is crew
    crew.is_broken = True
    assert cluster.crew(Actor) is not crew


@pytest.mark.parametrize(
    ("ray", "said"),
    [
        (Ray(answers=["other", connection.fingerprint()]), "runs another vmaspace"),
        (Ray(error=GetTimeoutError()), "did not start 2 workers within 120 s"),
        (Ray(error=RayError("No module named 'vmaspace'\n  at line 1")), "cannot run the workers: No module named 'vmaspace'; "),
    ],
)
def test_what_hinders_it_is_said_and_no_actor_stays(ray, said):
    with pytest.raises(ClusterError, match=said):
        Cluster(ray, 2).crew(Actor)
    assert ray.ended == 2
