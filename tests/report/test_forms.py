"""The forms of a report: narrative, terminal, JSON, JUnit, and the files that they are written to."""

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from jsonschema import Draft202012Validator

from vmaspace.checker.report.artifacts import save_traces, trace_file_name, write_json, write_junit
from vmaspace.checker.report.as_json import published_schema, report_to_json
from vmaspace.checker.report.junit import junit_text
from vmaspace.checker.report.narrative import narrate, narrate_verdict
from vmaspace.checker.report.terminal import make_console, print_report, print_trace, summary_line
from vmaspace.checker.report.trace import Step, Trace
from vmaspace.checker.report.verdict import Kind, Report, Verdict

VALIDATOR = Draft202012Validator(published_schema("report"))
Golden = Callable[[str, str], None]
Make = Callable[..., Verdict]


# --- narrative ----------------------------------------------------------------------------------------------


def test_golden_a_trace(golden: Golden, trace: Trace) -> None:
    golden("trace.txt", narrate(trace, "traces/map__siblings_are_disjoint.explore.json"))


def test_golden_a_verdict_without_a_trace(golden: Golden, verdict: Make) -> None:
    undecided = verdict(
        Kind.UNKNOWN,
        engine="prove",
        scope="any number of elements",
        reason="the solver gave up:\n  timeout after 60 s",
        notes=("3 lemmas were tried",),
    )
    golden("undecided.txt", narrate_verdict(undecided))


def test_a_trace_without_steps_shows_the_first_state(trace: Trace) -> None:
    text = narrate(replace(trace, steps=(), initial=trace.steps[0].state))
    assert "region2 mapping" in text and "before step" not in text


def test_a_trace_that_starts_nowhere_says_so(trace: Trace) -> None:
    assert "that a run reaches it is not known" in narrate(replace(trace, verdict=Kind.NOT_INDUCTIVE))
    assert "that a run reaches it is not known" not in narrate(trace)


def test_the_states_are_those_around_the_step_that_violates(trace: Trace) -> None:
    later = replace(trace, steps=(*trace.steps, Step("release", {"a": "aspace1"})))
    text = narrate(later)
    assert "before step 2" in text and "after step 2" in text and "after step 3" not in text
    assert "  3. release(a=aspace1) -> OK\n" in text


def test_long_steps_are_folded_under_their_number(trace: Trace) -> None:
    step = Step("map", {f"argument{number}": "0xffffffffffff0000" for number in range(8)})
    lines = narrate(replace(trace, steps=(step,)), width=80).splitlines()
    start = next(index for index, line in enumerate(lines) if line.startswith("  1. map("))
    assert lines[start + 1].startswith("     argument")
    assert all(len(line) <= 80 for line in lines[start : start + 5])


def test_many_other_changes_are_cut(trace: Trace) -> None:
    after = trace.steps[1].state
    after["values"]["tlb"] = {f"cpu{number}": True for number in range(20)}
    text = narrate(trace)
    assert text.count("tlb(cpu") == 11
    assert "and 9 more values that differ" in text


# --- terminal -----------------------------------------------------------------------------------------------


def printed(report: Report, paths: list[Path | None] | None = None) -> str:
    stream = io.StringIO()
    print_report(make_console(stream), report, paths)
    return stream.getvalue()


def test_golden_a_report(golden: Golden, mixed_report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    paths: list[Path | None] = [None] * len(mixed_report.verdicts)
    paths[3] = Path("traces/map__siblings_are_disjoint.explore.json")
    golden("report.txt", printed(mixed_report, paths))


def test_without_a_terminal_there_are_no_escapes(mixed_report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    text = printed(mixed_report)
    assert "\x1b" not in text
    assert "[0x400000, 0x402000)" in text       # no markup, and no line is cut


def test_control_characters_stay_out_of_the_terminal(trace: Trace) -> None:
    stream = io.StringIO()
    print_trace(make_console(stream), replace(trace, reason="\x1b]0;title\x07 [red]"))
    assert "\x1b" not in stream.getvalue() and "\x07" not in stream.getvalue()
    assert "[red]" in stream.getvalue()


def test_a_stream_that_cannot_draw_gets_question_marks(mixed_report: Report) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    print_report(make_console(stream), mixed_report)
    stream.flush()
    assert b"region2 mapping" in raw.getvalue()


def test_operations_that_are_undecided_for_one_reason_are_told_at_once(verdict: Make) -> None:
    def told(*verdicts: Verdict) -> list[str]:
        return [line.split("  ")[0] for line in printed(Report(verdicts)).splitlines() if line.startswith("VMA")]

    never = [verdict(Kind.UNKNOWN, operation, reason="never called") for operation in ("map", "unmap")]
    late = verdict(Kind.UNKNOWN, "protect", reason="out of time")
    head = "VMA506 siblings_are_disjoint is undecided at"
    assert told(never[0], late, never[1]) == [f"{head} map, unmap", f"{head} protect"]
    # What is red has its own place.
    red = [verdict(Kind.FAILED, operation, reason="wrong") for operation in ("map", "unmap")]
    assert told(*red, *red) == [f"VMA507 siblings_are_disjoint fails at {v.operation}" for v in (*red, *red)]


@pytest.mark.parametrize("columns", ["", "wide", "0"])
def test_an_odd_width_is_no_reason_to_fail(mixed_report: Report, columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert "exit 1" in printed(mixed_report)


def test_what_is_likely_has_a_mark_and_says_how_likely(verdict: Make) -> None:
    scope = "9 states of scope s; that hash compaction omits a state has a probability of at most 1.0e-09"
    report = Report((verdict(Kind.LIKELY, engine="explore", scope=scope),))
    assert "\n  ~ok   siblings_are_disjoint" in printed(report)
    assert "1 likely" in summary_line(report)
    assert report_to_json(report)["verdicts"][0]["scope"] == scope
    VALIDATOR.validate(report_to_json(report))
    assert f"likely: {scope}" in junit_text(report)


def test_summaries(verdict: Make) -> None:
    green = Report((verdict(Kind.PROVED),), seconds=1.0)
    assert summary_line(green) == "1 property, 1 verdict: 1 proved. 1.0 s. exit 0"
    assert summary_line(Report(())) == "0 properties, 0 verdicts. exit 3"
    assert "The budget ran out" in summary_line(replace(green, out_of_budget=True))


# --- JSON ---------------------------------------------------------------------------------------------------


def test_good_the_json_form_is_as_published(mixed_report: Report, tmp_path: Path) -> None:
    Draft202012Validator.check_schema(published_schema("report"))
    paths = save_traces(mixed_report, tmp_path)
    data = json.loads(json.dumps(report_to_json(mixed_report, paths)))
    VALIDATOR.validate(data)
    assert data["exit"] == 1
    assert data["summary"] == {"proved": 2, "passed": 1, "deviation": 1, "violated": 1, "unknown": 1}
    assert data["conformance"] == {"cases": 3}
    assert data["verdicts"][3] == {
        "id": "map/siblings_are_disjoint",
        "property": "siblings_are_disjoint",
        "operation": "map",
        "engine": "explore",
        "verdict": "violated",
        "seconds": 2.5,
        "scope": "ci",
        "source": {"file": "properties/regions.aspec", "line": 31, "column": 1},
        "trace": str(tmp_path / "map__siblings_are_disjoint.explore.json"),
        "reason": "",
        "notes": ["seen twice"],
    }


@pytest.mark.parametrize(
    "change",
    [
        {"exit": 2},
        {"summary": {"proofed": 1}},
        {"schema": "vmaspace.report/2"},
        {"conformance": 3},
        {"verdicts": [{}]},
    ],
)
def test_bad_the_published_schema_refuses(mixed_report: Report, change: dict[str, object]) -> None:
    assert VALIDATOR.is_valid(report_to_json(mixed_report))
    assert not VALIDATOR.is_valid({**report_to_json(mixed_report), **change})


def test_bad_a_block_cannot_hide_the_verdicts(mixed_report: Report) -> None:
    with pytest.raises(ValueError, match="'exit'"):
        report_to_json(replace(mixed_report, blocks={"exit": {}}))


# --- JUnit --------------------------------------------------------------------------------------------------


def test_junit_counts_and_places(mixed_report: Report) -> None:
    root = ElementTree.fromstring(junit_text(mixed_report))
    assert root.tag == "testsuites"
    assert {suite.get("name"): tuple(map(suite.get, ("tests", "failures", "errors"))) for suite in root} == {
        "vmaspace.prove": ("3", "0", "1"),
        "vmaspace.explore": ("2", "1", "0"),
        "vmaspace.fuzz": ("1", "0", "0"),
    }
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("6", "1", "1")
    case = root.find(".//testcase[@name='map/siblings_are_disjoint']/failure/..")
    assert case is not None
    assert (case.get("file"), case.get("line"), case.get("time")) == ("properties/regions.aspec", "31", "2.500")


def test_junit_holds_the_trace_and_the_unanswered(mixed_report: Report) -> None:
    root = ElementTree.fromstring(junit_text(mixed_report))
    (failure,) = root.iter("failure")
    (error,) = root.iter("error")
    assert failure.get("type") == "VMA501"
    assert failure.text is not None and "! overlaps region2" in failure.text
    assert error.get("message") == "VMA506 siblings_are_disjoint is undecided at protect: timeout"


def test_junit_survives_what_xml_cannot_hold(verdict: Make) -> None:
    text = junit_text(Report((verdict(Kind.FAILED, reason="a\x00b <&> \x1b[0m"),)))
    (failure,) = ElementTree.fromstring(text).iter("failure")
    assert failure.text is not None and "a\ufffdb <&> \ufffd[0m" in failure.text


# --- files --------------------------------------------------------------------------------------------------


def test_traces_get_files_of_their_own(mixed_report: Report, tmp_path: Path) -> None:
    green, red = mixed_report.verdicts[0], mixed_report.verdicts[3]
    twice = replace(mixed_report, verdicts=(red, green, red))
    paths = save_traces(twice, tmp_path / "traces")
    assert [path and path.name for path in paths] == [
        "map__siblings_are_disjoint.explore.json", None, "map__siblings_are_disjoint.explore.2.json",
    ]  # fmt: skip
    assert paths[2] is not None
    assert Trace.load(paths[2]) == red.trace


@pytest.mark.parametrize("name", ["../../etc/passwd", "a b/c:d", "..", ""])
def test_a_file_name_stays_in_its_folder(verdict: Make, name: str) -> None:
    file = trace_file_name(replace(verdict(Kind.VIOLATED), id=name, engine="../x"))
    assert Path(file).name == file
    assert not file.startswith(".")


def test_reports_are_written_with_their_folders(mixed_report: Report, tmp_path: Path) -> None:
    write_json(mixed_report, tmp_path / "out" / "report.json")
    write_junit(mixed_report, tmp_path / "out" / "junit.xml")
    VALIDATOR.validate(json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8")))
    assert ElementTree.parse(tmp_path / "out" / "junit.xml").getroot().tag == "testsuites"
