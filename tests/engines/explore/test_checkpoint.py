"""Killed at any moment, a search goes on where it was and counts the same."""

import json
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from vmaspace.checker.engines.explore import worker as worker_module
from vmaspace.checker.engines.explore.checkpoint import Checkpoint
from vmaspace.checker.engines.explore.compaction import Compaction
from vmaspace.checker.logic.packed.layout import ScopeError

SAME = ("states", "transitions", "depth", "cut", "deadlocks", "calls", "outcomes", "failures")
STATES = 494_129  # of p3r3b1s3


def command(file, folder, *more):
    return [sys.executable, "-c", "from vmaspace.checker.cli import main; raise SystemExit(main())", "explore", "--alone",
            str(file), "--scope", "p3r3b1s3", "--jobs", "2", "--checkpoint", str(folder), "--checkpoint-every", "0.001",
            "--json", *more]  # fmt: skip


def written(folder):
    """States whose parents a search has written."""
    return sum(file.stat().st_size for file in folder.glob("p3r3b1s3/parents.*")) // 4


@pytest.mark.parametrize(("more", "times"), [((), 5), (("--compact",), 2)], ids=["states", "hashes"])
def test_a_search_survives_kill_9(tmp_path, monkeypatch, wide_text, more, times):
    """Killed at a moment between the first state and the last but some, by how many states are written."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    file = tmp_path / "wide.aspec"
    file.write_text(wide_text)
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    dice = random.Random(seed)
    for n in range(times):
        folder = tmp_path / f"search{n}"
        call = command(file, folder, *more)
        process = subprocess.Popen(call, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        enough = dice.randrange(1, STATES * 9 // 10)
        limit = time.monotonic() + 120
        while written(folder) < enough and time.monotonic() < limit:
            time.sleep(0.001)
        time.sleep(dice.random() * 0.02)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, "it was done before it was killed"
        done = subprocess.run(call, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=True)
        found = json.loads(done.stdout)["explore"]
        assert (found["states"], found["transitions"], found["depth"]) == (STATES, 6_629_368, 12)
        assert bool(found["scopes"][0]["compaction"]) == bool(more)


def interrupted_at(depth):
    """Ctrl-C in the third round of a level."""
    left = iter(range(2))

    def tell(progress):
        if progress.depth == depth and next(left, None) is None:
            raise KeyboardInterrupt

    return tell


@pytest.mark.parametrize("steps", [0, 5])
@pytest.mark.parametrize("kept", [{}, {"compaction": Compaction(seed=3, bits=60)}], ids=["states", "hashes"])
@pytest.mark.parametrize("jobs", [1, 2])
def test_what_is_resumed_is_what_was_stopped(arena, compiled, tmp_path, jobs, kept, steps, monkeypatch):
    """Stopped at a memory limit, then by Ctrl-C (of five steps, in the last), and taken up again."""
    monkeypatch.setattr(worker_module, "ROUND", 1 << 12)
    contract = replace(arena, scopes={"s": replace(arena.scopes["p3r3b2s1"], steps=steps)})

    def search(**options):
        return compiled(contract, "s", jobs=jobs, checkpoint=Checkpoint(tmp_path, 0.0), **kept, **options)

    whole = compiled(contract, "s", jobs=jobs).run()
    part = search(memory=1 << 20).run()
    assert "memory limit" in part.reason and part.states < whole.states
    more = search().run(interrupted_at(4))
    assert more.reason == "interrupted" and part.transitions <= more.transitions < whole.transitions
    rest = search().run()
    assert {n: getattr(rest, n) for n in SAME} == {n: getattr(whole, n) for n in SAME}


def test_a_checkpoint_of_another_search_is_refused(arena, compiled, tmp_path):
    hashes = Compaction(bits=60)
    compiled(arena, "p2r2b1s1", checkpoint=Checkpoint(tmp_path, 0.0)).run()
    with pytest.raises(ScopeError, match="of another search"):
        compiled(arena, "p2r2b2s1", checkpoint=Checkpoint(tmp_path, 0.0)).run()
    with pytest.raises(ScopeError, match=r"keeps states, and this search keeps hashes of 60 bits \(seed 0\)"):
        compiled(arena, "p2r2b1s1", checkpoint=Checkpoint(tmp_path, 0.0), compaction=hashes).run()
    (tmp_path / "states.0").write_bytes(b"")
    with pytest.raises(ScopeError, match="cannot be read"):
        compiled(arena, "p2r2b1s1", checkpoint=Checkpoint(tmp_path, 0.0)).run()
