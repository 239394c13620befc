"""A file without the shape of one is refused with a place and a hint, never with a traceback; a step that can not be
understood stops its own case, and no other.
"""

import json
from pathlib import Path

import pytest

from vmaspace.checker.engines.conformance import CaseResult, ConformanceError, Outcome, run_file

GOOD = {"id": "T-1", "area": "map", "arch": "any", "steps": [{"op": "x", "args": {}, "expect": {}}]}


def refuse(path: Path) -> ConformanceError:
    with pytest.raises(ConformanceError) as caught:
        run_file(path)
    error = caught.value
    assert error.file == path and error.message and "Traceback" not in str(error)
    assert str(error).startswith(f"{path}:{error.line}: " if error.line else f"{path}: ")
    return error


def stopped(path: Path) -> CaseResult:
    (result,) = run_file(path).cases
    assert result.outcome is Outcome.UNSUPPORTED and result.reason.startswith("line 1 is not understood: ")
    assert "Traceback" not in str(result) and f"step {result.step} ({result.op})" in str(result)
    return result


def line(**changes: object) -> str:
    return json.dumps({key: value for key, value in {**GOOD, **changes}.items() if value is not None})


@pytest.mark.parametrize(
    ("text", "number", "message"),
    [
        ("", 0, "no case"),
        ("\n \n", 0, "no case"),
        ("{", 1, "broken JSON at character 2"),
        (line() + "\n\n{]", 3, "broken JSON"),
        ("[]", 1, "a case is an object, not a list"),
        ("3", 1, "not a number"),
        ("null", 1, "not null"),
        ("[" * 100_000, 1, "broken JSON"),
        ('{"id": ' + "9" * 5000 + "}", 1, "broken JSON"),
        (line(id=None), 1, "the case has no 'id'"),
        (line(steps=None), 1, "the case has no 'steps'"),
        (line(area=None), 1, "the case has no 'area'"),
        (line(id=7), 1, "id is a string, not a number"),
        (line(id=""), 1, "id is empty"),
        (line(steps=[]), 1, "the case has no steps"),
        (line(steps={}), 1, "steps is a list, not an object"),
        (line(arch="mips"), 1, "unknown arch 'mips'"),
        (line(params=[]), 1, "params is an object, not a list"),
        (line(steps=[3]), 1, "step 0 is an object, not a number"),
        (line(steps=[{"args": {}, "expect": {}}]), 1, "step 0 has no 'op'"),
        (line(steps=[{"op": "x", "expect": {}}]), 1, "step 0 has no 'args'"),
        (line(steps=[{"op": "x", "args": {}}]), 1, "step 0 has no 'expect'"),
        (line(steps=[{"op": "x", "args": [], "expect": {}}]), 1, "args is an object, not a list"),
        (line(steps=[{"op": "x", "args": {}, "expect": None}]), 1, "expect is an object, not null"),
        (line(steps=[{"op": "x", "args": {}, "expect": {}, "bind": 1}]), 1, "bind is a string"),
        (line() + "\n" + line(), 2, "the id 'T-1' is used twice"),
    ],
)
def test_broken_shapes(write_text, text: str, number: int, message: str) -> None:
    error = refuse(write_text(text))
    assert error.line == number and message in error.message


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert "can not be read: no such file" in refuse(tmp_path / "nothing.jsonl").message
    assert "can not be read" in refuse(tmp_path).message


def test_a_file_that_is_not_utf_8(write_text) -> None:
    error = refuse(write_text(line().encode() + b"\n\n\xff\xfe"))
    assert error.line == 3 and "byte 1 of the line is not UTF-8" in error.message


def test_a_byte_order_mark_does_no_harm(write_text) -> None:
    assert len(run_file(write_text(b"\xef\xbb\xbf" + line().encode())).cases) == 1


PROCESS = ("process.create", {"options": []}, {}, "p")
VMO = ("vmo.create", {"size": 4096, "options": []}, {}, "v")


def map_with(**changes: object) -> tuple:
    args = {
        "vmar": "p.vmar",
        "options": [],
        "offset": 0,
        "vmo": "v",
        "vmo_offset": 0,
        "size": 4096,
        **changes,
    }
    return ("vmar.map", {key: value for key, value in args.items() if value is not None}, {})


@pytest.mark.parametrize(
    ("changes", "message", "hint"),
    [
        ({"offset": "$p.vmar +"}, "expected a term, not the end", "expressions are"),
        ({"offset": "4096 4096"}, "expected the end, not '4096'", ""),
        ({"offset": "$"}, "unexpected '$' at character 1", ""),
        ({"offset": ""}, "expected a term", ""),
        ({"offset": "__import__('os')"}, "", ""),
        ({"offset": "round(1,2)"}, "unknown function 'round'", ""),
        ({"offset": "(" * 99}, "", ""),
        ({"offset": "9" * 99}, "at most 40 digits", ""),
        ({"offset": "1/0"}, "/ by 0", ""),
        ({"offset": "roundup(1,0)"}, "roundup by 0", ""),
        ({"offset": "$q"}, "nothing is bound to 'q'", ""),
        ({"offset": "$v"}, "'v' has no address", ""),
        ({"offset": "$v.size"}, "'v' has no size", ""),
        ({"offset": "@USER_ASPACE_BSE"}, "unknown constant 'USER_ASPACE_BSE'", "USER_ASPACE_BASE"),
        ({"offset": 1.5}, "'offset' is a number or an expression", ""),
        ({"offset": True}, "'offset' is a number or an expression", ""),
        ({"offset": -1}, "from 0 to 2^64 - 1", ""),
        ({"offset": 1 << 64}, "from 0 to 2^64 - 1", ""),
        ({"offset": None}, "there is no argument 'offset'", "vmo_offset"),
        ({"options": "PERM_READ"}, "'options' is a list of strings", ""),
        ({"options": ["PERM_RED"]}, "unknown option 'PERM_RED'", "PERM_READ"),
        ({"options": ["ALIGN_LOG2:x"]}, "unknown option 'ALIGN_LOG2:x'", "n from 0 to 255"),
        ({"options": ["BIT_32"]}, "unknown option 'BIT_32'", "n from 0 to 31"),
        ({"vmar": 3}, "'vmar' is the name of something bound", ""),
        ({"vmar": "p.vma"}, "nothing is bound to 'p.vma'", "p.vmar"),
        ({"api": "kernel"}, "takes permissions as mmu", ""),
        ({"api": "kernel", "mmu": ["READ", "WRIT"]}, "unknown permission 'WRIT'", "WRITE"),
        ({"api": "kernel", "mmu": [], "vmar": "v"}, "expected a VMAR", ""),
        ({"only_if": 3}, "'only_if' is an expression or a comparison", ""),
        ({"only_if": "1 <"}, "expected a term", ""),
    ],
    ids=str,
)  # fmt: skip
def test_broken_arguments(write, changes: dict, message: str, hint: str) -> None:
    result = stopped(write(PROCESS, VMO, map_with(**changes)))
    assert (result.id, result.step, result.op) == ("T-1", 2, "vmar.map")
    assert message in result.reason and hint in result.reason


def test_arguments_are_checked_before_anything_is_carried_out(write) -> None:
    """Also behind a step at which the case would stop."""
    assert stopped(write(("guest.nothing", {}, {}), map_with(offset="1 +"))).step == 1


def test_a_step_that_is_not_understood_hides_no_other_case(write_text) -> None:
    broken = {"op": "vmo.create", "args": {"size": "1 +"}, "expect": {}}
    good = {"op": "vmo.create", "args": {"size": 4096}, "expect": {"status": "ZX_OK"}}
    lines = [line(id=name, steps=[step]) for name, step in (("A", good), ("B", broken), ("C", good))]
    outcomes = [result.outcome for result in run_file(write_text("\n".join(lines))).cases]
    assert outcomes == [Outcome.PASSED, Outcome.UNSUPPORTED, Outcome.PASSED]


@pytest.mark.parametrize(
    ("op", "args", "expect", "message"),
    [
        ("expect.eq", {"a": 1, "b": 1}, {}, None),
        ("aspace.create", {"type": "usr"}, {}, "unknown type of address space 'usr'"),
        ("aspace.create", {"type": "user", "share": "both"}, {}, "unknown share 'both'"),
        ("vmo.create", {"size": 1, "options": []}, {"status": "ZX_FINE"}, "unknown status 'ZX_FINE'"),
        ("vmo.create", {"size": 1, "options": []}, {"status": 0}, "unknown status 0"),
        ("vmo.create", {"size": 1, "options": []}, {"status_in": "ZX_OK"}, "a list of statuses"),
        ("vmo.create", {"size": 1, "options": []}, {"status_if": {"A=1": "ZX_OK"}}, "unknown parameter 'A'"),
        ("vmo.create", {"size": 1, "options": []}, {"status_if": 3}, "status_if is an object"),
        ("handle.duplicate", {"of": "p"}, {}, "either rights or drop"),
        ("handle.duplicate", {"of": "p", "rights": ["REED"]}, {}, "unknown option 'REED'"),
        ("process.maps", {"process": "p"}, {"entries": 3}, "entries is a list of lines"),
        ("process.maps", {"process": "p"}, {"entries": [{"kind": "vmar"}]}, "has an index"),
        ("process.maps", {"process": "p"}, {"preorder": "yes"}, "'preorder' is true or false"),
        ("arch.query", {"aspace": "a", "vaddr": "$p.vmar"}, {"mmu": [["READ"]]}, "'mmu' is a list of permissions"),
        ("rlist.insert", {"list": "p", "base": 0, "size": 1}, {}, "expected a region list"),
        ("mapping.destroy", {"mapping": "p"}, {}, "expected a mapping"),
    ],
)
def test_broken_steps(write, op: str, args: dict, expect: dict, message: str | None) -> None:
    path = write(PROCESS, ("aspace.create", {"type": "user"}, {}, "a"), (op, args, expect))
    if message is None:
        assert run_file(path).passed == 1
    else:
        assert message in stopped(path).reason
