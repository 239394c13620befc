"""The emulated riscv64: satp and the privilege from the outside. Which fault it is follows from the access."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

from vmaspace.checker.adapters.hardware import AccessKind, Modes
from vmaspace.checker.engines.oracle.arena import Arena
from vmaspace.checker.engines.oracle.library import Cpu
from vmaspace.checker.engines.oracle.machine import Access, InvalidatingCode, Space

_SUM, _MXR = 1 << 18, 1 << 19
_MODE_OF: Final = {39: 8, 48: 9}
_USER, _SUPERVISOR, _MACHINE = 0, 1, 3


class Riscv64:
    """See `machine.Machine`."""

    name = "riscv64"

    def __init__(self, arena: Arena) -> None:
        self._const = import_module("unicorn.riscv_const")
        const = import_module("unicorn.unicorn_const")
        self.arena = arena
        self.cpu = Cpu(const.UC_ARCH_RISCV, const.UC_MODE_RISCV64, arena)
        self._reset = self.cpu.save()
        self._saved: dict[Modes, Any] = {}

    def enter(self, space: Space, *, is_user: bool) -> None:
        uc, const = self.cpu.uc, self._const
        saved = self._saved.get(space.modes)
        if saved is None:
            self.cpu.restore(self._reset)
            uc.reg_write(const.UC_RISCV_REG_PRIV, _MACHINE)
            status = (_SUM if space.modes.sum else 0) | (_MXR if space.modes.mxr else 0)
            uc.reg_write(const.UC_RISCV_REG_MSTATUS, status)
            saved = self._saved[space.modes] = self.cpu.save()
        self.cpu.restore(saved)
        uc.reg_write(const.UC_RISCV_REG_SATP, _MODE_OF[space.mmu.regime.width] << 60 | space.root >> 12)
        # Last: a supervisor's registers cannot be reached from below.
        uc.reg_write(const.UC_RISCV_REG_PRIV, _USER if is_user else _SUPERVISOR)

    def probe(self, va: int, kind: AccessKind) -> tuple[int | None, int | None]:
        self.cpu.flush()
        return self.cpu.translate(va, kind), None

    def explain(self, space: Space, va: int, refused: list[Access]) -> dict[Access, int]:
        return {}

    def invalidating_code(self, space: Space) -> InvalidatingCode | None:
        return None
