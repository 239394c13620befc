"""How values are written for a kernel engineer: hexadecimal addresses, half-open ranges, flags by letter.

Zircon's own dumps (`vm_address_region.cc`, `vm_mapping.cc`) are the taste; nothing here is parsed back.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
RIGHTS = ("read", "write", "execute")
LETTERS = {"read": "r", "write": "w", "execute": "x", "specific": "s", "user_access": "u", "user": "u"}
CEILINGS = "can_map_"                   # CAN_MAP_READ is written r, like the permission that it allows


def range_text(base: int, size: int) -> str:
    return f"[{base:#x}, {base + size:#x})"


def size_text(size: int) -> str:
    """In the largest unit that says it exactly; a size that is no whole number of pages stays hexadecimal."""
    if size == 0 or size % 4096:
        return f"{size:#x}"
    unit = 0
    while size % 1024 == 0 and unit < len(UNITS) - 1:
        size //= 1024
        unit += 1
    return f"{size} {UNITS[unit]}"


def flags_text(names: Iterable[str]) -> str:
    """`rw-` for read and write, `r-xs` with one of the further letters, `rw-+compact` with a flag that has none."""
    given = list(names)
    short = [name.removeprefix(CEILINGS) if name.startswith(CEILINGS) else name for name in given]
    # SPECIFIC is a flag of its own beside CAN_MAP_SPECIFIC: only the ceiling has a letter.
    lettered = {
        letter
        for name, letter in zip(given, short, strict=True)
        if letter in LETTERS and (letter != "specific" or name != letter)
    }
    text = "".join(LETTERS[right] if right in lettered else "-" for right in RIGHTS)
    text += "".join(sorted({LETTERS[name] for name in lettered if name not in RIGHTS}))
    return text + "".join(
        f"+{name}" for name, letter in zip(given, short, strict=True) if letter not in lettered
    )


def value_text(value: Any) -> str:
    """One JSON value of a trace; a set of flags by letters if it holds a right, else by names."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        if value and all(isinstance(item, list) for item in value):
            return ", ".join(f"{start}: {value_text(held)}" for start, held in value)
        if any(str(name).removeprefix(CEILINGS) in RIGHTS for name in value):
            return flags_text(str(name) for name in value)
        return "{" + ", ".join(str(name) for name in value) + "}"
    return str(value)


def arguments_text(arguments: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value_text(value)}" for name, value in arguments.items())


def natural(name: str) -> tuple[str, int, str]:
    """Sorts region10 after region9."""
    stem = name.rstrip("0123456789")
    digits = name[len(stem) :]
    return stem, int(digits or 0), name


def rights_text(rights: int, privileges: Sequence[str] = ("user", "kernel")) -> str:
    """`user r-x, kernel rw-`, of six bits: read, write and execute of the first, then of the second."""
    return ", ".join(
        f"{who} " + "".join(letter if rights >> 3 * place + bit & 1 else "-" for bit, letter in enumerate("rwx"))
        for place, who in enumerate(privileges)
    )
