"""Makes a failing run short and its calls simple, keeping what is found.

A run is planned in terms of what its own steps made ("the first region that step 3 made"), so that a step can
go and the rest still makes sense.  Steps are left out, the world is made plainer, then each argument is
replaced by simpler ones, until nothing helps.

Not here: what counts as a finding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from vmaspace.checker.adapters.world import VmoSpec, World
from vmaspace.checker.engines.fuzz.drive import Drive, Taken
from vmaspace.checker.language.types import Type
from vmaspace.checker.logic.contract import Contract
from vmaspace.checker.logic.state import State
from vmaspace.checker.logic.terms import Term

ATTEMPTS = 1500  # runs of the implementation, each of a few steps
PAGE = 4096
WORD = 1 << 64
ROUND = (0, PAGE, 2 * PAGE, 3 * PAGE, 4 * PAGE, 0x1_0000, 0x10_0000, 0x20_0000, 1 << 30, 1 << 39)


class Made(NamedTuple):
    """The `nth` element of its sort that a step made; step -1 is the start."""

    step: int
    nth: int


class At(NamedTuple):
    """An address inside an element that has a base: it moves with it.  `absolute` is for when there is no such element."""

    anchor: Made
    offset: int
    absolute: int


Value = int | Made | At


@dataclass(frozen=True, slots=True)
class Planned:
    """A call to make.  `ident` stays the same when steps around it go."""

    ident: int
    operation: str
    args: Mapping[str, Value]
    fails_at: int


Plan = list[Planned]


def plan(contract: Contract, start: State, steps: Sequence[Taken]) -> Plan:
    """A run that was taken, as a plan."""
    known: dict[tuple[str, int], Made] = {}
    enter(contract, known, -1, None, start)
    before, found = start, []
    for ident, taken in enumerate(steps):
        args: dict[str, Value] = {}
        for p in contract.operations[taken.operation].params:
            value = taken.env[p.name]
            if p.type.kind == "sort":
                args[p.name] = known.get((p.type.name, value), value)
            elif p.type.kind == "address":
                args[p.name] = anchored(known, before, value)
            else:
                args[p.name] = value
        found.append(Planned(ident, taken.operation, args, taken.fails_at))
        enter(contract, known, ident, before, taken.state)
        before = taken.state
    return found


def enter(
    contract: Contract, known: dict[tuple[str, int], Made], ident: int, before: State | None, after: State
) -> None:
    """Name the elements that a step made."""
    for sort, given in contract.sorts.items():
        if not given:
            old = before.domains[sort] if before is not None else ()
            for nth, element in enumerate(e for e in after.domains[sort] if e not in old):
                known[sort, element] = Made(ident, nth)


def anchored(known: Mapping[tuple[str, int], Made], state: State, address: int) -> Value:
    """An address in terms of the smallest live region that it lies in."""
    t = state.tables
    around = [
        (size, r)
        for r, size in t["size"].items()
        if t["life"].get(r) == 1 and 0 <= address - t["base"].get(r, 0) < size
    ]
    if not around:
        return address
    _, region = min(around)
    return At(known["Region", region], address - t["base"].get(region, 0), address)


class Minimiser:
    """Minimises runs that end in a finding with this key."""

    def __init__(self, drive: Drive, key: tuple[str, str, str], attempts: int = ATTEMPTS) -> None:
        self.drive = drive
        self.contract = drive.judge.contract
        self.interpreter = drive.judge.interpreter
        self.key = key
        self.left = attempts

    def smallest(self, world: World, steps: Plan) -> tuple[World, Plan]:
        done = self.reproduces(world, steps)
        if done is None:
            return world, steps
        steps = done
        while self.left > 0:
            before = (world, steps)
            steps = self.shorter(world, steps)
            for change in PLAINER:
                plainer = replace(world, **change(world))
                kept = self.reproduces(plainer, steps) if plainer != world else None
                if kept is not None:
                    world, steps = plainer, kept
            steps = self.simpler(world, steps)
            if (world, steps) == before:
                break
        return world, steps

    def shorter(self, world: World, steps: Plan) -> Plan:
        """Leave steps out, many at a time first, the last ones first."""
        size = max(1, len(steps) // 2)
        while True:
            at = len(steps) - 1  # the last step is the one that fails
            while at > 0:
                low = max(0, at - size)
                kept = self.reproduces(world, steps[:low] + steps[at:])
                if kept is not None:
                    steps = kept
                at = min(low, len(steps) - 1)
            if size == 1:
                return steps
            size //= 2

    def simpler(self, world: World, steps: Plan) -> Plan:
        """Replace arguments, the last steps' first."""
        for at in range(len(steps) - 1, -1, -1):
            if steps[at].fails_at:
                steps = self.changed(world, steps, at, replace(steps[at], fails_at=0)) or steps
            for p in self.contract.operations[steps[at].operation].params:
                steps = self.simplest(world, steps, at, p)
        return steps

    def simplest(self, world: World, steps: Plan, at: int, p: Term) -> Plan:
        """One argument as simple as it gets."""
        while True:
            for value in self.simpler_values(p.type, steps[at].args[p.name], steps, at):
                change = replace(steps[at], args={**steps[at].args, p.name: value})
                kept = self.changed(world, steps, at, change)
                if kept is not None:
                    steps = kept
                    break
            else:
                return steps

    def changed(self, world: World, steps: Plan, at: int, change: Planned) -> Plan | None:
        """The steps with one call replaced, if the same is found and all of them are still taken."""
        kept = self.reproduces(world, [*steps[:at], change, *steps[at + 1 :]])
        return kept if kept is not None and len(kept) == len(steps) else None

    def simpler_values(self, type_: Type, value: Value, steps: Plan, at: int) -> Iterator[Value]:
        if isinstance(value, At):
            yield from (
                value._replace(offset=n)
                for n in rounder(value.offset)
                if plainness(n) < plainness(value.offset)
            )
        elif isinstance(value, Made):
            earlier = [Made(-1, 0), *(Made(s.ident, 0) for s in steps[:at])]
            yield from (made for made in earlier if made < value)
        elif type_.kind == "flags":
            if value:
                yield 0
            bits = sorted(self.contract.flags[type_.name].values(), reverse=True)
            yield from (value & ~(1 << b) for b in bits if value >> b & 1)
        elif type_.kind in ("address", "bytes"):
            yield from (n for n in rounder(value) if plainness(n) < plainness(value))
        else:
            yield from range(min(value, 3))

    # --- trying ----------------------------------------------------------------------------------------------------

    def reproduces(self, world: World, steps: Plan) -> Plan | None:
        """The steps that were taken, if running them finds the same; steps that make no sense are left out."""
        self.left -= 1
        if self.left < 0:
            return None
        drive = self.drive
        if drive.begin(world) is not None:
            return [] if drive.finding is not None and drive.finding.key == self.key else None
        known: dict[tuple[str, int], Made] = {}
        enter(self.contract, known, -1, None, drive.state)
        elements = {(sort, made): e for (sort, e), made in known.items()}
        taken: Plan = []
        for step in steps:
            env = self.resolved(step, elements)
            if env is None or not self.interpreter.enabled(step.operation, drive.state, env):
                continue
            before = drive.state
            drive.step(step.operation, env, step.fails_at)
            taken.append(step)
            if drive.finding is not None:
                return taken if drive.finding.key == self.key else None
            if drive.is_over:
                return None
            known = {}
            enter(self.contract, known, step.ident, before, drive.state)
            elements.update({(sort, made): e for (sort, e), made in known.items()})
        return None

    def resolved(self, step: Planned, elements: Mapping[tuple[str, Made], int]) -> dict[str, int] | None:
        """The arguments of a call in this run; None if it speaks of something that this run does not have."""
        env: dict[str, int] = {}
        for p in self.contract.operations[step.operation].params:
            value = step.args[p.name]
            if isinstance(value, Made):
                found = elements.get((p.type.name, value))
                if found is None:
                    return None
                env[p.name] = found
            elif isinstance(value, At):
                region = elements.get(("Region", value.anchor))
                base = self.drive.state.tables["base"].get(region, 0)
                env[p.name] = value.absolute if region is None else (base + value.offset) % WORD
            else:
                env[p.name] = value
        return env


# --- what is simple ------------------------------------------------------------------------------------------------


def plainness(n: int) -> tuple[int, int]:
    """Fewer digits before the zeros at the end, then less."""
    return len(f"{n:x}".rstrip("0")), n


def rounder(n: int) -> Iterator[int]:
    yield from ROUND
    for zeros in range(64 - 4, 8, -4):
        if n >> zeros:
            yield n >> zeros << zeros
            yield (n >> zeros) + 1 << zeros
    if n > PAGE:
        yield n - n % PAGE - PAGE


# Ways to make a world plainer, each tried on top of those that worked.
PLAINER: tuple[Callable[[World], dict[str, Any]], ...] = (
    lambda world: {"aslr_disabled": True},
    lambda world: {"seed": 0},
    lambda world: {"arch": "x86_64"},
    lambda world: {"vmos": ()},
    lambda world: {"vmos": world.vmos[:1]},
    lambda world: {"vmos": world.vmos[:2]},
    lambda world: {"vmos": world.vmos[:3]},
    lambda world: {"vmos": (VmoSpec(0x10000), *world.vmos[1:])},
)
