"""The text of a dump, line by line."""

import pytest

from vmaspace.model.flags import MmuFlag, VmarFlag
from vmaspace.model.status import AssertionViolation
from vmaspace.model.system import System

P = 0x1000
RU = MmuFlag.PERM_READ | MmuFlag.PERM_USER
RWU = RU | MmuFlag.PERM_WRITE

# A tree with everything: a mapping with two protections, a VMAR with a mapping of the same VMO, an empty VMAR.
DUMP = """\
as 0xffff001122330000 [0x200000 0x7fffffffefff] sz 0x7fffffdff000 typ 0 ref 1 'demo' destroyed 0
  vmar 0xffff001122331000 [0x200000 0x7fffffffefff] sz 0x7fffffdff000 ref 1 state 1 'root' subregions 3
    map 0xffff001122332000 [0x200000 0x203fff] sz 0x4000 state 1 mergeable false
       [0x200000 0x201fff] mmufl 0xc
       [0x202000 0x203fff] mmufl 0x1c
      vmo 0xffff001122333000/k1025 off 0 bytes (8192/0) ref 1 'demo-vmo'
    vmar 0xffff001122334000 [0x400000 0x43ffff] sz 0x40000 ref 1 state 1 'useralloc' subregions 1
      map 0xffff001122335000 [0x400000 0x400fff] sz 0x1000 state 1 mergeable true
         [0x400000 0x400fff] mmufl 0xc
        vmo 0xffff001122333000/k1025 off 0x3000 bytes (0/0) ref 1 'demo-vmo'
    vmar 0xffff001122336000 [0x600000 0x600fff] sz 0x1000 ref 1 state 1 'useralloc' subregions 0"""


@pytest.fixture
def demo(world):
    world.aspace.rename("demo")
    vmo = world.make_vmo(8)
    vmo.name = "demo-vmo"
    vmo.commit_range(0, 2 * P)
    world.map(0, 4, vmo=vmo, mmu=RWU)
    world.root.protect(world.addr(0), 2 * P, RU)
    inner = world.map(0, 1, vmar=world.vmar(0x200, 0x40), vmo=vmo, vmo_page=3, mmu=RU)
    inner.mark_mergeable()
    world.vmar(0x400, 1)
    return world


def test_a_whole_tree(demo) -> None:
    assert demo.aspace.dump() == DUMP


def test_without_the_tree(demo) -> None:
    assert demo.aspace.dump(verbose=False) == DUMP.splitlines()[0]


def test_destroyed_and_unified_spaces_have_one_line(demo) -> None:
    system = demo.system
    demo.aspace.destroy()
    demo.aspace.add_ref()
    assert demo.aspace.dump() == DUMP.splitlines()[0].replace("ref 1", "ref 2").replace(
        "destroyed 0", "destroyed 1"
    )
    arch = system.arch
    restricted = system.create_aspace(
        arch.user_aspace_base, arch.user_restricted_aspace_size, share_opt=1, name="low"
    )
    shared = system.create_aspace(arch.shared_base, arch.shared_size, share_opt=2, name="high")
    unified = system.create_unified_aspace(shared, restricted)
    # Its last byte wraps.
    line = "as 0xffff001122330000 [0 0xffffffffffffffff] sz 0 typ 0 ref 1 'unified' destroyed 0"
    assert unified.dump() == line


def test_all_spaces_in_list_order() -> None:
    system = System()
    system.create_default_aspace(3, "guest")
    system.create_default_aspace(0, "user")
    lines = system.kernel_aspace.dump_all_aspaces(system, verbose=False).splitlines()
    assert [line.split("'")[1] for line in lines] == ["kernel", "guest", "user"]
    assert [line.split(" typ ")[1][0] for line in lines] == ["1", "3", "0"]
    assert len({line.split()[1] for line in lines}) == 3
    assert lines[0].startswith(
        "as 0xffff001122330000 [0xffffff8000000000 0xffffffffffffffff] sz 0x8000000000 "
    )


def test_a_dump_takes_both_locks(demo) -> None:
    with pytest.raises(AssertionViolation):
        demo.aspace.dump_locked()
    with demo.aspace.lock():
        with pytest.raises(AssertionViolation):
            demo.aspace.dump_locked()
        with pytest.raises(AssertionViolation):
            demo.aspace.dump()
    with demo.aspace.region_lock(), demo.aspace.lock():
        assert demo.aspace.dump_locked() == DUMP
    with demo.system.aspace_list_lock, pytest.raises(AssertionViolation):
        demo.aspace.dump_all_aspaces(demo.system)


def test_the_code_of_the_vdso_has_a_reference_more(world) -> None:
    vdso = world.system.vdso
    perms = MmuFlag.PERM_READ | MmuFlag.PERM_EXECUTE
    _, code = world.root.create_vm_mapping(
        0x10000, vdso.code_size, 0, VmarFlag.SPECIFIC, world.system.create_vdso_vmo(), vdso.code_start, perms
    )
    world.map(0, 1)
    assert world.aspace.vdso_code_mapping is code is not None
    # On the line of a VMO stands the mapping's count: the list of its parent holds it, and its address space.
    lines = [line for line in world.aspace.dump().splitlines() if line.lstrip().startswith("vmo")]
    assert [line.split(" ref ")[1].split()[0] for line in lines] == ["1", "2"]


def test_an_object_stays_on_its_line(world) -> None:
    world.aspace.rename("a\nb\x1b[2J\x7fé")
    assert world.aspace.dump(verbose=False).split("'")[1] == "a\\x0ab\\x1b[2J\\x7fé"
