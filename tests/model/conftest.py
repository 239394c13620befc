"""A machine with first-fit placement, one user address space and one VMO."""

import pytest

from vmaspace.model.aspace import VmAspace
from vmaspace.model.flags import MmuFlag, VmarFlag
from vmaspace.model.mapping import VmMapping
from vmaspace.model.system import System
from vmaspace.model.vmar import VmAddressRegion
from vmaspace.model.vmo import VmObject

PAGE = 0x1000
RW = MmuFlag.PERM_READ | MmuFlag.PERM_WRITE


class World:
    """A system and shorthands: offsets and sizes in pages, relative to a VMAR (the root one unless given)."""

    def __init__(self, system: System) -> None:
        self.system = system
        aspace = system.create_default_aspace()
        assert aspace is not None and aspace.root is not None
        self.aspace: VmAspace = aspace
        self.root: VmAddressRegion = aspace.root
        self.vmo = self.make_vmo(0x100)

    def make_vmo(self, pages: int) -> VmObject:
        _, vmo = self.system.create_vmo(pages * PAGE)
        assert vmo is not None
        return vmo

    def map(
        self,
        page: int,
        pages: int,
        *,
        vmar: VmAddressRegion | None = None,
        vmo: VmObject | None = None,
        vmo_page: int = 0,
        mmu: int = RW,
        flags: int = VmarFlag.SPECIFIC,
    ) -> VmMapping:
        status, mapping = (vmar or self.root).create_vm_mapping(
            page * PAGE, pages * PAGE, 0, flags, vmo or self.vmo, vmo_page * PAGE, mmu
        )
        assert mapping is not None, status.name
        return mapping

    def vmar(
        self, page: int, pages: int, *, vmar: VmAddressRegion | None = None, flags: int = 0x78
    ) -> VmAddressRegion:
        status, child = (vmar or self.root).create_sub_vmar(
            page * PAGE, pages * PAGE, 0, flags | VmarFlag.SPECIFIC
        )
        assert child is not None, status.name
        return child

    def addr(self, page: int, vmar: VmAddressRegion | None = None) -> int:
        return (vmar or self.root).base + page * PAGE

    def children(self, vmar: VmAddressRegion | None = None) -> list[tuple[int, int]]:
        """The children of a VMAR as (page, pages)."""
        top = vmar or self.root
        return [((child.base - top.base) // PAGE, child.size // PAGE) for child in top.subregions]


@pytest.fixture
def world() -> World:
    return World(System(aslr_disabled=True))


@pytest.fixture
def make_world():
    """`make_world(switches=...)`, and any other argument of `System`."""
    return lambda cls=System, **settings: World(cls(**{"aslr_disabled": True, **settings}))
