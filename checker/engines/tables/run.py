"""Random edits of page tables, judged one by one: by the account, by a CPU's walk, and by the invariants of page tables.

Runs are short, each on a machine of its own. A run that goes wrong is made small by leaving edits out, and told in full.
The same seed and number of edits give the same runs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final, NamedTuple

from vmaspace.checker.adapters.table_machine import SPACES, Edit, TableMachine
from vmaspace.checker.engines.tables.account import Account
from vmaspace.checker.engines.tables.drawing import draw
from vmaspace.checker.report.verdict import Kind, Verdict

ENGINE: Final = "tables"
NAME: Final = "page_table_edits"
ARCHES: Final = ("x86_64", "arm64", "riscv64")
EDITS_IN_RUN: Final = 60
_TRIES: Final = 300  # runs, for making one small

Make = Callable[[str], TableMachine]


class Wrong(NamedTuple):
    """What is wrong after an edit. rule: what kind of thing, which stays the same when a run is made small."""

    rule: str
    what: str


@dataclass(frozen=True, slots=True)
class TablesResult:
    """A verdict for each architecture, and counts ready for JSON. is_interrupted: by Ctrl-C."""

    verdicts: list[Verdict]
    statistics: dict[str, Any]
    is_interrupted: bool


class Run:
    """A machine that is edited, with an account of each of its spaces."""

    def __init__(self, machine: TableMachine) -> None:
        self.machine = machine
        self.accounts = {space: Account(machine.arch, space) for space in SPACES}

    def step(self, edit: Edit) -> Wrong | None:
        """Make an edit; what is wrong afterwards."""
        account = self.accounts[edit.space]
        if edit.kind == "map" and self.machine.arch == "x86_64" and account.meets_large(edit):
            edit = edit._replace(action="ERROR")  # over which the kernel would stop otherwise
        answer = self.machine.do(edit)
        if edit.kind == "remake":
            for space in self.machine.remade_with(edit.space):
                self.accounts[space] = Account(self.machine.arch, space)
        elif edit.kind != "load":
            wrong = account.judge(edit, answer, *self.machine.pages(edit.space))
            if wrong:
                return Wrong("account", wrong)
            asked = self.machine.query(edit.space, edit.page)
            if asked != account.pages.get(edit.page):
                return Wrong("query", f"a query of {edit.space} page {edit.page:#x} answers {asked}")
        return next((Wrong(*each) for each in self.machine.broken()), None)


def drive(make: Make, arch: str, edits: Sequence[Edit]) -> tuple[Wrong | None, int]:
    """What goes wrong first on a new machine, and after how many edits."""
    done = 0
    try:
        run = Run(make(arch))
        for done, edit in enumerate(edits, 1):
            wrong = run.step(edit)
            if wrong is not None:
                return wrong, done
    except Exception as error:  # whatever a faulty implementation raises is its answer
        return Wrong("crash", f"{type(error).__name__}: {error}"), done
    return None, done


def smallest(make: Make, arch: str, edits: list[Edit], wrong: Wrong) -> tuple[list[Edit], Wrong]:
    """The run without edits that it does not need to go wrong in the same way."""
    tries, size = _TRIES, len(edits)
    while size > 1 and tries > 0:
        size = (size + 1) // 2
        at = 0
        while at < len(edits) and tries > 0:
            shorter = edits[:at] + edits[at + size :]
            tries -= 1
            found, done = drive(make, arch, shorter)
            if found is not None and found.rule == wrong.rule:
                edits, wrong = shorter[:done], found
            else:
                at += size
    return edits, wrong


@dataclass(slots=True)
class _Tally:
    """How far one architecture is."""

    edits: int = 0
    runs: int = 0
    seconds: float = 0.0
    found: tuple[list[Edit], Wrong] | None = None


@dataclass(slots=True)
class _Campaign:
    """Architectures take turns, run by run, until the budget is used up or something was found on each."""

    make: Make
    seed: int
    tallies: dict[str, _Tally]
    edits: int | None
    seconds: float | None
    is_enough: bool
    progress: Callable[[int, str], None]
    began: float = field(default_factory=time.monotonic)
    first: dict[str, Any] | None = None  # edits and seconds, until something was found, and by which rule

    @property
    def done(self) -> int:
        return sum(tally.edits for tally in self.tallies.values())

    def left(self) -> int:
        """How many edits the next run may have."""
        if self.seconds is not None and time.monotonic() - self.began >= self.seconds:
            return 0
        if self.is_enough and self.first is not None:
            return 0
        return EDITS_IN_RUN if self.edits is None else min(EDITS_IN_RUN, self.edits - self.done)

    def go_on(self) -> None:
        while open_ones := [arch for arch, tally in self.tallies.items() if tally.found is None]:
            for arch in open_ones:
                most = self.left()
                if most <= 0:
                    return
                self._run(arch, self.tallies[arch], most)

    def _run(self, arch: str, tally: _Tally, most: int) -> None:
        random = Random(f"{self.seed}/{arch}/{tally.runs}")
        edits = [draw(random) for _ in range(most)]
        start = time.monotonic()
        wrong, done = drive(self.make, arch, edits)
        tally.seconds += time.monotonic() - start
        tally.edits += done
        tally.runs += 1
        if wrong is not None:
            tally.found = edits[:done], wrong
            seconds = round(time.monotonic() - self.began, 3)
            self.first = self.first or {"edits": self.done, "seconds": seconds, "rule": wrong.rule}
        self.progress(self.done, arch)


def run_tables(
    seed: int = 0,
    arches: Sequence[str] = ARCHES,
    *,
    edits: int | None = None,
    seconds: float | None = None,
    make: Make = TableMachine,
    is_enough: bool = False,
    progress: Callable[[int, str], None] = lambda done, arch: None,
) -> TablesResult:
    """Edit page tables until `edits` edits were judged in all, or `seconds` have passed; a verdict for each architecture.

    make: the machine for an architecture. is_enough: the first thing that is found ends it, and is not made small.
    """
    if edits is None and seconds is None:
        raise ValueError("a campaign needs a budget: edits or seconds")
    campaign = _Campaign(make, seed, {arch: _Tally() for arch in arches}, edits, seconds, is_enough, progress)
    is_interrupted = False
    try:
        campaign.go_on()
    except KeyboardInterrupt:
        is_interrupted = True
    verdicts = []
    for arch, tally in campaign.tallies.items():
        if tally.found is not None and not is_enough:
            tally.found = smallest(make, arch, *tally.found)
        verdicts.append(_verdict(arch, tally, seed, is_interrupted))
    statistics = {
        "seed": seed,
        "edits": campaign.done,
        "runs": sum(tally.runs for tally in campaign.tallies.values()),
        "seconds": round(time.monotonic() - campaign.began, 3),
        "by_arch": {arch: tally.edits for arch, tally in campaign.tallies.items()},
        "found": campaign.first,
    }
    return TablesResult(verdicts, statistics, is_interrupted)


def _verdict(arch: str, tally: _Tally, seed: int, is_interrupted: bool) -> Verdict:
    kind, reason = Kind.PASSED, ""
    if tally.found is not None:
        edits, wrong = tally.found
        kind = Kind.FAILED
        steps = [f"  {number}. {edit}" for number, edit in enumerate(edits, 1)]
        reason = "\n".join([f"{arch}: {wrong.rule}: {wrong.what}", *steps])
    elif is_interrupted:
        kind, reason = Kind.UNKNOWN, "interrupted before the budget was used up"
    elif not tally.edits:
        kind, reason = Kind.UNKNOWN, "nothing was edited within the budget"
    rate = f", {tally.edits / tally.seconds:,.0f} a second" if tally.seconds else ""
    scope = f"{arch}: {tally.edits:,} edits in {tally.runs:,} runs{rate}, seed {seed}"
    return Verdict(f"{arch}/{NAME}", NAME, None, ENGINE, kind, tally.seconds, scope, reason=reason)
