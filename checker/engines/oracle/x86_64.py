"""The emulated x86-64: control registers from the outside, privilege by `sysret`, faults from CR2 and the error code."""

from __future__ import annotations

import struct
from importlib import import_module
from typing import Any, Final

from vmaspace.checker.adapters.hardware import AccessKind, Modes
from vmaspace.checker.engines.oracle.arena import Arena
from vmaspace.checker.engines.oracle.library import Cpu, place_of
from vmaspace.checker.engines.oracle.machine import (
    GENERAL_PROTECTION,
    PROBE_PADDR,
    PROBE_SIZE,
    Access,
    InvalidatingCode,
    Space,
)

_EFER: Final = 0xC0000080
_STAR: Final = 0xC0000081
_SYSTEM_CALLS, _LONG_MODE, _NXE = 1 << 0, 0x500, 1 << 11
_PAE, _SMEP, _SMAP = 1 << 5, 1 << 20, 1 << 21
_PAGING, _WP = 0x80000011, 1 << 16
_AC: Final = 1 << 18
_SLOT: Final = 509  # of the root, where the code for `invlpg` is mapped
_CODE: Final = (_SLOT << 39 | 0xFFFF << 48) & (1 << 64) - 1
_SYSRET, _INVLPG = bytes.fromhex("480f07"), bytes.fromhex("0f013ff4")


class X86:
    """See `machine.Machine`."""

    name = "x86_64"

    def __init__(self, arena: Arena) -> None:
        self._const = import_module("unicorn.x86_const")
        const = import_module("unicorn.unicorn_const")
        model = self._const.UC_CPU_X86_SKYLAKE_CLIENT  # one with SMAP
        self.arena = arena
        self.cpu = cpu = Cpu(const.UC_ARCH_X86, const.UC_MODE_64, arena, model=model)
        uc = cpu.uc
        uc.mem_map(PROBE_PADDR, PROBE_SIZE)
        pdpt, pd, pt, code = (PROBE_PADDR + at * 0x1000 for at in range(4))
        for table, entry in ((pdpt, pd | 0x27), (pd, pt | 0x27), (pt, code | 0x21)):
            uc.mem_write(table, struct.pack("<Q", entry))
        uc.mem_write(code, _INVLPG)
        uc.mem_write(code + 0x100, _SYSRET)
        self._probe_entry = pdpt | 0x27
        self._saved: dict[tuple[Modes, bool], Any] = {}
        self._reset = cpu.save()
        self._error_at = self._address_at = 0
        self._calibrate(code)

    def enter(self, space: Space, *, is_user: bool) -> None:
        key = space.modes, is_user
        saved = self._saved.get(key)
        if saved is None:
            saved = self._saved[key] = self._prepared(space.modes, is_user)
        self.cpu.restore(saved)
        self.cpu.uc.reg_write(self._const.UC_X86_REG_CR3, space.root)

    def probe(self, va: int, kind: AccessKind) -> tuple[int | None, int | None]:
        cpu = self.cpu
        cpu.flush()
        paddr = cpu.translate(va, kind)
        if paddr is not None:
            return paddr, None
        state = cpu.state()
        at = self._address_at
        if int.from_bytes(state[at : at + 8], "little") != va:
            return None, GENERAL_PROTECTION  # which leaves CR2 alone
        return None, int.from_bytes(state[self._error_at : self._error_at + 4], "little")

    def explain(self, space: Space, va: int, refused: list[Access]) -> dict[Access, int]:
        return {}

    def invalidating_code(self, space: Space) -> InvalidatingCode | None:
        register = self._const.UC_X86_REG_RDI
        return InvalidatingCode(_CODE, 0, register, lambda va: va, (_SLOT, self._probe_entry))

    def _prepared(self, modes: Modes, is_user: bool) -> Any:
        """Paging on, last: EFER, the privilege while paging is off, CR4, CR0."""
        const, cpu = self._const, self.cpu
        uc = cpu.uc
        cpu.restore(self._reset)
        efer = _LONG_MODE | (_NXE if modes.nxe else 0)
        if is_user:
            uc.reg_write(const.UC_X86_REG_MSR, (_EFER, efer | _SYSTEM_CALLS))
            uc.reg_write(const.UC_X86_REG_MSR, (_STAR, 0x13 << 48 | 0x08 << 32))
            uc.reg_write(const.UC_X86_REG_RCX, 8)
            uc.reg_write(const.UC_X86_REG_R11, 2)
            cpu.run(PROBE_PADDR + 0x3100, 8)
        uc.reg_write(const.UC_X86_REG_MSR, (_EFER, efer))
        flags = uc.reg_read(const.UC_X86_REG_EFLAGS) & ~_AC
        uc.reg_write(const.UC_X86_REG_EFLAGS, flags | (_AC if modes.ac else 0))
        uc.reg_write(const.UC_X86_REG_CR4, _PAE | (_SMEP if modes.smep else 0) | (_SMAP if modes.smap else 0))
        uc.reg_write(const.UC_X86_REG_CR0, _PAGING | (_WP if modes.wp else 0))
        return cpu.save()

    def _calibrate(self, unused: int) -> None:
        """Find CR2 and the error code in the state, by faults that are certain: the tables are empty."""
        cpu, errors, addresses = self.cpu, [], []
        root = self.arena.base + self.arena.size - 0x1000
        for is_user, kind, error in (
            (False, AccessKind.READ, 0),
            (False, AccessKind.WRITE, 2),
            (True, AccessKind.READ, 4),
            (True, AccessKind.WRITE, 6),
            (True, AccessKind.EXECUTE, 20),
        ):
            cpu.restore(self._prepared(Modes(), is_user))
            cpu.uc.reg_write(self._const.UC_X86_REG_CR3, root)
            va = 0x1234_5678_9000 + error
            cpu.translate(va, kind)
            state = bytes(cpu.state())
            errors.append((state, error))
            addresses.append((state, va))
        self._error_at, self._address_at = place_of(errors, 4), place_of(addresses, 8)
