"""Who uses how much: address spaces, processes, regions, listings."""

from fractions import Fraction

import pytest

from vmaspace.model.flags import MmuFlag
from vmaspace.model.object.maps import MapKind
from vmaspace.model.object.process import create_process, create_shared_process
from vmaspace.model.object.thread import Thread
from vmaspace.model.status import Status
from vmaspace.model.system import System
from vmaspace.model.usage import MemoryUsage, usage_of_mapping
from vmaspace.model.vmo.kinds import CloneType

P = 0x1000
RW = MmuFlag.PERM_READ | MmuFlag.PERM_WRITE | MmuFlag.PERM_USER


def usage(mapped: int, private: int, shared: int, scaled: int | Fraction) -> MemoryUsage:
    """Everything in pages."""
    return MemoryUsage(mapped * P, private * P, shared * P, Fraction(scaled) * P)


def map_vmo(vmar, vmo, pages: int, vmo_page: int = 0):
    status, mapping = vmar.create_vm_mapping(0, pages * P, 0, 0, vmo, vmo_page * P, RW)
    assert mapping is not None, status.name
    return mapping


def committed_vmo(system: System, pages: int, committed: int):
    _, vmo = system.create_vmo(pages * P)
    vmo.commit_range(0, committed * P)
    return vmo


# Address spaces.


def test_an_empty_space_uses_nothing(world) -> None:
    assert world.aspace.get_memory_usage() == (Status.ZX_OK, MemoryUsage())


def test_pages_count_once_they_are_there(world) -> None:
    vmo = committed_vmo(world.system, 8, 3)
    mapping = map_vmo(world.root, vmo, 4, vmo_page=1)
    assert world.aspace.get_memory_usage() == (Status.ZX_OK, usage(4, 2, 0, 0))
    vmo.commit_range(0, 8 * P)
    assert world.aspace.get_memory_usage() == (Status.ZX_OK, usage(4, 4, 0, 0))
    world.root.unmap(mapping.base, P)
    assert world.aspace.get_memory_usage() == (Status.ZX_OK, usage(3, 3, 0, 0))


def test_a_page_mapped_twice_in_one_space_is_private_and_counts_twice(world) -> None:
    vmo = committed_vmo(world.system, 2, 2)
    map_vmo(world.root, vmo, 2)
    map_vmo(world.vmar(64, 64), vmo, 1)
    assert world.aspace.get_memory_usage() == (Status.ZX_OK, usage(3, 3, 0, 0))


@pytest.mark.parametrize("spaces", [2, 3, 5])
def test_a_vmo_in_several_spaces_is_shared(spaces: int) -> None:
    system = System(aslr_disabled=True)
    vmo = committed_vmo(system, 2, 2)
    aspaces = [system.create_default_aspace() for _ in range(spaces)]
    for aspace in aspaces:
        map_vmo(aspace.root, vmo, 2)
    for aspace in aspaces:
        assert aspace.get_memory_usage() == (Status.ZX_OK, usage(2, 0, 2, Fraction(2, spaces)))


def test_copy_on_write_pages_are_shared_until_they_are_written(world) -> None:
    vmo = committed_vmo(world.system, 2, 2)
    _, clone = vmo.create_clone(CloneType.SNAPSHOT, 0, 2 * P)
    map_vmo(world.root, vmo, 2)
    assert world.aspace.get_memory_usage() == (Status.ZX_OK, usage(2, 0, 2, 1))
    clone.write(0, b"x")
    assert world.aspace.get_memory_usage()[1] == usage(2, 1, 1, Fraction(1, 2))
    # Shown twice elsewhere as well, even what is private to the VMO is shared.
    other = world.system.create_default_aspace()
    map_vmo(other.root, vmo, 2)
    assert world.aspace.get_memory_usage()[1] == usage(2, 0, 2, Fraction(3, 4))


def test_what_is_left_of_a_dead_tree_is_not_counted(world) -> None:
    map_vmo(world.root, committed_vmo(world.system, 1, 1), 1)
    world.root.destroy()
    assert world.aspace.get_memory_usage() == (Status.ZX_ERR_INTERNAL, MemoryUsage())
    world.aspace.destroy()
    assert world.aspace.get_memory_usage() == (Status.ZX_ERR_INTERNAL, None)


def test_asking_changes_nothing_and_holds_no_lock_meanwhile(world, monkeypatch) -> None:
    vmo = committed_vmo(world.system, 2, 2)
    mapping = map_vmo(world.root, vmo, 2)
    held: list[bool] = []
    ask = type(vmo).attributed_memory_in_range

    def asked(self, offset, size):
        held.append(world.aspace.lock().is_held())
        return ask(self, offset, size)

    monkeypatch.setattr(type(vmo), "attributed_memory_in_range", asked)
    before = list(world.root.descendants())
    world.aspace.get_memory_usage()
    assert held == [False] and list(world.root.descendants()) == before
    assert usage_of_mapping(mapping) == usage(2, 2, 0, 0)


def test_private_and_shared_add_up_to_what_is_there(world) -> None:
    system, vmos = world.system, [committed_vmo(world.system, 4, n) for n in range(1, 5)]
    other = system.create_default_aspace()
    map_vmo(other.root, vmos[1], 4)
    _, clone = vmos[2].create_clone(CloneType.SNAPSHOT, 0, 4 * P)
    clone.write(P, b"x")
    for vmo in [*vmos, clone]:
        map_vmo(world.root, vmo, 4)
    _, total = world.aspace.get_memory_usage()
    there = sum(vmo.attributed_memory().uncompressed for vmo in [*vmos, clone])
    assert total.private_bytes + total.shared_bytes == there
    assert 0 < total.scaled_shared_bytes < total.shared_bytes


# Regions.


def test_attribution_by_region(world) -> None:
    vmo, vmar = committed_vmo(world.system, 4, 3), world.vmar(64, 64)
    inner = map_vmo(vmar, vmo, 2)
    outer = map_vmo(world.root, vmo, 2, vmo_page=2)
    assert inner.get_attributed_memory().uncompressed == 2 * P
    assert outer.get_attributed_memory().uncompressed == P
    assert vmar.get_attributed_memory().private_uncompressed == 2 * P
    assert world.root.get_attributed_memory().total == 3 * P
    assert world.system.counters["vm.attributed_memory.mapping.queries"] == 5
    vmar.destroy()
    assert inner.get_attributed_memory().total == vmar.get_attributed_memory().total == 0
    assert world.system.counters["vm.attributed_memory.mapping.queries"] == 5


# Processes.


def start(process) -> None:
    """Let a thread of the process run, and go back."""
    thread = Thread(process.system, "t", process)
    process.normal_aspace().attach_to_thread(thread)
    process.system.switch_to(process.system.switch_to(thread))


def test_a_process_of_its_own(world) -> None:
    system = world.system
    _, process, root = create_process(system)
    map_vmo(root.dispatcher.vmar, committed_vmo(system, 4, 3), 4)
    status, stats = process.dispatcher.get_stats()
    assert status is Status.ZX_OK
    assert (stats.mapped_bytes, stats.private_bytes, stats.shared_bytes) == (4 * P, 3 * P, 0)
    assert process.dispatcher.get_attributed_memory().total == 0  # nothing of it runs yet
    start(process.dispatcher)
    assert process.dispatcher.get_attributed_memory().total == 3 * P
    process.dispatcher.kill()
    assert process.dispatcher.get_stats() == (Status.ZX_ERR_BAD_STATE, None)
    assert process.dispatcher.get_attributed_memory().total == 0


def test_what_a_group_shares_is_private_to_nobody() -> None:
    system = System(aslr_disabled=True)
    _, prototype, shared_root = create_process(system, shared=True)
    map_vmo(shared_root.dispatcher.vmar, committed_vmo(system, 3, 3), 3)
    stats = prototype.dispatcher.get_stats()[1]
    assert (stats.private_bytes, stats.shared_bytes, stats.scaled_shared_bytes) == (3 * P, 0, 0)
    _, kid, kid_root = create_shared_process(prototype)
    map_vmo(kid_root.dispatcher.vmar, committed_vmo(system, 2, 1), 2)
    stats = kid.dispatcher.get_stats()[1]
    assert (stats.mapped_bytes, stats.private_bytes) == (5 * P, P)
    assert (stats.shared_bytes, stats.scaled_shared_bytes) == (3 * P, 3 * P // 2)
    start(kid.dispatcher)
    assert kid.dispatcher.get_attributed_memory().total == 4 * P
    stats = prototype.dispatcher.get_stats()[1]
    assert (stats.mapped_bytes, stats.private_bytes, stats.shared_bytes) == (3 * P, 0, 3 * P)
    assert stats.scaled_shared_bytes == 3 * P // 2


def test_the_fraction_is_that_of_the_shareable_space() -> None:
    system = System(aslr_disabled=True)
    _, prototype, shared_root = create_process(system, shared=True)
    _, kid, _ = create_shared_process(prototype)
    vmo = committed_vmo(system, 1, 1)
    others = [system.create_default_aspace() for _ in range(2)]
    for vmar in (shared_root.dispatcher.vmar, *[aspace.root for aspace in others]):
        map_vmo(vmar, vmo, 1)
    stats = kid.dispatcher.get_stats()[1]
    # 4096 / 3 for the shared half, half of that for each process: 682 and two thirds.
    assert stats.scaled_shared_bytes == 682
    assert stats.fractional_scaled_shared_bytes == Fraction(1, 3)


def test_listings_have_byte_counts() -> None:
    system = System(aslr_disabled=True)
    _, process, root = create_process(system)
    vmo = committed_vmo(system, 4, 3)
    _, clone = vmo.create_clone(CloneType.SNAPSHOT, 0, 4 * P)
    clone.write(0, b"x")
    mapping = map_vmo(root.dispatcher.vmar, vmo, 4)
    root.dispatcher.vmar.protect(mapping.base + 2 * P, 2 * P, MmuFlag.PERM_READ)
    low, high = [entry for entry in process.dispatcher.maps()[1] if entry.kind is MapKind.MAPPING]
    assert (low.committed_bytes, low.populated_bytes, low.populated_private_bytes) == (2 * P, 2 * P, P)
    assert low.populated_scaled_bytes == Fraction(3, 2) * P
    assert (high.committed_bytes, high.populated_private_bytes) == (P, 0)
    assert high.populated_scaled_bytes == Fraction(1, 2) * P
