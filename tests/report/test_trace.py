"""Traces survive the way to disk and back; every malformed one gives one error with a place."""

import copy
import json
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from vmaspace.checker.report.as_json import published_schema
from vmaspace.checker.report.state import empty_state
from vmaspace.checker.report.trace import SCHEMA, Step, Trace, TraceError
from vmaspace.checker.report.verdict import Kind

VALIDATOR = Draft202012Validator(published_schema("trace"))
Json = dict[str, Any]


def test_the_published_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(published_schema("trace"))


def test_good_a_trace_survives_json(trace: Trace) -> None:
    text = json.dumps(trace.to_json())
    assert Trace.from_json(json.loads(text)) == trace
    VALIDATOR.validate(json.loads(text))


def test_good_a_trace_survives_the_disk(trace: Trace, tmp_path: Path) -> None:
    path = trace.save(tmp_path / "new" / "folder" / "t.json")
    assert Trace.load(path) == trace
    assert [file.name for file in path.parent.iterdir()] == ["t.json"]
    assert next(iter(json.loads(path.read_text(encoding="utf-8")))) == "schema"


def test_good_the_least_trace() -> None:
    least = {
        "schema": SCHEMA, "property": "p", "engine": "prove", "verdict": "violated",
        "initial": {"elements": {}, "values": {}}, "steps": [],
    }  # fmt: skip
    VALIDATOR.validate(least)
    trace = Trace.from_json(least)
    assert trace == Trace(property="p", operation=None, engine="prove", verdict="violated")
    assert trace.failing_step is None


def test_lists_and_tuples_make_equal_traces() -> None:
    fields: Json = {"property": "p", "operation": None, "engine": "e", "verdict": Kind.PASSED}
    loose: Json = {"switches": ["s"], "steps": [Step("o")]}
    assert Trace(**fields, **loose) == Trace(**fields, switches=("s",), steps=(Step("o"),))


def test_a_trace_does_not_change(trace: Trace) -> None:
    with pytest.raises(FrozenInstanceError):
        trace.verdict = "proved"  # type: ignore[misc]


def test_to_json_gives_away_nothing_of_its_own(trace: Trace) -> None:
    before = copy.deepcopy(trace)
    trace.to_json()["steps"][0]["state"]["values"].clear()
    assert trace == before


def test_the_failing_step_is_the_first_that_violates_or_else_the_last(trace: Trace) -> None:
    assert trace.failing_step == 1
    assert trace.state_before(1) is trace.steps[0].state
    assert trace.state_before(0) is trace.initial
    harmless = Trace(property="p", operation=None, engine="e", verdict="reached", steps=(Step("a"), Step("b")))
    assert harmless.failing_step == 1
    assert harmless.steps[0].state == empty_state()


# Each row: a name, what is done to a good document, the place that the error names, a piece of its message.
Change = Callable[[Json], Any]


def put(*way: str | int, value: object) -> Change:
    def change(data: Any) -> None:
        for key in way[:-1]:
            data = data[key]
        data[way[-1]] = value

    return change


def drop(*way: str | int) -> Change:
    def change(data: Any) -> None:
        for key in way[:-1]:
            data = data[key]
        del data[way[-1]]

    return change


MALFORMED: list[tuple[str, Change, str, str]] = [
    ("no schema", drop("schema"), "/", '"schema" is missing'),
    ("other version", put("schema", value="vmaspace.trace/9"), "/schema", 'reads "vmaspace.trace/1"'),
    ("schema is no text", put("schema", value=1), "/schema", "expected a text, found the number 1"),
    ("no property", drop("property"), "/", '"property" is missing'),
    ("empty property", put("property", value=""), "/property", "found an empty one"),
    ("engine is null", put("engine", value=None), "/engine", "expected a text, found null"),
    ("unknown verdict", put("verdict", value="violeted"), "/verdict", 'unknown word "violeted"'),
    ("misspelt name", put("sed", value=1), "/sed", 'unknown name "sed"'),
    ("name with a slash", put("a/b~c", value=1), "/a~1b~0c", "unknown name"),
    ("seed is a fraction", put("seed", value=1.5), "/seed", "expected a whole number, found the number 1.5"),
    ("seed is true", put("seed", value=True), "/seed", "expected a whole number, found true"),
    ("switches is a text", put("switches", value="all"), "/switches", 'expected an array, found "all"'),
    ("empty switch", put("switches", value=["a", ""]), "/switches/1", "found an empty one"),
    ("source is a text", put("source", value="a:1"), "/source", "expected an object"),
    ("line zero", put("source", "line", value=0), "/source/line", "at least 1"),
    ("no column", drop("source", "column"), "/source", '"column" is missing'),
    ("steps is an object", put("steps", value={}), "/steps", "expected an array, found an object"),
    ("step is null", put("steps", 0, value=None), "/steps/0", "expected an object, found null"),
    ("step without op", drop("steps", 1, "op"), "/steps/1", '"op" is missing'),
    ("step without state", drop("steps", 1, "state"), "/steps/1", '"state" is missing'),
    ("status is a number", put("steps", 0, "status", value=-10), "/steps/0/status", "expected a text"),
    ("args is an array", put("steps", 0, "args", value=[]), "/steps/0/args", "expected an object"),
    ("arg is an object", put("steps", 0, "args", "base", value={}), "/steps/0/args/base", "expected a value"),
    ("arg is a fraction", put("steps", 0, "args", "size", value=0.5), "/steps/0/args/size", "a whole number"),
    ("capital hexadecimal", put("steps", 0, "args", "base", value="0xFF"), "/steps/0/args/base", "is not a number"),
    ("leading zero", put("steps", 0, "args", "base", value="0x0001"), "/steps/0/args/base", "is not a number"),
    ("flag is a number", put("steps", 1, "args", "flags", value=[1]), "/steps/1/args/flags/0", "expected a text"),
    ("violated is false", put("steps", 1, "violated", value=False), "/steps/1/violated", "found false"),
    ("state without values", drop("initial", "values"), "/initial", '"values" is missing'),
    ("elements is an array", put("initial", "elements", value=[]), "/initial/elements", "expected an object"),
    ("names is a text", put("initial", "elements", "Aspace", value="a"), "/initial/elements/Aspace", "an array"),
    ("odd element", put("given", "elements", "Vmo", 0, value="vmo 0"), "/given/elements/Vmo/0", "not the name"),
    (
        "element twice",
        put("given", "elements", "Vmo", 1, value="vmo0"),
        "/given/elements/Vmo/1",
        '"vmo0" is listed twice',
    ),
    ("empty key", put("given", "values", "f", value={"a,,b": 1}), "/given/values/f/a,,b", "is not a key"),
    ("key with blank", put("given", "values", "f", value={"a, b": 1}), "/given/values/f/a, b", "is not a key"),
    ("two levels", put("given", "values", "f", value={"a": {"b": 1}}), "/given/values/f/a", "expected a value"),
    ("lone start", put("given", "values", "p", value={"r": [["0x0"]]}), "/given/values/p/r/0", "expected a piece"),
    (
        "piece at a number",
        put("given", "values", "p", value={"r": [[0, []]]}),
        "/given/values/p/r/0/0",
        "expected a text",
    ),
    (
        "piece at a name",
        put("given", "values", "p", value={"r": [["here", []]]}),
        "/given/values/p/r/0/0",
        "expected an address",
    ),
    ("half a letter", put("property", value="\ud800"), "/property", "surrogate"),
]


@pytest.mark.parametrize(("change", "where", "message"), [row[1:] for row in MALFORMED], ids=[r[0] for r in MALFORMED])
def test_bad_a_malformed_trace_gives_one_error_with_a_place(
    trace: Trace, change: Change, where: str, message: str
) -> None:
    data = json.loads(json.dumps(trace.to_json()))
    change(data)
    with pytest.raises(TraceError) as caught:
        Trace.from_json(data, "traces/t.json")
    error = caught.value
    assert (error.file, error.where) == ("traces/t.json", where)
    assert message in error.message
    assert str(error).startswith(f"traces/t.json: {where}: {error.message}")


@pytest.mark.parametrize(("name", "change"), [row[:2] for row in MALFORMED], ids=[row[0] for row in MALFORMED])
def test_bad_the_published_schema_agrees(trace: Trace, name: str, change: Change) -> None:
    data = json.loads(json.dumps(trace.to_json()))
    change(data)
    assert VALIDATOR.is_valid(data) == (name == "half a letter")     # JSON Schema has no words for that one


def test_bad_what_only_the_reader_sees(trace: Trace) -> None:
    """Order of pieces, and one name in two sorts: the schema lets them pass."""
    data = trace.to_json()
    data["given"]["values"]["p"] = {"r": [["0x2000", []], ["0x1000", []]]}
    assert VALIDATOR.is_valid(data)
    with pytest.raises(TraceError, match="0x1000 does not come after 0x2000") as caught:
        Trace.from_json(data)
    assert caught.value.where == "/given/values/p/r/1/0"
    data = trace.to_json()
    data["given"]["elements"]["Region"] = ["vmo1"]
    assert VALIDATOR.is_valid(data)
    with pytest.raises(TraceError, match="listed twice"):
        Trace.from_json(data)


@pytest.mark.parametrize("data", [None, True, 3, 1.5, "trace", [], {}, {1: 2}, object()])
def test_bad_a_document_that_is_something_else(data: object) -> None:
    with pytest.raises(TraceError):
        Trace.from_json(data)


UNREADABLE = [
    (b"", "line 1, column 1", "not JSON"),
    (b'{"schema": ', "line 1, column 12", "not JSON"),
    (b'{"a": 1, "a": 2}', "/", "stands twice"),
    (b'{"seed": NaN}', "/", "NaN is not JSON"),
    (b"\xff\xfe", "", "is not UTF-8"),
    (b"[" * 200_000, "/", "nested too deeply"),
    (b"9" * 10_000, "/", "cannot be read"),
]


@pytest.mark.parametrize(("data", "where", "message"), UNREADABLE)
def test_bad_a_file_that_is_no_json(tmp_path: Path, data: bytes, where: str, message: str) -> None:
    path = tmp_path / "t.json"
    path.write_bytes(data)
    with pytest.raises(TraceError) as caught:
        Trace.load(path)
    assert (caught.value.file, caught.value.where) == (str(path), where)
    assert message in caught.value.message


def test_bad_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="No such file"):
        Trace.load(tmp_path / "none.json")
    with pytest.raises(TraceError, match="Is a directory"):
        Trace.load(tmp_path)


def test_the_error_says_what_to_do_next(trace: Trace) -> None:
    data = {**trace.to_json(), "sed": 7}
    with pytest.raises(TraceError) as caught:
        Trace.from_json(data, "t.json")
    assert str(caught.value) == 't.json: /sed: unknown name "sed"\n  did you mean "seed"?'


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@for_all(value=ANY_JSON, data=st.data())
def test_any_value_anywhere_is_read_or_refused(value: object, data: st.DataObject) -> None:
    """Whatever stands wherever: a trace or a `TraceError`, and what is read is what the schema allows."""
    document: Json = {
        "schema": SCHEMA, "property": "p", "engine": "prove", "verdict": "violated", "source": None,
        "given": {"elements": {"Vmo": ["vmo0"]}, "values": {"p": {"r": [["0x0", []]]}}},
        "initial": {"elements": {}, "values": {}},
        "steps": [{"op": "map", "args": {"v": "region1"}, "status": "OK", "state": {"elements": {}, "values": {}}}],
    }  # fmt: skip
    place: Any = document
    while True:
        key = data.draw(st.sampled_from(list(place) if isinstance(place, dict) else range(len(place))))
        if not isinstance(place[key], dict | list) or not place[key] or data.draw(st.booleans()):
            break
        place = place[key]
    place[key] = value
    try:
        read = Trace.from_json(document)
    except TraceError:
        return
    VALIDATOR.validate(read.to_json())
    VALIDATOR.validate(document)
