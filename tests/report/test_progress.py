"""The moving line: still where nobody can see it move, and gone when the work ends, however it ends."""

import io

import pytest

from vmaspace.checker.report.progress import ERASE, Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    """Time that moves when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_without_a_terminal_a_line_every_few_seconds() -> None:
    stream, clock = io.StringIO(), Clock()
    with Progress("prove", 196, stream=stream, every=5, clock=clock) as progress:
        for number in range(12):
            progress.advance(text=f"map/p{number}")
            clock.now += 1
    assert stream.getvalue() == "prove 6/196  5.0 s  map/p5\nprove 11/196  10.0 s  map/p10\n"


def test_on_a_terminal_one_line_that_is_erased() -> None:
    stream, clock = Terminal(), Clock()
    with Progress("explore", stream=stream, clock=clock) as progress:
        clock.now += 0.2
        progress.update(1_234_567, "depth 9")
        clock.now += 0.05
        progress.update(1_234_568)
    assert stream.getvalue() == f"{ERASE}explore 1,234,567  0.2 s  depth 9{ERASE}"


def test_a_message_stays() -> None:
    stream, clock = Terminal(), Clock()
    with Progress("fuzz", stream=stream, clock=clock) as progress:
        clock.now += 1
        progress.advance()
        progress.message("map/p violated")
    assert stream.getvalue().endswith(f"{ERASE}map/p violated\n")


def interrupted(progress: Progress, clock: Clock) -> None:
    with progress:
        clock.now += 1
        progress.advance()
        raise KeyboardInterrupt


def test_ctrl_c_leaves_a_clean_line() -> None:
    stream, clock = Terminal(), Clock()
    with pytest.raises(KeyboardInterrupt):
        interrupted(Progress("fuzz", stream=stream, clock=clock), clock)
    assert stream.getvalue().endswith(ERASE)


def test_a_closed_stream_does_not_stop_the_work() -> None:
    stream, clock = Terminal(), Clock()
    with Progress("fuzz", stream=stream, clock=clock) as progress:
        stream.close()
        clock.now += 1
        progress.advance()
    assert progress.done == 1
