"""The emulated arm64: registers from the outside, and a little guest code in the half that is not under test.

A refusal by `uc_vmem_translate` says nothing more. The fault status comes from `AT` and PAR_EL1 for reads and writes,
and from the syndrome of a jump that is really made for fetches.
"""

from __future__ import annotations

import struct
from importlib import import_module
from typing import Any, Final

from vmaspace.checker.adapters.hardware import AccessKind, Modes
from vmaspace.checker.engines.oracle.arena import Arena
from vmaspace.checker.engines.oracle.library import Cpu, place_of
from vmaspace.checker.engines.oracle.machine import PROBE_PADDR, PROBE_SIZE, Access, InvalidatingCode, Space

# CRn, CRm, op0, op1, op2.
_SCTLR, _TCR, _TTBR0, _TTBR1 = (1, 0, 3, 0, 0), (2, 0, 3, 0, 2), (2, 0, 3, 0, 0), (2, 0, 3, 0, 1)
_MAIR, _HCR, _SCR = (10, 2, 3, 0, 0), (1, 1, 3, 4, 0), (1, 1, 3, 6, 0)
_LONG_EL2, _LONG_EL3 = 1 << 31, 1 << 10 | 1  # without them EL1 counts as 32 bits wide
_GRANULES, _T1SZ, _TBI0 = 2 << 30, 16 << 16, 1 << 37
_IPS: Final = {32: 0, 36: 1, 40: 2, 42: 3, 44: 4, 48: 5}  # by the bits of a physical address
_MMU, _WXN, _RES1 = 1, 1 << 19, 0xC50838
_EL0, _EL1, _PAN = 0x3C0, 0x3C5, 1 << 22

_PROBE_SLOT: Final = 5
_PROBE_PAGE = _PROBE_SLOT << 39
_UPPER: Final = 0xFFFF << 48
_ISB, _NOP = 0xD5033FDF, 0xD503201F
_AT = {  # AT S1E0R, S1E0W, S1E1R, S1E1W of x1; then mrs xN, par_el1
    Access(AccessKind.READ, True): (0xD5087841, 2),
    Access(AccessKind.WRITE, True): (0xD5087861, 3),
    Access(AccessKind.READ, False): (0xD5087801, 4),
    Access(AccessKind.WRITE, False): (0xD5087821, 5),
}
_MRS_PAR: Final = 0xD5387400
_AT_CODE, _TLBI_CODE = 0, 0x200
_TLBI_ADDRESS: Final = (1 << 44) - 1
_TLBI_VAE1: Final = 0xD5088721  # tlbi vae1, x1


class Arm64:
    """See `machine.Machine`."""

    name = "arm64"

    def __init__(self, arena: Arena) -> None:
        self._const = import_module("unicorn.arm64_const")
        const = import_module("unicorn.unicorn_const")
        self.arena = arena
        # A page of the emulator's own is 1 KiB otherwise, and each of ours would be remembered in four parts.
        self.cpu = cpu = Cpu(
            const.UC_ARCH_ARM64, const.UC_MODE_ARM, arena, model=self._const.UC_CPU_ARM64_MAX, page_size=4096
        )
        uc = cpu.uc
        uc.mem_map(PROBE_PADDR, PROBE_SIZE)
        self._root, level1, level2, level3, code = (PROBE_PADDR + at * 0x1000 for at in range(5))
        for table, entry in (
            (self._root + _PROBE_SLOT * 8, level1 | 3),
            (level1, level2 | 3),
            (level2, level3 | 3),
            (level3, code | 0x403 | 1 << 7),  # read-only, the kernel's
        ):
            uc.mem_write(table, struct.pack("<Q", entry))
        words = [word for at, n in _AT.values() for word in (at, _ISB, _MRS_PAR | n)]
        self._at_length = 4 * len(words)
        uc.mem_write(code + _AT_CODE, struct.pack(f"<{len(words)}I", *words))
        uc.mem_write(code + _TLBI_CODE, struct.pack("<3I", _TLBI_VAE1, _ISB, _NOP))
        self._reset = cpu.save()
        self._saved: dict[tuple[Modes, bool, bool], Any] = {}
        self._syndromes: list[int] = []
        self._syndrome_at = 0
        self._states: list[bytes] = []
        uc.hook_add(const.UC_HOOK_INTR, self._interrupted)
        self._calibrate()

    def enter(self, space: Space, *, is_user: bool) -> None:
        key = space.modes, space.is_upper, is_user
        saved = self._saved.get(key)
        if saved is None:
            saved = self._saved[key] = self._prepared(*key)
        self.cpu.restore(saved)
        self._write(_TTBR1 if space.is_upper else _TTBR0, space.root)

    def probe(self, va: int, kind: AccessKind) -> tuple[int | None, int | None]:
        self.cpu.flush()
        return self.cpu.translate(va, kind), None

    def explain(self, space: Space, va: int, refused: list[Access]) -> dict[Access, int]:
        codes: dict[Access, int] = {}
        if any(access in _AT for access in refused):
            codes = self._ask_at(space, va)
        for access in refused:
            if access.kind is AccessKind.EXECUTE:
                status = self._jump(space, va, access.is_user)
                if status is not None:
                    codes[access] = status
        return codes

    def invalidating_code(self, space: Space) -> InvalidatingCode | None:
        start = self._code(space) + _TLBI_CODE
        return InvalidatingCode(
            start, start + 8, self._const.UC_ARM64_REG_X1, lambda va: va >> 12 & _TLBI_ADDRESS, None
        )

    def _ask_at(self, space: Space, va: int) -> dict[Access, int]:
        """The status of reads and writes by both privileges; those that are granted are left out."""
        self.enter(space, is_user=False)
        self.cpu.flush()
        uc, const = self.cpu.uc, self._const
        uc.reg_write(const.UC_ARM64_REG_X1, va)
        code = self._code(space) + _AT_CODE
        self.cpu.run(code, code + self._at_length)
        pars = {access: uc.reg_read(const.UC_ARM64_REG_X0 + n) for access, (_, n) in _AT.items()}
        return {access: par >> 1 & 0x3F for access, par in pars.items() if par & 1}

    def _jump(self, space: Space, va: int, is_user: bool) -> int | None:
        """The status of the fault that a jump to `va` ends in."""
        if va & 3:
            va &= ~3  # a misaligned jump is another fault
        self.enter(space, is_user=is_user)
        self.cpu.flush()
        self._syndromes.clear()
        self.cpu.run(va, va + 4)
        return self._syndromes[0] & 0x3F if self._syndromes else None

    def _interrupted(self, uc: Any, number: int, data: Any) -> None:
        state = self.cpu.state()
        at = self._syndrome_at
        if at:
            self._syndromes.append(int.from_bytes(state[at : at + 4], "little"))
        else:
            self._states.append(bytes(state))
        uc.emu_stop()

    @staticmethod
    def _code(space: Space) -> int:
        """Where the probe code is mapped: in the half that is not under test."""
        return _PROBE_PAGE if space.is_upper else _UPPER | _PROBE_PAGE

    def _prepared(self, modes: Modes, is_upper: bool, is_user: bool) -> Any:
        cpu = self.cpu
        cpu.restore(self._reset)
        self._write(_SCR, _LONG_EL3)
        self._write(_HCR, _LONG_EL2)
        self._write(_MAIR, 0xFF)
        tcr = (
            64 - modes.user_bits
            | _T1SZ
            | _GRANULES
            | _IPS[modes.physical_bits] << 32
            | (_TBI0 if modes.tbi else 0)
        )
        self._write(_TCR, tcr)
        self._write(_TTBR0 if is_upper else _TTBR1, self._root)
        state = (_EL0 if is_user else _EL1) | (_PAN if modes.pan else 0)
        cpu.uc.reg_write(self._const.UC_ARM64_REG_PSTATE, state)
        # A system register is written last: only that makes the new state count.
        self._write(_SCTLR, _RES1 | _MMU | (_WXN if modes.wxn else 0))
        return cpu.save()

    def _write(self, register: tuple[int, int, int, int, int], value: int) -> None:
        self.cpu.uc.reg_write(self._const.UC_ARM64_REG_CP_REG, (*register, value))

    def _calibrate(self) -> None:
        """Find the syndrome in the state, by fetches that are certain to fault: the tables are empty."""
        modes, root = Modes(), self.arena.base + self.arena.size - 0x1000
        samples = []
        for is_user, va in ((False, 0x1234_5678_9000), (True, 0x5678_9000), (False, 0x4000)):
            self.cpu.restore(self._prepared(modes, False, is_user))
            self._write(_TTBR0, root)
            self.cpu.flush()
            self._states.clear()
            self.cpu.run(va, va + 4)
            # An instruction abort: class 0x20 from below, 0x21 from the same level; 32-bit; translation fault of level 0.
            samples.append((self._states[0], (0x20 if is_user else 0x21) << 26 | 1 << 25 | 4))
        self._syndrome_at = place_of(samples, 4)
