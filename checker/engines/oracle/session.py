"""A user whose translations the emulated CPU keeps: asked without a flush, invalidated by instructions.

Nothing here may load a root register or restore more than registers: both would make the CPU forget, or look as if it had.
"""

from __future__ import annotations

from vmaspace.checker.adapters.hardware import AccessKind
from vmaspace.checker.engines.oracle.machine import Machine, Space


class Session:
    """One address space on one emulated CPU, as long as nobody enters another."""

    def __init__(self, machine: Machine, space: Space) -> None:
        self._machine = machine
        self._cpu = machine.cpu
        self._root = space.root
        self._code = machine.invalidating_code(space)
        machine.enter(space, is_user=False)
        self._kernel = self._cpu.save()
        machine.enter(space, is_user=True)
        self._user = self._cpu.save()
        self.prepare()

    def prepare(self) -> None:
        """Map the code that invalidates, which is not in the tables as they were copied."""
        if self._code is not None and self._code.root_entry is not None:
            slot, entry = self._code.root_entry
            page = self._machine.arena.page_for(self._root)
            if page is not None:
                page.words[slot] = entry

    def forget(self) -> None:
        """Everything."""
        self._cpu.flush()

    def ask(self, va: int, kind: AccessKind) -> int | None:
        """Where the user gets, by what the CPU remembers or by the tables."""
        return self._cpu.translate(va, kind)

    def invalidate(self, va: int | None) -> None:
        """One page, by the instruction; None: everything."""
        code, cpu = self._code, self._cpu
        if va is None or code is None:
            cpu.flush()
            return
        cpu.restore(self._kernel)  # does not flush
        cpu.uc.reg_write(code.register, code.operand(va))
        cpu.run(code.start, code.end)
        cpu.restore(self._user)
