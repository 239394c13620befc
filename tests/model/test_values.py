"""Status values, flag bits, machine constants, and what docstrings must have."""

import inspect
import pickle
import pkgutil
import re

import pytest

import vmaspace.model
from vmaspace.model.arch import ARCHES, arch_for_name
from vmaspace.model.constants import MAX_U64, round_up_page
from vmaspace.model.flags import MmuFlag, VmarFlag, can_map_flags_for_mmu_flags
from vmaspace.model.status import AssertionViolation, Status
from vmaspace.model.system import SWITCHES, System


def test_statuses_have_their_real_values() -> None:
    assert Status.ZX_OK == 0
    assert Status.ZX_ERR_NO_RESOURCES == -3
    assert Status.ZX_ERR_INVALID_ARGS == -10
    assert Status.ZX_ERR_OUT_OF_RANGE == -14
    assert Status.ZX_ERR_BAD_STATE == -20
    assert Status.ZX_ERR_ACCESS_DENIED == -30
    assert len(set(Status)) == len(Status.__members__)


def test_flags_have_their_real_bits() -> None:
    assert [flag.bit_length() - 1 for flag in VmarFlag] == list(range(12))
    assert MmuFlag.PERM_RWX_MASK == MmuFlag.PERM_READ | MmuFlag.PERM_WRITE | MmuFlag.PERM_EXECUTE
    assert MmuFlag.CACHE_MASK == 3


@pytest.mark.parametrize(
    ("mmu", "needed"),
    [
        (MmuFlag.PERM_READ, VmarFlag.CAN_MAP_READ),
        (MmuFlag.PERM_WRITE, VmarFlag.CAN_MAP_WRITE),
        (MmuFlag.PERM_EXECUTE, VmarFlag.CAN_MAP_EXECUTE),
        (MmuFlag.PERM_USER | MmuFlag.UNCACHED_DEVICE | MmuFlag.NS, 0),
    ],
)
def test_permissions_need_their_can_map_flags(mmu: int, needed: int) -> None:
    assert can_map_flags_for_mmu_flags(mmu) == needed


def test_rounding_up_wraps_to_zero() -> None:
    assert round_up_page(1) == 0x1000
    assert round_up_page(0x1000) == 0x1000
    assert round_up_page(MAX_U64 - 0xFFF) == MAX_U64 - 0xFFF
    assert round_up_page(MAX_U64 - 0xFFE) == 0
    assert round_up_page(MAX_U64) == 0


@pytest.mark.parametrize("arch", ARCHES.values(), ids=ARCHES)
def test_ranges_of_each_machine_fit_together(arch) -> None:
    assert arch.kernel_aspace_base + arch.kernel_aspace_size == 1 << 64
    assert arch.restricted_top == arch.user_top + 0x1000 >> 1 or arch.restricted_top < arch.user_top
    # The halves never share a root-table slot.
    _, restricted_last = arch.root_slots(arch.user_aspace_base, arch.user_restricted_aspace_size)
    shared_first, _ = arch.root_slots(arch.shared_base, arch.shared_size)
    assert restricted_last < shared_first


def test_tops_of_user_space() -> None:
    assert arch_for_name("x86").user_top == 0x7FFFFFFFF000
    assert arch_for_name("arm64").user_top == 0xFFFFFF000000
    assert arch_for_name("riscv64").user_top == 0x4000000000
    assert arch_for_name("riscv64").shared_size == 0x1FFFFFF000


def test_unknown_machine_and_switch_name_those_that_exist() -> None:
    with pytest.raises(ValueError, match="x86_64, arm64, riscv64"):
        System("mips")
    with pytest.raises(ValueError, match="documented_roles"):
        System(switches=["documented_role"])
    assert System(switches=SWITCHES).switches == SWITCHES.keys()


def test_a_violation_survives_pickling() -> None:
    violation = pickle.loads(pickle.dumps(AssertionViolation("a clause", "a/file.cc")))
    assert (violation.clause, violation.kernel_file) == ("a clause", "a/file.cc")


def documented_members():
    for module in pkgutil.walk_packages(vmaspace.model.__path__, "vmaspace.model."):
        loaded = __import__(module.name, fromlist=["_"])
        for owner in [loaded, *(cls for _, cls in inspect.getmembers(loaded, inspect.isclass))]:
            if getattr(owner, "__module__", owner.__name__) != loaded.__name__:
                continue
            for name, member in inspect.getmembers(owner, inspect.isroutine):
                if getattr(member, "__module__", None) == loaded.__name__ and member.__doc__:
                    yield f"{module.name}.{name}", member.__doc__


def test_docstrings_have_their_fields_in_order() -> None:
    members = dict(documented_members())
    assert len(members) > 100
    for name, text in members.items():
        fields = re.findall(r"^\s*\*([A-Z][a-z ]+):\*", text, re.MULTILINE)
        order = ["Kernel", "Fails with", "Asserts", "Leaves alone"]
        assert fields == sorted(fields, key=order.index), name
        assert ("Kernel" in fields) == ("Fails with" in fields), f"{name}: Kernel and Fails with go together"
