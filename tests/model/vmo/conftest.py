"""A machine, and stand-ins for mappings that write down what their VMO tells them."""

import pytest

from vmaspace.model.system import System
from vmaspace.model.vmo import RangeChangeOp, VmObjectPaged

P = 0x1000


class Listener:
    """What a VMO sees of a mapping: the address space and the three calls."""

    def __init__(self, aspace: object = None) -> None:
        self.aspace = aspace
        self.heard: list[tuple[RangeChangeOp, int, int]] = []  # (what, first page, pages)

    def aspace_unmap_locked_object(self, offset: int, size: int, option: RangeChangeOp) -> None:
        self.heard.append((option, offset // P, size // P))

    def aspace_remove_write_locked_object(self, offset: int, size: int) -> None:
        self.heard.append((RangeChangeOp.REMOVE_WRITE, offset // P, size // P))

    def aspace_debug_unpin_locked_object(self, offset: int, size: int) -> None:
        self.heard.append((RangeChangeOp.DEBUG_UNPIN, offset // P, size // P))


@pytest.fixture
def system() -> System:
    return System()


@pytest.fixture
def make(system):
    """`make(pages, ...)`: a VMO of so many pages."""

    def create(pages: int, **settings) -> VmObjectPaged:
        status, vmo = system.create_vmo(pages * P, **settings)
        assert vmo is not None, status.name
        return vmo

    return create


@pytest.fixture
def listen():
    """`listen(vmo)`: a stand-in for a mapping of the whole VMO."""

    def register(vmo: VmObjectPaged, aspace: object = None) -> Listener:
        listener = Listener(aspace)
        with vmo.lock:
            vmo.add_mapping(listener)
        return listener

    return register
