"""The command as a user meets it: exit codes, forms of output, and what is said of bad input."""

import json
import os
import subprocess
import sys
import types
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from vmaspace.checker.__main__ import INTERRUPTED, entrance
from vmaspace.checker.cli import main
from vmaspace.checker.cli.sources import Settings, settings
from vmaspace.checker.report.as_json import published_schema
from vmaspace.checker.report.verdict import Exit

LANGUAGE = Path(__file__).parents[1] / "language"
BROKEN = sorted((LANGUAGE / "broken").glob("*.aspec"))
ROOT = Path(__file__).parents[2]

HOLDS = '''
invariant names_are_short "A name has at most 31 bytes." from "zircon/kernel/vm/vm_aspace.cc"
  for a: Aspace: name_length(a) <= 31
'''
FAILS = '''
invariant mappings_are_small "Every mapping is at most 64 KiB." from "a rule of ours"
  for m: Region where is_alive(m), is_mapping(m): size(m) <= 0x10000
'''


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(capsys, *arguments):
    code = main([str(a) for a in arguments])
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    return code, out, err


def test_a_property_that_holds_is_green(here, capsys):
    (here / "mine.aspec").write_text(HOLDS)
    code, out, _ = run(capsys, "prove", "mine.aspec", "--property", "names_are_short", "--jobs", 1)
    assert code == 0
    assert "38 verdicts: 38 proved" in out


def test_a_property_that_fails_is_red_and_its_trace_replays(here, capsys):
    (here / "mine.aspec").write_text(FAILS)
    code, out, _ = run(
        capsys, "prove", "mine.aspec", "--property", "mappings_are_small", "--operation", "map", "--jobs", 1
    )
    assert code == 1
    assert "mine.aspec:2:1" in out
    trace = here / "traces" / "map__mappings_are_small.prove.json"
    assert json.loads(trace.read_text())["steps"][-1]["op"] == "map"
    code, out, _ = run(capsys, "replay", trace, "mine.aspec")
    assert code == 1
    assert "1 violated" in out


def test_json_keeps_to_its_schema(here, capsys):
    jsonschema = pytest.importorskip("jsonschema", reason="install the extra: pip install -e .[dev]")
    (here / "mine.aspec").write_text(FAILS)
    code, out, _ = run(
        capsys, "prove", "mine.aspec", "--property", "mappings_are_small", "--operation", "map", "--jobs", 1, "--json"
    )
    report = json.loads(out)
    jsonschema.validate(report, published_schema("report"))
    assert report["exit"] == code == 1
    (verdict,) = report["verdicts"]
    assert verdict["id"] == "map/mappings_are_small"
    assert verdict["verdict"] == "violated"
    assert Path(verdict["trace"]).is_file()
    assert report["summary"] == {"violated": 1}


def test_junit_is_written(here, capsys):
    code, _, _ = run(
        capsys, "prove", "--property", "destroyed_for_good", "--operation", "rename", "--jobs", 1, "--junit", "r.xml"
    )
    assert code == 0
    assert ElementTree.parse(here / "r.xml").getroot().iter("testcase")


def test_a_deviation_is_green_and_shown(here, capsys):
    code, out, _ = run(
        capsys, "prove", "--property", "constituents_have_their_roles", "--operation", "create_unified", "--jobs", 1
    )
    assert code == 0
    assert "1 deviation (create_unified)" in out


def test_time_out_is_not_green(here, capsys):
    code, out, _ = run(
        capsys, "prove", "--property", "branches_are_children", "--operation", "map", "--jobs", 1, "--timeout", 0.01
    )
    assert code == 3
    assert "unknown" in out


def test_budget_is_not_green(here, capsys):
    code, out, _ = run(capsys, "prove", "--property", "siblings_are_disjoint", "--jobs", 1, "--budget", 0.001)
    assert code == 3
    assert "budget ran out" in out


def test_smt2_files_are_what_the_solver_reads(here, capsys):
    z3 = pytest.importorskip("z3")
    code, _, _ = run(capsys, "prove", "--property", "freed_only_after_destroyed", "--operation", "release", "--smt2", "out")
    assert code == 0
    files = sorted((here / "out").glob("*.smt2"))
    assert files
    for file in files:
        solver = z3.Solver()
        solver.from_file(str(file))
        assert solver.check() == z3.unsat


def test_smt2_files_are_readable_where_parameters_share_names_with_variables(here, capsys):
    z3 = pytest.importorskip("z3")
    code, _, _ = run(capsys, "prove", "--property", "siblings_are_disjoint", "--operation", "allocate", "--smt2", "out")
    assert code == 0
    for file in sorted((here / "out").glob("*.smt2")):
        z3.Solver().from_file(str(file))


def test_fuzz_is_the_same_for_the_same_seed(here, capsys):
    reports = []
    for _ in range(2):
        code, out, _ = run(capsys, "fuzz", "--steps", 300, "--seed", 7, "--json")
        assert code in (0, 3)  # so few steps may leave a property unseen, which is not green
        report = json.loads(out)
        reports.append({k: v for k, v in report["fuzz"].items() if k != "seconds"})
    assert reports[0] == reports[1]
    assert reports[0]["steps"] in range(300, 310)  # the last turn may be more than one call
    assert reports[0]["seed"] == 7


def test_known_answers(here, capsys):
    code, out, _ = run(capsys, "replay", ROOT / "tests" / "conformance" / "zircon.jsonl", "--json")
    summary = json.loads(out)
    assert code == 0
    assert summary["failed"] == 0
    assert summary["passed"] + summary["known_gaps"] == summary["cases"] == len(summary["list"])
    assert summary["passed"] >= 91


def test_a_known_answer_that_differs_is_red(here, capsys):
    case = {
        "id": "X-1", "source": "s", "test": "t", "area": "create", "arch": "any", "needs": "kernel API",
        "steps": [{"op": "aspace.create", "args": {"type": "user"}, "bind": "a", "expect": {"result": "null"}}],
        "notes": "",
    }  # fmt: skip
    (here / "cases.jsonl").write_text(json.dumps(case) + "\n")
    code, out, _ = run(capsys, "replay", "cases.jsonl")
    assert code == 1
    assert "X-1" in out


@pytest.mark.parametrize("file", BROKEN, ids=lambda f: f.stem)
def test_broken_text_is_a_usage_error(file, here, capsys):
    code, out, err = run(capsys, "prove", "--alone", LANGUAGE / "contract.aspec", file, "--jobs", 1)
    assert code == 2
    assert out == ""
    assert err.startswith("VMA")
    assert file.name in err


def test_broken_text_beside_the_contract_is_a_usage_error(here, capsys):
    (here / "mine.aspec").write_text(HOLDS.replace("name_length", "name_lenght"))
    code, out, err = run(capsys, "prove", "mine.aspec", "--operation", "rename", "--jobs", 1)
    assert (code, out) == (2, "")
    assert err.startswith("VMA") and "mine.aspec:3" in err


def test_there_are_at_least_twenty_kinds_of_broken_text():
    assert len(BROKEN) >= 20


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["prove", "--property", "siblings_are_disjont"], "did you mean siblings_are_disjoint"),
        (["prove", "--operation", "mapp"], "did you mean map"),
        (["prove", "gone.aspec"], "gone.aspec"),
        (["prove", "--spec", "nowhere"], "nowhere"),
        (["replay", "gone.json"], "gone.json"),
        (["replay", "gone.jsonl"], "gone.jsonl"),
        (["replay", "bad.json"], "bad.json"),
        (["replay", "bad.jsonl"], "bad.jsonl"),
        (["fuzz", "--steps", "5", "--model", "no.such.module:Thing"], "no.such.module"),
        (["fuzz", "--steps", "5", "--model", "json:loads"], "json:loads"),
    ],
)
def test_bad_calls_say_what_and_where(arguments, said, here, capsys):
    (here / "bad.json").write_text('{"schema": "vmaspace.trace/1", "steps": 3}')
    (here / "bad.jsonl").write_text('{"id": \n')
    code, out, err = run(capsys, *arguments)
    assert code == 2
    assert out == ""
    assert said in err


@pytest.mark.parametrize(
    "arguments",
    [
        ["frobnicate"], ["prove", "--timeout", "soon"], ["fuzz", "--steps", "0"], ["fuzz", "--seed", "-1"],
        ["check", "--profile", "lazy"], ["replay"], [],
    ],
)  # fmt: skip
def test_bad_options_exit_with_two(arguments, here, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[tool.vmaspace]\nconformance = 3\n", "list of files"),
        ("[tool.vmaspace]\nconformance = ['gone.jsonl']\n", "gone.jsonl"),
        ("[tool.vmaspace]\ncoverage = true\n", "coverage"),
        ("[tool.vmaspace\n", "TOML"),
    ],
)
def test_bad_settings_say_what_and_where(text, said, here, capsys):
    (here / "pyproject.toml").write_text(text)
    code, _, err = run(capsys, "check", "--profile", "quick", "--property", "destroyed_for_good", "--jobs", 1)
    assert code == 2
    assert said in err


# Claims about page-table entries are named like properties.


def test_a_claim_about_entries_is_proved_by_its_name(here, capsys):
    code, out, _ = run(capsys, "prove", "--property", "a_leaf_answers_its_flags", "--json")
    report = json.loads(out)
    assert code == 0
    assert report["summary"] == {"proved": 15}
    assert report["verdicts"][0]["id"] == "x86-64/a_leaf_answers_its_flags"
    assert {v["engine"] for v in report["verdicts"]} == {"entries"}


def test_claims_stand_under_a_heading_of_their_own(here, capsys):
    code, out, _ = run(capsys, "prove", "--property", "an_address_is_its_indices")
    assert code == 0
    assert out.startswith("page-table entries\n  ok    an_address_is_its_indices")


def test_claims_and_properties_may_be_asked_for_together(here, capsys):
    both = ("--property", "destroyed_for_good", "--property", "indices_are_an_address")
    code, out, _ = run(capsys, "prove", *both, "--jobs", 1)
    assert code == 0
    assert "entries 15 proved" in out
    assert "prove 37 proved" in out


def test_a_claim_is_of_no_operation(here, capsys):
    asked = ("--property", "an_address_is_its_indices", "--operation", "map")
    code, _, err = run(capsys, "prove", *asked)
    assert code == 2
    assert "there is no property 'an_address_is_its_indices'" in err


def test_a_claim_that_does_not_hold_is_red(here, capsys, monkeypatch):
    from vmaspace.checker.engines.entries import changes

    monkeypatch.setattr(changes, "index_at", lambda va, level: va >> 12 + 9 * level & 255)
    code, out, _ = run(capsys, "prove", "--property", "an_address_is_its_indices")
    assert code == 1
    assert "VMA501 an_address_is_its_indices does not hold" in out
    assert "x86-64, every level" in out
    assert "va  " in out


def test_claims_are_written_as_smt2(here, capsys):
    code, out, _ = run(capsys, "prove", "--property", "an_address_is_its_indices", "--smt2", "out")
    assert code == 0
    assert "15 queries written to out" in out
    assert len(list((here / "out" / "entries").glob("*.smt2"))) == 15


@pytest.mark.parametrize(
    ("option", "place", "message"),
    [
        ("--traces", "file", "--traces file: file is a file"),
        ("--traces", "file/below/it", "--traces file/below/it: file is a file"),
        ("--junit", "folder", "--junit folder: this is a folder; name a file"),
        ("--junit", "file/x.xml", "--junit file/x.xml: file is a file"),
    ],
)
def test_places_for_results_are_looked_at_before_the_work(here, capsys, monkeypatch, option, place, message):
    (here / "file").touch()
    (here / "folder").mkdir()
    monkeypatch.setattr("vmaspace.checker.cli.jobs.prove", lambda o: pytest.fail("the work has begun"))
    code, _, err = run(capsys, "prove", option, place)
    assert code == 2 and message in err


def test_places_that_can_be_made_are_good(here, capsys, monkeypatch):
    monkeypatch.setattr("vmaspace.checker.cli.jobs.prove", lambda o: 0)
    arguments = ("--traces", "a/b", "--smt2", "c", "--junit", "d/e.xml")
    assert run(capsys, "prove", *arguments) == (0, "", "")
    assert not list(here.iterdir())


def test_an_interruption_while_tools_are_loaded_is_said(capsys, monkeypatch):
    def interrupted(name):
        raise KeyboardInterrupt

    loading = types.ModuleType("loading")
    loading.__getattr__ = interrupted
    monkeypatch.setitem(sys.modules, "vmaspace.checker.cli", loading)
    assert entrance() == Exit.UNDECIDED == INTERRUPTED
    assert capsys.readouterr().err == "vmaspace: interrupted\n"


def test_a_reader_that_has_gone_is_no_traceback():
    program = "import sys; from vmaspace.checker.__main__ import entrance; sys.exit(entrance())"
    command = [sys.executable, "-c", program, "show", "--entry", "7"]
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as gone:
        done = subprocess.run(command, stdout=gone, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize("text", ["tool = 5\n", "[tool.other]\nvmaspace = 1\n", ""])
def test_settings_of_others_are_none_of_ours(text, here):
    (here / "pyproject.toml").write_text(text)
    assert settings(here) == Settings()
