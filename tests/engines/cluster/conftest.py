"""One Ray for all tests of this folder, on this machine, with three workers."""

import os
import warnings
from contextlib import ExitStack
from pathlib import Path

import pytest

from vmaspace.checker.engines.cluster.connection import connected
from vmaspace.checker.language.check import check
from vmaspace.checker.language.parser import parse
from vmaspace.checker.logic.elaborate import elaborate

HERE = Path(__file__).parent
ARENA = Path(__file__).parents[3] / "benchmarks" / "arena" / "arena.aspec"
WORKERS = 3
STARTED = ExitStack()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(nextitem):
    """What was started ends with the last test of this folder: Ray, idle, would take its part of a processor to the end."""
    if nextitem is None or HERE not in nextitem.path.parents:
        STARTED.close()


@pytest.fixture(scope="session")
def ray():
    module = pytest.importorskip("ray", reason="--cluster needs Ray: pip install 'vmaspace[cluster]'")
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    settings = {"log_to_driver": False, "configure_logging": False, "logging_level": "CRITICAL"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Room for the workers of the fixture and of a second process, which are started when they are asked for.
        module.init(
            address="local", num_cpus=2 * WORKERS, include_dashboard=False, **settings,
            _system_config={"prestart_worker_first_driver": False},
        )  # fmt: skip
    STARTED.callback(module.shutdown)
    return module


@pytest.fixture(scope="session")
def cluster(ray):
    return STARTED.enter_context(connected("", WORKERS))


@pytest.fixture(scope="session")
def arena_text():
    return ARENA.read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def contract_of():
    return lambda text: elaborate(check(parse({"text.aspec": text})))


@pytest.fixture(scope="session")
def arena(contract_of, arena_text):
    return contract_of(arena_text)


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    """Machine code that several tests use, where the command keeps it too."""
    return tmp_path_factory.mktemp("home") / "vmaspace" / "explore"
