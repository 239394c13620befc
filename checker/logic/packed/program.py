"""The text of a whole scope: every operation, every property, packing and unpacking, in the language of `machine`.

The functions work on a context `C` of words; the constants below name them.  What becomes of a new state, `emit`, is the
search's business and stands in its own text.  Conditions are asked in the contract's order; a refusal without an effect is
counted and goes nowhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from vmaspace.checker.logic import terms as tm
from vmaspace.checker.logic.contract import STATUS_SYMBOL, Contract, Operation, Outcome, Property, Scope
from vmaspace.checker.logic.packed import runtime
from vmaspace.checker.logic.packed.blank import first_is_harmless
from vmaspace.checker.logic.packed.calls import Calls
from vmaspace.checker.logic.packed.canonical import Canonical
from vmaspace.checker.logic.packed.effects import Effects
from vmaspace.checker.logic.packed.expressions import Expressions
from vmaspace.checker.logic.packed.layout import Layout, ScopeError
from vmaspace.checker.logic.packed.lines import Lines
from vmaspace.checker.logic.points import NotLinear
from vmaspace.checker.logic.rewriting import functions_of, restage, rewrite, substitute
from vmaspace.checker.logic.terms import Term

# Words of the context.
PARENT, INDEX, CUT, UNSOUND = range(4)
FIRST_SLOT = 160  # from here on: counts of calls, counts of outcomes, and where properties first failed


@dataclass(slots=True)
class Slots:
    """Numbered words of the context: name -> index."""

    first: int
    names: list[object] = field(default_factory=list)

    def add(self, name: object) -> int:
        self.names.append(name)
        return self.first + len(self.names) - 1


class Program:
    """The generated text, and what its counters mean."""

    def __init__(self, contract: Contract, scope: Scope, symmetry: bool = False) -> None:
        self.contract = contract
        self.layout = Layout(contract, scope)
        self.code = Expressions(self.layout)
        self.effects = Effects(self.code)
        self.slots = Slots(FIRST_SLOT)
        self.canonical = Canonical(self.layout) if symmetry else None
        self.arguments: dict[tuple[str, str], range | tuple[int, ...]] = {}  # of (operation, parameter)
        self.calls: dict[str, int] = {}
        self.outcomes: dict[tuple[str, int], int] = {}
        self.failures: dict[tuple[str, str | None], int] = {}  # (property, operation) -> slot
        self.parts: list[str] = []
        try:
            self._write()
        except NotLinear as error:
            raise ScopeError(f"this cannot be explored: {error}") from None
        self.context_size = FIRST_SLOT + len(self.slots.names)

    @property
    def text(self) -> str:
        constants = f"PARENT = {PARENT}\nINDEX = {INDEX}\nCUT = {CUT}\nUNSOUND = {UNSOUND}\n"
        return "\n\n".join((constants, runtime.TEXT, *self.code.functions, *self.parts))

    def _write(self) -> None:
        for op in self.contract.operations.values():
            self.calls[op.name] = self.slots.add(("calls", op.name))
            for i, _ in enumerate(op.outcomes):
                self.outcomes[op.name, i] = self.slots.add(("outcome", op.name, i))
        for number, op in enumerate(self.contract.operations.values()):
            self._operation(number, op)
        self._expand()
        self._check()
        self._pack()

    # --- operations ------------------------------------------------------------------------------------------------

    def _operation(self, number: int, op: Operation) -> None:
        loops = Lines()
        calls = Calls(self.code, op)
        calls.write(loops)  # first: it says what the arguments may be
        self.arguments |= {(op.name, name): values for name, values in calls.values.items()}
        params = "".join(f", {self.code.name(p)}: {self.code.kind(p)}" for p in op.params)
        given = "".join(f", {self.code.name(p)}" for p in op.params)
        body = Lines()
        body.add(f"C[{self.calls[op.name]}] += 1")
        for i, o in enumerate(op.outcomes):
            condition = self.code.fold(o.condition)
            if condition is tm.FALSE:
                continue
            body.open(f"if {self.code.expr(condition)}:")
            self._outcome(body, op, i, o, f"act{number}_{i}", params, given)
            if o.kind != "may":
                body.add("return 0")
            body.close()
            if condition is tm.TRUE and o.kind != "may":
                break
        self._function(f"call{number}(C: Words, S: Words, T: Words{params})", body)
        loops.add(f"call{number}(C, S, T{given})")
        self._function(f"operation{number}(C: Words, S: Words, T: Words)", loops)

    def _outcome(
        self, body: Lines, op: Operation, i: int, o: Outcome, name: str, params: str, given: str
    ) -> None:
        slot = self.outcomes[op.name, i]
        if o.kind == "asserts" or not o.has_effect:
            body.add(f"C[{slot}] += 1")
            if o.kind != "asserts":
                self._step(body, op, o, changes=False)
            return
        inner = Lines()
        self.effects.choices(inner, o)
        chosen = [c.symbol for c in o.choices]
        more = "".join(f", {self.code.name(s)}: {self.code.kind(s)}" for s in chosen)
        inner.add(f"{name}(C, S, T{given}{''.join(f', {self.code.name(s)}' for s in chosen)})")
        self._function(f"choose_{name}(C: Words, S: Words, T: Words{params})", inner)
        act = Lines()
        act.add(f"copy(T, S, {self.layout.state_size})")
        self.effects.updates(act, o)
        act.add(f"C[{slot}] += 1")
        self._step(act, op, o, changes=True)
        act.add("emit(C, T)")
        self._function(f"{name}(C: Words, S: Words, T: Words{params}{more})", act)
        body.add(f"choose_{name}(C, S, T{given})")

    def _function(self, head: str, body: Lines) -> None:
        self.parts.append("\n".join([f"def {head} -> Word:", *body.lines, "    return 0", ""]))

    # --- properties ------------------------------------------------------------------------------------------------

    def _step(self, body: Lines, op: Operation, o: Outcome, changes: bool) -> None:
        """Everything that is asked of a step itself."""
        for p in self.contract.properties.values():
            if not is_of_steps(p) or not p.speaks_of(op.name):
                continue
            if p.kind != "after" and (not changes or not o.changed() & functions_of(p.body)):
                continue
            formula = self.code.fold(self.claim(p, op, o, changes))
            if formula is tm.TRUE:
                continue
            slot = self._failure(p.name, op.name)
            body.open(f"if C[{slot}] == 0 and not {self.code.expr(formula)}:")
            body.add(f"C[{slot}] = C[INDEX] + 1")
            body.close()

    def claim(self, p: Property, op: Operation, o: Outcome, changes: bool) -> Term:
        """What a property says of a step that ended like this."""
        if p.kind == "invariant":
            return tm.implies(p.body, restage(p.body, 1))
        body = p.body
        if p.kind == "after":
            known = {STATUS_SYMBOL: self.contract.status(o.status)}
            for result in p.results:
                known[result] = op.result(o, result.name.removeprefix("result."), result.type)
            body = substitute(body, known)
        return body if changes else earlier(body)

    def _failure(self, name: str, operation: str | None) -> int:
        key = (name, operation)
        if key not in self.failures:
            self.failures[key] = self.slots.add(("failure", *key))
        return self.failures[key]

    def _check(self) -> None:
        """What is asked of every state: invariants, `reach`, and steps that change nothing."""
        body = Lines()
        for p in self.contract.properties.values():
            if p.kind == "after" or (p.kind == "invariant" and is_of_steps(p)):
                continue
            formula = self.code.fold(earlier(p.body) if p.kind == "step" else p.body)
            if p.kind == "reach":
                formula = tm.not_(formula)
            if formula is tm.TRUE:
                continue
            slot = self._failure(p.name, None)
            body.open(f"if C[{slot}] == 0 and not {self.code.expr(formula)}:")
            body.add(f"C[{slot}] = C[INDEX] + 1")
            body.close()
        for harmless in first_is_harmless(self.code) if self.canonical else ():
            body.open(f"if not ({harmless}):")
            body.add("C[UNSOUND] = 1")
            body.close()
        self._function("check(C: Words, S: Words, T: Words)", body)

    # --- states ----------------------------------------------------------------------------------------------------

    def _expand(self) -> None:
        body = Lines()
        for number, _ in enumerate(self.contract.operations):
            body.add(f"operation{number}(C, S, T)")
        self._function("expand(C: Words, S: Words, T: Words)", body)

    def _pack(self) -> None:
        pack, unpack = Lines(), Lines()
        words: dict[int, list[str]] = {i: [] for i in range(self.layout.words)}
        for f in self.layout.fields:
            value = f"T[{f.row}]" if not f.low else f"(T[{f.row}] - {f.low})"
            words[f.word].append(f"({value} << {f.shift})" if f.shift else value)
            shown = f"P[{f.word}] >> {f.shift}" if f.shift else f"P[{f.word}]"
            shown = f"({shown}) & {(1 << f.bits) - 1}" if f.bits < 64 else shown
            unpack.add(f"S[{f.row}] = ({shown}) + {f.low}" if f.low else f"S[{f.row}] = {shown}")
        for word, parts in words.items():
            pack.add(f"P[{word}] = {' | '.join(parts) or 0}")
        if self.canonical is None:
            self._function("canonical(C: Words, T: Words, P: Words)", pack)
        else:
            self.parts.append(self.canonical.text())
        self._function("unpack(P: Words, S: Words)", unpack)


def is_of_steps(p: Property) -> bool:
    """Judged at every step.  So is an invariant that deviates: which operations break it is the point."""
    return p.kind in ("step", "after") or (p.kind == "invariant" and p.deviation is not None)


def earlier(t: Term) -> Term:
    """A formula about two states, said of one that stays as it is."""
    memo: dict[Term, Term] = {}

    def leaf(node: Term) -> Term | None:
        if node.op == "app" and node.stage == 1:
            return tm.app(node.function, (rewrite(a, leaf, memo) for a in node.args))
        if node.op in tm.QUANTIFIERS and node.stage == 1:
            body = rewrite(node.body, leaf, memo)
            build = {"forall": tm.forall, "exists": tm.exists, "count": tm.count}[node.op]
            return build(node.binders, body)
        return None

    return rewrite(t, leaf, memo)
