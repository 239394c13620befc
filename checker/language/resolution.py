"""What a plain name means where it stands.

Local names come first, then values without arguments, then members of enumerations and statuses.  A member name that
several types have is taken from the type that the surroundings expect; otherwise it must be qualified: `ShareOpt.none`.
"""

from __future__ import annotations

from collections.abc import Callable

from vmaspace.checker.language import codes
from vmaspace.checker.language import syntax as ast
from vmaspace.checker.language.names import Catalogue, Member, Scope, is_plain_name, meant
from vmaspace.checker.language.spelling import FOREIGN_NAMES, FOREIGN_WORDS, nearest
from vmaspace.checker.language.types import BOOL, BUILTINS, EMPTY, ERROR, STATUS, Type, in_words

Infer = Callable[[ast.Expr, Scope, Type | None], Type]


class Resolver:
    """Finds the declarations of names, and says why there is none."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.problems = catalogue.problems

    # --- plain names -----------------------------------------------------------------------------------------------

    def name(self, e: ast.Name, scope: Scope, expected: Type | None) -> Type:
        """The type of a name; sets `ref`."""
        local = scope.names.get(e.name)
        if local is not None:
            e.ref = local
            return (local.type if isinstance(local, ast.Binder) else local.value.type) or ERROR
        if "." in e.name:
            return self.qualified(e)
        value = self.catalogue.values.get(e.name)
        if value is not None and is_plain_name(value):
            e.ref = value  # type: ignore[assignment]
            return BOOL if isinstance(value, ast.SwitchDecl) else getattr(value, "type", None) or ERROR
        if e.name in self.catalogue.members:
            return self.member(e, expected)
        if e.name in self.catalogue.statuses:
            e.ref = self.catalogue.statuses[e.name]
            return STATUS
        if e.name == "status":
            return self.status(e, scope)
        self.unknown(e, scope, expected)
        return ERROR

    def status(self, e: ast.Name, scope: Scope) -> Type:
        e.ref = ast.Builtin("status")
        if not scope.answered:
            self.problems.add(
                codes.STATUS_OUTSIDE, "`status` has no meaning here", e.span,
                expected="`status` in the formula of an `after` property",
                hint="write `after OP(…): NAME` to speak of the answer of an operation",
            )  # fmt: skip
        return STATUS

    def member(self, e: ast.Name, expected: Type | None) -> Type:
        members = self.catalogue.members[e.name]
        fitting = [m for m in members if expected is not None and type_of(m) == expected]
        enumerated = [m for m in members if isinstance(m, ast.EnumMember)]
        found = fitting if len(fitting) == 1 else enumerated
        if len(found) != 1 and len(members) > 1:
            self.ambiguous(e, members)
            return ERROR
        m = found[0] if found else members[0]
        e.ref = m
        if isinstance(m, ast.FlagMember):
            self.problems.add(
                codes.FLAG_USE, f"`{e.name}` is one flag of {m.owner.name}, not a set", e.span,
                expected="a set of flags", hint=f"write `{{{e.name}}}`, or `{e.name} in …` to ask for it",
            )  # fmt: skip
            return ERROR
        return type_of(m)

    def qualified(self, e: ast.Name) -> Type:
        """`ShareOpt.none`."""
        owner, _, name = e.name.partition(".")
        d = self.catalogue.enums.get(owner) or self.catalogue.flags.get(owner)
        if d is None:
            owners = [*self.catalogue.enums, *self.catalogue.flags]
            self.problems.add(
                codes.UNKNOWN_TYPE, f"there is no enumeration or flags type `{owner}`", e.span,
                expected="`TYPE.member`",
                hint=meant(owner, owners) or f"a state variable is called: `{name}({owner})`",
            )  # fmt: skip
            return ERROR
        for m in d.members:
            if m.name == name:
                e.ref = m
                return type_of(m)
        known = [m.name for m in d.members]
        self.problems.add(
            codes.UNKNOWN_NAME, f"`{owner}` has no member `{name}`", e.span, expected=", ".join(known),
            hint=meant(name, known),
        )  # fmt: skip
        return ERROR

    def ambiguous(self, e: ast.Name, members: list[Member]) -> None:
        qualified = " or ".join(f"`{m.owner.name}.{m.name}`" for m in members)
        self.problems.add(
            codes.AMBIGUOUS, f"`{e.name}` is a member of more than one type", e.span, expected=qualified,
            hint="write the type before it",
        )  # fmt: skip

    def unknown(self, e: ast.Name, scope: Scope, expected: Type | None) -> None:
        """Why a plain name means nothing here."""
        value = self.catalogue.values.get(e.name)
        if value is not None or e.name in BUILTINS:
            self.problems.add(
                codes.WRONG_USE, f"`{e.name}` is {kind_of(value)}, not a value", e.span, expected=usage(value, e.name),
                hint="effects are applied by statements" if isinstance(value, ast.EffectDecl) else None,
            )  # fmt: skip
            return
        other = self.other_kind(e.name)
        if other is not None:
            self.problems.add(
                codes.WRONG_USE, f"`{e.name}` is {other}, not a value", e.span, expected="a value"
            )
            return
        if e.name in FOREIGN_NAMES:
            hint: str | None = f"write `{FOREIGN_NAMES[e.name]}`"
        else:
            hint = self.hint_for_unknown(e.name, scope, expected)
        self.problems.add(codes.UNKNOWN_NAME, f"`{e.name}` is not declared", e.span, hint=hint)

    def hint_for_unknown(self, name: str, scope: Scope, expected: Type | None) -> str | None:
        fitting: list[str] = []
        if expected is not None and expected.kind == "enum":
            fitting = [m.name for m in self.catalogue.enums[expected.name].members]
        elif expected == STATUS:
            fitting = list(self.catalogue.statuses)
        near = nearest(name, fitting) or nearest(name, [*scope.names, *self.catalogue.plain_names()])
        if near is not None:
            return f"did you mean `{near}`?"
        near = nearest(name, self.catalogue.callables())
        return None if near is None else f"did you mean `{near}(…)`?"

    def other_kind(self, name: str) -> str | None:
        """What else has this name: a type, an operation, a property."""
        c = self.catalogue
        for table, what in ((c.types, "a type"), (c.ops, "an operation"), (c.properties, "a property")):
            if name in table:
                return what
        return None

    # --- calls -----------------------------------------------------------------------------------------------------

    def not_callable(self, e: ast.Call, scope: Scope) -> None:
        """Why a call means nothing."""
        foreign = FOREIGN_WORDS.get(e.name)
        span = e.name_span or e.span
        value = self.catalogue.values.get(e.name)
        if value is not None and is_plain_name(value):
            self.problems.add(
                codes.WRONG_USE, f"`{e.name}` is {kind_of(value)} and takes no arguments", e.span,
                expected=f"`{e.name}` without parentheses",
            )  # fmt: skip
        elif isinstance(value, ast.EffectDecl):
            self.problems.add(
                codes.WRONG_USE, f"`{e.name}` is an effect, not a value", span, expected="an expression",
                hint="effects are applied by statements; a `def` gives a value",
            )  # fmt: skip
        elif e.name in scope.names:
            self.problems.add(
                codes.WRONG_USE, f"`{e.name}` is a local name and cannot be called", span,
                expected="a var, given or def", hint=meant(e.name, self.catalogue.callables()),
            )  # fmt: skip
        elif (other := self.other_kind(e.name)) is not None:
            self.problems.add(
                codes.WRONG_USE, f"`{e.name}` is {other} and cannot be called here", span,
                expected="a var, given or def",
                hint=f"to speak of its answer, write `after {e.name}(…): NAME`" if other == "an operation" else None,
            )  # fmt: skip
        else:
            self.problems.add(
                codes.UNKNOWN_NAME, f"no var, given or def is called `{e.name}`", span,
                hint=f"write `{foreign}`" if foreign else meant(e.name, self.catalogue.callables()),
            )  # fmt: skip

    # --- flags -----------------------------------------------------------------------------------------------------

    def flag_set(self, e: ast.FlagSet, expected: Type | None) -> Type:
        """The flags type of `{a, b}`: the expected one, or else the only one that has all the members."""
        if not e.members:
            return EMPTY
        if expected is not None and expected.kind == "flags":
            owners = [self.catalogue.flags[expected.name]]
        else:
            owners = list(self.catalogue.flags.values())
        complete = [d for d in owners if all(flag_of(d, m.name) is not None for m in e.members)]
        if len(complete) == 1:
            final = Type("flags", complete[0].name)
            for m in e.members:
                m.ref, m.type = flag_of(complete[0], m.name), final
            return final
        if complete:
            names = " or ".join(f"`{d.name}.{e.members[0].name}`" for d in complete)
            self.problems.add(
                codes.AMBIGUOUS, "more than one flags type has all of these", e.span, expected=names,
                hint="write the type before one of them",
            )  # fmt: skip
            return ERROR
        self.unknown_flag(e.members, owners)
        return ERROR

    def unknown_flag(self, members: list[ast.Name], owners: list[ast.FlagsDecl]) -> None:
        """Report the first member that the flags type (the one that has most of them) does not have."""

        def count(d: ast.FlagsDecl) -> int:
            return sum(flag_of(d, m.name) is not None for m in members)

        owner = max(owners, key=count, default=None)
        wrong = next(m for m in members if owner is None or flag_of(owner, m.name) is None)
        known = [] if owner is None else [m.name for m in owner.members]
        others = [d.name for d in self.catalogue.flags.values() if flag_of(d, wrong.name) is not None]
        self.problems.add(
            codes.UNKNOWN_NAME,
            f"`{wrong.name}` is no flag of {owner.name}" if owner is not None else "no flags type is declared",
            wrong.span, expected=", ".join(known) or None,
            hint=f"it is a flag of {others[0]}" if others else meant(wrong.name, known),
        )  # fmt: skip

    def flag_in(self, e: ast.Expr, container: Type, infer: Infer, scope: Scope) -> None:
        """The left side of `in` before a set of flags: one flag of its type, by name."""
        d = self.catalogue.flags[container.name]
        if isinstance(e, ast.Name):
            m = flag_of(d, e.name)
            if m is not None:
                e.ref, e.type = m, container
            elif e.name in scope.names:
                self.not_a_flag(e, infer(e, scope, None), d)
            else:
                self.unknown_flag([e], [d])
            return
        self.not_a_flag(e, infer(e, scope, container), d)

    def not_a_flag(self, e: ast.Expr, found: Type, d: ast.FlagsDecl) -> None:
        if found == ERROR:
            return
        e.type = ERROR if found.kind in ("number", "null", "emptyset") else found
        self.problems.add(
            codes.FLAG_USE, f"only one flag, by its name, stands left of `in` before {d.name}", e.span,
            expected=f"a flag of {d.name}", found=in_words(found),
            hint="for sets, write `a <= b`" if found.kind in ("flags", "emptyset") else None,
        )  # fmt: skip

    def hidden_member(self, e: ast.Name, expected: Type) -> str | None:
        """A hint, if a local name hides the member that was probably meant."""
        for m in self.catalogue.members.get(e.name, ()):
            if type_of(m) == expected:
                return f"the local name `{e.name}` hides the member: write `{expected.name}.{e.name}`"
        return None


def type_of(m: Member) -> Type:
    return Type("enum" if isinstance(m, ast.EnumMember) else "flags", m.owner.name)


def flag_of(d: ast.FlagsDecl, name: str) -> ast.FlagMember | None:
    """The flag of that name, which may be qualified."""
    owner, _, last = name.rpartition(".")
    if owner and owner != d.name:
        return None
    return next((m for m in d.members if m.name == last), None)


def kind_of(d: object) -> str:
    match d:
        case ast.VarDecl():
            return "a var"
        case ast.GivenDecl():
            return "a given"
        case ast.ConstDecl():
            return "a const"
        case ast.SwitchDecl():
            return "a switch"
        case ast.DefDecl():
            return "a def"
        case ast.EffectDecl():
            return "an effect"
    return "a word of the language"


def usage(d: object, name: str) -> str:
    """How something is written where it is used."""
    match d:
        case ast.VarDecl():
            return f"`{name}({', '.join(d.param_names)})`"
        case ast.GivenDecl() | ast.DefDecl() | ast.EffectDecl():
            return f"`{name}({', '.join(b.name for b in d.params)})`"
        case None if name in BUILTINS:
            return f"`{name}{BUILTINS[name]}`"
    return f"`{name}`"
