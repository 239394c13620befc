"""Names are bytes in a buffer: one rule for address spaces, VMARs, VMOs and threads."""

from collections.abc import Callable

import pytest

from tests.model.conftest import World
from vmaspace.model.constants import name_bytes, name_text
from vmaspace.model.object.thread import Thread
from vmaspace.model.system import System


def of_aspace(world: World, name: str) -> str:
    return world.system.create_default_aspace(0, name).name


def of_vmar(world: World, name: str) -> str:
    return world.root.create_sub_vmar(0, 0x1000, 0, 0, name)[1].name


def of_vmo(world: World, name: str) -> str:
    world.vmo.name = name
    return world.vmo.name


def of_reserved_space(world: World, name: str) -> str:
    assert world.root.reserve_space(name, world.root.base, 0x1000, 0) == 0
    return world.root.subregions.front().vmo.name


def of_device_memory(world: World, name: str) -> str:
    return world.system.physical_vmo_class.create(world.system, 0, 0x1000, name)[1].name


def of_thread(world: World, name: str) -> str:
    return Thread(world.system, name).name


@pytest.mark.parametrize("keep", [of_aspace, of_vmar, of_vmo, of_reserved_space, of_device_memory, of_thread])
@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("", b""),
        ("a" * 31, b"a" * 31),
        ("a" * 32, b"a" * 31),
        ("a\0b", b"a"),
        ("é" * 20, "é".encode() * 15 + b"\xc3"),
        ("n" * 30 + "€", b"n" * 30 + b"\xe2"),
        ("\ud800", b"\xed\xa0\x80"),
    ],
)
def test_what_is_kept_of_a_name(
    world, keep: Callable[[World, str], str], given: str, stored: bytes
) -> None:
    kept = keep(world, given)
    assert kept == name_text(stored) and name_bytes(kept) == stored
    assert keep(World(System(aslr_disabled=True)), kept) == kept  # what was cut stays what it was
