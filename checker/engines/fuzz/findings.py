"""What the judge may find wrong with a step, in words.

A `Finding` names the kind of disagreement, the clause or property that decides, and what was expected and
found.

Not here: how it is found; that is `judge`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from vmaspace.checker.adapters.interface import Broken, Invariant
from vmaspace.checker.engines.traces import place_of
from vmaspace.checker.language.syntax import Span
from vmaspace.checker.language.types import Type
from vmaspace.checker.logic.contract import Contract, Property
from vmaspace.checker.logic.execute import CompiledOutcome
from vmaspace.checker.logic.state import Codec, Pieces, State
from vmaspace.checker.report.verdict import Place

CONFORMS = "conforms"
DIFFERENCES_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Finding:
    """One disagreement.

    kind: "status", "effect", "property", "invariant" or "crash".  name: the property or the number, or CONFORMS.  clause: how the
    contract calls what decides.  reason: one sentence, then details on further lines.  invariant: what is broken, for that kind.
    """

    kind: str
    operation: str
    name: str
    reason: str
    clause: str
    span: Span | None = None
    invariant: Invariant | None = None

    @property
    def place(self) -> Place | None:
        """Where what decides is written: in the contract, or, for an invariant, the kernel's file."""
        return Place(self.invariant.source) if self.invariant is not None else place_of(self.span)

    @property
    def key(self) -> tuple[str, str, str]:
        """Findings with one key are taken for one and the same fault."""
        return (self.operation, self.kind, self.name)

    @property
    def id(self) -> str:
        return f"{self.operation}/{self.name}"


class Wording:
    """Makes findings for one contract."""

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        self.codec = Codec(contract)

    # --- kinds of finding ------------------------------------------------------------------------------------------

    def crash(self, operation: str, how: str) -> Finding:
        return Finding("crash", operation, CONFORMS, f"the implementation broke: {how}", "being run")

    def status(
        self, operation: str, got: str, violated: str | None, allowed: Sequence[CompiledOutcome]
    ) -> Finding:
        deciding = allowed[-1].outcome
        lines = [f"{operation} answers {got}, and the contract says {deciding.status}"]
        if violated:
            lines.append(f"  it stops over: {violated}")
        lines.append(f"  {deciding.span.file}:{deciding.span.line}: {clause(allowed[-1])}")
        return Finding("status", operation, CONFORMS, "\n".join(lines), clause(allowed[-1]), deciding.span)

    def effect(self, operation: str, c: CompiledOutcome, best: State | None, after: State) -> Finding:
        lines = [f"after {operation} -> {c.outcome.status}, the state is not what the contract says"]
        if best is not None:
            lines += self.differences(best, after)
        return Finding(
            "effect", operation, CONFORMS, "\n".join(lines), f"the effect of {operation}", c.outcome.span
        )

    def misplaced(
        self, operation: str, c: CompiledOutcome, name: str, value: int, allowed: list[int]
    ) -> Finding:
        choice = next(choice for choice, *_ in c.choices if choice.name == name)
        shown = self.codec.show(value, choice.symbol.type)
        lines = [f"{operation} chose {shown} for `{name}`, which the contract does not allow"]
        if allowed:
            lines.append(f"  allowed, among others: {self.codec.show(allowed[0], choice.symbol.type)}")
        return Finding("effect", operation, CONFORMS, "\n".join(lines), f"picks {name}", c.outcome.span)

    @staticmethod
    def with_lost(finding: Finding, lost: Sequence[Property]) -> Finding:
        """A finding that also names the properties that do not hold any more."""
        if not lost:
            return finding
        named = ", ".join(p.name for p in lost[:DIFFERENCES_SHOWN])
        more = f" and {len(lost) - DIFFERENCES_SHOWN} more" if len(lost) > DIFFERENCES_SHOWN else ""
        return replace(finding, reason=f"{finding.reason}\n  broken by that: {named}{more}")

    def property(self, operation: str, p: Property, witness: dict[str, tuple[int, Type]]) -> Finding:
        text = f"{p.name} does not hold after {operation}"
        if witness:
            named = ", ".join(f"{name} = {self.codec.show(v, t)}" for name, (v, t) in witness.items())
            text += f"\n  for {named}"
        return Finding("property", operation, p.name, text, p.name, p.span)

    @staticmethod
    def invariant(operation: str, broken: Broken) -> Finding:
        of = broken.invariant
        text = f"{of.number} does not hold after {operation}: {broken.what}"
        return Finding("invariant", operation, of.number, text, of.number, invariant=of)

    # --- states ----------------------------------------------------------------------------------------------------

    def differences(self, expected: State, found: State) -> list[str]:
        """Where two states differ, a line for each place."""
        lines = list(self.each_difference(expected, found))
        if len(lines) > DIFFERENCES_SHOWN:
            more = len(lines) - DIFFERENCES_SHOWN
            lines[DIFFERENCES_SHOWN:] = [f"  and {more} more values that differ"]
        return lines

    def each_difference(self, expected: State, found: State) -> Iterator[str]:
        for sort, ids in expected.domains.items():
            there = found.domains.get(sort, ())
            for i in sorted(set(ids) - set(there)):
                yield f"  {self.codec.element(sort, i)}: expected to appear, and it did not"
            for i in sorted(set(there) - set(ids)):
                yield f"  {self.codec.element(sort, i)}: appeared, and nothing was expected"
        for name, f in self.codec.functions.items():
            a, b = expected.tables.get(name, {}), found.tables.get(name, {})
            for key in sorted(k for k in a.keys() | b.keys() if a.get(k) != b.get(k)):
                parts = key if isinstance(key, tuple) else (key,)
                at = ", ".join(str(self.codec.show(k, t)) for k, t in zip(parts, f.params, strict=False))
                yield f"  {name}({at}): expected {self.held(f, a.get(key))}, found {self.held(f, b.get(key))}"

    def held(self, f, value) -> str:  # type: ignore[no-untyped-def]
        if isinstance(value, Pieces) or (value is None and f.is_piecewise):
            pieces = value or Pieces()
            shown = (
                f"{self.show(v, f.result)} from {s:#x}"
                for s, v in zip(pieces.starts, pieces.values, strict=True)
            )
            return "; ".join(shown) or "nothing"
        if value is None:
            value = -1 if f.result.kind == "sort" else 0
        return self.show(value, f.result)

    def show(self, value: int, type_: Type) -> str:
        try:
            shown = self.codec.show(value, type_)
        except (IndexError, KeyError):  # what a faulty implementation holds need be no value at all
            return str(value)
        if isinstance(shown, list):
            return "{" + ", ".join(shown) + "}"
        if isinstance(shown, bool):
            return str(shown).lower()
        return "null" if shown is None else str(shown)


def size_of_difference(expected: State, found: State) -> int:
    """In how many places two states differ."""
    total = sum(len(set(expected.domains[s]) ^ set(found.domains[s])) for s in expected.domains)
    for name, a in expected.tables.items():
        b = found.tables[name]
        if a is not b and a != b:
            total += sum(1 for k in a.keys() | b.keys() if a.get(k) != b.get(k))
    return total


def clause(c: CompiledOutcome) -> str:
    """How the contract calls an outcome."""
    o = c.outcome
    if o.kind == "ok":
        return "OK: no clause applies"
    words = {"fails": o.status, "may": f"may {o.status}", "asserts": "asserts"}[o.kind]
    return words if o.sentence in ("", o.status) else f'{words} "{o.sentence}"'
