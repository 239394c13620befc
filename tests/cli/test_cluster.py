"""`--cluster` as a user meets it, as far as no Ray is needed."""

import socket
import sys
from pathlib import Path

import pytest

from vmaspace.checker.cli import main

ARENA = Path(__file__).parents[2] / "benchmarks" / "arena" / "arena.aspec"
EXPLORE = ("explore", "--alone", ARENA, "--scope", "p2r2b1s1")


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)

    def call(*arguments):
        code = main([*map(str, arguments)])
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return code, out, [line for line in err.splitlines() if not line.startswith("cluster ")]

    return call


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--cluster-workers", 2), "it needs --cluster"),
        (("--cluster", "--plain"), "--plain works on this machine alone"),
        (("--cluster", "--simulate", 5), "--simulate works on this machine alone"),
        (("--cluster", ARENA), "put files first"),
    ],
)
def test_what_cannot_be_asked_is_said_in_a_line(run, arguments, said):
    code, out, err = run(*EXPLORE, *arguments)
    assert (code, out, len(err)) == (2, "", 1)
    assert said in err[0]


def test_without_ray_the_message_names_the_extra(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    code, out, err = run(*EXPLORE, "--cluster", "local")
    assert (code, out) == (2, "")
    assert err == ["vmaspace: --cluster needs Ray, which is not installed: pip install 'vmaspace[cluster]'"]


def test_an_address_where_nobody_answers_is_said_at_once(run, monkeypatch):
    ray = pytest.importorskip("ray", reason="--cluster needs Ray: pip install 'vmaspace[cluster]'")
    monkeypatch.setattr(ray, "is_initialized", lambda: False)  # other tests of this process may have started it,
    monkeypatch.setattr(ray, "shutdown", lambda: None)  # and need it again
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        for name, said in ((address, "nobody answers there"), ("ray://a:1", "not HOST:PORT"), ("a", "not HOST:PORT")):
            code, out, err = run(*EXPLORE, "--cluster", name)
            assert (code, out, len(err)) == (2, "", 1)
            assert f"--cluster {name}: " in err[0] and said in err[0]
