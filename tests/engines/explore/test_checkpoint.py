"""Killed at any moment, a search goes on where it was and counts the same."""

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from vmaspace.checker.engines.explore.checkpoint import Checkpoint
from vmaspace.checker.logic.packed.layout import ScopeError

ARENA = Path(__file__).parents[3] / "benchmarks" / "arena" / "arena.aspec"
SAME = ("states", "transitions", "depth", "cut", "deadlocks", "calls", "outcomes", "failures")


def command(folder):
    return [sys.executable, "-c", "from vmaspace.checker.cli import main; raise SystemExit(main())", "explore", "--alone",
            str(ARENA), "--scope", "p3r3b1s3", "--jobs", "2", "--checkpoint", str(folder), "--checkpoint-every", "0.001",
            "--json"]  # fmt: skip


def test_a_search_survives_kill_9_five_times(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    subprocess.run(command(tmp_path / "warm"), cwd=tmp_path, capture_output=True, timeout=300, check=True)
    dice = random.Random(5)
    killed = 0
    for n in range(5):
        folder = tmp_path / f"search{n}"
        process = subprocess.Popen(command(folder), cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        limit = time.monotonic() + 120
        while not (folder / "p3r3b1s3" / "checkpoint.json").exists() and time.monotonic() < limit:
            time.sleep(0.005)
        time.sleep(dice.random() * 0.15)
        process.send_signal(signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
        done = subprocess.run(command(folder), cwd=tmp_path, capture_output=True, text=True, timeout=300, check=True)
        found = json.loads(done.stdout)["explore"]
        assert (found["states"], found["transitions"], found["depth"]) == (494_129, 6_629_368, 12)
    assert killed == 5


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_is_resumed_is_what_was_interrupted(arena, compiled, tmp_path, jobs):
    """Stopped at a memory limit, and taken up again with more."""
    whole = compiled(arena, "p3r3b2s1", jobs=jobs).run()
    part = compiled(arena, "p3r3b2s1", jobs=jobs, memory=1 << 20, checkpoint=Checkpoint(tmp_path, 0.0)).run()
    assert part.reason and part.states < whole.states
    rest = compiled(arena, "p3r3b2s1", jobs=jobs, checkpoint=Checkpoint(tmp_path, 0.0)).run()
    assert {n: getattr(rest, n) for n in SAME} == {n: getattr(whole, n) for n in SAME}


def test_a_checkpoint_of_another_search_is_refused(arena, compiled, tmp_path):
    compiled(arena, "p2r2b1s1", checkpoint=Checkpoint(tmp_path, 0.0)).run()
    with pytest.raises(ScopeError, match="of another search"):
        compiled(arena, "p2r2b2s1", checkpoint=Checkpoint(tmp_path, 0.0)).run()
    (tmp_path / "states.0").write_bytes(b"")
    with pytest.raises(ScopeError, match="cannot be read"):
        compiled(arena, "p2r2b1s1", checkpoint=Checkpoint(tmp_path, 0.0)).run()
