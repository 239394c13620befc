"""The line that tells what is going on while an engine works.

On a terminal one line that is rewritten in place; elsewhere, such as in a CI log, a line every few seconds. The cursor
is never hidden and no thread is started, so that Ctrl-C at any moment leaves a usable terminal.
"""

import shutil
import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self, TextIO

ERASE = "\r\x1b[2K"
REDRAW_SECONDS = 0.1
LINE_SECONDS = 5.0


class Progress:
    """`with Progress("prove", total=196) as progress: progress.advance(text="map/siblings_are_disjoint")`.

    May be told things from several threads. With `total` it counts towards an end, without it only upwards.
    """

    def __init__(
        self,
        label: str,
        total: int | None = None,
        *,
        stream: TextIO | None = None,
        every: float = LINE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.label = label
        self.total = total
        self.done = 0
        self.text = ""
        self.stream = stream if stream is not None else sys.stderr
        self.is_live = self.stream.isatty()
        self.every = REDRAW_SECONDS if self.is_live else every
        self.clock = clock
        self.started = self.told = clock()
        self.is_shown = False
        self.lock = threading.RLock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.erase()

    def advance(self, count: int = 1, text: str | None = None) -> None:
        """So many more are done; `text` says what is in hand."""
        self.update(self.done + count, text)

    def update(self, done: int | None = None, text: str | None = None) -> None:
        with self.lock:
            self.done = self.done if done is None else done
            self.text = self.text if text is None else text
            now = self.clock()
            if now - self.told >= self.every:
                self.told = now
                self.show()

    def message(self, text: str) -> None:
        """A line that stays, such as a verdict that will not wait for the end."""
        with self.lock:
            self.erase()
            self.write(text + "\n")

    def line(self) -> str:
        """`prove 12/196  3.4 s  map/siblings_are_disjoint`."""
        count = f"{self.done:,}" if self.total is None else f"{self.done:,}/{self.total:,}"
        return f"{self.label} {count}  {self.clock() - self.started:.1f} s  {self.text}".rstrip()

    def show(self) -> None:
        if self.is_live:
            width = shutil.get_terminal_size().columns - 1
            self.write(ERASE + self.line()[:width])
            self.is_shown = True
        else:
            self.write(self.line() + "\n")

    def erase(self) -> None:
        with self.lock:
            if self.is_shown:
                self.write(ERASE)
                self.is_shown = False

    def write(self, text: str) -> None:
        try:
            self.stream.write(text)
            self.stream.flush()
        except (OSError, ValueError, UnicodeError):
            # Nobody reads the line any more, or cannot: that is no reason to lose the work it tells of.
            self.is_live = self.is_shown = False
