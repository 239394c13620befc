"""What is wrong with a conformance file, and where."""

from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path


@dataclass(eq=False)
class ConformanceError(Exception):
    """A file that can not be replayed: the place, what is wrong, and what to do about it."""

    file: Path
    line: int  # from 1; 0 when it is about the file as a whole
    message: str
    hint: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else f"{self.file}"
        return f"{place}: {self.message}" + (f"\n  hint: {self.hint}" if self.hint else "")


class BadStep(Exception):
    """Something in a step that can not be understood; whoever knows the place makes a `ConformanceError` of it."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Unsupported(Exception):
    """Something in a step that has a meaning, but not one that can be carried out yet."""


def nearest(word: str, known: list[str]) -> str:
    """A hint that names the known words closest to `word`, or all of a few."""
    close = get_close_matches(word, known, n=3)
    if close:
        return f"did you mean {' or '.join(close)}?"
    return f"known: {', '.join(sorted(known))}" if 0 < len(known) <= 12 else ""
