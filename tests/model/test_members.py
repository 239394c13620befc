"""Every member of the kernel's class is there, and the table in `docs/aspace.md` says so."""

import re
from pathlib import Path

import pytest

from vmaspace.model.arch.aspace import ArchUnmapOptions
from vmaspace.model.aspace import VmAspace
from vmaspace.model.flags import VMM_FLAG_COMMIT, VMM_FLAG_VALLOC_SPECIFIC, AspaceType
from vmaspace.model.system import System

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| `(\w+)` \| `VmAspace::(\w+)` \| (?:`op (\w+)`)? ?\| (.+) \|$", re.MULTILINE)
ROWS = ROW.findall((ROOT / "docs/aspace.md").read_text())
SECOND_FORM = {"create_default": "create"}
# Members of the kernel's class that are private there, and what stands for fbl::RefPtr and the canary.
NOT_IN_THE_TABLE = {"add_ref", "release", "check_canary", "create_kernel"}


def snake(name: str) -> str:
    return (
        name
        if name.islower() or name in ("Type", "ShareOpt")
        else re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
    )


def documented_members() -> set[str]:
    """The public members whose docstring names a member of the kernel's class."""
    return {
        name
        for name in dir(VmAspace)
        if not name.startswith("_") and "`VmAspace::" in (getattr(VmAspace, name).__doc__ or "")
    }


def test_the_table_was_read() -> None:
    lines = [line for line in (ROOT / "docs/aspace.md").read_text().splitlines() if line.startswith("| `")]
    assert len(ROWS) == len(lines) == len({member for member, *_ in ROWS})


@pytest.mark.parametrize(("member", "kernel", "operation", "tests"), ROWS, ids=lambda value: value[:40])
def test_a_row(member: str, kernel: str, operation: str, tests: str) -> None:
    assert hasattr(VmAspace, member)
    assert snake(kernel) == SECOND_FORM.get(member, member)
    if operation:
        assert any(f"op {operation}(" in spec.read_text() for spec in (ROOT / "spec").glob("*.aspec"))
    files = re.findall(r"`(\w+)`", tests)
    assert files
    for name in files:
        assert re.search(rf"\b{member}", (ROOT / f"tests/model/{name}.py").read_text()), name


def test_no_member_is_missing_from_the_table() -> None:
    assert documented_members() - NOT_IN_THE_TABLE <= {member for member, *_ in ROWS}


def test_a_docstring_names_the_member_that_it_mirrors() -> None:
    for member, kernel, *_ in ROWS:
        value = getattr(VmAspace, member)
        if getattr(value, "__name__", "") == member and "*Kernel:*" in (value.__doc__ or ""):
            assert re.search(rf"`VmAspace::{kernel}\b", value.__doc__), member


def test_names_for_what_is_there() -> None:
    system = System()
    kernel = VmAspace.kernel_aspace(system)
    assert kernel is system.kernel_aspace and kernel.type is VmAspace.Type.KERNEL is AspaceType.KERNEL
    assert kernel.lock_ref() is kernel.lock() and kernel.region_lock_ref() is kernel.region_lock()
    assert [type.value for type in VmAspace.Type] == [0, 1, 2, 3]
    assert [(share.name, share.value) for share in VmAspace.ShareOpt] == [
        ("NONE", 0),
        ("RESTRICTED", 1),
        ("SHARED", 2),
    ]
    assert (VMM_FLAG_VALLOC_SPECIFIC, VMM_FLAG_COMMIT) == (1, 2)


@pytest.mark.parametrize(
    ("type", "option"),
    [
        (AspaceType.USER, ArchUnmapOptions.ENLARGE),
        (AspaceType.GUEST_PHYSICAL, ArchUnmapOptions.ENLARGE),
        (AspaceType.LOW_KERNEL, ArchUnmapOptions.NONE),
    ],
)
def test_who_may_unmap_more_than_was_asked(type: AspaceType, option: ArchUnmapOptions) -> None:
    aspace = System().create_default_aspace(type)
    assert aspace.enlarge_arch_unmap() is option


@pytest.mark.parametrize(
    ("settings", "normal", "compact"),
    [
        ({}, 30, 0),
        ({"aslr_entropy_bits": 40, "aslr_compact_entropy_bits": 8}, 36, 8),
        ({"aslr_disabled": True}, 0, 0),
    ],
)
def test_over_how_many_places_regions_are_spread(settings, normal: int, compact: int) -> None:
    system = System(**settings)
    user, kernel = system.create_default_aspace(), system.kernel_aspace
    assert (user.aslr_entropy_bits(False), user.aslr_entropy_bits(True)) == (normal, compact)
    assert (kernel.aslr_entropy_bits(False), kernel.aslr_entropy_bits(True)) == (0, 0)
