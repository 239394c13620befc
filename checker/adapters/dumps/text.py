"""The lines of a dump: which lines of a log are lines of one, and what stands in them.

The layout is that of `VmAspace::DumpLocked` and its like (`zircon/kernel/vm/vm_aspace.cc`, `vm_address_region.cc`,
`vm_mapping.cc`). Other people's lines are passed over. A line that begins like one of a dump has to go on like one, and one
that goes on like that has to begin so: what is damaged is refused, and never left out in silence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_PREFIX: Final = re.compile(r"\[\d+\.\d+\] \d+[:.]\d+> ?")
_START: Final = re.compile(r"(?P<indent> *)(?P<kind>as|vmar|map|vmo)(?=[ \t]+(?:0x|\[))")
_RANGE: Final = re.compile(r"(?P<indent> *)(?=\[[^\]]*\] mmufl)")
# What only a line of a dump holds, wherever it begins.
_INSIDE: Final = re.compile(r"\[(?:0x[0-9a-f]+|0) (?:0x[0-9a-f]+|0)\] +(?:sz|mmufl)\b|/k[0-9]+ +off\b")
_ESCAPE: Final = re.compile(r"\\x([01][0-9a-f]|7f|[89a-f][0-9a-f])")
_WORD_LIMIT: Final = 1 << 64
_BYTE_ORDER_MARK: Final = "\ufeff"
_BLANKS: Final = " \t\r"
_SHOWN: Final = 24  # characters of what is wrong


class DumpError(Exception):
    """A dump that can not be read: the place, what was expected there, and what to do."""

    def __init__(self, file: str, line: int, column: int, message: str, hint: str) -> None:
        place = f"{file}:{line}:{column}" if line else file
        super().__init__(f"{place}: {message}" + (f"\n  hint: {hint}" if hint else ""))
        self.file, self.line, self.column, self.message, self.hint = file, line, column, message, hint


@dataclass(slots=True)
class DumpLine:
    """One line of a dump, read from left to right. kind: as, vmar, map, vmo, or range for a protection range."""

    file: str
    number: int  # from 1
    kind: str
    indent: int  # spaces before the first word
    text: str
    at: int  # where reading goes on
    shift: int  # what a log put in front

    def error(
        self, message: str, hint: str = "is the line complete, and as the kernel printed it? terminals wrap and cut lines"
    ) -> DumpError:
        """What is wrong where reading has come to."""
        return DumpError(self.file, self.number, self.shift + self.at + 1, message, hint)

    def take(self, pattern: str, what: str) -> str:
        """What matches next, behind blanks unless the line begins here."""
        match = re.compile(rf"[ \t]*({pattern})").match(self.text, self.at)
        if match is None:
            rest = self.text[self.at :].strip()[:_SHOWN]
            raise self.error(
                f"expected {what}, found {rest!r}" if rest else f"expected {what}, found the end"
            )
        self.at = match.end()
        return match[1]

    def word(self, word: str) -> None:
        self.take(rf"{re.escape(word)}(?![a-z0-9])", f'"{word}"')

    def hexadecimal(self, what: str) -> int:
        return self.number_of(self.take(r"0x[0-9a-f]+|0(?![0-9a-fx])", what))

    def decimal(self, what: str) -> int:
        return self.number_of(self.take(r"[0-9]+(?![0-9a-zx])", what))

    def number_of(self, digits: str) -> int:
        """The number that was taken last; without a prefix it is decimal."""
        significant = digits.removeprefix("0x").lstrip("0") or "0"
        # First the length: thousands of digits are no number that Python reads.
        value = int(significant, 16 if digits.startswith("0x") else 10) if len(significant) <= 20 else _WORD_LIMIT
        if value >= _WORD_LIMIT:
            self.at -= len(digits)
            shown = digits if len(digits) <= _SHOWN else f"{digits[:_SHOWN]}…"
            raise self.error(f"{shown} does not fit in 64 bits")
        return value

    def span(self) -> tuple[int, int]:
        """A bracket pair: the first and the last byte."""
        self.take(r"\[", "a range such as [0x1000 0x1fff]")
        first = self.hexadecimal("the first address of a range")
        last = self.hexadecimal("the last address of a range")
        self.take(r"\]", "the end of the range")
        return first, last

    def quoted(self, what: str, then: str = "") -> str:
        """A name in single quotes, which may hold quotes: what follows decides where it ends. then: its pattern.

        Bytes that are no UTF-8, such as a letter of which the kernel's buffer held a part, are lone surrogates. They and
        control characters may be written as the model writes them, `\\x0a`.
        """
        before = self.text[self.at :]
        try:
            name = self.take(rf"'.*'(?={then})", what)[1:-1]
        except DumpError as error:
            if before.count("'") != 1:
                raise
            raise self.error(error.message, "a line break in a name? write it as \\x0a, in one line") from None
        return _ESCAPE.sub(_unescaped, name)

    def end(self) -> None:
        if self.text[self.at :].strip():
            raise self.error(f"expected the end of the line, found {self.text[self.at :].strip()[:24]!r}")


def _unescaped(escape: re.Match[str]) -> str:
    """A control character; from 0x80 on a byte that is no character by itself."""
    code = int(escape[1], 16)
    return chr(code if code < 0x80 else 0xDC00 + code)


def dump_lines(text: str, file: str) -> Iterator[DumpLine]:
    """The lines of a log that are lines of a dump; `DumpError` for one that has lost its beginning."""
    for number, raw in enumerate(text.removeprefix(_BYTE_ORDER_MARK).split("\n"), start=1):
        line = raw.rstrip(_BLANKS)
        prefix = _PREFIX.match(line)
        shift = prefix.end() if prefix else 0
        body = line[shift:]
        start = _START.match(body)
        if start is not None:
            yield DumpLine(file, number, start["kind"], len(start["indent"]), body, start.end(), shift)
            continue
        start = _RANGE.match(body)
        if start is not None:
            yield DumpLine(file, number, "range", len(start["indent"]), body, start.end(), shift)
        elif _INSIDE.search(body):
            raise DumpError(
                file,
                number,
                1,
                f"it goes on like a line of a dump, and begins with {line.strip()[:_SHOWN]!r}",
                "lines begin with as, vmar, map, vmo or a range; take away what a log put in front of them",
            )
