"""The whole engine: search a scope, make runs of what was found, and say of every property what that means.

A property is judged at every operation, under the names that `prove` uses, so that the two can be compared line by line.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vmaspace.checker.engines.explore.checkpoint import Checkpoint
from vmaspace.checker.engines.explore.compaction import MOST_OMISSION, Compaction
from vmaspace.checker.engines.explore.core import core_text
from vmaspace.checker.engines.explore.edges import edges_text
from vmaspace.checker.engines.explore.graph import Question
from vmaspace.checker.engines.explore.plain import PlainSearch
from vmaspace.checker.engines.explore.result import Progress, Result, Searching
from vmaspace.checker.engines.explore.temporal import Ground, Runs, verdict_on
from vmaspace.checker.engines.explore.witness import Move, NoWitness, Witness
from vmaspace.checker.engines.traces import build_trace, place_of
from vmaspace.checker.logic.contract import Contract, Property, Scope
from vmaspace.checker.logic.execute import Interpreter
from vmaspace.checker.logic.packed.program import Program
from vmaspace.checker.logic.state import State
from vmaspace.checker.report.trace import Trace
from vmaspace.checker.report.verdict import Kind, Verdict

if TYPE_CHECKING:
    from vmaspace.checker.engines.cluster.connection import Cluster

MIB = 1 << 20
PROBABLE = "that hash compaction omits a state has a probability of at most {:.1e}"
DEADLOCK = "deadlock"  # the name of the trace, where a property would have its own


@dataclass(frozen=True, slots=True)
class Options:
    """How to search.  `memory` in bytes; `plain` without machine code; `cache` a folder for machine code.

    `simulate`: take so many steps at random instead.  With `checkpoint`, a folder, a search writes there every so many
    seconds how far it is, and goes on from there.  With `cluster` the workers are there, and `jobs` says how many.
    `compaction`: keep hashes where they are smaller than states.
    """

    jobs: int = 1
    memory: int = 4096 * MIB
    symmetry: bool = False
    keep_going: bool = False
    plain: bool = False
    cache: Path | None = None
    checkpoint: Path | None = None
    checkpoint_every: float = 60.0
    simulate: int = 0
    seed: int = 0
    cluster: Cluster | None = None
    compaction: Compaction | None = None


class Explorer:
    """One exploration."""

    def __init__(self, contract: Contract, scope: Scope, options: Options) -> None:
        self.contract = contract
        self.scope = scope
        self.options = options
        start = Interpreter(contract).initial
        self.runs = Runs(contract, scope) if contract.temporals and not self.blind_to_runs() else None
        own = self.runs.question if self.runs is not None and not self.is_reduced else None
        self.search: Searching = make_search(contract, scope, start, options, own)
        self.start = self.search.start
        self.witness = Witness(contract, self.search.program, self.search.key)

    def explore(self, tell: Callable[[Progress], None] = lambda _: None) -> tuple[list[Verdict], dict[str, Any]]:
        result = self.search.run(tell)
        verdicts = [v for p in self.contract.properties.values() for v in self.judge(p, result)]
        of_runs = self.judge_runs(result, tell)
        statistics = self.statistics(result)
        try:
            trace = self.deadlock(result)
            statistics["deadlock"] = trace.to_json() if trace is not None else None
        except NoWitness as error:
            reason = f"the interpreter disagrees with the compiled code: {error}"
            scope = self.reach_of(result)
            verdicts.append(Verdict(DEADLOCK, DEADLOCK, None, "explore", Kind.FAILED, 0.0, scope, reason=reason))
        share = result.seconds / max(1, len(verdicts))  # one search answers them all
        return [*(replace(v, seconds=share) for v in verdicts), *of_runs], statistics

    # --- verdicts --------------------------------------------------------------------------------------------------

    def judge(self, p: Property, result: Result) -> list[Verdict]:
        if p.kind == "reach":
            return [self.reach(p, result)]
        broken = self.broken(p, result)
        places = [name for name in self.contract.operations if p.speaks_of(name)]
        if p.kind == "invariant":
            places.insert(0, "init")
        if result.reason:  # what was not looked at is said once, and what is broken is broken
            found = [self.verdict(p, name, broken[name], result) for name in places if name in broken]
            return found or [self.undecided(p, result)]
        return [self.verdict(p, name, broken.get(name), result) for name in places]

    def undecided(self, p: Property, result: Result) -> Verdict:
        reason = f"not every state was looked at: {result.reason}"
        return replace(self.base(p, p.name, None, result), verdict=Kind.UNKNOWN, reason=reason)

    def base(self, p: Property, name: str, operation: str | None, result: Result) -> Verdict:
        """What is said of a property that nothing was found about."""
        scope = self.reach_of(result)
        kind, reason = Kind.PASSED, ""
        if result.omission is not None:
            kind = Kind.LIKELY
            if result.omission > MOST_OMISSION:
                kind, reason = Kind.UNKNOWN, f"{PROBABLE.format(result.omission)}: too probable to say that nothing is wrong"
        return Verdict(name, p.name, operation, "explore", kind, 0.0, scope, place_of(p.span), reason=reason)

    def broken(self, p: Property, result: Result) -> dict[str, tuple[list[Move], str]]:
        """The runs that break a property, by their last operation; and what could not be made a run."""
        found: dict[str, tuple[list[Move], str]] = {}
        for (name, operation), number in result.failures.items():
            if name != p.name:
                continue
            try:
                moves = self.run_to(number)
                if operation is not None:
                    moves.append(self.witness.breaking(p, operation, moves[-1].state if moves else self.start))
                found[operation or (moves[-1].operation if moves else "init")] = moves, ""
            except NoWitness as error:
                found[operation or "init"] = [], str(error)
        return found

    def run_to(self, number: int) -> list[Move]:
        return self.witness.run(self.start, self.search.keys_to(number))

    def verdict(self, p: Property, name: str, run: tuple[list[Move], str] | None, result: Result) -> Verdict:
        operation = None if name == "init" else name
        base = self.base(p, f"{name}/{p.name}", operation, result)
        expected = p.deviation is not None and name in p.deviation.operations
        if run is None:
            if expected and p.deviation is not None:
                reason = f"the deviation was not seen in this scope; with {p.deviation.switch} off it should be"
                return replace(base, verdict=Kind.UNKNOWN, reason=reason)
            return base
        moves, problem = run
        if problem:
            reason = f"the interpreter disagrees with the compiled code: {problem}"
            return replace(base, verdict=Kind.FAILED, reason=reason)
        kind = Kind.DEVIATION if expected else Kind.VIOLATED
        reason = (p.deviation.consequence if expected and p.deviation else "") or p.sentence
        return replace(base, verdict=kind, reason=reason, trace=self.trace(p, operation, kind, reason, moves))

    def reach(self, p: Property, result: Result) -> Verdict:
        base = replace(self.base(p, p.name, None, result), verdict=Kind.UNREACHED, reason="")
        number = result.failures.get((p.name, None))
        if number is None:
            return replace(base, reason=result.reason or "no state of this scope is like this")
        try:
            moves = self.run_to(number)
        except NoWitness as error:
            return replace(base, verdict=Kind.FAILED, reason=str(error))
        return replace(base, verdict=Kind.REACHED, trace=self.trace(p, None, Kind.REACHED, "", moves))

    def trace(self, p: Property, operation: str | None, kind: Kind, reason: str, moves: list[Move]) -> Trace:
        return build_trace(self.contract, p, operation, "explore", kind, reason, self.start, moves)

    def deadlock(self, result: Result) -> Trace | None:
        """A shortest run to a state from which no call is possible, if the search has seen one.

        `NoWitness`: the interpreter does not get there, or knows a call that goes on.
        """
        if result.first_deadlock is None:
            return None
        moves = self.run_to(result.first_deadlock)
        last = moves[-1].state if moves else self.start
        for name in self.contract.operations:
            if next(self.witness.calls(name, last), None) is not None:
                raise NoWitness(f"{name} can be called where no call should be possible")
        reason = "From here no call is possible."
        return build_trace(
            self.contract, None, None, "explore", Kind.REACHED, reason, self.start, moves, name=DEADLOCK
        )

    def reach_of(self, result: Result) -> str:
        """How far the answer reaches, in words."""
        if self.options.simulate:
            return f"{self.options.simulate:,} steps of random walks in scope {self.scope.name}"
        what = "orbits" if self.options.symmetry else "states"
        within = f", runs of up to {self.scope.steps} operations" if self.scope.steps else ""
        hashed = "" if result.omission is None else f"; {PROBABLE.format(result.omission)}"
        return f"{result.states:,} {what} of scope {self.scope.name}{within}{hashed}"

    # --- runs ------------------------------------------------------------------------------------------------------

    def blind_to_runs(self) -> str:
        """Why runs cannot be judged here, if they cannot."""
        if self.options.simulate:
            return "random walks do not see what goes on for ever: explore a scope"
        if self.scope.steps:
            return f"scope {self.scope.name} bounds the number of steps: a run without end needs a scope that does not"
        return ""

    @property
    def is_reduced(self) -> bool:
        """Runs need a search of their own: of states and neither orbits nor hashes, and on this machine."""
        o = self.options
        return o.symmetry or o.cluster is not None or o.compaction is not None

    def judge_runs(self, result: Result, tell: Callable[[Progress], None]) -> list[Verdict]:
        """Properties of runs.  What is left when somebody interrupts stays undecided."""
        properties, scope = self.contract.temporals.values(), f"scope {self.scope.name}"
        if self.runs is None:
            return [verdict_on(p, Kind.UNSUPPORTED, scope, self.blind_to_runs()) for p in properties]
        found: list[Verdict] = []
        try:
            found.extend(self.judged_runs(self.runs, result, tell))
        except KeyboardInterrupt:
            result.reason = "interrupted"
            found += [verdict_on(p, Kind.UNKNOWN, scope, result.reason) for p in list(properties)[len(found) :]]
        return found

    def judged_runs(self, runs: Runs, result: Result, tell: Callable[[Progress], None]) -> Iterator[Verdict]:
        """One verdict after the other, on the states themselves: what a run does is not seen on orbits."""
        properties = self.contract.temporals.values()
        search, raw = self.search, ""
        if self.is_reduced and not result.reason:
            options = replace(
                self.options, symmetry=False, compaction=None, cluster=None, keep_going=True, checkpoint=None,
                jobs=min(self.options.jobs, os.cpu_count() or 1),
            )  # fmt: skip
            contract = replace(self.contract, properties={})
            search = make_search(contract, self.scope, Interpreter(contract).initial, options, runs.question)
            result = search.run(tell)
            left = (("orbits", self.options.symmetry), ("hashes", self.options.compaction is not None))
            raw = "".join(f", states and not {what}" for what, is_used in left if is_used)
        reason = f"not every state was looked at: {result.reason}" if result.reason else ""
        graph = None if reason else search.graph(self.options.memory)
        scope = f"{result.states:,} states of scope {self.scope.name}"
        if graph is None:
            reason = reason or f"the memory limit of {self.options.memory // MIB} MiB is reached by the steps between states"
            yield from (verdict_on(p, Kind.UNKNOWN, scope, reason) for p in properties)
            return
        ground = Ground(
            self.contract, search, runs, graph, self.options.memory,
            f"every run through the {scope} ({len(graph.edges):,} steps{raw})",
        )  # fmt: skip
        yield from map(ground.judge, properties)

    # --- numbers ---------------------------------------------------------------------------------------------------

    def statistics(self, result: Result) -> dict[str, Any]:
        operations = {}
        for name, op in self.contract.operations.items():
            successes = [i for i, o in enumerate(op.outcomes) if o.kind == "ok"]
            operations[name] = {
                "enabled": result.calls.get(name, 0),
                "fired": sum(result.outcomes.get((name, i), 0) for i in successes),
            }
        return {
            "scope": self.scope.name,
            "states": result.states,
            "transitions": result.transitions,
            "depth": result.depth,
            "steps": self.scope.steps or None,
            "simulated": self.options.simulate,
            "cut": result.cut,
            "deadlocks": result.deadlocks,
            "deadlock": None,
            "operations": operations,
            "never_fired": [name for name, o in operations.items() if not o["fired"]],
            "symmetry": self.options.symmetry,
            "compaction": self.compaction(result),
            "jobs": self.options.jobs,
            "cluster": self.options.cluster is not None,
            "machine_code": not self.options.plain,
            "seconds": round(result.seconds, 3),
            "compile_seconds": round(result.compile_seconds, 3),
            "bytes_per_state": round(result.bytes_a_state, 1),
            "complete": not result.reason,
            "reason": result.reason,
        }

    def compaction(self, result: Result) -> dict[str, Any] | None:
        """How states were hashed, and how probable an omission is: null if they were kept whole all the same."""
        asked = self.options.compaction
        if asked is None:
            return None
        return {"bits": asked.bits, "seed": asked.seed, "omission": result.omission}


def make_search(
    contract: Contract, scope: Scope, start: Callable[[State], State], options: Options, question: Question | None = None
) -> Searching:
    """The search that the options ask for; it can give a graph if it was asked a question."""
    if options.plain:
        return PlainSearch(contract, scope, start, options.symmetry, options.keep_going, options.compaction, question)
    from vmaspace.checker.engines.explore.search import Search  # llvmlite is an extra

    kept = None
    if options.checkpoint is not None:
        kept = Checkpoint(options.checkpoint / scope.name, options.checkpoint_every)
    if options.cluster is not None:
        from vmaspace.checker.engines.cluster.search import ClusterSearch

        return ClusterSearch(
            options.cluster, contract, scope, start, memory=options.memory, cache=options.cache,
            symmetry=options.symmetry, keep_going=options.keep_going, compaction=options.compaction, checkpoint=kept,
        )  # fmt: skip
    search = Search(
        contract, scope, start, jobs=1 if options.simulate else options.jobs, memory=options.memory, cache=options.cache,
        symmetry=options.symmetry, keep_going=options.keep_going, checkpoint=kept,
        compaction=None if options.simulate else options.compaction, question=question,
    )  # fmt: skip
    if not options.simulate:
        return search
    from vmaspace.checker.engines.explore.walk import Walks

    return Walks(search, options.simulate, options.seed)


def generated_text(contract: Contract, scope: Scope, options: Options) -> str:
    """The code of a scope, as it goes to the compiler."""
    program = Program(contract, scope, options.symmetry)
    width = program.layout.words
    compaction = None if options.compaction is None else options.compaction.of(width)
    asked = contract.temporals and not scope.steps and not options.symmetry and compaction is None
    more = edges_text(program, Runs(contract, scope).question) if asked else ""
    return core_text(width, list(program.calls.values()), compaction) + program.text + more
