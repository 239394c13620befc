"""Verdicts: what one engine says of one obligation, and the report that collects them.

A verdict is green, red or undecided, and undecided is never green: that rule, and the exit code that follows from it,
stand here and nowhere else.

Not here: how a verdict looks. `terminal`, `as_json` and `junit` say that.
"""

import builtins
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:       # a trace names its verdict: at run time the import goes that way
    from vmaspace.checker.report.trace import Trace


@dataclass(frozen=True)
class Place:
    """A place in a source text; lines and columns count from 1."""

    file: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class Kind(StrEnum):
    """What an engine found."""

    PROVED = "proved"                       # for any number of elements, for any run
    PASSED = "passed"                       # nothing found within the bounds that the scope names
    LIKELY = "likely"                       # passed, but for what may have been omitted; the scope says how probably
    REACHED = "reached"                     # a `reach` property has its witness
    DEVIATION = "deviation"                 # broken exactly as its `deviation` mark says
    VIOLATED = "violated"                   # a reachable run breaks it
    NOT_INDUCTIVE = "not_inductive"         # one step breaks it, from a state that nobody showed to be reachable
    DEVIATION_GONE = "deviation_gone"       # marked as broken, and was not seen to break
    FAILED = "failed"                       # a comparison of two accounts failed
    UNREACHED = "unreached"                 # no witness within the bound
    UNKNOWN = "unknown"                     # the solver, or the budget, gave up
    UNSUPPORTED = "unsupported"             # the engine cannot say anything about this one

    @property
    def is_green(self) -> bool:
        return self in GREEN

    @property
    def is_red(self) -> bool:
        return self in RED

    @property
    def is_undecided(self) -> bool:
        return not (self.is_green or self.is_red)


GREEN = frozenset({Kind.PROVED, Kind.PASSED, Kind.LIKELY, Kind.REACHED, Kind.DEVIATION})
RED = frozenset({Kind.VIOLATED, Kind.NOT_INDUCTIVE, Kind.DEVIATION_GONE, Kind.FAILED})


class Exit(IntEnum):
    """Exit codes of the command; `USAGE` is for the entrances alone."""

    GREEN = 0
    RED = 1
    USAGE = 2
    UNDECIDED = 3


@dataclass(frozen=True)
class Verdict:
    """What `engine` says of `property`, at `operation` if the obligation is about one.

    `id` names the obligation wherever it appears, such as `map/siblings_are_disjoint`. `scope` says how far the
    answer reaches, in words. `reason` is for red and undecided verdicts: one sentence, then details on further lines.
    """

    id: str
    property: str
    operation: str | None
    engine: str
    verdict: Kind
    seconds: float = 0.0
    scope: str = ""
    source: Place | None = None
    trace: "Trace | None" = None
    reason: str = ""
    notes: tuple[str, ...] = ()

    # `property` is a field of this class: the decorator has to be named in full.
    @builtins.property
    def is_green(self) -> bool:
        return self.verdict.is_green

    @builtins.property
    def is_red(self) -> bool:
        return self.verdict.is_red

    @builtins.property
    def is_undecided(self) -> bool:
        return self.verdict.is_undecided


@dataclass(frozen=True)
class Report:
    """All verdicts of one run. `blocks` are further JSON objects by name, such as counts of a fuzzing run."""

    verdicts: tuple[Verdict, ...]
    blocks: Mapping[str, Any] = field(default_factory=dict)
    seconds: float | None = None            # of the whole run; obligations may have run side by side
    out_of_budget: bool = False             # something was left out for lack of time

    @property
    def exit(self) -> Exit:
        if any(verdict.is_red for verdict in self.verdicts):
            return Exit.RED
        # A run that judged nothing found nothing out: it is not green either.
        if self.out_of_budget or not self.verdicts or any(verdict.is_undecided for verdict in self.verdicts):
            return Exit.UNDECIDED
        return Exit.GREEN

    @property
    def counts(self) -> dict[Kind, int]:
        """How many verdicts of each kind; kinds that did not occur are left out."""
        counted = Counter(verdict.verdict for verdict in self.verdicts)
        return {kind: counted[kind] for kind in Kind if counted[kind]}
