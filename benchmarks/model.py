"""How many operations a second the reference model does.

    python benchmarks/model.py [seconds]

Each mix runs for about so many seconds of CPU time, on one address space with some hundred mappings; that includes the
VMO's pages and the page tables. The second figure is for machines that are busy, or others: how many calls of a Python
method that does nearly nothing take as long as one operation, both measured in turn, slice by slice.
"""

from __future__ import annotations

import random
import signal
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
SLICE = 0.002  # seconds
CALLS = 1000  # of the yardstick, between two looks at the clock

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


class Yardstick:
    """What a Python method costs here."""

    def __init__(self) -> None:
        self.number = 0

    def step(self, by: int) -> None:
        self.number += by

    def calls(self) -> int:
        for _ in range(CALLS):
            self.step(1)
        return CALLS


class Clock:
    """How long a mix took, in slices."""

    def __init__(self, mix: Mix) -> None:
        self.mix = mix
        self.done = 0
        self.seconds = 0.0

    def run(self) -> None:
        """One slice."""
        began = now = time.process_time()
        while now - began < SLICE:
            self.done += self.mix()
            now = time.process_time()
        self.seconds += now - began


def measured(mix: Mix, seconds: float) -> tuple[float, float]:
    """Operations a second, and how many plain calls one of them takes."""
    mixed, plain = Clock(mix), Clock(Yardstick().calls)
    while mixed.seconds < seconds:
        mixed.run()
        plain.run()
    return mixed.done / mixed.seconds, mixed.seconds / mixed.done * plain.done / plain.seconds


def main() -> None:
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # who reads the first lines only, as `head` does, ends this quietly
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
        rate, calls = measured(mix, seconds)
        print(f"{rate:>12,.0f} a second {calls:>9,.0f} calls each  {name}")


if __name__ == "__main__":
    main()
