"""The arena in other checkers' languages: where these are installed, they count what the reference says."""

import importlib
import sys
from pathlib import Path

import pytest

ARENA = Path(__file__).parents[3] / "benchmarks" / "arena"
MODULES = ("counts", "promela", "murphi", "tla", "tools", "run")


@pytest.fixture(scope="module")
def bench():
    """The modules of the benchmark, by name; they are programs, and not part of any package."""
    sys.path.insert(0, str(ARENA))
    try:
        yield {name: importlib.import_module(name) for name in MODULES}
    finally:
        sys.path.remove(str(ARENA))
        for name in MODULES:
            del sys.modules[name]


@pytest.fixture
def size(bench):
    """The one with the fewest states."""
    return bench["counts"].size_of("p2r2b1s1")


@pytest.fixture(params=["spin", "rumur", "tlc"])
def tool(bench, request):
    (found,) = (t for t in bench["tools"].TOOLS if t.name == request.param)
    if found.missing():
        pytest.skip(f"{found.name}: {found.missing()}")
    if hasattr(found, "flags"):  # not worth optimising
        found = type(found)()
        found.flags = ("-O0", *(f for f in found.flags if not f.startswith("-O")))
    return found


def test_a_peer_counts_what_the_reference_says(tool, size, tmp_path):
    tool.build(size, tmp_path)
    assert tool.wrong(size, tool.run(size, tmp_path)) == ""


def test_a_peer_finds_the_planted_fault(bench, tool, size, tmp_path):
    tool.build(size, tmp_path, "A")
    with pytest.raises(bench["tools"].Failed, match=r"(?i)\berrors?\b"):
        tool.run(size, tmp_path)


def test_every_scope_of_the_arena_has_a_size(arena, bench):
    assert set(arena.scopes) == set(map(str, bench["counts"].REFERENCE))


def test_models_say_their_size_and_fault(bench):
    size = bench["counts"].size_of("p4r3b2s3")
    for write in (lambda *a: bench["promela"].Promela(*a).text(), bench["murphi"].murphi, bench["tla"].configuration):
        texts = [write(size, fault) for fault in ("", "A", "B")]
        assert len(set(texts)) == 3
        assert "@" not in texts[0]
    assert "REGIONS = 3\n" in texts[0] and "FaultB = FALSE" in texts[0] and "FaultB = TRUE" in texts[2]


def test_wrong_counts_end_with_exit_code_one(bench, monkeypatch, capsys):
    tools, run = bench["tools"], bench["run"]

    class Fake(tools.Tool):
        def __init__(self, name, states):
            self.name, self.states = name, states

        def run(self, size, folder):
            return tools.Run(0.5, 4 * tools.MIB, self.states, 2_548)

    right, wrong = Fake("right", 381), Fake("wrong", 380)
    monkeypatch.setattr(run, "TOOLS", (right,))
    assert run.main(["p2r2b1s1", "--rounds", "2"]) == 0
    assert "1.000         381         2,548" in capsys.readouterr().out
    monkeypatch.setattr(run, "TOOLS", (right, wrong))
    assert run.main(["p2r2b1s1", "--rounds", "2"]) == 1
    assert "WRONG: 380 states instead of 381" in capsys.readouterr().out


@pytest.mark.parametrize(("arguments", "said"), [(["p9r9b9s9"], "there is no size 'p9r9b9s9'"), (["--rounds", "0"], "1 or more")])
def test_bad_usage_is_said(bench, capsys, arguments, said):
    with pytest.raises(SystemExit) as end:
        bench["run"].main(arguments)
    assert end.value.code == 2
    assert said in capsys.readouterr().err
