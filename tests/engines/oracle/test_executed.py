"""The quick way to ask the emulator answers what real instructions meet: loads and stores that are really made.

The word that an address leads to is made to hold its own address, so that a load tells where it came from.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from random import Random
from typing import Any

import pytest

pytest.importorskip("unicorn", reason="needs the package unicorn: pip install 'vmaspace[oracle]'")

from vmaspace.checker.adapters.hardware import AccessKind, Modes, mmu_for
from vmaspace.checker.engines.oracle.chain import EVERYTHING, KERNELS, Chain
from vmaspace.checker.engines.oracle.machine import PROBE_PADDR, Machine, Space
from vmaspace.checker.engines.oracle.matrix import MODES, TABLES_OF

Machines = Callable[[str], Machine]
COUNT = 300
MPRV, MPP_SUPERVISOR = 1 << 17, 1 << 11
RISCV64_CODE = struct.pack("<2I", 0x0005B503, 0x00A5B023)  # ld a0, 0(a1); sd a0, 0(a1)
X86_LOAD, X86_STORE = bytes.fromhex("488b07f4"), bytes.fromhex("488907f4")  # mov rax, [rdi]; mov [rdi], rax; hlt


class Walks:
    """One address, whose entries are changed by one bit at a time."""

    def __init__(self, machine: Machine, modes: Modes) -> None:
        regime = TABLES_OF[machine.name][0]
        self.chain = Chain(machine.arena, regime)
        page = machine.arena.new_page()
        self._arena = machine.arena
        self.space: Space = self.chain.space(mmu_for(regime, modes), modes)
        self.va = self.chain.va
        self._leaves = [regime.leaf(page.paddr, flags, 0) for flags in (EVERYTHING, KERNELS)]

    def mark(self, paddr: int | None) -> None:
        """Let the word at an address say where it is."""
        page = None if paddr is None else self._arena.page_for(paddr)
        if paddr is not None and page is not None:
            page.words[(paddr & 0xFFF) // 8] = paddr

    def changes(self) -> Iterator[dict[int, int]]:
        random = Random(COUNT)
        for _ in range(COUNT):
            entries = {**self.chain.path(0, EVERYTHING), 0: random.choice(self._leaves)}
            entries[random.randrange(len(entries))] ^= 1 << random.choice((0, 1, 2, 3, 4, 6, 7, 10, 53, 54, 61, 63))
            yield entries


@contextmanager
def interrupts(machine: Machine) -> Iterator[list[int]]:
    """What the emulated CPU is interrupted by; a run ends there."""
    seen: list[int] = []

    def interrupted(uc: Any, number: int, data: Any) -> None:
        seen.append(number)
        uc.emu_stop()

    hook = machine.cpu.uc.hook_add(import_module("unicorn.unicorn_const").UC_HOOK_INTR, interrupted)
    yield seen
    machine.cpu.uc.hook_del(hook)


def test_riscv64_loads_and_stores_and_their_causes(machine: Machines) -> None:
    """Machine mode accesses memory as another privilege does (MPRV), so that its code needs no mapping."""
    made = machine("riscv64")
    uc, const = made.cpu.uc, import_module("unicorn.riscv_const")
    uc.mem_map(PROBE_PADDR, 0x1000)
    uc.mem_write(PROBE_PADDR, RISCV64_CODE)
    walks = Walks(made, MODES["riscv64"][0])
    granted = refused = 0
    with interrupts(made) as causes:
        for entries in walks.changes():
            for is_user in (False, True):
                for kind, code, cause in ((AccessKind.READ, 0, 13), (AccessKind.WRITE, 4, 15)):
                    walks.chain.put(entries)
                    made.enter(walks.space, is_user=is_user)
                    paddr, _ = made.probe(walks.va, kind)
                    walks.chain.put(entries)
                    walks.mark(paddr)
                    made.enter(walks.space, is_user=False)
                    uc.reg_write(const.UC_RISCV_REG_PRIV, 3)
                    uc.reg_write(const.UC_RISCV_REG_MSTATUS, MPRV | (0 if is_user else MPP_SUPERVISOR))
                    uc.reg_write(const.UC_RISCV_REG_A1, walks.va)
                    uc.reg_write(const.UC_RISCV_REG_A0, paddr or 0)  # a store leaves the word as it is
                    made.cpu.flush()
                    causes.clear()
                    made.cpu.run(PROBE_PADDR + code, PROBE_PADDR + code + 4)
                    if paddr is None:
                        refused += 1
                        assert causes == [cause]
                    else:
                        granted += 1
                        assert not causes and uc.reg_read(const.UC_RISCV_REG_A0) == paddr
    uc.mem_unmap(PROBE_PADDR, 0x1000)
    assert granted > COUNT / 2 and refused > COUNT / 2


def test_x86_loads_and_stores_of_the_kernel(machine: Machines) -> None:
    made = machine("x86_64")
    uc, const = made.cpu.uc, import_module("unicorn.x86_const")
    walks = Walks(made, replace(MODES["x86_64"][0], ac=True))
    code = made.invalidating_code(walks.space)
    assert code is not None and code.root_entry is not None
    slot, entry = code.root_entry
    root = made.arena.page_for(walks.space.root)
    assert root is not None
    root.words[slot] = entry
    uc.mem_write(PROBE_PADDR + 0x3200, X86_LOAD)
    uc.mem_write(PROBE_PADDR + 0x3300, X86_STORE)
    granted = refused = 0
    with interrupts(made) as vectors:
        for entries in walks.changes():
            for kind, at in ((AccessKind.READ, 0x200), (AccessKind.WRITE, 0x300)):
                walks.chain.put(entries)
                made.enter(walks.space, is_user=False)
                paddr, _ = made.probe(walks.va, kind)
                walks.chain.put(entries)
                walks.mark(paddr)
                made.enter(walks.space, is_user=False)
                uc.reg_write(const.UC_X86_REG_RDI, walks.va)
                uc.reg_write(const.UC_X86_REG_RAX, paddr or 0)
                made.cpu.flush()
                vectors.clear()
                made.cpu.run(code.start + at, 0)
                if paddr is None:
                    refused += 1
                    assert vectors == [14]
                else:
                    granted += 1
                    assert not vectors and uc.reg_read(const.UC_X86_REG_RAX) == paddr
    assert granted > COUNT / 4 and refused > COUNT / 4
