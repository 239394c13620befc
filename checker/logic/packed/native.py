"""Machine code from a text of `machine`, kept in a cache: a second start with the same text compiles nothing.

The cache holds object files, named by a hash of the text, of LLVM's version and of this processor.
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


class Native:
    """The compiled functions of one text, callable from any thread without Python's lock."""

    def __init__(self, text: str, exported: Sequence[str], cache: Path | None = None) -> None:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        cpu, features = llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()
        machine = llvm.Target.from_default_triple().create_target_machine(
            cpu=cpu, features=features, opt=3, codemodel="jitdefault", jit=True
        )
        parts = (text, *exported, *PASSES, str(llvm.llvm_version_info), cpu, features)
        key = hashlib.sha256("\0".join(parts).encode())
        file = None if cache is None else cache / f"{key.hexdigest()[:32]}{SUFFIX}"
        code = _read(file)
        self.was_cached = code is not None
        if code is None:
            code = _compile(text, exported, machine)
            _write(file, code)
        empty = llvm.parse_assembly("")
        self._engine = llvm.create_mcjit_compiler(empty, machine)
        self._engine.add_object_file(llvm.ObjectFileRef.from_data(code))
        self._engine.finalize_object()

    def function(self, name: str, arguments: int) -> Any:
        """A function that takes so many words or addresses and gives a word."""
        kind = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * arguments)
        return kind(self._engine.get_function_address(name))


def _compile(text: str, exported: Sequence[str], machine: Any) -> bytes:
    module = llvm.parse_assembly(module_ir(text, frozenset(exported)))
    module.verify()
    passes = llvm.create_new_module_pass_manager()
    for name in PASSES[:FEW] if len(text) > LARGE else PASSES:
        getattr(passes, f"add_{name}_pass")()
    passes.run(module, llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options()))
    found: bytes = machine.emit_object(module)
    return found


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
