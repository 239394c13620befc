"""Settings that every test shares.

Hypothesis is deterministic in CI and exploring on a laptop; a deadline would only measure the machine.
"""

import gc
import os

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("laptop", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", parent=settings.get_profile("laptop"), derandomize=True, database=None)
settings.load_profile("ci" if os.environ.get("CI") else "laptop")


def pytest_collection_finish() -> None:
    """Tests and modules stay to the end, and so do terms: looking again and again whether they are garbage is for nothing."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


TOGETHER = "tests/engines/cluster"  # what these tests share is started once, and ended when they are done


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log):
    """Every test goes to whoever is free, but those of one folder to one worker.

    xdist has marks for this, which it writes into the names of tests; since pytest 9.2 names cannot be written.
    """
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return TOGETHER if nodeid.startswith(f"{TOGETHER}/") else nodeid

    return Scheduling(config, log) if config.getvalue("dist") == "load" else None
