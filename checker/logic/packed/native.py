"""Machine code from a text of `machine`, kept in a cache: a second start with the same text compiles nothing.

Quick code is there much sooner and runs at two thirds of the speed; `improve` puts better code in its place.  The cache holds
object files, named by a hash of the text, of how it was compiled, of LLVM's version and of this processor.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from llvmlite import binding as llvm

from vmaspace.checker.logic.packed.machine import module_ir

SUFFIX = ".o"
# What pays for the time that it takes: LLVM's own pipelines take three to eight times as long, for code that is no faster.
PASSES = (
    "always_inliner", "sroa", "simplify_cfg", "instruction_combine", "simplify_cfg", "loop_rotate", "loop_unroll",
    "simplify_cfg", "instruction_combine", "new_gvn", "jump_threading", "simplify_cfg",
)  # fmt: skip
FEW = 5
LARGE = 120_000  # characters; only these few are then worth it
QUICK, BEST = 0, 3  # how much LLVM does for good instructions


class Native:
    """The compiled functions of one text, callable from any thread without Python's lock."""

    def __init__(self, text: str, exported: Sequence[str], cache: Path | None = None, is_quick: bool = False) -> None:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        self.text = text
        self.exported = exported
        self.cache = cache
        self._bitcode = b""
        self._engines: list[Any] = []  # functions of those before the last may still be called
        code = _read(self._file(BEST))
        self.is_best = code is not None or not is_quick
        if code is None and is_quick:
            code = _read(self._file(QUICK))
        self.was_cached = code is not None
        self._enter(code if code is not None else self._compile(BEST if self.is_best else QUICK))

    def improve(self) -> None:
        """Compile again, and better.  Functions that were asked for before do not change."""
        self._enter(self._compile(BEST))
        self.is_best, self._bitcode = True, b""

    def function(self, name: str, arguments: int) -> Any:
        """A function that takes so many words or addresses and gives a word."""
        kind = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * arguments)
        return kind(self._engines[-1].get_function_address(name))

    def _enter(self, code: bytes) -> None:
        engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _machine(BEST))
        engine.add_object_file(llvm.ObjectFileRef.from_data(code))
        engine.finalize_object()
        self._engines.append(engine)

    def _compile(self, level: int) -> bytes:
        module = llvm.parse_bitcode(self._bitcode) if self._bitcode else self._optimized(level)
        if level == QUICK:
            self._bitcode = module.as_bitcode()
        code: bytes = _machine(level).emit_object(module)
        _write(self._file(level), code)
        return code

    def _optimized(self, level: int) -> Any:
        module = llvm.parse_assembly(module_ir(self.text, frozenset(self.exported)))
        module.verify()
        passes = llvm.create_new_module_pass_manager()
        for name in PASSES[:FEW] if len(self.text) > LARGE else PASSES:
            getattr(passes, f"add_{name}_pass")()
        passes.run(module, llvm.create_pass_builder(_machine(level), llvm.create_pipeline_tuning_options()))
        return module

    def _file(self, level: int) -> Path | None:
        if self.cache is None:
            return None
        parts = (self.text, *self.exported, *PASSES, str(level), str(llvm.llvm_version_info), *_processor())
        name = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
        return self.cache / f"{name}{SUFFIX}"


def _processor() -> tuple[str, str]:
    return llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()


def _machine(level: int) -> Any:
    cpu, features = _processor()
    target = llvm.Target.from_default_triple()
    return target.create_target_machine(cpu=cpu, features=features, opt=level, codemodel="jitdefault", jit=True)


def _read(file: Path | None) -> bytes | None:
    try:
        return None if file is None else file.read_bytes() or None
    except OSError:
        return None


def _write(file: Path | None, code: bytes) -> None:
    """A cache that cannot be written is no reason to stop."""
    if file is None:
        return
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_name(f".{file.name}.{os.getpid()}")
        draft.write_bytes(code)
        draft.replace(file)
    except OSError:
        return
