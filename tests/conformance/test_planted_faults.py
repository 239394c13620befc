"""Must-fail twins: a model of one's own with one wrong method makes known answers fail."""

from pathlib import Path

import pytest

from vmaspace.checker.engines.conformance import Outcome, run_file
from vmaspace.checker.engines.conformance.runner import run_cases
from vmaspace.model.arch.aspace import ArchVmAspace
from vmaspace.model.aspace import VmAspace
from vmaspace.model.mapping import VmMapping
from vmaspace.model.protection import ProtectionRanges
from vmaspace.model.region_list import RegionList
from vmaspace.model.status import ZX_OK, Status
from vmaspace.model.system import System
from vmaspace.model.vmar import VmAddressRegion

CASES = Path(__file__).with_name("zircon.jsonl")


def vmar(**methods) -> type[System]:
    return type("Faulty", (System,), {"vmar_class": type("V", (VmAddressRegion,), methods)})


def mapping(**methods) -> type[System]:
    return type("Faulty", (System,), {"mapping_class": type("M", (VmMapping,), methods)})


def region_list(**methods) -> type[System]:
    return type("Faulty", (System,), {"region_list_class": type("L", (RegionList,), methods)})


def ranges(**methods) -> type[System]:
    return type("Faulty", (System,), {"protection_ranges_class": type("P", (ProtectionRanges,), methods)})


def without_alignment(self, align_pow2, *rest):
    return RegionList.get_alloc_spot(self, 12, *rest)


def without_limit(self, *arguments):
    return RegionList.get_alloc_spot(self, *arguments[:6])


def destroys_nothing(self) -> Status:
    return ZX_OK


def create_anywhere(cls, system, base, size, type, name, share_opt=0):
    return VmAspace.create_default.__func__(VmAspace, system, 0, name)


FAULTS = {
    "ranges are always available": (region_list(is_range_available=lambda *_: True), "INFO-011"),
    "ranges are never available": (region_list(is_range_available=lambda *_: False), "ASP"),
    "lookups are off by one": (
        region_list(include_or_higher=lambda self, base: RegionList.include_or_higher(self, base + 0x1000)),
        "ASP",
    ),
    "the alignment is forgotten": (region_list(get_alloc_spot=without_alignment), "VMAR-011"),
    "the upper limit is forgotten": (region_list(get_alloc_spot=without_limit), "VMAR-004"),
    "offsets are not checked": (vmar(_check_offset=lambda *_: ZX_OK), "VMAR-015"),
    "sub-VMARs are unmapped without leave": (vmar(_check_unmap=lambda *_, **__: ZX_OK), "VMAR-042"),
    "unmap does nothing": (vmar(_remove_range=lambda *_: ZX_OK), "ASP"),
    "vDSO code is welcome twice": (vmar(_is_vdso_code_welcome=lambda *_: True), "VDSO"),
    "VMARs do not die": (vmar(_destroy_locked=destroys_nothing), "INFO-002"),
    "protection does nothing": (ranges(update=lambda *_: ZX_OK), "VMAR-029"),
    "everything merges": (mapping(_can_merge=lambda *_: True), "ASP"),
    "nothing merges": (mapping(_can_merge=lambda *_: False), "ASP-017"),
    "mappings allow everything": (mapping(is_valid_mapping_flags=lambda *_: True), "VMAR-048"),
    "marking is forgotten": (mapping(mark_mergeable=lambda self: None), "ASP-017"),
    "ranges of address spaces are not checked": (
        type("F", (System,), {"aspace_class": type("A", (VmAspace,), {"create": classmethod(create_anywhere)})}),
        "ASP-009",
    ),
    "page tables can not be made": (
        type(
            "F",
            (System,),
            {
                "arch_aspace_class": type(
                    "T",
                    (ArchVmAspace,),
                    {"init_restricted": lambda self: Status.ZX_ERR_NO_MEMORY},
                )
            },
        ),
        "SHR",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("faulty", "prefix"), FAULTS.values(), ids=FAULTS)
def test_a_planted_fault_is_found(faulty: type[System], prefix: str) -> None:
    failed = []
    for result in run_cases(CASES, faulty):
        if result.outcome is Outcome.FAILED:
            failed.append(result)
            if result.id.startswith(prefix):
                break
    else:
        pytest.fail(str([str(result) for result in failed]))
    for result in failed:
        assert result.step is not None and result.op and result.expected and result.got and result.reason
        assert f"step {result.step}" in str(result)


def test_a_model_that_breaks_is_a_failure_of_the_cases_that_reach_it() -> None:
    def broken(self, base: int) -> None:
        raise KeyError("mine")

    report = run_file(CASES, region_list(upper_bound=broken))
    failed = [result for result in report.cases if result.outcome is Outcome.FAILED]
    assert report.passed > 50 and failed
    assert all("KeyError: 'mine' (test_planted_faults.py:" in result.got for result in failed)


def test_an_assertion_of_the_model_is_a_failure() -> None:
    report = run_file(CASES, FAULTS["ranges are always available"][0])
    violations = [result for result in report.cases if "assertion violation" in (result.got or "")]
    assert violations and all("zircon/kernel" in result.got for result in violations)
