"""Every member of the kernel's class is there, and the table in `docs/aspace.md` says so."""

import re
from enum import Enum, IntEnum, IntFlag
from pathlib import Path

import pytest

from vmaspace.model.arch.aspace import ArchUnmapOptions
from vmaspace.model.aspace import VmAspace
from vmaspace.model.flags import (
    VMM_FLAG_COMMIT,
    VMM_FLAG_VALLOC_SPECIFIC,
    AspaceType,
    FaultFlag,
    MmuFlag,
    ShareOpt,
    VmarFlag,
    VmmFlag,
)
from vmaspace.model.status import Status
from vmaspace.model.system import System

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/aspace.md").read_text()
CONTRACT = "".join(spec.read_text() for spec in sorted((ROOT / "spec").glob("*.aspec")))
ROW = re.compile(r"^\| `(\w+)` \| `VmAspace::(\w+)` \| (?:`([a-z]+ ?\w*)`)? ?\| (.+) \|$", re.MULTILINE)
ROWS = ROW.findall(PAGE)
VALUE = re.compile(
    r"^\| `(\w+)\.(\w+)` \| `([\w:]+)` \| (-?\w+) \| (?:`([\w.]+)`)? ?\|$", re.MULTILINE
)
VALUES = VALUE.findall(PAGE)
# What the table lists, and what the contract calls it: the word before its members there.
KINDS = {
    AspaceType: "enum Type",
    ShareOpt: "enum ShareOpt",
    VmmFlag: "",
    VmarFlag: "flags VmarFlags",
    MmuFlag: "flags Perms",
    FaultFlag: "",
    Status: "statuses",
}
OTHER_NAMES = {"user_access": "perm_user", "ZX_ERR_INTERNAL_INTR_RETRY": "ZX_ERR_INTERRUPTED_RETRY"}
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
    lines = [line for line in PAGE.splitlines() if line.startswith("| `")]
    assert len(ROWS) == len({member for member, *_ in ROWS})
    assert len(ROWS) + len(VALUES) == len(lines)


@pytest.mark.parametrize(("member", "kernel", "contract", "tests"), ROWS, ids=lambda value: value[:40])
def test_a_row(member: str, kernel: str, contract: str, tests: str) -> None:
    assert hasattr(VmAspace, member)
    assert snake(kernel) == SECOND_FORM.get(member, member)
    assert not contract or re.search(rf"^{contract}\b", CONTRACT, re.MULTILINE)
    files = re.findall(r"`(\w+)`", tests)
    assert files
    for name in files:
        assert re.search(rf"\b{member}", (ROOT / f"tests/model/{name}.py").read_text()), name


def in_the_contract(kind: type[Enum]) -> set[str]:
    """The members that the contract has, by the model's names."""
    head = KINDS[kind]
    if not head:
        return set()
    body = re.search(rf"^{head} \{{(.*?)\}}", CONTRACT, re.MULTILINE | re.DOTALL)[1]
    names = re.findall(r"(\w+)(?: = -?\d+)?(?=,|\s*$|\s*//)", re.sub(r"//.*", "", body))
    known = {name.removeprefix("ZX_ERR_").removeprefix("ZX_").lower(): name for name in kind.__members__}
    known |= {name.removeprefix("perm_"): known[name] for name in list(known)}
    return {known[OTHER_NAMES.get(name, name).lower()] for name in names if name != "NULL"}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_value_is_in_the_table(kind: type[IntEnum] | type[IntFlag]) -> None:
    rows = [row for row in VALUES if row[0] == kind.__name__]
    assert [(name, int(value, 0)) for _, name, _, value, _ in rows] == [
        (name, int(member)) for name, member in kind.__members__.items()
    ]
    assert {name for _, name, _, _, contract in rows if contract} == in_the_contract(kind)
    for _, name, kernel, _, contract in rows:
        last = re.split(r"::|_FLAG_", kernel)[-1]
        assert OTHER_NAMES.get(last, snake(last) if "::" in kernel else last).upper() == name
        word = contract.rpartition(".")[2]
        assert not word or OTHER_NAMES.get(word, word).upper() in (name, name.partition("PERM_")[2], name[7:], name[3:])


def test_no_member_is_missing_from_the_table() -> None:
    assert documented_members() - NOT_IN_THE_TABLE <= {member for member, *_ in ROWS}


def test_a_docstring_names_the_member_that_it_mirrors() -> None:
    fields_and_types = {"base", "size", "Type", "ShareOpt"}
    for member, kernel, *_ in ROWS:
        if member not in fields_and_types:
            text = getattr(VmAspace, member).__doc__
            kernel = kernel.removesuffix("_ref")  # one lock, and one docstring
            assert re.search(rf"\*Kernel:\* `VmAspace::{kernel}\b.*\(zircon/kernel/", text), member
            assert "*Fails with:*" in text, member


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
    assert aspace.enlarge_arch_unmap() == option


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
