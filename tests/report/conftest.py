"""One small run that all tests of the report room look at: a mapping that grows over its neighbour."""

import copy
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from vmaspace.checker.report.state import State
from vmaspace.checker.report.trace import Step, Trace
from vmaspace.checker.report.verdict import Kind, Place, Report, Verdict

GOLDEN = Path(__file__).parent / "golden"
RIGHTS = ["can_map_read", "can_map_write", "can_map_execute", "can_map_specific"]
PLACE = Place("properties/regions.aspec", 31, 1)


@pytest.fixture
def given() -> State:
    return {
        "elements": {"Vmo": ["vmo0", "vmo1"]},
        "values": {"arch": "x86_64", "vmo_size": {"vmo0": "0x4000", "vmo1": "0x1000"}, "is_vdso": {"vmo1": True}},
    }


@pytest.fixture
def state() -> State:
    """A kernel space, a user space with a mapping of two protections beside a sub-region, and a unified space."""
    return {
        "elements": {
            "Aspace": ["aspace0", "aspace1", "aspace2"],
            "Region": ["region0", "region1", "region2", "region3", "region4"],
            "Vmo": ["vmo0", "vmo1"],
        },
        "values": {
            "type": {"aspace0": "kernel"},
            "share": {"aspace1": "shared"},
            "aspace_base": {"aspace0": "0xffffff8000000000", "aspace1": "0x200000"},
            "aspace_size": {"aspace0": "0x8000000000", "aspace1": "0x1000000"},
            "name_length": {"aspace1": "0x6"},
            "root": {"aspace0": "region0", "aspace1": "region1"},
            "unified": {"aspace2": True},
            "shared_part": {"aspace2": "aspace1"},
            "references": {"aspace1": 1},
            "aspace": {"region0": "aspace0", "region1": "aspace1", "region2": "aspace1", "region3": "aspace1"},
            "life": {
                "region0": "alive", "region1": "alive", "region2": "alive", "region3": "alive", "region4": "dead",
            },
            "kind": {"region2": "mapping"},
            "parent": {"region2": "region1", "region3": "region1"},
            "base": {
                "region0": "0xffffff8000000000", "region1": "0x200000", "region2": "0x400000", "region3": "0x402000",
            },
            "size": {"region0": "0x8000000000", "region1": "0x1000000", "region2": "0x2000", "region3": "0x3000"},
            "flags": {"region0": RIGHTS, "region1": RIGHTS, "region2": RIGHTS[:2], "region3": [RIGHTS[0], "compact"]},
            "object": {"region2": "vmo0"},
            "object_offset": {"region2": "0x1000"},
            "prot": {
                "region2": [
                    ["0x400000", ["read", "user_access"]],
                    ["0x401000", ["read", "write", "user_access"]],
                    ["0x402000", []],
                ]
            },
            "under": {"region2,region1": True, "region3,region1": True},
        },
    }  # fmt: skip


@pytest.fixture
def broken(state: State) -> State:
    """The same, after the mapping has grown by a page: it lies over its neighbour."""
    after = copy.deepcopy(state)
    after["values"]["size"]["region2"] = "0x3000"
    after["values"]["prot"]["region2"] = [["0x400000", ["read", "user_access"]], ["0x403000", []]]
    after["values"]["name_length"]["aspace1"] = "0x7"
    return after


@pytest.fixture
def trace(given: State, state: State, broken: State) -> Trace:
    create = Step(
        "create",
        {"base": "0x200000", "size": "0x1000000", "type": "user", "share": "none"},
        new={"a": "aspace1", "root": "region1"},
        state=state,
    )
    grow = Step(
        "map",
        {"v": "region1", "offset": "0x200000", "size": "0x3000", "flags": RIGHTS[:2], "vmo": "vmo0", "replace": True},
        picks={"at": "0x400000"},
        new={"m": None},
        violated="siblings_are_disjoint",
        note="the range check looks at the first page only",
        state=broken,
    )
    return Trace(
        property="siblings_are_disjoint",
        operation="map",
        engine="explore",
        verdict=Kind.VIOLATED,
        reason="region2 and region3 share [0x402000, 0x403000).",
        source=PLACE,
        sentence="Two live children of one VMAR never share a byte.",
        arch="x86_64",
        switches=("documented_length_aligned",),
        given=given,
        seed=7,
        subject="vmaspace.model.aspace:VmAspace",
        contract="7c1e",
        mutations=("first_page_only",),
        initial={"elements": {"Aspace": ["aspace0"], "Region": ["region0"]}, "values": {}},
        steps=(create, grow),
    )


@pytest.fixture
def verdict(trace: Trace) -> Callable[..., Verdict]:
    """Makes a verdict of a kind; further fields by name."""

    def make(kind: Kind, operation: str | None = "map", engine: str = "explore", **fields: object) -> Verdict:
        name = str(fields.pop("property", "siblings_are_disjoint"))
        fields.setdefault("source", PLACE)
        identity = f"{operation}/{name}" if operation else name
        return Verdict(identity, name, operation, engine, kind, **fields)  # type: ignore[arg-type]

    return make


@pytest.fixture
def mixed_report(trace: Trace, verdict: Callable[..., Verdict]) -> Report:
    """A report with something of every colour."""
    return Report(
        (
            verdict(Kind.PROVED, "map", "prove", seconds=0.25, scope="any number of elements"),
            verdict(Kind.PROVED, "unmap", "prove", seconds=0.5),
            verdict(Kind.UNKNOWN, "protect", "prove", seconds=60.0, reason="timeout\n  after 60 s"),
            verdict(Kind.VIOLATED, "map", seconds=2.5, scope="ci", trace=trace, notes=("seen twice",)),
            verdict(Kind.PASSED, None, "fuzz", property="walks_agree", source=None, seconds=1.0),
            verdict(Kind.DEVIATION, "destroy", property="constituents_outlive", seconds=1.0),
        ),
        blocks={"conformance": {"cases": 3}},
        seconds=65.25,
    )


@pytest.fixture
def golden() -> Callable[[str, str], None]:
    """Compares a text with a file in `golden/`; VMASPACE_REGENERATE=1 writes the files anew, to be read before use."""

    def compare(name: str, text: str) -> None:
        path = GOLDEN / name
        if os.environ.get("VMASPACE_REGENERATE"):
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8")

    return compare
