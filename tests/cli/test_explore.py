"""`vmaspace explore` as a user meets it."""

import errno
import json
import subprocess
import sys
from pathlib import Path

import pytest

from vmaspace.checker.cli import main

ARENA = Path(__file__).parents[2] / "benchmarks" / "arena" / "arena.aspec"


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def call(*arguments):
        code = main(["explore", *map(str, arguments)])
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return code, out, err

    return call


def test_the_arena_is_green(run):
    code, out, _ = run("--alone", ARENA, "--scope", "p2r2b1s1")
    assert code == 0
    assert "scope p2r2b1s1: 381 states, 2,548 transitions, depth 5; every state was looked at" in out
    assert "NEVER" in out  # one space alone unites nothing
    assert "36 passed" in out


def test_counts_as_json_and_orbits(run):
    code, out, _ = run("--alone", ARENA, "--scope", "p2r2b1s1", "--symmetry", "--jobs", 2, "--json")
    report = json.loads(out)
    assert (code, report["explore"]["states"], report["explore"]["scopes"][0]["symmetry"]) == (0, 237, True)
    assert report["explore"]["scopes"][0]["operations"]["unmap"]["fired"] > 0


def test_a_search_by_hashes_says_how_sure_it_is_and_goes_on_by_hashes_only(run, tmp_path):
    wide = ARENA.read_text().replace("base in 0..1, length in 0..2", "base in 0..10000, length in 0..20000")
    (tmp_path / "wide.aspec").write_text(wide)
    call = ("--alone", "wide.aspec", "--scope", "p2r2b1s1", "--checkpoint", "kept", "--checkpoint-every", "0.001")
    code, out, _ = run(*call, "--compact", "--seed", 3)
    assert code == 0
    assert "hash compaction to 64 bits, seed 3: that a state is omitted has a probability of at most 3.9e-15" in out
    assert "36 likely" in out
    code, out, err = run(*call)
    assert (code, out) == (2, "")
    assert "the checkpoint keeps hashes of 64 bits (seed 3), and this search keeps states" in err


def test_a_broken_property_is_red_and_its_trace_replays(run, tmp_path, capsys):
    text = ARENA.read_text().replace("invariant rights_only", "invariant never_two_regions \"One at a time.\" from \"here\"\n"
                                     "  (count r: Region where kind(r) != Kind.free) < 2\ninvariant rights_only")  # fmt: skip
    (tmp_path / "two.aspec").write_text(text)
    code, _, _ = run("--alone", "two.aspec", "--scope", "p2r2b1s1")
    assert code == 1
    (trace,) = (tmp_path / "traces").iterdir()
    assert len(json.loads(trace.read_text())["steps"]) == 3
    assert main(["replay", str(trace), "two.aspec", "--alone"]) == 1
    assert "never_two_regions" in capsys.readouterr().out


def test_the_code_can_be_printed(run):
    code, out, _ = run("--alone", ARENA, "--scope", "p2r2b1s1", "--print-code")
    assert code == 0
    compile(out, "<printed>", "exec")  # the form of Python
    assert "def advance(" in out and "def operation0(" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--alone",), "--alone takes the files"),
        (("--alone", "ARENA", "--scope", "p2r2b1s2"), "there is no scope 'p2r2b1s2'; did you mean"),
        (("--alone", "ARENA", "--scope", "p2r2b1s1", "--property", "siblings"), "there is no property"),
        (("--alone", "ARENA", "--spec", "spec"), "--alone takes the files"),
        (("--alone", "ARENA", "--scope", "p2r2b1s1", "--compact", "--simulate", 9), "random walks (--simulate) keep none"),
    ],
)
def test_what_cannot_be_asked_is_said_in_a_line(run, arguments, said):
    code, out, err = run(*(ARENA if a == "ARENA" else a for a in arguments))
    assert (code, out) == (2, "")
    assert said in err


def test_without_the_compiler_the_message_names_the_extra(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "llvmlite", None)
    monkeypatch.delitem(sys.modules, "vmaspace.checker.engines.explore.search", raising=False)
    monkeypatch.delitem(sys.modules, "vmaspace.checker.logic.packed.native", raising=False)
    monkeypatch.delitem(sys.modules, "vmaspace.checker.logic.packed.machine", raising=False)
    code, _, err = run("--alone", ARENA, "--scope", "p2r2b1s1")
    assert code == 2
    assert "vmaspace[explore]" in err
    assert run("--alone", ARENA, "--scope", "p2r2b1s1", "--plain")[0] == 0


def test_a_second_start_says_something_at_once(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    command = [sys.executable, "-c", "from vmaspace.checker.cli import main; raise SystemExit(main())", "explore",
               "--alone", str(ARENA), "--scope", "p2r2b1s1"]  # fmt: skip
    subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=60, check=True)
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith(b"explore 0  ")
        assert process.wait(timeout=60) == 0


LAMP = """
statuses { OK = 0 }
var lamp: bool
op flip()
  lamp = not lamp
op wait()
scope lamp: lamp in [false, true]
invariant a_lamp_is_on_or_off "A test." from "a test" lamp or not lamp
temporal it_comes_on fair flip "A test." from "a test" eventually lamp
temporal it_comes_on_by_itself "A test." from "a test" eventually lamp
"""


def test_a_property_of_runs_is_red_and_its_trace_replays(run, tmp_path, capsys):
    (tmp_path / "lamp.aspec").write_text(LAMP)
    code, out, _ = run("--alone", "lamp.aspec", "--scope", "lamp", "--plain", "--junit", "lamp.xml")
    assert code == 1
    assert "ok    it_comes_on " in out and "FAIL  it_comes_on_by_itself" in out
    assert "again and again:\n  1. wait() -> OK" in out
    assert "again and again:" in (tmp_path / "lamp.xml").read_text()
    (trace,) = (tmp_path / "traces").iterdir()
    assert json.loads(trace.read_text())["loop"] == 0
    assert main(["replay", str(trace), "lamp.aspec", "--alone"]) == 1
    assert "again and again" in capsys.readouterr().out


def test_the_code_for_runs_is_printed_too(run, tmp_path):
    (tmp_path / "lamp.aspec").write_text(LAMP)
    code, out, _ = run("--alone", "lamp.aspec", "--scope", "lamp", "--print-code")
    assert code == 0
    compile(out, "<printed>", "exec")
    assert "def steps_from(" in out and "def tell_facts(" in out


def test_prove_leaves_runs_to_explore_and_says_so(run, tmp_path, capsys):
    (tmp_path / "lamp.aspec").write_text(LAMP)
    assert main(["prove", "--alone", "lamp.aspec", "--jobs", "1"]) == 0
    out = capsys.readouterr().out
    assert "2 properties of runs not judged: it_comes_on, it_comes_on_by_itself" in out
    assert "vmaspace explore judges them" in out
    assert main(["prove", "--alone", "lamp.aspec", "--jobs", "1", "--property", "it_comes_on"]) == 3
    assert "cannot be judged" in capsys.readouterr().out


def test_more_memory_than_there_is_is_said(capsys, monkeypatch):
    def exhausted(*arguments):
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    monkeypatch.setattr("vmaspace.checker.cli.exploration.search", exhausted)
    assert main(["explore", "--memory", "123456789", "--scope", "ci_slots"]) == 2
    assert capsys.readouterr().err == "vmaspace: --memory 123456789: this machine does not give so much; ask for less\n"
