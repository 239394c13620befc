"""Every word of the vocabulary that no case of zircon.jsonl uses: small cases, with the answers that the model's
rules give.
"""

import pytest

from vmaspace.checker.engines.conformance import Outcome, run_file

PAGE = 4096
OK = {"status": "ZX_OK"}


def refused(name: str) -> dict[str, str]:
    return {"status": f"ZX_ERR_{name}"}


PROCESS = ("process.create", {}, OK, "p")
VMO = ("vmo.create", {"size": 4 * PAGE}, OK, "v")
ASPACE = ("aspace.create", {"type": "user"}, OK, "a")
KERNEL = ("aspace.kernel", {}, OK, "k")


def mapped(bind: str = "m", **changes: object) -> tuple:
    args = {"vmar": "p.vmar", "options": ["PERM_READ", "PERM_WRITE"], "offset": 0, "vmo": "v", "vmo_offset": 0}
    return ("vmar.map", {**args, "size": 4 * PAGE, **changes}, OK, bind)


def in_kernel_form(bind: str = "m", **changes: object) -> tuple:
    return mapped(bind, **{"vmar": "a.root", "api": "kernel", "options": [], "mmu": ["READ", "WRITE", "USER"], **changes})


def listed(*steps: tuple) -> list[dict]:
    return [
        {"op": step[0], "args": step[1], "expect": step[2], **({"bind": step[3]} if step[3:] else {})} for step in steps
    ]


TABLES = (
    "arch.create",
    {"base": "@USER_ASPACE_BASE", "size": "@USER_ASPACE_SIZE", "allocator": "limited", "table_pages": "$n"},
    OK,
    "h",
)
SWEEP = {"var": "n", "start": 1, "step": 1}
PIECE = {"aspace": "h", "vaddr": "@USER_ASPACE_BASE", "count": 1}
IN_GUEST = {"api": "kernel", "options": ["SPECIFIC", "CAN_MAP_SPECIFIC", "CAN_MAP_READ", "CAN_MAP_WRITE"]}
SPLIT = {  # across 1 GiB: two tables at each of the two lowest levels
    "aspace": "h",
    "vaddr": 0x40000000 - 4 * PAGE,
    "paddrs": [page * PAGE for page in range(8)],
    "mmu": ["READ"],
    "existing": "error",
}

CODE = {
    "vmar": "p.vmar",
    "options": ["PERM_READ", "PERM_EXECUTE"],
    "offset": 0,
    "vmo_offset": 0,
    "size": PAGE,
}

CASES: dict[str, list[tuple]] = {
    "profiles": [
        PROCESS,
        VMO,
        mapped(),
        ("profile.create", {"kind": "memory_priority_high"}, OK, "h"),
        ("profile.create", {"kind": "default"}, OK, "d"),
        ("vmar.set_profile", {"vmar": "p.vmar", "profile": "h"}, OK),
        ("expect.high_priority", {"of": "v", "high": True}, {}),
        ("vmar.set_profile", {"vmar": "p.vmar", "profile": "v"}, refused("WRONG_TYPE")),
        ("vmar.set_profile", {"vmar": "p.vmar", "profile": "d"}, OK),
        ("expect.high_priority", {"of": "v", "high": False}, {}),
        ("handle.duplicate", {"of": "p.vmar", "drop": ["OP_CHILDREN"]}, OK, "w"),
        ("vmar.set_profile", {"vmar": "w", "profile": "h"}, refused("ACCESS_DENIED")),
        ("handle.close", {"handle": "d"}, OK),
        ("vmar.set_profile", {"vmar": "p.vmar", "profile": "d"}, refused("BAD_HANDLE")),
    ],
    "reads and writes": [
        PROCESS,
        VMO,
        mapped(),
        ("mem.write", {"process": "p", "addr": "$m", "len": 2, "value": 0x1234}, OK),
        ("mem.read", {"process": "p", "addr": "$m", "len": 2}, {**OK, "value": 0x1234}),
        ("mem.fill", {"process": "p", "addr": "$m+4094", "size": 4}, OK),
        ("mem.read", {"process": "p", "addr": "$m+4094", "size": 4}, {**OK, "all_bytes": 1}),
        ("mem.fill_pattern", {"process": "p", "addr": "$m", "len": 5000}, OK, "f"),
        ("mem.check_pattern", {"process": "p", "addr": "$m+100", "size": 4900, "pattern": "f", "pattern_offset": 100}, OK),
        ("mem.check_pattern", {"process": "p", "addr": "$m", "pattern": "f"}, OK),
        ("mem.cache_flush", {"process": "p", "addr": "$m", "size": 8, "flags": ["DATA", "INVALIDATE"]}, OK),
        ("mem.cache_flush", {"process": "p", "addr": "$m+16384", "flags": "INSN"}, {"fault": "fatal_page_fault"}),
        ("vmo.fill", {"vmo": "v", "offset": 0, "len": 8}, OK),
        ("process.read_memory", {"process": "p", "addr": "$m", "len": 8}, {**OK, "all_bytes": 1, "actual": 8}),
        ("process.write_memory", {"process": "p", "addr": "$m", "data": "abc"}, {**OK, "actual": 3}),
        ("process.read_memory", {"process": "p", "addr": "$m", "len": 3}, {**OK, "data": "abc", "if_ok_data_not": "abd"}),
    ],
    "copies through a handle": [
        PROCESS,
        VMO,
        mapped(),
        ("handle.duplicate", {"of": "v", "rights": ["READ"]}, OK, "r"),
        ("handle.duplicate", {"of": "v", "rights": ["WRITE"]}, OK, "w"),
        ("vmo.read_to_user", {"vmo": "r", "offset": 0, "len": 8, "process": "p", "addr": "$m+4096"}, {**OK, "actual": 8}),
        ("vmo.read_to_user", {"vmo": "w", "offset": 0, "len": 8, "process": "p", "addr": "$m"}, refused("ACCESS_DENIED")),
        ("vmo.write_from_user", {"vmo": "w", "offset": 0, "len": 8, "process": "p", "addr": "$m+4096"}, {**OK, "actual": 8}),
        ("vmo.write_from_user", {"vmo": "r", "offset": 0, "len": 8, "process": "p", "addr": "$m"}, refused("ACCESS_DENIED")),
        ("vmo.write_from_user", {"vmo": "w", "offset": 0, "len": 8, "process": "p", "addr": 0}, refused("NOT_FOUND")),
    ],
    "what a listing tells of memory": [
        PROCESS,
        VMO,
        mapped(),
        ("vmo.commit", {"vmo": "v", "offset": 0, "size": 2 * PAGE}, OK),
        ("process.create", {}, OK, "q"),
        ("vmo.clone", {"of": "v", "type": "snapshot", "offset": 0, "size": 4 * PAGE}, OK, "c"),
        (
            "vmar.maps",
            {"vmar": "p.vmar"},
            {
                **OK,
                "count": 2,
                "entries": [{"index": 0, "kind": "vmar", "depth": 0, "name": "root"}],
                "contains_once": [{"base": "$m", "committed": 8192, "populated": 8192, "private": 0, "scaled": 4096}],
            },
        ),
    ],
    "sizes": [
        ("vmo.create", {"size": 2 * PAGE, "options": ["RESIZABLE"]}, OK, "v"),
        ("vmo.get_size", {"vmo": "v"}, {**OK, "value": 2 * PAGE, "size": 2 * PAGE, "gt": PAGE}),
        ("vmo.set_stream_size", {"vmo": "v", "size": 100}, OK),
        ("vmo.get_stream_size", {"vmo": "v"}, {**OK, "value": 100}),
        ("vmo.create", {"size": 0, "options": ["UNBOUNDED"]}, OK, "u"),
        ("vmo.get_size", {"vmo": "u"}, {**OK, "gt": 1 << 40}),
    ],
    "discardable": [
        PROCESS,
        ("vmo.create", {"size": PAGE, "options": ["DISCARDABLE"]}, OK, "v"),
        ("vmar.map", {**mapped()[1], "size": PAGE}, refused("NOT_SUPPORTED")),
        mapped(size=PAGE, options=["PERM_READ", "ALLOW_FAULTS"]),
        ("vmo.lock", {"vmo": "v", "offset": 0, "size": PAGE}, OK),
        ("vmo.unlock", {"vmo": "v"}, OK),
    ],
    "children": [
        VMO,
        *[
            ("vmo.clone", {"of": "v", "type": kind, "offset": 0, "size": PAGE}, OK, "c")
            for kind in ("snapshot", "snapshot_at_least_on_write", "snapshot_modified", "slice")
        ],
        ("vmo.clone", {"of": "v", "type": "reference", "offset": 0, "size": 0}, OK, "r"),
    ],
    "what the handle of a child may do": [
        PROCESS,
        ("vmo.create", {"size": PAGE, "options": ["EXECUTABLE"]}, OK, "v"),
        ("vmo.clone", {"of": "v", "type": "snapshot", "offset": 0, "size": PAGE}, OK, "copy"),
        ("vmo.clone", {"of": "v", "type": "snapshot", "offset": 0, "size": PAGE, "options": ["NO_WRITE"]}, OK, "code"),
        ("vmar.map", {**CODE, "vmo": "copy"}, refused("ACCESS_DENIED")),
        mapped(**{**CODE, "vmo": "code"}),
        ("vmo.write", {"vmo": "copy", "offset": 0, "len": 1}, OK),
        ("vmo.write", {"vmo": "code", "offset": 0, "len": 1}, refused("ACCESS_DENIED")),
        ("handle.duplicate", {"of": "v", "rights": ["READ", "MAP"]}, OK, "poor"),
        ("vmo.clone", {"of": "poor", "type": "slice", "offset": 0, "size": PAGE}, refused("ACCESS_DENIED")),
        ("vmo.clone", {"of": "v", "type": "slice", "offset": PAGE, "size": PAGE}, refused("INVALID_ARGS")),
        ("vmo.clone", {"of": "v", "type": "slice", "offset": 0, "size": 1}, OK, "s"),
        ("vmo.resize", {"vmo": "copy", "size": 0}, refused("UNAVAILABLE")),
        ("vmo.clone", {"of": "v", "type": "snapshot", "offset": 0, "size": PAGE, "options": ["RESIZABLE"]}, OK, "c"),
        ("vmo.resize", {"vmo": "c", "size": 2 * PAGE}, OK),
        ("handle.duplicate", {"of": "c", "drop": ["RESIZE"]}, OK, "d"),
        ("vmo.resize", {"vmo": "d", "size": 0}, refused("ACCESS_DENIED")),
    ],
    "null as JSON has it": [("aspace.create", {"type": "kernel"}, {"result": None})],
    "looking in an address space": [
        ASPACE,
        VMO,
        (
            "vmar.allocate",
            {"api": "kernel", "vmar": "a.root", "options": ["CAN_MAP_READ", "CAN_MAP_WRITE"], "offset": 0, "size": 65536},
            OK,
            "r",
        ),
        in_kernel_form(vmar="r"),
        ("vmar.find_region", {"aspace": "a", "addr": "$m", "recurse": True}, {"found": True, "kind": "mapping", "base": "$m"}),
        ("vmar.find_region", {"vmar": "a.root", "addr": "$m", "recurse": True}, {"found": True, "kind": "mapping"}),
        ("vmar.find_region", {"vmar": "a.root", "addr": "$m"}, {"found": True, "kind": "vmar", "base": "$r"}, "x"),
        ("expect.eq", {"a": "$x.size", "b": 65536}, {}),
        ("vmar.find_region", {"vmar": "a.root", "addr": "$r+65536", "recurse": True}, {"found": False}),
        ("vmar.op_range", {"api": "kernel", "vmar": "a.root", "range_op": "ZERO", "addr": "$m", "size": PAGE}, OK),
    ],
    "everything that a range operation does": [
        PROCESS,
        VMO,
        mapped(),
        *[
            ("vmar.op_range", {"vmar": "p.vmar", "range_op": op, "addr": "$m", "size": PAGE}, OK)
            for op in ("COMMIT", "DECOMMIT", "MAP_RANGE", "ZERO", "DONT_NEED", "ALWAYS_NEED", "PREFETCH")
        ],
    ],
    "predicates of addresses": [
        ("user_range.check", {"fn": "is_user_accessible", "vaddr": 0, "len": 0}, {"accessible": True}),
        ("user_range.check", {"fn": "is_user_accessible", "vaddr": "-1", "len": 0}, {"accessible": False}),
    ],
    "a guest's range is unmapped and its sub-VMARs stay": [
        ("aspace.create", {"type": "guest_physical"}, OK, "a"),
        VMO,
        ("vmar.allocate", {**IN_GUEST, "vmar": "a.root", "offset": 0, "size": 8 * PAGE}, OK, "r"),
        in_kernel_form(vmar="r", options=["SPECIFIC"], offset=0, mmu=["READ", "WRITE"]),
        in_kernel_form("n", vmar="a.root", options=["SPECIFIC"], offset=8 * PAGE, mmu=["READ", "WRITE"]),
        ("guest.page_fault", {"aspace": "a", "addr": 3 * PAGE}, OK),
        ("guest.unmap_range", {"aspace": "a", "addr": 3 * PAGE, "size": 6 * PAGE}, OK),
        *[
            ("guest.is_mapped", {"aspace": "a", "addr": page * PAGE}, {"mapped": page in (0, 1, 2, 9, 10, 11)})
            for page in (0, 2, 3, 7, 8, 9, 11, 12)
        ],
        ("arch.query", {"aspace": "a", "vaddr": 3 * PAGE}, refused("NOT_FOUND")),
        ("guest.page_fault", {"aspace": "a", "addr": 3 * PAGE}, refused("NOT_FOUND")),
        ("guest.unmap_range", {"aspace": "a", "addr": 0, "size": 64 * PAGE}, OK),
        ("guest.is_mapped", {"aspace": "a", "addr": 0}, {"mapped": False}),
        ("vmar.has_parent", {"vmar": "r"}, {"value": True}),
        ("guest.unmap_range", {"aspace": "a", "addr": 1, "size": PAGE}, refused("INVALID_ARGS")),
        ("guest.unmap_range", {"aspace": "a", "addr": 0, "size": "@GUEST_ASPACE_SIZE+1"}, refused("INVALID_ARGS")),
    ],
    "a sweep until the memory is enough": [
        (
            "sweep",
            {
                **SWEEP,
                "until": {"step": "m", "status": "ZX_OK"},
                "body": listed(
                    TABLES,
                    ("arch.init", {"aspace": "h"}, OK),
                    ("arch.map_contiguous", {**PIECE, "paddr": 0x10000, "mmu": ["READ"]}, OK, "m"),
                    ("arch.query", {"aspace": "h", "vaddr": "@USER_ASPACE_BASE"}, {**OK, "on_no_memory": refused("NOT_FOUND")}),
                    ("arch.unmap", {**PIECE, "when": "ZX_OK"}, OK),
                    ("arch.destroy", {"aspace": "h"}, OK),
                ),
            },
            {},
        ),
        ("expect.eq", {"a": "$n", "b": 4}, {}),
    ],
    "a sweep whose failing rounds use up all the memory": [
        (
            "sweep",
            {
                **SWEEP,
                "until": {"step": "map", "status": "ZX_OK"},
                "body": [
                    *listed(TABLES, ("arch.init", {"aspace": "h"}, OK)),
                    {"op": "arch.map", "name": "map", "args": SPLIT, "expect": OK},
                    *listed(
                        ("arch.unmap", {**PIECE, "vaddr": SPLIT["vaddr"], "count": 8, "when": {"map": "ZX_OK"}}, OK),
                        ("arch.destroy", {"aspace": "h"}, {**OK, "table_pages_left": 0}),
                    ),
                ],
                "on_no_memory": {**refused("NO_MEMORY"), "table_pages_left": 0},
            },
            {},
        ),
        ("expect.eq", {"a": "$n", "b": 6}, {}),
    ],
    "a sweep with steps for the failing rounds": [
        (
            "sweep",
            {
                **SWEEP,
                "until": "arch.map == ZX_OK",
                "body": listed(
                    TABLES,
                    ("arch.init", {"aspace": "h"}, OK),
                    ("arch.map", SPLIT, OK),
                    ("arch.destroy", {"aspace": "h", "when": {"arch.map": "ZX_ERR_NO_MEMORY"}}, OK),
                ),
                "on_no_memory": listed(("arch.query", {"aspace": "h", "vaddr": 0x40000000}, refused("NOT_FOUND"))),
            },
            {},
        ),
        ("arch.query", {"aspace": "h", "vaddr": 0x40000000}, {**OK, "paddr": 16384}),
    ],
}


@pytest.mark.parametrize("steps", CASES.values(), ids=CASES)
def test_words(write, steps: list[tuple]) -> None:
    (result,) = run_file(write(*steps)).cases
    assert result.outcome is Outcome.PASSED, str(result)


UNTIL = {"until": "m == ZX_OK", "body": listed(("arch.destroy", {"aspace": "h"}, {}, "m"))}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"var": 3}, "var is a name"),
        ({"body": []}, "a list of steps"),
        ({"body": [3]}, "step 0 of the body"),
        ({"until": "x == ZX_OK"}, "no step of the body is called 'x'"),
        ({"until": "m == ZX_FINE"}, "a step and its status"),
        ({"until": None}, "there is no argument 'until'"),
        ({"colour": 1}, "a sweep has no 'colour'"),
        ({"on_no_memory": 3}, "on_no_memory is an object or a list"),
        ({"body": [{"op": "arch.destroy", "args": [], "bind": "m"}]}, "args is an object"),
        ({"body": [{"op": "arch.destroy", "expect": 3, "bind": "m"}]}, "expect is an object"),
        ({"body": [{"op": "arch.destroy", "bind": 3}]}, "bind is a string"),
        ({"body": [{"op": "arch.destroy", "args": {"aspace": "h"}, "bind": "m", "on_no_memory": 3}]}, "is an object"),
        ({"only_if": "1 <"}, "expected a term"),
        ({"body": listed(("arch.destroy", {}, {}, "m"))}, "there is no argument 'aspace'"),
    ],
)
def test_sweeps_that_are_not_understood(write, changes: dict, message: str) -> None:
    args = {name: value for name, value in {**SWEEP, **UNTIL, **changes}.items() if value is not None}
    (result,) = run_file(write(("sweep", args, {}))).cases
    assert result.outcome is Outcome.UNSUPPORTED and message in result.reason


def test_a_sweep_under_a_condition(write) -> None:
    args = {**SWEEP, "until": "m == ZX_OK", "body": listed(("expect.eq", {"a": 1, "b": 2}, {}, "m"))}
    assert run_file(write(("sweep", {**args, "only_if": "1 == 2"}, {}))).passed == 1
    assert run_file(write(("sweep", args, {}))).failed == 1
    assert run_file(write(("sweep", args, {"status": "ZX_ERR_IO"}))).unsupported == 1


def test_a_sweep_fails_at_a_step_of_a_round(write) -> None:
    body = listed(("vmo.create", {"size": "$n"}, {"status": "ZX_OK"}, "m"), ("expect.ne", {"a": "$n", "b": 3}, {}, "e"))
    args = {**SWEEP, "until": "e == ZX_ERR_IO", "body": body}
    (result,) = run_file(write(("sweep", args, {}))).cases
    assert result.outcome is Outcome.FAILED and result.op == "sweep"
    assert "with n = 3, step 1 of the body (expect.ne)" in result.reason
    endless = {**SWEEP, "step": 0, "until": "m == ZX_ERR_IO", "body": body}
    (result,) = run_file(write(("sweep", endless, {}))).cases
    assert result.outcome is Outcome.FAILED and "does not end" in result.reason


def test_an_address_is_passed_with_its_tag(write) -> None:
    """Hardware of arm64 ignores the tag; a range that is given to the kernel is outside with it."""
    tagged = {"addr": "$m", "tag": 0xAB}
    steps = [
        PROCESS,
        VMO,
        mapped(),
        ("mem.write", {"process": "p", **tagged}, OK),
        ("vmar.unmap", {"vmar": "p.vmar", "size": PAGE, **tagged}, refused("INVALID_ARGS")),
        ("vmar.op_range", {"vmar": "p.vmar", "range_op": "ZERO", "size": PAGE, **tagged}, refused("OUT_OF_RANGE")),
        ("mem.read", {"process": "p", "addr": "$m"}, {**OK, "value": 1}),
    ]
    assert run_file(write(*steps, arch="arm64")).passed == 1
    assert run_file(write(*steps, arch="x86")).failed == 1


def test_a_tag_does_not_choose_the_other_half(write) -> None:
    steps = [
        ("process.create", {"options": ["SHARED"]}, OK, "s"),
        ("process.create_shared", {"prototype": "s"}, OK, "p"),
        VMO,
        mapped(),
        ("mem.write", {"process": "p", "addr": "$m", "tag": 0xAB}, OK),
    ]
    assert run_file(write(*steps, arch="arm64")).passed == 1


def test_a_case_is_run_for_each_variant(write) -> None:
    steps = [("expect.le", {"a": "@HIGH", "b": "$LIMIT"}, {})]
    variants = [{"HIGH": 1}, {"HIGH": "0x2"}]
    assert run_file(write(*steps, variants=variants, params={"LIMIT": 2})).passed == 1
    (result,) = run_file(write(*steps, variants=variants, params={"LIMIT": 1})).cases
    assert result.outcome is Outcome.FAILED and result.got == "a = 0x2, b = 0x1"
    assert run_file(write(*steps, variants=["one", "two"], params={"LIMIT": 1})).unsupported == 1


def test_a_status_depends_on_what_the_case_says(write) -> None:
    choices = {"LEVELS=4": "ZX_OK", "LEVELS=5": "ZX_ERR_IO"}
    step = ("vmo.create", {"size": PAGE}, {"status_if": choices})
    assert run_file(write(step, params={"LEVELS": 4})).passed == 1
    assert run_file(write(step, params={"LEVELS": "5"})).failed == 1
    assert run_file(write(step, params={"LEVELS": "a number of the machine"})).unsupported == 1
