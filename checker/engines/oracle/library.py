"""The emulator's library: one emulated CPU, and the few calls that its Python binding leaves out.

`uc_vmem_translate` asks the emulated MMU for one address, with permissions, without any guest code. The state that
`uc_context_save` copies out holds what a fault left behind; where in it, is found by making faults that are known.

Not here: what is written into control registers; that is in the modules of the architectures.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from importlib import import_module
from typing import Any, Final

from vmaspace.checker.adapters.hardware import AccessKind
from vmaspace.checker.engines.oracle.arena import Arena

VERSION: Final = "2.1.4"  # the one whose deviations are known
WORD: Final = (1 << 64) - 1


class OracleMissing(Exception):
    """There is no emulator, or not the one that is known. The message says what to do."""


def unicorn() -> Any:
    """The package, of the version that is known.

    *Fails with:* `OracleMissing`.
    """
    try:
        package = import_module("unicorn")
    except ImportError:
        raise OracleMissing(
            "the hardware oracle needs the package unicorn: pip install 'vmaspace[oracle]'"
        ) from None
    if package.__version__ != VERSION:
        raise OracleMissing(
            f"the hardware oracle knows unicorn {VERSION}, and this is {package.__version__}: pip install 'vmaspace[oracle]'"
        )
    return package


class Cpu:
    """One emulated CPU, and the memory that it shares with us."""

    def __init__(
        self, arch: int, mode: int, arena: Arena, *, model: int | None = None, page_size: int = 0
    ) -> None:
        package = unicorn()
        self.const = import_module("unicorn.unicorn_const")
        self.error = package.UcError
        self.uc = package.Uc(arch, mode) if model is None else package.Uc(arch, mode, model)
        if page_size:
            self.uc.ctl_set_page_size(page_size)  # before anything else
        self.uc.ctl_set_tlb_mode(self.const.UC_TLB_CPU)
        self._library = import_module("unicorn.unicorn_py3.unicorn").uclib
        self._handle = self.uc._uch
        self._translate = self._library.uc_vmem_translate
        self._translate.restype = ctypes.c_int
        self._translate.argtypes = (
            ctypes.c_void_p,
            ctypes.c_uint64,
            ctypes.c_uint32,
            ctypes.POINTER(ctypes.c_uint64),
        )
        self._out = ctypes.c_uint64()
        self._out_at = ctypes.byref(self._out)
        self._flush = self.const.UC_CTL_IO_WRITE << 30 | self.const.UC_CTL_TLB_FLUSH
        self._prot = {
            AccessKind.READ: self.const.UC_PROT_READ,
            AccessKind.WRITE: self.const.UC_PROT_WRITE,
            AccessKind.EXECUTE: self.const.UC_PROT_EXEC,
        }
        self.arena = arena
        self.uc.mem_map_ptr(arena.base, arena.size, self.const.UC_PROT_ALL, arena.address)
        self._state = self.uc.context_save()
        address = ctypes.cast(self._state.context, ctypes.c_void_p).value
        assert address is not None
        self._state_bytes = (ctypes.c_ubyte * self._state.size).from_address(address)
        self._state_view = memoryview(self._state_bytes).cast("B")

    def flush(self) -> None:
        """Drop every translation that the CPU remembers."""
        self._library.uc_ctl(self._handle, self._flush)

    def translate(self, va: int, kind: AccessKind) -> int | None:
        """The physical address, or None for a refusal. What the CPU remembers counts; flush first for a fresh walk."""
        if self._translate(self._handle, va, self._prot[kind], self._out_at):
            return None
        return self._out.value

    def state(self) -> memoryview:
        """The bytes of the CPU's state as it is now; the next call overwrites them."""
        self._library.uc_context_save(self._handle, self._state.context)
        return self._state_view

    def save(self) -> Any:
        """The registers, to be restored. Restoring does not flush."""
        return self.uc.context_save()

    def restore(self, saved: Any) -> None:
        self._library.uc_context_restore(self._handle, saved.context)

    def run(self, start: int, end: int) -> None:
        """Run guest code from `start` until `end`. A fault ends it, silently: hooks tell of it."""
        try:
            self.uc.emu_start(start, end)
        except self.error:
            self.uc.emu_stop()


def place_of(samples: Iterable[tuple[bytes, int]], size: int) -> int:
    """Where in the state a number of `size` bytes stands, given states in which it is known.

    *Fails with:* `OracleMissing`, if that is not one place.
    """
    known = list(samples)
    length = len(known[0][0])
    places = [
        at
        for at in range(0, length - size + 1, 4)
        if all(int.from_bytes(state[at : at + size], "little") == value for state, value in known)
    ]
    if len(places) != 1:
        raise OracleMissing("the emulator's state is not laid out as it was known to be")
    return places[0]
