"""Processes that share their upper half, and the order in which everything goes."""

import pytest

from vmaspace.model.flags import MmuFlag
from vmaspace.model.object.maps import MapKind, aspace_maps, vmar_maps
from vmaspace.model.object.process import create_process, create_shared_process
from vmaspace.model.status import AssertionViolation, Status
from vmaspace.model.system import System

P = 0x1000
ARCH_NAMES = ["x86_64", "arm64", "riscv64"]


@pytest.mark.parametrize("arch", ARCH_NAMES)
def test_a_shared_group(arch: str) -> None:
    system = System(arch)
    _, prototype, shared_root = create_process(system, shared=True)
    _, kid, kid_root = create_shared_process(prototype)
    process = kid.dispatcher
    shared = prototype.dispatcher.state.aspace
    assert process.state is prototype.dispatcher.state
    assert process.normal_aspace() is process.unified_aspace
    assert process.aspace_at(system.arch.user_aspace_base) is process.restricted_aspace
    assert process.aspace_at(system.arch.restricted_top) is shared
    assert kid_root.dispatcher.vmar.aspace is process.restricted_aspace
    assert shared_root.dispatcher.vmar.base == system.arch.shared_base
    # A process with a unified space is no prototype, nor is one without a shared half.
    assert create_shared_process(kid)[0] is Status.ZX_ERR_INVALID_ARGS
    _, plain, _ = create_process(system)
    assert create_shared_process(plain)[0] is Status.ZX_ERR_INVALID_ARGS
    assert create_shared_process(kid_root)[0] is Status.ZX_ERR_WRONG_TYPE

    prototype.close()
    assert not shared.is_destroyed() and process.maps()[0] is Status.ZX_OK
    kid.close()
    assert shared.destroyed and process.unified_aspace.freed
    shared_root.close()
    kid_root.close()
    assert [aspace.name for aspace in system.aspaces][1:] == [plain.dispatcher.state.aspace.name]


def test_nobody_joins_a_group_that_everybody_left() -> None:
    system = System()
    _, prototype, _ = create_process(system, shared=True)
    prototype.dispatcher.kill()
    assert create_shared_process(prototype)[0] is Status.ZX_ERR_BAD_STATE
    prototype.dispatcher.kill()
    with pytest.raises(AssertionViolation):
        prototype.dispatcher.state.decrement_share_count()
    assert prototype.close() is Status.ZX_OK


def test_listings() -> None:
    system = System(aslr_disabled=True)
    _, process, root = create_process(system)
    vmar, vmo = root.dispatcher.vmar, system.create_vmo(4 * P)[1]
    _, child = vmar.create_sub_vmar(0, 8 * P, 0, 0x70)
    _, mapping = child.create_vm_mapping(0, 3 * P, 0, 0, vmo, P, MmuFlag.PERM_READ | MmuFlag.PERM_USER)
    child.protect(mapping.base + P, P, 0)
    status, entries = process.dispatcher.maps()
    assert status is Status.ZX_OK
    kinds = [MapKind.ASPACE, MapKind.VMAR, MapKind.VMAR, *[MapKind.MAPPING] * 3]
    assert [entry.kind for entry in entries] == kinds
    assert [entry.depth for entry in entries] == [0, 1, 2, 3, 3, 3]
    assert [entry.vmo_offset for entry in entries[3:]] == [P, 2 * P, 3 * P]
    assert [entry.mmu_flags for entry in entries[3:]] == [MmuFlag.PERM_READ, 0, MmuFlag.PERM_READ]
    assert {entry.vmo_koid for entry in entries[3:]} == {vmo.koid}
    assert [entry.depth for entry in vmar_maps(child)[1]] == [0, 1, 1, 1]
    process.close()
    assert process.dispatcher.maps()[0] is Status.ZX_ERR_BAD_STATE
    assert vmar_maps(child)[0] is Status.ZX_ERR_BAD_STATE
    assert aspace_maps(vmar.aspace)[0] is Status.ZX_ERR_BAD_STATE


def test_unified_aspaces_have_no_listing() -> None:
    system = System()
    _, prototype, _ = create_process(system, shared=True)
    _, kid, _ = create_shared_process(prototype)
    assert aspace_maps(kid.dispatcher.unified_aspace)[0] is Status.ZX_ERR_BAD_STATE


def test_the_vdso_address_is_remembered() -> None:
    system = System()
    _, process, root = create_process(system)
    assert process.dispatcher.vdso_base_address() == 0
    vdso, image = system.vdso, system.create_vdso_vmo()
    _, code = root.dispatcher.vmar.create_vm_mapping(
        0x10000, vdso.code_size, 0, 2, image, vdso.code_start, MmuFlag.PERM_READ | MmuFlag.PERM_EXECUTE
    )
    base = code.base - vdso.code_start
    assert process.dispatcher.vdso_base_address() == base
    process.dispatcher.kill()
    assert process.dispatcher.vdso_base_address() == base
