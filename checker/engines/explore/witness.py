"""From the states of a search to a run: calls that lead from each state to the next, found by the contract's interpreter.

So a counterexample rests on execution and not on the compiled code that found it.  With symmetry, the search knows a state
of each orbit only; the run then goes through states of the same orbits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from vmaspace.checker.logic.contract import Contract, Property
from vmaspace.checker.logic.execute import CompiledOutcome, Interpreter
from vmaspace.checker.logic.packed.program import Program
from vmaspace.checker.logic.state import NULL, State

Key = tuple[int, ...]


class NoWitness(Exception):
    """The interpreter does not go where the compiled code went: one of the two is wrong."""


@dataclass(frozen=True, slots=True)
class Move:
    """One step of a run; see `engines.traces.Move`."""

    operation: str
    env: Mapping[str, int]
    outcome: CompiledOutcome | None
    state: State


class Witness:
    """Finds calls in one scope."""

    def __init__(self, contract: Contract, program: Program, key: Callable[[State], Key]) -> None:
        self.contract = contract
        self.program = program
        self.key = key
        self.interpreter = Interpreter(contract)

    def calls(self, name: str, state: State) -> Iterator[dict[str, int]]:
        """Every call of an operation that the scope knows and the contract allows here."""
        op = self.contract.operations[name]
        domains: list[Sequence[int]] = []
        for p in op.params:
            if p.type.kind == "sort":
                nothing = (NULL,) if p in op.nullable else ()
                domains.append((*nothing, *state.domains[p.type.name]))
            else:
                domains.append(self.program.arguments[name, p.name])
        for values in product(*domains):
            env = {p.name: value for p, value in zip(op.params, values, strict=True)}
            if self.interpreter.enabled(name, state, env):
                yield env

    def moves(self, state: State) -> Iterator[Move]:
        """Every step from a state, refusals included."""
        for name in self.contract.operations:
            for env in self.calls(name, state):
                for c in self.interpreter.allowed(name, state, env):
                    if c.outcome.kind == "asserts":
                        continue
                    for chosen, after in self.interpreter.successors(c, state, dict(env), {}):
                        yield Move(name, chosen, c, after)

    def run(self, start: State, keys: Sequence[Key]) -> list[Move]:
        """A run through states with these keys, the first of which is that of `start`."""
        found: list[Move] = []
        state = start
        for key in keys[1:]:
            move = next((m for m in self.moves(state) if self.fits(m.state) and self.key(m.state) == key), None)
            if move is None:
                raise NoWitness(f"no call leads from state {len(found)} to the next")
            found.append(move)
            state = move.state
        return found

    def breaking(self, p: Property, operation: str, state: State) -> Move:
        """A step of this operation that breaks a property."""
        for m in self.moves(state):
            assert m.outcome is not None
            if m.operation != operation or self.interpreter.holds(p, state, m.state, m.env, m.outcome.outcome):
                continue
            if p.kind != "invariant" or self.interpreter.holds(p, state, state, m.env, None):
                return m
        raise NoWitness(f"no call of {operation} breaks {p.name}")

    def fits(self, state: State) -> bool:
        """The state is inside the scope."""
        return self.program.layout.holds(state)
