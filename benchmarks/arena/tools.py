"""The checkers that the arena is run with: what each needs, how its model is built and run, and how to read its counts."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import BinaryIO

from counts import REFERENCE, Size
from murphi import murphi
from promela import Promela
from tla import configuration

HERE = Path(__file__).parent
MIB = 1 << 20


class Failed(Exception):
    """A program did not do what it should; the message is for users."""


@dataclass(frozen=True, slots=True)
class Run:
    """One whole process: `seconds` from start to exit, `peak` bytes of memory, and what it counted."""

    seconds: float
    peak: int
    states: int
    transitions: float


def measured(command: list[str], folder: Path) -> tuple[float, int, str]:
    """Seconds, peak memory in bytes, and output of a whole process.  The peak is no less than that of this program."""
    began = time.monotonic()
    with (folder / "output").open("w+b") as output, (folder / "errors").open("w+b") as errors:
        process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=errors)
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            process.wait()
            raise
        seconds = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        text, said = (_text(file) for file in (output, errors))
    if process.returncode:
        last = "\n".join((text + said).splitlines()[-8:])
        raise Failed(f"`{' '.join(command)}` ended with {process.returncode}:\n{last}")
    return seconds, usage.ru_maxrss * 1024, text


def _text(file: BinaryIO) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")


class Tool:
    """A checker.  `extra`: transitions that it counts beyond the calls; `most`: the largest run that is not slow."""

    name = ""
    extra = 0
    most = math.inf
    symmetry = False

    def missing(self) -> str:
        """What to install, if something is not there."""
        return ""

    def build(self, size: Size, folder: Path, fault: str = "") -> None:
        """Write the model, and compile it if that is a step of its own."""

    def command(self, size: Size) -> list[str]:
        raise NotImplementedError

    def read(self, output: str) -> tuple[int, float]:
        """States and transitions."""
        raise NotImplementedError

    def run(self, size: Size, folder: Path) -> Run:
        seconds, peak, output = measured(self.command(size), folder)
        try:
            return Run(seconds, peak, *self.read(output))
        except (AttributeError, ValueError, KeyError):
            raise Failed(f"{self.name}: no counts in its output:\n{output[-2000:]}") from None

    def wrong(self, size: Size, run: Run) -> str:
        """How the counts differ from the reference, in words; nothing if they do not."""
        counts = REFERENCE[size]
        states = counts.orbits if self.symmetry else counts.states
        if states is not None and run.states != states:
            return f"{run.states:,} states instead of {states:,}"
        expected = counts.transitions + self.extra
        # SPIN prints eight digits.
        if not self.symmetry and f"{run.transitions:.8g}" != f"{expected:.8g}":
            return f"{run.transitions:,.0f} transitions instead of {expected:,}"
        return ""


class Vmaspace(Tool):
    """This project; nothing is kept from one run to the next, so every run compiles."""

    def __init__(self, name: str, *options: str, most: float = math.inf) -> None:
        self.name = name
        self.options = options
        self.most = most
        self.symmetry = "--symmetry" in options

    def missing(self) -> str:
        needed = [name for name in ("vmaspace", "llvmlite") if find_spec(name) is None]
        return f"{sys.executable} has no {needed[0]}: `make setup`, then .venv/bin/python benchmarks/arena" if needed else ""

    def command(self, size: Size) -> list[str]:
        start = [sys.executable, "-c", "from vmaspace.checker.cli import main; raise SystemExit(main())", "explore"]
        return [*start, "--alone", str(HERE / "arena.aspec"), "--scope", str(size), "--no-cache", "--json", *self.options]

    def read(self, output: str) -> tuple[int, float]:
        found = json.loads(output)["explore"]
        return found["states"], found["transitions"]


class Spin(Tool):
    """SPIN's default: depth first, whole states in a hash table, no reduction."""

    name = "spin"
    extra = 1  # the first state
    flags = ("-O2", "-DSAFETY", "-DNOREDUCE", "-DMEMLIM=20000")

    def missing(self) -> str:
        return _needs("spin", "gcc")

    def build(self, size: Size, folder: Path, fault: str = "") -> None:
        (folder / "arena.pml").write_text(Promela(size, fault).text(), encoding="utf-8")
        measured(["spin", "-a", "arena.pml"], folder)
        measured(["gcc", *self.flags, "-o", "pan", "pan.c"], folder)

    def command(self, size: Size) -> list[str]:
        states = REFERENCE[size].states  # no path is longer
        return ["./pan", f"-m{states + 1000}", f"-w{max(20, round(math.log2(states)) + 3)}"]

    def read(self, output: str) -> tuple[int, float]:
        states, transitions = (
            re.search(pattern, output)[1]  # type: ignore[index]
            for pattern in (r"([\d.e+]+) states, stored", r"([\d.e+]+) transitions \(")
        )
        if "errors: 0" not in output:
            raise Failed(f"spin found an error:\n{output[-2000:]}")
        return int(float(states)), float(transitions)


class Rumur(Tool):
    """Murphi as compiled by Rumur, without reductions, on two threads."""

    name = "rumur"
    most = 10_000_000
    flags = ("-O3", "-march=native", "-mcx16", "-pthread")

    def missing(self) -> str:
        return _needs("rumur", "gcc")

    def build(self, size: Size, folder: Path, fault: str = "") -> None:
        (folder / "arena.m").write_text(murphi(size, fault), encoding="utf-8")
        options = ["--deadlock-detection", "off", "--pack-state", "off", "--threads", "2"]
        measured(["rumur", *options, "--output", "arena.c", "arena.m"], folder)
        measured(["gcc", *self.flags, "-o", "arena", "arena.c", "-latomic"], folder)

    def command(self, size: Size) -> list[str]:
        return ["./arena"]

    def read(self, output: str) -> tuple[int, float]:
        found = re.search(r"(\d+) states, (\d+) rules fired", output)
        return int(found[1]), int(found[2])  # type: ignore[index]


class Tlc(Tool):
    """TLC on two workers: `tlc` on the path, or the jar that TLA2TOOLS names and `java`."""

    name = "tlc"
    extra = 1
    most = 10_000_000

    def missing(self) -> str:
        if shutil.which("tlc"):
            return ""
        jar = os.environ.get("TLA2TOOLS")
        if not jar:
            return "needs `tlc` on the path, or TLA2TOOLS=/path/to/tla2tools.jar and java"
        if not Path(jar).is_file():
            return f"TLA2TOOLS names no file: {jar}"
        return _needs("java")

    def build(self, size: Size, folder: Path, fault: str = "") -> None:
        shutil.copy(HERE / "Arena.tla", folder)
        (folder / "Arena.cfg").write_text(configuration(size, fault) + "\n", encoding="utf-8")

    def command(self, size: Size) -> list[str]:
        java = ["java", "-XX:+UseParallelGC", "-cp", os.environ.get("TLA2TOOLS", ""), "tlc2.TLC"]
        start = ["tlc"] if shutil.which("tlc") else java
        return [*start, "-workers", "2", "-cleanup", "-noGenerateSpecTE", "-config", "Arena.cfg", "Arena.tla"]

    def read(self, output: str) -> tuple[int, float]:
        # Progress is told in the same words, with commas; the last line counts.
        generated, distinct = re.findall(r"([\d,]+) states generated.*?, ([\d,]+) distinct states found", output)[-1]
        return int(distinct.replace(",", "")), int(generated.replace(",", ""))


PACKAGES = {"gcc": "gcc", "spin": "spin", "rumur": "rumur", "java": "default-jre-headless"}  # of Debian


def _needs(*programs: str) -> str:
    lacking = [PACKAGES[p] for p in programs if not shutil.which(p)]
    return f"apt-get install {' '.join(lacking)}" if lacking else ""


TOOLS: tuple[Tool, ...] = (
    Spin(),
    Vmaspace("vmaspace", "--jobs", "2"),
    Vmaspace("vmaspace --jobs 1", "--jobs", "1"),
    Vmaspace("vmaspace --symmetry", "--jobs", "2", "--symmetry"),
    Vmaspace("vmaspace --plain", "--plain", most=10_000),
    Rumur(),
    Tlc(),
)
