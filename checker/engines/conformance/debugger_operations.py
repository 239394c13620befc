"""Accesses to a process's memory by a debugger, which go by way of the mapped VMOs."""

from __future__ import annotations

from collections.abc import Iterator

from vmaspace.checker.engines.conformance.environment import Bound, Environment
from vmaspace.checker.engines.conformance.payload import payload, show_payload
from vmaspace.checker.engines.conformance.vocabulary import (
    INTEGER,
    MAYBE_INTEGER,
    MAYBE_WORD,
    OBJECT,
    Answer,
    operation,
)
from vmaspace.model.flags import Right
from vmaspace.model.mapping import VmMapping
from vmaspace.model.object.dispatcher import lookup
from vmaspace.model.object.process import ProcessDispatcher
from vmaspace.model.status import ZX_ERR_BAD_STATE, ZX_ERR_NOT_FOUND, ZX_ERR_OUT_OF_RANGE, ZX_OK, Status


def _mapping_at(dispatcher: ProcessDispatcher, addr: int) -> VmMapping | None:
    found = dispatcher.aspace_at(addr).find_region(addr)
    return found if isinstance(found, VmMapping) else None


def _debugger_pieces(dispatcher: ProcessDispatcher, addr: int, size: int) -> Iterator[tuple[VmMapping, int, int]]:
    """The mappings behind a range up to the first gap: (mapping, offset in its VMO, bytes)."""
    end = addr + size
    while addr < end:
        mapping = _mapping_at(dispatcher, addr)
        if mapping is None:
            return
        stop = min(end, mapping.end)
        yield mapping, mapping.object_offset + (addr - mapping.base), stop - addr
        addr = stop


def _debugged(env: Environment, process: Bound, right: Right) -> tuple[Status, ProcessDispatcher | None]:
    status, dispatcher = lookup(env.handle(process), ProcessDispatcher, right)
    if dispatcher is not None and dispatcher.is_dead:
        return ZX_ERR_BAD_STATE, None
    return status, dispatcher


def _there(mapping: VmMapping, offset: int, size: int) -> int:
    """How many of `size` bytes the VMO has from `offset` on."""
    return 0 if mapping.vmo is None else min(size, max(mapping.vmo.size - offset, 0))


def _read_what_is_there(mapping: VmMapping, offset: int, size: int) -> tuple[Status, bytes]:
    there = _there(mapping, offset, size)
    if mapping.vmo is None or not there:
        return ZX_ERR_OUT_OF_RANGE, b""
    return mapping.vmo.read(offset, there)


@operation(
    "process.read_memory",
    "status actual value data data_hex all_bytes if_ok_data_not",
    process=OBJECT,
    addr=INTEGER,
    len=INTEGER,
)
def process_read_memory(env: Environment, process: Bound, addr: int, len: int) -> Answer:
    """Read as a debugger does: less than asked for when a gap follows."""
    status, dispatcher = _debugged(env, process, Right.READ)
    if dispatcher is None:
        return Answer(status.name)
    data = b""
    status = ZX_ERR_NOT_FOUND
    for mapping, offset, size in _debugger_pieces(dispatcher, addr, len):
        status, part = _read_what_is_there(mapping, offset, size)
        data += part
        if status is not ZX_OK or part.__len__() < size:
            break
    if data:
        status = ZX_OK

    def differs(expected: str) -> str | None:
        return "the same bytes" if status is ZX_OK and data == expected.encode("utf-8") else None

    return Answer(
        status.name, {**show_payload(data), "actual": data.__len__(), "if_ok_data_not": differs}
    )


@operation(
    "process.write_memory",
    "status actual",
    process=OBJECT,
    addr=INTEGER,
    len=MAYBE_INTEGER,
    value=MAYBE_INTEGER,
    data=MAYBE_WORD,
    data_hex=MAYBE_WORD,
)
def process_write_memory(
    env: Environment,
    process: Bound,
    addr: int,
    len: int | None = None,
    value: int | None = None,
    data: str | None = None,
    data_hex: str | None = None,
) -> Answer:
    """Write as a debugger does, after the mapping was made writable if need be."""
    status, dispatcher = _debugged(env, process, Right.WRITE)
    if dispatcher is None:
        return Answer(status.name)
    written, bytes_ = 0, payload(len, value, data, data_hex)
    status = ZX_ERR_NOT_FOUND
    for mapping, _, size in _debugger_pieces(dispatcher, addr, bytes_.__len__()):
        status, forced = mapping.force_writable()
        if forced is not None and forced.vmo is not None:
            offset = forced.object_offset + (addr + written - forced.base)
            there = _there(forced, offset, size)
            status = ZX_ERR_OUT_OF_RANGE
            if there:
                status = forced.vmo.write(offset, bytes_[written : written + there])
        if status is not ZX_OK:
            break
        written += there
        if there < size:
            break
    return Answer((ZX_OK if written else status).name, {"actual": written})
