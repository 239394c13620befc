"""What names mean: the declarations of a program by kind, and the local names of one place in it.

Declarations may stand in any order, so the catalogue is complete before anything is looked up in it.  Vars, givens,
consts, switches, defs and effects share one name space; types, operations, properties and scopes have one each.
Members of enumerations and flags types share theirs with the statuses, and two types may have members of one name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from vmaspace.checker.language import codes
from vmaspace.checker.language import syntax as ast
from vmaspace.checker.language.diagnostics import Diagnostic
from vmaspace.checker.language.spelling import nearest
from vmaspace.checker.language.syntax import Span
from vmaspace.checker.language.types import BUILTINS, ERROR, GROUND, Type

D = TypeVar("D", bound=ast.Declaration)

Value = ast.ConstDecl | ast.GivenDecl | ast.SwitchDecl | ast.VarDecl | ast.DefDecl | ast.EffectDecl
Member = ast.EnumMember | ast.FlagMember
Local = ast.Binder | ast.Let


class Problems:
    """The diagnostics of one run."""

    def __init__(self) -> None:
        self.found: list[Diagnostic] = []

    def add(
        self, code: str, message: str, span: Span, *, expected: str | None = None, found: str | None = None,
        hint: str | None = None, notes: tuple[tuple[str, Span], ...] = (),
    ) -> None:  # fmt: skip
        self.found.append(Diagnostic(code, message, span, expected, found, hint, notes))


class Catalogue:
    """Every declaration of a program by kind and name."""

    def __init__(self, program: ast.Program, problems: Problems) -> None:
        self.problems = problems
        self.sorts: dict[str, ast.SortDecl] = {}
        self.enums: dict[str, ast.EnumDecl] = {}
        self.flags: dict[str, ast.FlagsDecl] = {}
        self.statuses: dict[str, ast.StatusDecl] = {}
        self.values: dict[str, Value] = {}
        self.members: dict[str, list[Member]] = {}
        self.ops: dict[str, ast.OpDecl] = {}
        self.properties: dict[str, ast.PropertyDecl] = {}
        self.scopes: dict[str, ast.ScopeDecl] = {}
        self.init: ast.InitDecl | None = None
        self.types: dict[str, Type] = dict(GROUND)
        self._places: dict[tuple[str, str], Span] = {}
        self.order: dict[Span, int] = {}  # of declarations and members, as they stand in the text
        for d in program.declarations:
            for m in (d, *(d.members if isinstance(d, ast.EnumDecl | ast.FlagsDecl) else ())):
                self.order.setdefault(m.span, len(self.order))
            self._enter(d)
        for d in program.declarations:
            self._check_members(d)

    # --- entering --------------------------------------------------------------------------------------------------

    def _enter(self, d: ast.Declaration) -> None:
        match d:
            case ast.SortDecl():
                self._enter_type(d, self.sorts, "sort")
            case ast.EnumDecl():
                self._enter_type(d, self.enums, "enum")
            case ast.FlagsDecl():
                self._enter_type(d, self.flags, "flags")
            case ast.StatusDecl():
                self._enter_unique(d, "status", self.statuses)
            case ast.OpDecl():
                self._enter_unique(d, "operation", self.ops)
            case ast.PropertyDecl():
                self._enter_unique(d, "property", self.properties)
            case ast.ScopeDecl():
                self._enter_unique(d, "scope", self.scopes)
            case ast.InitDecl():
                if self._is_first(d, "item"):
                    self.init = d
            case _:
                assert isinstance(d, Value)
                if d.name in BUILTINS or d.name == "status":
                    self._reserved(d)
                self._enter_unique(d, "name", self.values)

    def _enter_type(self, d: D, table: dict[str, D], kind: str) -> None:
        if d.name in GROUND or d.name in ("range", "status"):
            self._reserved(d)
        elif self._enter_unique(d, "type", table):
            self.types[d.name] = Type(kind, d.name)

    def _enter_unique(self, d: D, space: str, table: dict[str, D]) -> bool:
        first = self._is_first(d, space)
        if first:
            table[d.name] = d
        return first

    def _is_first(self, d: ast.Declaration, space: str) -> bool:
        key = space, d.name
        if key in self._places:
            self.problems.add(
                codes.DUPLICATE, f"the {space} `{d.name}` is declared twice", d.span,
                hint="rename one of them, or remove it", notes=(("first declared here", self._places[key]),),
            )  # fmt: skip
            return False
        self._places[key] = d.span
        return True

    def _reserved(self, d: ast.Declaration) -> None:
        self.problems.add(
            codes.RESERVED, f"`{d.name}` is a word of the language and cannot be declared", d.span,
            hint="choose another name",
        )  # fmt: skip

    def _check_members(self, d: ast.Declaration) -> None:
        """Members are entered last, so that a collision is reported at the member."""
        if isinstance(d, ast.StatusDecl):
            self._check_collision(d, "status")
        if not isinstance(d, ast.EnumDecl | ast.FlagsDecl):
            return
        seen: dict[str, Member] = {}
        bits: dict[int, Member] = {}
        for m in d.members:
            if m.name in seen:
                self.problems.add(
                    codes.DUPLICATE, f"`{d.name}` has two members `{m.name}`", m.span,
                    notes=(("the first one", seen[m.name].span),),
                )  # fmt: skip
                continue
            seen[m.name] = m
            if isinstance(m, ast.FlagMember):
                if m.bit in bits:
                    self.problems.add(
                        codes.DUPLICATE, f"`{m.name}` and `{bits[m.bit].name}` are the same bit {m.bit}", m.span,
                        notes=((f"`{bits[m.bit].name}`", bits[m.bit].span),),
                    )  # fmt: skip
                bits[m.bit] = m
            self._check_collision(m, f"member of `{d.name}`")
            self.members.setdefault(m.name, []).append(m)

    def _check_collision(self, m: ast.Declaration, what: str) -> None:
        other: ast.Declaration | None = None
        value = self.values.get(m.name)
        if value is not None and is_plain_name(value):
            other = value
        elif not isinstance(m, ast.StatusDecl):
            other = self.statuses.get(m.name)
        if other is not None:
            first, second = sorted((m.span, other.span), key=lambda s: self.order[s])
            self.problems.add(
                codes.DUPLICATE, f"`{m.name}` is a {what} and something else as well", second,
                hint="rename one of them: a plain name must say what it means",
                notes=(("first declared here", first),),
            )  # fmt: skip

    # --- looking up ------------------------------------------------------------------------------------------------

    def type_for(self, name: str, span: Span | None) -> Type:
        """The declared type of a name; reports and gives `error` if there is none."""
        found = self.types.get(name)
        if found is not None:
            return found
        assert span is not None
        if name in ("range", "status"):
            if name == "range":
                what, hint = "a range cannot be stored or passed", "pass its two ends, as addresses"
            else:
                what, hint = (
                    "a status is only the answer of an operation",
                    "in `after` properties, write `status`",
                )
            self.problems.add(codes.UNKNOWN_TYPE, what, span, expected="a type that can be stored", hint=hint)
        else:
            known = ", ".join(GROUND)
            self.problems.add(
                codes.UNKNOWN_TYPE, f"there is no type `{name}`", span,
                expected=f"{known}, or a declared sort, enum or flags type", hint=meant(name, self.types),
            )  # fmt: skip
        return ERROR

    def operation(self, name: str, span: Span) -> ast.OpDecl | None:
        found = self.ops.get(name)
        if found is None:
            self.problems.add(
                codes.UNKNOWN_OPERATION, f"there is no operation `{name}`", span, expected="the name of an `op`",
                hint=meant(name, self.ops) or listed("the operations are", self.ops),
            )  # fmt: skip
        return found

    def callables(self) -> list[str]:
        """Every name that is called with parentheses in an expression."""
        return [*(n for n, v in self.values.items() if is_function(v)), *BUILTINS]

    def plain_names(self) -> list[str]:
        """Every name that stands for a value without parentheses."""
        return [*(n for n, v in self.values.items() if is_plain_name(v)), *self.members, *self.statuses]


def is_plain_name(d: Value) -> bool:
    """Whether the declaration is used without parentheses."""
    match d:
        case ast.ConstDecl() | ast.SwitchDecl():
            return True
        case ast.GivenDecl():
            return not d.params
        case ast.VarDecl():
            return not d.param_names
    return False


def is_function(d: Value) -> bool:
    """Whether the declaration is called in expressions."""
    return isinstance(d, ast.DefDecl) or (isinstance(d, ast.GivenDecl | ast.VarDecl) and not is_plain_name(d))


def meant(name: str, known: Iterable[str]) -> str | None:
    near = nearest(name, known)
    return None if near is None else f"did you mean `{near}`?"


def listed(intro: str, known: Iterable[str]) -> str | None:
    names = sorted(known)
    if not names:
        return None
    return f"{intro} {', '.join(names[:12])}{', …' if len(names) > 12 else ''}"


@dataclass(frozen=True, slots=True)
class Scope:
    """The local names of a place, and what may be said there."""

    names: Mapping[str, Local] = field(default_factory=dict)
    place: str = "operation"  # or "property", "definition", "old": what the text belongs to
    two_states: bool = False  # `old` has a meaning
    answered: bool = False  # `status` has a meaning
    of_runs: bool = False  # `always` and its like have a meaning
    for_all: bool = False  # inside a statement `for`

    def with_names(self, added: Iterable[Local], problems: Problems) -> Scope:
        """This scope and more names; hiding a local name is reported."""
        names = dict(self.names)
        for local in added:
            if local.name in names:
                problems.add(
                    codes.SHADOWED, f"`{local.name}` hides another local name", local.span,
                    hint="choose another name",
                    notes=((f"`{local.name}` already means this", names[local.name].span),),
                )  # fmt: skip
            names[local.name] = local
        return replace(self, names=names)
