"""`vmaspace show` as a user meets it: example, trace and entry, two widths, JSON, and every refusal."""

import json
import re
from pathlib import Path

import pytest

from vmaspace.checker.cli import main
from vmaspace.checker.engines.example import example
from vmaspace.checker.report.trace import Trace

ARCHES = ("x86_64", "arm64", "riscv64")


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    return tmp_path


@pytest.fixture
def trace(here):
    """The example as a trace on a file, and the address in it."""
    run, at = example("x86_64", 4)
    empty, _ = example("x86_64", 4)
    empty.adapter.start(empty.world)
    first = empty.state
    first["elements"].pop("Vmo", None)
    given = {
        "elements": {"Vmo": ["vmo0", "vmo1"]},
        "values": {
            "arch": "x86_64",
            "vmo_size": {"vmo0": "0x4000", "vmo1": "0x2000"},
            "vdso_code_start": hex(run.world.vdso_code_start),
            "vdso_code_size": hex(run.world.vdso_code_size),
        },
    }
    made = Trace(
        property="conforms", operation=None, engine="fuzz", verdict="failed", arch="x86_64", given=given, seed=4,
        initial=first, steps=run.steps,
    )  # fmt: skip
    return made.save(here / "t.json"), at


def run(capsys, *arguments):
    code = main(["show", *map(str, arguments)])
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    return code, out, err


@pytest.mark.parametrize("arch", ARCHES)
def test_without_anything_an_example_is_walked(here, capsys, arch):
    code, out, err = run(capsys, "--arch", arch)
    assert code == 0 and not err
    assert f"an example on {arch}, seed 0" in out
    assert "└─ region1 vmar" in out
    assert re.search(r"translation   0x[0-9a-f]+ -> 0x[0-9a-f]+, in a page of 4 KiB", out)
    assert "page          page 0 of vmo0" in out


@pytest.mark.parametrize("arch", ARCHES)
def test_nothing_is_wider_than_a_small_terminal(here, capsys, monkeypatch, arch):
    monkeypatch.setenv("COLUMNS", "80")
    _, out, _ = run(capsys, "--arch", arch)
    walk = out[out.index("walk of") :].splitlines()
    assert max(map(len, walk)) <= 80
    entries = [line for line in walk if " at 0x" in line]
    assert (
        len({line.index("0x0") for line in entries if "0x0" in line}) == 1
    )  # the columns stand under each other


def test_where_there_is_room_flags_stand_on_the_line(here, capsys):
    _, out, _ = run(capsys)
    assert re.search(r"PT +\d+ \(0x[0-9a-f]{3}\) .* page at 0x[0-9a-f]+ +P RW U/S A D NX WB\n", out)


def test_output_is_plain_without_a_terminal(here, capsys):
    _, out, _ = run(capsys)
    assert "\x1b" not in out


def test_a_trace_is_run_to_a_step(trace, capsys):
    file, at = trace
    code, out, err = run(capsys, file, "--at", hex(at))
    assert code == 0 and not err and "note:" not in out
    assert "after step 7 of 7, on x86_64" in out and "page 0 of vmo0" in out
    code, out, _ = run(capsys, file, "--step", "4", "--at", hex(at))
    assert code == 0
    assert "after step 4 of 7" in out and "not faulted in" in out
    code, out, _ = run(capsys, file, "--step", "0")
    assert code == 0 and "aspace1" not in out and "aspace0" in out


def test_one_address_space_can_be_chosen(trace, capsys):
    file, _ = trace
    _, out, _ = run(capsys, file)
    assert "aspace0" in out and "aspace1" in out
    _, out, _ = run(capsys, file, "--aspace", "aspace0")
    assert "aspace0" in out and "aspace1  " not in out


def test_an_address_may_be_written_in_several_ways(trace, capsys):
    file, at = trace
    texts = (hex(at), f"{at:x}", f"0X{at:X}", f"0x{at >> 16:x}_{at & 0xFFFF:04x}")
    assert len({run(capsys, file, "--at", text)[1] for text in texts}) == 1


def test_json(trace, capsys):
    file, at = trace
    code, out, _ = run(capsys, file, "--at", hex(at), "--json")
    found = json.loads(out)
    assert code == 0
    assert (found["schema"], found["arch"], found["step"], found["aspaces"]) == (
        "vmaspace.show/1",
        "x86_64",
        7,
        ["aspace1"],
    )
    (walk,) = found["walks"]
    assert [entry["table"] for entry in walk["entries"]] == ["PML4", "PDPT", "PD", "PT"]
    assert int(walk["paddr"], 16) & 0xFFF == at & 0xFFF
    _, out, _ = run(capsys, "--entry", "0x23456067", "--json")
    assert json.loads(out)["entry"]["paddr"] == "0x23456000"


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        (["0x8000000023456067", "--arch", "x86_64", "--level", "0"], ["63  NX", "P RW U/S A D NX WB", "page at 0x23456000"]),
        (["0x23456067", "--level", "3"], ["level 3 (PML4)", "table at 0x23456000"]),
        (["0x12345003", "--arch", "arm64", "--level", "l1"], ["level 2 (L1)", "table at 0x12345000"]),
        (["200010e7", "--level", "PD"], ["2 MiB page at 0x20000000", "memory     WB"]),
        (["0x0060000012345f4b", "--arch", "arm64"], ["AttrIndx=2 (normal WB)", "user rw-, kernel rw-", "page at 0x12345000"]),
        (["0x20000000048d14db", "--arch", "riscv64"], ["PBMT", "page at 0x12345000"]),
        (["0x1037", "--tables", "guest"], ["EPT, level 0 (PT)", "guest rwx"]),
        (["0x0040000012345f4b", "--arch", "arm64", "--tables", "hypervisor"], ["arm64 EL2", "hypervisor rw-"]),
        (["0x0", "--arch", "arm64"], ["leads to  nothing"]),
        (["0x8000000000000005", "--arch", "riscv64"], ["MALFORMED", "RESERVED", "! bits that must be 0 are set"]),
    ],
)  # fmt: skip
def test_an_entry_is_decoded_by_itself(here, capsys, arguments, lines):
    code, out, err = run(capsys, "--entry", *arguments)
    assert code == 0 and not err
    for line in lines:
        assert line in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--at", "zz"], "--at zz: not a hexadecimal number"),
        (["--at", "-1"], "--at -1: not a hexadecimal number"),
        (["--at", "0x"], "not a hexadecimal number"),
        (["--at", "0x10000000000000000"], "more than 64 bits"),
        (["--at", "0x1000"], "is in no address space that is alive"),
        (["--at", "0x800000000000"], "is in no address space that is alive"),
        (["--at", "0x800000000000", "--aspace", "aspace1"], "is not canonical"),
        (["--aspace", "nobody"], "there is no address space 'nobody' here; there are aspace0 "),
        (["--step", "1"], "--step makes no sense here: there is no trace"),
        (["--entry", "0x12g"], "--entry 0x12g: not a hexadecimal number"),
        (["--entry", "0x1", "--at", "0x1"], "--at makes no sense here"),
        (["--entry", "0x1", "--level", "4"], "x86-64 has the levels 0 (PT), 1 (PD), 2 (PDPT), 3 (PML4)"),
        (["--entry", "0x1", "--level", "3", "--arch", "riscv64"], "2 (level 2)"),
        (["--entry", "0x1", "--tables", "guest", "--arch", "riscv64"], "there are none on riscv64; there are user, kernel"),
        (["nothing.json"], "nothing.json: cannot be read"),
        (["nothing.json", "--entry", "0x1"], "either a trace or --entry"),
        (["nothing.json", "--arch", "arm64"], "--arch makes no sense here: the trace says where it runs"),
        (["--model", "nowhere:System"], 'the module "nowhere" cannot be imported'),
    ],
)  # fmt: skip
def test_refusals(here, capsys, arguments, message):
    code, out, err = run(capsys, *arguments)
    assert code == 2 and not out
    assert message in err
    assert len(err.splitlines()) <= 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("as 0xa000", "not JSON"),
        ('{"schema": "vmaspace.trace/9"}', 'reads "vmaspace.trace/1"'),
        ("[]", "expected an object"),
    ],
)
def test_what_is_no_trace_is_refused(here, capsys, text, message):
    (here / "bad.json").write_text(text)
    code, _, err = run(capsys, "bad.json")
    assert code == 2
    assert "bad.json" in err and message in err


def test_a_step_out_of_range_is_refused(trace, capsys):
    code, _, err = run(capsys, trace[0], "--step", "8")
    assert code == 2
    assert "--step 8: the trace has 7 steps; 0 is before the first" in err


def test_a_trace_with_unknown_calls_is_refused(trace, capsys):
    data = json.loads(trace[0].read_text())
    data["steps"][1]["op"] = "alocate"
    trace[0].write_text(json.dumps(data))
    code, _, err = run(capsys, trace[0])
    assert code == 2
    assert 'unknown operation "alocate"' in err


# --- the guide --------------------------------------------------------------------------------------------------------

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "page-tables.md"


def sessions(text):
    """The `vmaspace show` commands of a guide, each with the lines that it shows after them."""
    blocks = re.findall(r"```console\n\$ vmaspace show (.*?)\n(.*?)```", text, re.DOTALL)
    return [(arguments.split(), shown.removeprefix("...\n")) for arguments, shown in blocks]


def test_the_guide_shows_what_is_printed(here, capsys):
    found = sessions(GUIDE.read_text(encoding="utf-8"))
    assert len(found) >= 2
    for arguments, shown in found:
        _, out, _ = run(capsys, *arguments)
        assert shown in out


def test_a_guide_that_shows_something_else_is_seen(here, capsys):
    ((arguments, shown),) = sessions("```console\n$ vmaspace show --entry 0x3\n...\n  P RW U/S\n```")
    assert shown not in run(capsys, *arguments)[1]
