"""`vmaspace inspect` as a user meets it: dumps by name and from standard input, exit codes, and every refusal."""

import io
import json
import re
from pathlib import Path

import pytest

from vmaspace.checker.cli import main
from vmaspace.checker.report.as_json import published_schema

DUMP = """\
as 0xa000 [0x200000 0x7fffffffefff] sz 0x7fffffdff000 typ 0 ref 1 'demo' destroyed 0
  vmar 0xb000 [0x200000 0x7fffffffefff] sz 0x7fffffdff000 ref 1 state 1 'root' subregions 2
    vmar 0xb100 [0x400000 0x4fffff] sz 0x100000 ref 1 state 1 'one' subregions 0
    vmar 0xb200 [0x500000 0x5fffff] sz 0x100000 ref 1 state 1 'two' subregions 0
"""
OVERLAP = DUMP.replace("[0x400000 0x4fffff] sz 0x100000", "[0x400000 0x500fff] sz 0x101000")
NEXT = "as 0xc000 [0x200000 0x7fffffffefff] sz 0x7fffffdff000 typ 0 ref 1 'next' destroyed 0\n"


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)  # the width of a pipe; a worker of pytest has another
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(capsys, *arguments):
    code = main(["inspect", *map(str, arguments)])
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    return code, out, err


def test_a_sound_dump_ends_with_0_and_names_what_is_not_judged(here, capsys):
    (here / "d.txt").write_text(DUMP)
    code, out, err = run(capsys, "d.txt", "--arch", "arm64")
    assert code == 0 and not err
    assert "inspect      d.txt: 1 address space; " in out
    assert "  --    child_rights_stay_within_the_parents: a dump does not tell flags" in out
    code, out, _ = run(capsys, "d.txt")
    assert code == 0
    assert "spaces_stay_in_the_range_of_their_type: a dump does not tell arch; --arch does" in out


def test_a_violation_ends_with_1_and_says_where(here, capsys):
    (here / "d.txt").write_text(OVERLAP)
    code, out, _ = run(capsys, "d.txt")
    assert code == 1
    assert "r = region1: line 3 of d.txt, 0xb100" in out and "s = region2: line 4 of d.txt, 0xb200" in out
    assert "region2 vmar" in out and "! overlaps region1" in out


def test_a_cut_dump_is_red_where_it_is_broken_and_undecided_where_not(here, capsys):
    (here / "broken.txt").write_text(OVERLAP + NEXT)
    code, out, _ = run(capsys, "broken.txt")
    assert code == 1 and "  part  line 5 of broken.txt, 0xc000 'next': not told: " in out
    (here / "sound.txt").write_text(DUMP + NEXT)
    code, out, _ = run(capsys, "sound.txt")
    assert code == 3 and "every_tree_is_there" in out and "Is the dump cut off?" in out


def test_several_dumps_are_judged_each_by_itself(here, capsys):
    (here / "one.txt").write_text(DUMP)
    (here / "two.txt").write_text(OVERLAP)
    code, out, _ = run(capsys, "one.txt", "two.txt", "--json")
    jsonschema = pytest.importorskip("jsonschema", reason="install the extra: pip install -e .[dev]")
    report = json.loads(out)
    jsonschema.validate(report, published_schema("report"))
    assert code == report["exit"] == 1
    assert [block["file"] for block in report["inspect"]] == ["one.txt", "two.txt"]
    verdicts = {v["id"]: v["verdict"] for v in report["verdicts"]}
    assert verdicts["one.txt/siblings_are_disjoint"] == "passed"
    assert verdicts["two.txt/siblings_are_disjoint"] == "violated"
    (here / "two.txt").write_text(DUMP)  # the same pointers: another machine, or another time
    assert run(capsys, "one.txt", "two.txt")[0] == 0


def test_standard_input_and_properties_of_mine(here, capsys, monkeypatch):
    (here / "mine.aspec").write_text(
        'invariant vmars_are_small "A VMAR below the root has at most 512 KiB." from "a rule of ours"\n'
        "  for r: Region where is_alive(r), parent(r) != null: size(r) <= 0x80000\n"
    )
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(DUMP.encode())))
    code, out, _ = run(capsys, "-", "mine.aspec", "--property", "vmars_are_small")
    assert code == 1 and "r = region1: line 3 of standard input, 0xb100" in out


def test_every_refusal_ends_with_2_and_all_are_said(here, capsys):
    (here / "sound.txt").write_text(DUMP)
    (here / "one.txt").write_text(DUMP.replace("subregions 2", "subregions 3"))
    (here / "two.txt").write_text("nothing of that kind")
    code, out, err = run(capsys, "sound.txt", "one.txt", "two.txt")
    assert code == 2 and not out
    assert "one.txt:2:1: it has 3 subregions, and 2 follow" in err
    assert "two.txt: there is no address space in it" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.txt"], "none.txt: No such file"),
        (["mine.aspec"], "there is no dump among the files"),
        (["d.txt", "--property", "siblings_are_disjont"], "did you mean siblings_are_disjoint"),
        (
            ["d.txt", "mine.aspec", "--alone"],
            "in the words of the installed contract; here there is no sort Region",
        ),
    ],
)
def test_what_can_not_be_used_is_said(here, capsys, arguments, message):
    (here / "d.txt").write_text(DUMP)
    (here / "mine.aspec").write_text('sort Aspace "Its own." \n')
    code, out, err = run(capsys, *arguments)
    assert code == 2 and not out
    assert message in err


def test_a_binary_file_is_refused(here, capsys):
    (here / "d.bin").write_bytes(bytes(range(256)) * 4)
    code, _, err = run(capsys, "d.bin")
    assert code == 2 and "there is no address space in it" in err


DOCS = (Path(__file__).parents[2] / "docs" / "inspect.md").read_text()


def test_the_example_of_the_guide_is_what_it_says(here, capsys):
    dump, console = re.findall(r"```(?:text|console)\n(.*?)```", DOCS, re.DOTALL)
    (here / "netstack.txt").write_text(dump)
    command, _, expected = console.partition("\n")
    code, out, _ = run(capsys, *command.split()[3:])
    assert code == 1
    without_times = [re.sub(r"\d+\.\d+ s", "S", text).splitlines() for text in (expected, out)]
    assert without_times[0] == without_times[1]


def test_the_guide_lists_all_that_no_dump_tells(here, capsys):
    kernel = "[0xffffff8000000000 0xffffffffffffffff] sz 0x8000000000"
    lines = [f"as 0xf000 {kernel} typ 1 ref 1 'kernel' destroyed 0", f"  vmar 0xf100 {kernel} ref 1 state 1 'root' subregions 0"]
    (here / "d.txt").write_text("\n".join(lines))
    code, out, _ = run(capsys, "d.txt", "--json")
    assert code == 0
    (block,) = json.loads(out)["inspect"]
    table = DOCS.partition("| not in a dump |")[2].partition("Further:")[0]
    listed = {name for row in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", row.split(" | ")[-1])}
    assert listed == set(block["not_judged"])
