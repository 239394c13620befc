"""A guard against a slow path creeping in; the aim is far above it."""

from time import perf_counter

P = 0x1000


def test_map_and_unmap_stay_fast(world) -> None:
    for page in range(0, 200, 2):
        world.map(page, 1)
    rounds, start = 2000, perf_counter()
    for _ in range(rounds):
        _, mapping = world.root.create_vm_mapping(0, 2 * P, 0, 0, world.vmo, 0, 0x1C)
        world.root.unmap(mapping.base, 2 * P)
    assert 2 * rounds / (perf_counter() - start) > 5_000


def test_reading_and_writing_a_vmo_stay_fast(world) -> None:
    rounds, start = 5000, perf_counter()
    for i in range(rounds):
        world.vmo.write(i % 64 * P, b"12345678")
        world.vmo.read(i % 64 * P, 8)
    assert 2 * rounds / (perf_counter() - start) > 50_000
