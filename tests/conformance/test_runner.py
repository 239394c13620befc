"""What a case is answered with: passed, failed at a step, or unsupported because of one thing."""

import json

import pytest

from vmaspace.checker.engines.conformance import Outcome, run_file
from vmaspace.checker.engines.conformance.vocabulary import OPERATIONS
from vmaspace.model.system import System

PROCESS = ("process.create", {"options": []}, {"status": "ZX_OK"}, "p")
VMO = ("vmo.create", {"size": 16384, "options": []}, {"status": "ZX_OK"}, "v")
ALLOCATE = {"vmar": "p.vmar", "options": [], "offset": 0, "size": 4096}
MAP = {"vmar": "p.vmar", "options": ["PERM_READ"], "offset": 0, "vmo": "v", "vmo_offset": 0, "size": 16384}


def run(path, factory=None):
    (result,) = (run_file(path) if factory is None else run_file(path, factory)).cases
    return result


def test_a_case_that_passes(write) -> None:
    result = run(write(PROCESS, VMO, ("vmar.map", MAP, {"status": "ZX_OK", "base_nonzero": True}, "m")))
    assert (result.outcome, result.step, result.reason) == (Outcome.PASSED, None, "")


@pytest.mark.parametrize(
    ("expect", "expected", "got"),
    [
        ({"status": "ZX_ERR_NO_MEMORY"}, "ZX_ERR_NO_MEMORY", "ZX_OK"),
        ({"status_in": ["ZX_ERR_IO", "ZX_ERR_NO_MEMORY"]}, "ZX_ERR_IO or ZX_ERR_NO_MEMORY", "ZX_OK"),
        ({"status_if": {"XOM_SUPPORTED=false": "ZX_ERR_IO", "XOM_SUPPORTED=true": "ZX_OK"}}, "ZX_ERR_IO", "ZX_OK"),
        ({"base": "0x200000+4096"}, "0x201000", "0x200000"),
        ({"base_nonzero": False}, "False", "0x200000"),
        ({"aligned_log2": 22}, "0x16", "0x200000"),
        ({"aligned_log2": 1 << 63}, "0x8000000000000000", "0x200000"),
    ],
)  # fmt: skip
def test_a_case_that_fails(write, expect: dict, expected: str, got: str) -> None:
    path = write(PROCESS, VMO, ("vmar.map", MAP, expect))
    result = run(path, lambda arch: System(arch, aslr_disabled=True))
    assert (result.outcome, result.step, result.op) == (Outcome.FAILED, 2, "vmar.map")
    assert (result.expected, result.got) == (expected, got)


@pytest.mark.parametrize(
    ("steps", "what"),
    [
        ([("tlb.create", {}, {})], "the operation tlb.create"),
        ([("vmar.map", {**MAP, "colour": 1}, {})], "the argument 'colour' of vmar.map"),
        ([("vmar.map", MAP, {"status": "ZX_OK", "colour": 1})], "the expectation 'colour' of vmar.map"),
        ([("vmar.map", {**MAP, "api": "driver"}, {})], "the interface 'driver'"),
        ([("vmo.create", {"size": 1, "options": ["SHINY"]}, {})], "the VMO option SHINY"),
        ([("process.create", {"options": ["X"]}, {})], "the process option X"),
        ([("expect.eq", {"a": "@HIGH", "b": 0}, {})], "the constant HIGH"),
        ([("user_range.check", {"fn": "f", "vaddr": 0, "len": 0}, {})], "the predicate f"),
        ([("vmar.map", {**MAP, "mmu": []}, {})], "mmu without the kernel's own interface"),
        ([("vmar.unmap", {"vmar": "p.vmar", "addr": 0, "size": 0, "op_children": "no"}, {})], "op_children"),
        (
            [("vmar.allocate", {**ALLOCATE, "api": "kernel", "options": ["PERM_READ"]}, {})],
            "the option PERM_READ",
        ),
    ],
)  # fmt: skip
def test_a_case_that_is_unsupported(write, steps: list, what: str) -> None:
    result = run(write(PROCESS, VMO, *steps))
    assert result.outcome is Outcome.UNSUPPORTED and result.step == 2
    assert what in result.reason


def test_unknown_keys_of_a_step_are_unsupported(write_text) -> None:
    step = {"op": "vdso.vmo", "args": {}, "expect": {}, "repeat": 3}
    path = write_text(json.dumps({"id": "T", "area": "map", "arch": "any", "steps": [step]}))
    assert run(path).reason == "not there yet: the key 'repeat' of a step"


def test_a_failure_before_something_unsupported_counts(write) -> None:
    failing = ("vmar.map", MAP, {"status": "ZX_ERR_IO"})
    assert run(write(PROCESS, VMO, failing, ("guest.x", {}, {}))).outcome is Outcome.FAILED


def test_what_is_not_asserted_is_not_compared_and_binds_nothing(write) -> None:
    refused = ("vmar.map", {**MAP, "size": 0}, {}, "m")
    assert run(write(PROCESS, VMO, refused)).outcome is Outcome.PASSED
    result = run(write(PROCESS, VMO, refused, ("expect.eq", {"a": "$m", "b": 0}, {})))
    assert (
        result.outcome is Outcome.FAILED
        and result.step == 3
        and "an earlier step was refused" in result.reason
    )


def test_a_step_under_a_condition(write) -> None:
    wrong = ("expect.eq", {"a": 1, "b": 2, "only_if": "@VDSO_CODE_SIZE < 1"}, {})
    assert run(write(wrong)).outcome is Outcome.PASSED
    assert run(write(("expect.eq", {"a": 1, "b": 2, "only_if": "1 == 1"}, {}))).outcome is Outcome.FAILED


def test_a_name_keeps_the_address_it_was_bound_with(write) -> None:
    gone = ("vmar.unmap", {"vmar": "p.vmar", "addr": "$m", "size": 16384}, {"status": "ZX_OK"})
    assert run(write(PROCESS, VMO, ("vmar.map", MAP, {}, "m"), gone, gone)).outcome is Outcome.PASSED


def test_a_mapping_of_the_kernel_that_asserts_is_a_failure(write) -> None:
    kernel = ("aspace.kernel", {}, {"status": "ZX_OK"}, "k")
    args = {**MAP, "api": "kernel", "vmar": "k.root", "options": [], "mmu": ["READ"]}
    result = run(write(kernel, VMO, ("vmar.map", args, {"status": "ZX_OK"})))
    assert result.outcome is Outcome.FAILED and "pinned" in result.got and result.expected == "ZX_OK"


def test_the_machine_is_that_of_the_case(write) -> None:
    made = []

    def factory(arch: str) -> System:
        made.append(arch)
        return System(arch)

    for arch in ("any", "x86", "arm64", "riscv64"):
        assert run(write(PROCESS, arch=arch), factory).outcome is Outcome.PASSED
    assert made == ["x86_64", "x86_64", "arm64", "riscv64"]


# Operations that no case of the file exercises.

OTHER_OPERATIONS = {
    "unified": [
        (
            "aspace.create",
            {
                "type": "user",
                "base": "@USER_ASPACE_BASE",
                "size": "@USER_RESTRICTED_ASPACE_SIZE",
                "share": "restricted",
            },
            {"status": "ZX_OK"},
            "r",
        ),
        (
            "aspace.create",
            {
                "type": "user",
                "base": "@USER_ASPACE_BASE+@USER_RESTRICTED_ASPACE_SIZE",
                "size": 8192,
                "share": "shared",
            },
            {"status": "ZX_OK"},
            "s",
        ),
        ("aspace.create_unified", {"shared": "s", "restricted": "r"}, {"status": "ZX_OK"}, "u"),
        ("aspace.set_active", {"aspace": "u"}, {"status": "ZX_OK"}),
        ("aspace.set_active", {"aspace": "previous"}, {"status": "ZX_OK"}),
        ("aspace.destroy", {"aspace": "u"}, {"status": "ZX_OK"}),
        ("object.drop", {"of": "u"}, {"status": "ZX_OK"}),
        ("aspace.destroy", {"aspace": "r"}, {"status": "ZX_OK"}),
        ("object.drop", {"of": "r"}, {"status": "ZX_OK"}),
    ],
    "mappings": [
        PROCESS,
        VMO,
        ("vmar.map", MAP, {}, "m"),
        (
            "mapping.protect",
            {"mapping": "m", "addr": "$m", "size": 4096, "mmu": ["READ", "USER"]},
            {"status": "ZX_OK"},
        ),
        ("mapping.unmap", {"mapping_at": "$m", "addr": "$m+8192", "size": 4096}, {"status": "ZX_OK"}),
        ("mapping.destroy", {"mapping": "m"}, {"status": "ZX_ERR_BAD_STATE"}),
        (
            "mapping.unmap",
            {"mapping_at": "$m", "addr": "$m", "size": 16384},
            {"status": "ZX_ERR_INVALID_ARGS"},
        ),
        ("mapping.unmap", {"mapping_at": "$m", "addr": "$m", "size": 8192}, {"status": "ZX_OK"}),
        (
            "vmar.find_region",
            {"vmar": "p.vmar", "addr": "$m+12288", "recurse": False},
            {"found": True, "kind": "mapping", "base": "$m+12288", "size": 4096},
        ),
        (
            "vmar.find_region",
            {"vmar": "p.vmar", "addr": "$m", "recurse": True},
            {"found": False, "kind": None},
        ),
        ("process.maps", {"process": "p"}, {"count": 3}),
    ],
    "regions": [
        PROCESS,
        (
            "vmar.allocate",
            {"vmar": "p.vmar", "options": [], "offset": 0, "size": 8192, "align_pow2": 13},
            {"aligned_log2": 13},
            "r",
        ),
        ("vmar.info", {"vmar": "r"}, {"status": "ZX_OK", "base": "$r", "size": "$r.size"}),
        ("vmar.has_parent", {"vmar": "r"}, {"value": True}),
        ("vmar.destroy", {"vmar": "r"}, {"status": "ZX_OK"}),
        ("vmar.has_parent", {"vmar": "r"}, {"value": False}),
        ("handle.close", {"handle": "r"}, {"status": "ZX_OK"}),
        ("handle.valid", {"handle": "r"}, {"status": "ZX_ERR_BAD_HANDLE"}),
        ("vmar.info", {"vmar": "r"}, {"status": "ZX_ERR_BAD_HANDLE"}),
        ("expect.ne", {"a": 1, "b": 2}, {}),
    ],
    "objects": [
        ("vmo.create_physical", {"size": 4096}, {"status": "ZX_OK"}, "v"),
        ("vmo.create_contiguous", {"size": 0}, {"status": "ZX_ERR_INVALID_ARGS"}),
        ("aspace.kernel", {}, {}, "k"),
        (
            "vmar.map",
            {**MAP, "api": "kernel", "vmar": "k.root", "options": [], "mmu": ["READ"], "size": 4096},
            {"status": "ZX_OK"},
        ),
    ],
    "lists": [
        ("rlist.create", {}, {}, "l"),
        ("rlist.insert", {"list": "l", "base": 4096, "size": 4096}, {"status": "ZX_OK"}),
        ("rlist.find", {"list": "l", "addr": 8191}, {"found": True, "base": 4096}),
        ("rlist.is_range_available", {"list": "l", "base": 8192, "size": 4096}, {"value": True}),
        ("rlist.remove", {"list": "l", "base": 8192}, {"removed": False}),
        (
            "rlist.alloc_spot",
            {
                "list": "l",
                "align_pow2": 12,
                "entropy": 3,
                "size": 4096,
                "parent_base": 0,
                "parent_size": 16384,
            },
            {"status": "ZX_OK"},
            "s",
        ),
        ("expect.ne", {"a": "$s", "b": 4096}, {}),
    ],
}


@pytest.mark.parametrize("steps", OTHER_OPERATIONS.values(), ids=OTHER_OPERATIONS)
def test_other_operations(write, steps: list) -> None:
    result = run(write(*steps))
    assert result.outcome is Outcome.PASSED, str(result)


def test_the_vocabulary_says_what_each_operation_is() -> None:
    assert len(OPERATIONS) > 45
    for name, operation in OPERATIONS.items():
        assert operation.name == name and operation.run.__doc__
