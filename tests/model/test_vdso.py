"""The vDSO code mapping: at most one, exactly the code segment, and nothing but destruction removes it."""

import pytest

from vmaspace.model.flags import MmuFlag, VmarFlag
from vmaspace.model.status import Status

P = 0x1000
R, W, X = MmuFlag.PERM_READ, MmuFlag.PERM_WRITE, MmuFlag.PERM_EXECUTE
SPECIFIC, OVERWRITE = VmarFlag.SPECIFIC, VmarFlag.SPECIFIC_OVERWRITE


@pytest.fixture
def image(world):
    return world.system.create_vdso_vmo()


def map_code(world, image, page: int, flags: int = SPECIFIC, vmar=None, *, vmo_offset=None, size=None):
    vdso = world.system.vdso
    return (vmar or world.root).create_vm_mapping(
        page * P,
        vdso.code_size if size is None else size,
        0,
        flags,
        image,
        vdso.code_start if vmo_offset is None else vmo_offset,
        R | X,
    )


def test_the_code_is_recorded_and_found(world, image) -> None:
    vdso = world.system.vdso
    assert world.aspace.vdso_base_address() == world.aspace.vdso_code_address() == 0
    status, code = map_code(world, image, 16)
    assert status is Status.ZX_OK and world.aspace.vdso_code_mapping is code
    assert world.aspace.vdso_code_address() == code.base
    assert world.aspace.vdso_base_address() == code.base - vdso.code_start
    with world.aspace.lock():
        assert world.aspace.intersects_vdso_code_locked(code.end - 1, 1)
        assert not world.aspace.intersects_vdso_code_locked(code.end, P)
        assert not world.aspace.intersects_vdso_code_locked(code.base - P, P)


def test_only_one_and_only_exactly(world, image) -> None:
    vdso = world.system.vdso
    for misfit in (
        {"vmo_offset": 0},
        {"size": vdso.code_size - P},
        {"size": vdso.code_size + P},
        {"vmo_offset": vdso.code_start + P, "size": P},
    ):
        assert map_code(world, image, 16, **misfit)[0] is Status.ZX_ERR_ACCESS_DENIED
    assert world.children() == [] and world.aspace.vdso_code_mapping is None
    assert map_code(world, image, 16, size=vdso.code_size - 5)[0] is Status.ZX_OK  # rounded first
    assert map_code(world, image, 32)[0] is Status.ZX_ERR_ACCESS_DENIED
    another = world.system.create_vdso_vmo()
    assert map_code(world, another, 32)[0] is Status.ZX_ERR_ACCESS_DENIED


def test_readable_mappings_of_the_image_are_ordinary(world, image) -> None:
    mapping = world.map(16, 2, vmo=image, mmu=R)
    assert world.aspace.vdso_code_mapping is None
    assert world.root.unmap(mapping.base, P) is Status.ZX_OK


def test_nothing_touches_the_code(world, image) -> None:
    vmar = world.vmar(0, 64)
    low = world.map(0, 1, vmar=vmar)
    _, code = map_code(world, image, 8, vmar=vmar)
    high = world.map(20, 1, vmar=vmar)
    denied = Status.ZX_ERR_ACCESS_DENIED
    assert code.destroy() is denied
    assert vmar.unmap(code.base, P) is denied and vmar.unmap(vmar.base, vmar.size) is denied
    assert world.root.unmap(vmar.base, vmar.size) is denied
    assert vmar.protect(code.base, code.size, R) is denied
    assert vmar.create_vm_mapping(8 * P, P, 0, OVERWRITE, world.vmo, 0, R)[0] is denied
    code.mark_mergeable()
    assert not code.mergeable and code.is_alive() and low.is_alive() and high.is_alive()
    # A destruction goes on until it reaches the code.
    assert vmar.destroy() is denied
    assert (low.is_alive(), code.is_alive(), high.is_alive(), vmar.is_alive()) == (False, True, True, True)
    assert world.aspace.destroy() is Status.ZX_OK
    assert not code.is_alive() and world.aspace.vdso_code_mapping is None


def test_unmapping_beside_the_code_is_fine(world, image) -> None:
    _, code = map_code(world, image, 16)
    world.map(15, 1)
    assert world.root.unmap(world.addr(15), P) is Status.ZX_OK
    assert code.is_alive()


def test_the_overwrite_hole(world, image) -> None:
    world.map(16, 1)
    status, code = map_code(world, image, 16, OVERWRITE)
    assert status is Status.ZX_OK and world.aspace.vdso_code_mapping is None
    assert code.destroy() is Status.ZX_OK
    # Over nothing, the overwrite is a plain mapping with all its checks.
    assert map_code(world, image, 32, OVERWRITE)[0] is Status.ZX_OK
    assert world.aspace.vdso_code_mapping is not None


def test_the_record_stays_when_the_activation_runs_out_of_memory(world, image) -> None:
    world.system.heap.fail_next(2)
    status, _ = map_code(world, image, 16)
    assert status is Status.ZX_ERR_NO_MEMORY and world.children() == []
    assert not world.aspace.vdso_code_mapping.is_alive()
    assert map_code(world, image, 16)[0] is Status.ZX_ERR_ACCESS_DENIED
