"""How many operations a second the reference model does.

    python benchmarks/model.py [seconds]

Each mix runs for about so many seconds of CPU time, on one address space with some hundred mappings; that includes the
VMO's pages and the page tables.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable

from vmaspace.model import cpu
from vmaspace.model.arch.aspace import NonTerminalAction, TerminalAction
from vmaspace.model.aspace import VmAspace
from vmaspace.model.constants import PAGE_SIZE
from vmaspace.model.flags import FaultFlag, MmuFlag
from vmaspace.model.mapping import VmMapping
from vmaspace.model.system import System
from vmaspace.model.vmo import VmObject

RWU = MmuFlag.PERM_READ | MmuFlag.PERM_WRITE | MmuFlag.PERM_USER
USER_WRITE = FaultFlag.WRITE | FaultFlag.USER
VMO_PAGES = 256
STANDING = 200  # mappings that are there all the time

Mix = Callable[[], int]  # runs once, and says how many operations that was


class World:
    """A user address space with mappings of one VMO all over it."""

    def __init__(self) -> None:
        self.system = System("x86_64")
        self.random = random.Random(1)
        aspace = self.system.create_default_aspace()
        vmo = self.system.create_vmo(VMO_PAGES * PAGE_SIZE)[1]
        assert aspace is not None and vmo is not None
        self.aspace: VmAspace = aspace
        self.vmo: VmObject = vmo
        self.standing = [self.map(4) for _ in range(STANDING)]

    def map(self, pages: int) -> VmMapping:
        root = self.aspace.root_vmar()
        assert root is not None
        offset = self.random.randrange(VMO_PAGES - pages) * PAGE_SIZE
        _, mapping = root.create_vm_mapping(0, pages * PAGE_SIZE, 0, 0, self.vmo, offset, RWU)
        assert mapping is not None
        return mapping

    def unmap(self, mapping: VmMapping) -> None:
        root = self.aspace.root_vmar()
        assert root is not None
        root.unmap(mapping.base, mapping.size)

    # The mixes.

    def map_fault_unmap(self) -> int:
        mapping = self.map(4)
        self.aspace.page_fault(mapping.base, USER_WRITE)
        self.unmap(mapping)
        return 3

    def page_faults(self) -> int:
        for mapping in self.standing:
            self.aspace.page_fault(mapping.base, USER_WRITE)
        return len(self.standing)

    def cpu_writes(self) -> int:
        for mapping in self.standing:
            cpu.write(self.aspace, mapping.base, b"x")
        return len(self.standing)

    def protections(self) -> int:
        mapping = self.random.choice(self.standing)
        root = self.aspace.root_vmar()
        assert root is not None
        root.protect(mapping.base, PAGE_SIZE, MmuFlag.PERM_READ | MmuFlag.PERM_USER)
        root.protect(mapping.base, PAGE_SIZE, RWU)
        return 2

    def harvests(self) -> int:
        """Each walks the page tables of the standing mappings: some hundred pages."""
        self.aspace.arch.accessed_since_check = True
        self.aspace.harvest_all_user_accessed_bits(
            self.system, NonTerminalAction.RETAIN, TerminalAction.UPDATE_AGE_AND_HARVEST
        )
        return 1

    def usage(self) -> int:
        self.aspace.get_memory_usage()
        return 1


def rate(mix: Mix, seconds: float) -> float:
    """Operations a second."""
    done, began = 0, time.process_time()
    while time.process_time() - began < seconds:
        done += mix()
    return done / (time.process_time() - began)


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 2.0
    world = World()
    for name, mix in (
        ("map, fault, unmap", world.map_fault_unmap),
        ("page faults", world.page_faults),
        ("writes by a CPU", world.cpu_writes),
        ("protections", world.protections),
        ("harvests", world.harvests),
        ("memory usage of all", world.usage),
    ):
        mix()
        print(f"{rate(mix, seconds):>12,.0f} a second  {name}")


if __name__ == "__main__":
    main()
