"""Bytes as a step writes them down: a number with a length, text, or hexadecimal digits."""

from __future__ import annotations

import re
from typing import Final

from vmaspace.checker.engines.conformance.error import BadStep
from vmaspace.checker.engines.conformance.vocabulary import Check

_HEX: Final = re.compile(r"(?:[0-9a-fA-F]{2})*")
# A plain probe: one byte that is not what an untouched page holds.
PROBE: Final = 1


def payload(length: int | None, value: int | None, data: str | None, data_hex: str | None) -> bytes:
    """The bytes that a step writes. A value is little-endian, of `length` bytes or 1."""
    if sum(way is not None for way in (value, data, data_hex)) > 1:
        raise BadStep("what is written is given once", "write one of value, data and data_hex")
    if data is not None:
        return data.encode("utf-8")
    if data_hex is not None:
        if not _HEX.fullmatch(data_hex):
            raise BadStep(f"data_hex is pairs of hexadecimal digits, not {data_hex!r}")
        return bytes.fromhex(data_hex)
    size = 1 if length is None else length
    number = PROBE if value is None else value
    if number.bit_length() > 8 * size:
        raise BadStep(f"{number:#x} is more than {size} bytes")
    return number.to_bytes(size, "little")


def show_payload(read: bytes) -> dict[str, object]:
    """What can be asked about bytes that were read."""

    def all_bytes(expected: int) -> str | None:
        other = next((byte for byte in read if byte != expected), None)
        return None if other is None else f"a byte {other:#x}"

    check: Check = all_bytes
    return {
        "value": int.from_bytes(read, "little"),
        "data": read.decode("utf-8", "replace"),
        "data_hex": read.hex(),
        "all_bytes": check,
    }
