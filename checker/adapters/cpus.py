"""The CPUs of a model that is driven: which page tables they have loaded when an operation comes.

The contract does not speak of CPUs, so nothing here may change an answer. It decides what TLBs may hold. Which CPU
switches to what is read off the call that comes, not off a counter: a run that is made shorter keeps its switches.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from zlib import crc32

from vmaspace.model.aspace import VmAspace
from vmaspace.model.flags import AspaceType
from vmaspace.model.system import System

ONLINE_CPUS: Final = 3
_TO_KERNEL: Final = 8  # one switch in so many goes to the kernel's tables alone


class Cpus:
    """Lets the CPUs of a system run on its address spaces."""

    def __init__(self, system: System) -> None:
        self.system = system

    def switch(self, op: str, args: Mapping[str, int], aspaces: Sequence[VmAspace]) -> None:
        """Let a CPU, or none, go to other page tables before a call."""
        dice = crc32(f"{op} {sorted(args.items())}".encode())
        near = args.get("a")
        is_runnable = near is not None and 0 <= near < len(aspaces) and _can_run(aspaces[near])
        if op == "access" and near is not None and is_runnable:
            self._load(dice % ONLINE_CPUS, aspaces[near])  # who accesses a space is in it
            return
        dice, stays = divmod(dice, 2)
        if stays:
            return
        dice, number = divmod(dice, ONLINE_CPUS)
        dice, to_kernel = divmod(dice, _TO_KERNEL)
        # As the hash says, but in half of the cases the space that is about to change.
        dice, is_near = divmod(dice, 2)
        users = [aspace for aspace in aspaces if _can_run(aspace)]
        if is_near and near is not None and is_runnable:
            users = [aspaces[near]]
        chosen = None if to_kernel == 0 or not users else users[dice % len(users)]
        self._load(number, chosen)

    def leave(self, aspace: VmAspace) -> None:
        """No CPU runs on an address space that is about to be freed."""
        for cpu in self.system.tlb.cpus:
            if cpu.active is aspace.arch:
                self._load(cpu.number, None)

    def _load(self, number: int, aspace: VmAspace | None) -> None:
        cpu = self.system.tlb.cpus[number]
        new = None if aspace is None else aspace.arch
        if new is not cpu.active:
            self.system.arch_aspace_class.context_switch(number, cpu.active, new)


def _can_run(aspace: VmAspace) -> bool:
    return aspace.type is AspaceType.USER and not aspace.freed and aspace.arch.root is not None
