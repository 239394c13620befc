"""Properties: invariants, steps, witnesses, and what is true after an operation.

Each says in a sentence what it protects and where the claim comes from; the formula is of type bool.
"""

from __future__ import annotations

from collections.abc import Sequence

from vmaspace.checker.language import codes
from vmaspace.checker.language import syntax as ast
from vmaspace.checker.language.expressions import Expressions
from vmaspace.checker.language.names import Catalogue, Scope, listed, meant
from vmaspace.checker.language.runs import check_run
from vmaspace.checker.language.types import BOOL, ERROR


class Properties:
    """Checks the properties against a catalogue."""

    def __init__(self, catalogue: Catalogue, expressions: Expressions) -> None:
        self.catalogue = catalogue
        self.problems = catalogue.problems
        self.expressions = expressions

    def check(self) -> None:
        for p in self.catalogue.properties.values():
            self.check_header(p)
            scope = Scope(
                place="run" if p.kind == "temporal" else "property",
                two_states=p.kind in ("step", "after"), answered=p.kind == "after", of_runs=p.kind == "temporal",
            )  # fmt: skip
            if p.kind == "after":
                self.bind_operation(p)
                scope = scope.with_names([*p.params, *p.results], self.problems)
            if p.body is not None:
                self.expressions.check(p.body, scope, BOOL, f"what `{p.name}` says")
                if p.kind == "temporal":
                    check_run(p, self.problems)

    def check_header(self, p: ast.PropertyDecl) -> None:
        if not (p.sentence or "").strip():
            self.problems.add(
                codes.NO_SENTENCE, f"`{p.name}` does not say what it protects", p.span,
                expected="a sentence in quotes after the name", hint=f'write `{p.kind} {p.name} "…"`',
            )  # fmt: skip
        if p.kind != "reach" and not p.supporting and not (p.source or "").strip():
            self.problems.add(
                codes.NO_SOURCE, f"`{p.name}` does not say where its claim comes from", p.span,
                expected='from "FILE, FUNCTION" after the sentence',
                hint="an invariant that only helps others to be proved is a `supporting invariant`",
            )  # fmt: skip
        for name, span in zip((*p.excepted, *p.fair), (*p.excepted_spans, *p.fair_spans), strict=True):
            self.catalogue.operation(name, span)
        if p.deviation is not None:
            self.check_deviation(p, p.deviation)

    def check_deviation(self, p: ast.PropertyDecl, d: ast.Deviation) -> None:
        switches = {n: s for n, s in self.catalogue.values.items() if isinstance(s, ast.SwitchDecl)}
        d.switch = switches.get(d.switch_name)
        if d.switch is None:
            self.problems.add(
                codes.UNKNOWN_SWITCH, f"there is no switch `{d.switch_name}`", d.span,
                expected="the name of a `switch`",
                hint=meant(d.switch_name, switches) or listed("the switches are", switches),
            )  # fmt: skip
        for name, span in zip(d.op_names, d.op_spans, strict=True):
            if self.catalogue.operation(name, span) is None:
                continue
            if name in p.excepted or (p.op_name is not None and p.op_name != name):
                self.problems.add(
                    codes.BAD_DEVIATION, f"`{p.name}` does not speak of `{name}`", span,
                    expected="an operation that can break the property",
                )  # fmt: skip
        if p.kind in ("reach", "temporal"):
            what = "a witness" if p.kind == "reach" else "a temporal property"
            self.problems.add(
                codes.BAD_DEVIATION, f"{what} has no deviation", d.span,
                expected="`deviation` in an `invariant`, `step` or `after` property",
            )  # fmt: skip

    def bind_operation(self, p: ast.PropertyDecl) -> None:
        """The names of an `after` property stand for the operation's parameters and results, in order."""
        for b in (*p.params, *p.results):
            b.type = ERROR
        assert p.op_name is not None and p.op_span is not None
        p.op = self.catalogue.operation(p.op_name, p.op_span)
        if p.op is None:
            return
        self.bind(p, p.params, p.op.params, "parameter")
        if p.results:
            self.bind(p, p.results, p.op.results, "result")

    def bind(
        self, p: ast.PropertyDecl, names: Sequence[ast.Binder], declared: Sequence[ast.Binder], what: str
    ) -> None:
        assert p.op is not None and p.op_span is not None
        if len(names) != len(declared):
            number = f"{len(declared) or 'no'} {what}{'s' * (len(declared) != 1)}"
            self.problems.add(
                codes.WRONG_ARITY, f"`{p.op.name}` has {number}", p.op_span,
                expected=", ".join(f"{b.name}: {b.type_name}" for b in declared) or f"no {what} names",
                found=", ".join(b.name for b in names) or "none",
                hint="name them all, in this order; the names are yours",
            )  # fmt: skip
        for name, d in zip(names, declared, strict=False):
            name.type, name.type_name, name.type_span = d.type, d.type_name, d.type_span
