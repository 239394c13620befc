"""Accesses to memory by a CPU, through page tables and faults.

A process runs on its unified address space, where each half resolves its own faults; in restricted mode only the
restricted half is there. An address space is accessed as a copy in the kernel would: without the USER flag.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from vmaspace.checker.engines.conformance.environment import Bound, Environment
from vmaspace.checker.engines.conformance.error import BadStep
from vmaspace.checker.engines.conformance.payload import PROBE, payload, show_payload
from vmaspace.checker.engines.conformance.vmo_operations import behind_handle
from vmaspace.checker.engines.conformance.vocabulary import (
    INTEGER,
    MAYBE_FLAGS,
    MAYBE_INTEGER,
    MAYBE_OBJECT,
    MAYBE_WORD,
    OBJECT,
    Answer,
    Argument,
    operation,
)
from vmaspace.model import cpu
from vmaspace.model.aspace import VmAspace
from vmaspace.model.constants import PAGE_MASK, PAGE_SIZE
from vmaspace.model.flags import Right
from vmaspace.model.object.dispatcher import lookup
from vmaspace.model.object.process import ProcessDispatcher
from vmaspace.model.status import ZX_ERR_OUT_OF_RANGE, ZX_OK, Status

_MODES: Final = ("normal", "restricted")


@dataclass(frozen=True, slots=True)
class _Memory:
    """What an access goes to: the address spaces of a process, or one of them."""

    process: ProcessDispatcher | None
    aspace: VmAspace | None

    @classmethod
    def of(
        cls, env: Environment, process: Bound | None, aspace: Bound | None, mode: str | None = None
    ) -> _Memory:
        if (process is None) == (aspace is None):
            raise BadStep("memory is of either a process or an aspace")
        if aspace is not None:
            return cls(None, env.aspace(aspace))
        status, dispatcher = lookup(env.handle(process or Bound(None)), ProcessDispatcher)
        if dispatcher is None:
            raise BadStep(f"the process has no memory: {status.name}")
        if mode not in (None, *_MODES):
            raise BadStep(f"mode is {' or '.join(_MODES)}, not {mode!r}")
        return cls(dispatcher, dispatcher.restricted_aspace if mode == "restricted" else None)

    def pieces(self, addr: int, size: int) -> Iterator[tuple[VmAspace, int, int]]:
        """The parts of a range, page by page, with the address space that resolves each one's faults."""
        end = addr + size
        while addr < end:
            stop = min(end, (addr & ~PAGE_MASK) + PAGE_SIZE)
            aspace = self.aspace
            if aspace is None and self.process is not None:
                aspace = self.process.aspace_at(self.process.system.arch.untagged(addr))
            if aspace is None:
                raise BadStep("the process has no restricted address space")
            yield aspace, addr, stop
            addr = stop

    def read(self, addr: int, size: int) -> tuple[Status, bytes]:
        """The bytes up to the first that can not be read."""
        data = b""
        for aspace, start, stop in self.pieces(addr, size):
            status, part = cpu.read(aspace, start, stop - start, is_user=self.process is not None)
            if status is not ZX_OK:
                return status, data
            data += part
        return ZX_OK, data

    def write(self, addr: int, data: bytes) -> tuple[Status, int]:
        """Write up to the first byte that can not be written; how many were."""
        for aspace, start, stop in self.pieces(addr, len(data)):
            part = data[start - addr : stop - addr]
            status = cpu.write(aspace, start, part, is_user=self.process is not None)
            if status is not ZX_OK:
                return status, start - addr
        return ZX_OK, len(data)


def _access(status: Status, observed: dict[str, object]) -> Answer:
    def fault(expected: str) -> str | None:
        if expected != "fatal_page_fault":
            raise BadStep(f"a fault is a fatal_page_fault, not {expected!r}")
        return "no fault" if status is ZX_OK else None

    return Answer(status.name, {**observed, "fault": fault})


_WHERE: Final[dict[str, Argument]] = {"process": MAYBE_OBJECT, "aspace": MAYBE_OBJECT}
_HOW: Final[dict[str, Argument]] = {"mode": MAYBE_WORD}
_LENGTH: Final[dict[str, Argument]] = {"size": MAYBE_INTEGER, "len": MAYBE_INTEGER}  # either name will do


def _length(size: int | None, len: int | None, default: int | None = None) -> int:
    """The number of bytes, however it is called."""
    if size is not None and len is not None:
        raise BadStep("a length is either size or len")
    given = len if size is None else size
    if given is None and default is None:
        raise BadStep("there is no argument 'size'")
    return given if given is not None else default or 0


@operation(
    "mem.read", "status value data data_hex all_bytes fault", addr=INTEGER, **_LENGTH, **_WHERE, **_HOW
)
def mem_read(
    env: Environment,
    addr: int,
    size: int | None = None,
    len: int | None = None,
    process: Bound | None = None,
    aspace: Bound | None = None,
    mode: str | None = None,
) -> Answer:
    """One access of a CPU."""
    memory = _Memory.of(env, process, aspace, mode)
    status, data = memory.read(addr, _length(size, len, 1))
    return _access(status, show_payload(data))


@operation(
    "mem.write",
    "status fault",
    addr=INTEGER,
    value=MAYBE_INTEGER,
    data=MAYBE_WORD,
    data_hex=MAYBE_WORD,
    **_LENGTH,
    **_WHERE,
    **_HOW,
)
def mem_write(
    env: Environment,
    addr: int,
    size: int | None = None,
    len: int | None = None,
    value: int | None = None,
    data: str | None = None,
    data_hex: str | None = None,
    process: Bound | None = None,
    aspace: Bound | None = None,
    mode: str | None = None,
) -> Answer:
    """One access of a CPU."""
    memory = _Memory.of(env, process, aspace, mode)
    status, _ = memory.write(addr, payload(len if size is None else size, value, data, data_hex))
    return _access(status, {})


@operation("mem.fill", "status fault", addr=INTEGER, value=MAYBE_INTEGER, **_LENGTH, **_WHERE, **_HOW)
def mem_fill(
    env: Environment,
    addr: int,
    size: int | None = None,
    len: int | None = None,
    value: int = PROBE,
    process: Bound | None = None,
    aspace: Bound | None = None,
    mode: str | None = None,
) -> Answer:
    """Write equal bytes."""
    memory = _Memory.of(env, process, aspace, mode)
    status, _ = memory.write(addr, bytes([value & 0xFF]) * _length(size, len))
    return _access(status, {})


def _pattern(size: int, seed: int) -> bytes:
    """Bytes that differ from their neighbours and from page to page."""
    return bytes((index * 7 + (index >> 12) * 13 + seed) & 0xFF for index in range(size))


@operation("mem.fill_verify", addr=INTEGER, **_LENGTH, **_WHERE, **_HOW)
def mem_fill_verify(
    env: Environment,
    addr: int,
    size: int | None = None,
    len: int | None = None,
    process: Bound | None = None,
    aspace: Bound | None = None,
    mode: str | None = None,
) -> Answer:
    """Write a pattern and read it back."""
    size = _length(size, len)
    memory = _Memory.of(env, process, aspace, mode)
    return _check_pattern(memory, addr, _pattern(size, addr & 0xFF), is_written=False)


@operation("mem.fill_pattern", addr=INTEGER, **_LENGTH, **_WHERE, **_HOW)
def mem_fill_pattern(
    env: Environment,
    addr: int,
    size: int | None = None,
    len: int | None = None,
    process: Bound | None = None,
    aspace: Bound | None = None,
    mode: str | None = None,
) -> Answer:
    """Write a pattern, and remember it."""
    size = _length(size, len)
    pattern = _pattern(size, 1)
    status, _ = _Memory.of(env, process, aspace, mode).write(addr, pattern)
    return Answer(status.name, bound={"": Bound(pattern, addr, size)})


@operation(
    "mem.check_pattern",
    addr=INTEGER,
    pattern=OBJECT,
    pattern_offset=MAYBE_INTEGER,
    **_LENGTH,
    **_WHERE,
    **_HOW,
)
def mem_check_pattern(
    env: Environment,
    addr: int,
    pattern: Bound,
    size: int | None = None,
    len: int | None = None,
    pattern_offset: int = 0,
    process: Bound | None = None,
    aspace: Bound | None = None,
    mode: str | None = None,
) -> Answer:
    """Read a remembered pattern, or a part of it."""
    if not isinstance(pattern.value, bytes):
        raise BadStep("expected what mem.fill_pattern bound")
    size = _length(size, len, max((pattern.size or 0) - pattern_offset, 0))
    wanted = pattern.value[pattern_offset : pattern_offset + size]
    if wanted.__len__() != size:
        raise BadStep(f"the pattern has {pattern.size} bytes")
    return _check_pattern(_Memory.of(env, process, aspace, mode), addr, wanted, is_written=True)


def _check_pattern(memory: _Memory, addr: int, wanted: bytes, is_written: bool) -> Answer:
    if not is_written:
        status, _ = memory.write(addr, wanted)
        if status is not ZX_OK:
            return Answer(status.name)
    status, data = memory.read(addr, len(wanted))
    if status is ZX_OK and data != wanted:
        index = next(i for i, (a, b) in enumerate(zip(data, wanted, strict=True)) if a != b)
        return Answer(mismatch=(f"{wanted[index]:#x} at {addr + index:#x}", f"{data[index]:#x}"))
    return Answer(status.name)


@operation("mem.cache_flush", "status fault", addr=INTEGER, flags=MAYBE_FLAGS, **_LENGTH, **_WHERE, **_HOW)
def mem_cache_flush(
    env: Environment,
    addr: int,
    size: int | None = None,
    len: int | None = None,
    flags: list[str] | None = None,
    process: Bound | None = None,
    aspace: Bound | None = None,
    mode: str | None = None,
) -> Answer:
    """Clean or invalidate caches, which is an access that reads."""
    status, _ = _Memory.of(env, process, aspace, mode).read(addr, _length(size, len, 1))
    return _access(status, {})


# Copies between a VMO and user memory.


def _user_memory(env: Environment, process: Bound | None, aspace: Bound | None, addr: int) -> VmAspace:
    """The address space that a user buffer lies in."""
    aspace_at, _, _ = next(_Memory.of(env, process, aspace).pieces(addr, 1))
    return aspace_at


@operation("vmo.read_to_user", "status actual", vmo=OBJECT, offset=INTEGER, len=INTEGER, addr=INTEGER, **_WHERE)
def vmo_read_to_user(
    env: Environment,
    vmo: Bound,
    offset: int,
    len: int,
    addr: int,
    process: Bound | None = None,
    aspace: Bound | None = None,
) -> Answer:
    """Copy out of a VMO into a buffer of the user."""
    status, object_ = behind_handle(env, vmo, Right.READ)
    if object_ is None:
        return Answer(status.name, {"actual": 0})
    status, data = object_.read(offset, len)
    if status is not ZX_OK:
        return Answer(status.name, {"actual": 0})
    target = _user_memory(env, process, aspace, addr)
    status = cpu.write(target, addr, data, is_user=False, is_copy=True)
    return Answer(status.name, {"actual": len if status is ZX_OK else 0})


@operation("vmo.write_from_user", "status actual", vmo=OBJECT, offset=INTEGER, len=INTEGER, addr=INTEGER, **_WHERE)
def vmo_write_from_user(
    env: Environment,
    vmo: Bound,
    offset: int,
    len: int,
    addr: int,
    process: Bound | None = None,
    aspace: Bound | None = None,
) -> Answer:
    """Copy from a buffer of the user into a VMO."""
    status, object_ = behind_handle(env, vmo, Right.WRITE)
    if object_ is None:
        return Answer(status.name, {"actual": 0})
    target = _user_memory(env, process, aspace, addr)
    if offset + len > object_.size:
        return Answer(ZX_ERR_OUT_OF_RANGE.name, {"actual": 0})
    status, data = cpu.read(target, addr, len, is_user=False, is_copy=True)
    if status is ZX_OK:
        status = object_.write(offset, data)
    return Answer(status.name, {"actual": 0 if status is not ZX_OK else len})
