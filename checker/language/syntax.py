"""The syntax tree of the contract language.

What `parser` builds and `check` annotates.  Every node carries the `Span` of its text; every expression gets a
`type` and every name a `ref` (the declaration or binder it means) from the type checker, so that later rooms never
look a name up again.

It does not know what anything means: the meaning is in `vmaspace.checker.logic.elaborate`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vmaspace.checker.language.types import Type


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of one source file; lines and columns count from 1, `end_column` is exclusive."""

    file: str
    line: int
    column: int
    end_line: int
    end_column: int


# --- expressions ---------------------------------------------------------------------------------------------------


@dataclass(eq=False, slots=True, kw_only=True)
class Expr:
    """Any expression; `type` is None until the checker has seen it."""

    span: Span
    type: Type | None = None


@dataclass(eq=False, slots=True, kw_only=True)
class Bool(Expr):
    value: bool


@dataclass(eq=False, slots=True, kw_only=True)
class Number(Expr):
    """An integer literal; it takes the numeric type that its surroundings ask for."""

    value: int


@dataclass(eq=False, slots=True, kw_only=True)
class Null(Expr):
    """The `null` reference: no element of the sort."""


@dataclass(eq=False, slots=True, kw_only=True)
class Name(Expr):
    """A binder, parameter, `let`, constant, nullary var / given / def, enum member, flag or status."""

    name: str
    ref: Referent | None = None


@dataclass(eq=False, slots=True, kw_only=True)
class Call(Expr):
    """`name(args)`: a var, a given, a def or a built-in (`ref` is a `Builtin`)."""

    name: str
    args: list[Expr]
    ref: Referent | None = None
    name_span: Span | None = None


@dataclass(eq=False, slots=True, kw_only=True)
class Unary(Expr):
    """`not x`."""

    op: str
    operand: Expr


@dataclass(eq=False, slots=True, kw_only=True)
class Binary(Expr):
    """`and or implies iff == != < <= > >= + - * / mod in | &` (on flags `-` is difference, `<=` is subset)."""

    op: str
    left: Expr
    right: Expr


@dataclass(eq=False, slots=True, kw_only=True)
class Temporal(Expr):
    """`always p`, `eventually p`, `p until q`, `p leads_to q`: what is said of a run from here on."""

    op: str
    operands: list[Expr]


@dataclass(eq=False, slots=True, kw_only=True)
class Conditional(Expr):
    """`if c then a else b`."""

    condition: Expr
    then: Expr
    otherwise: Expr


@dataclass(eq=False, slots=True, kw_only=True)
class FlagSet(Expr):
    """`{read, write}`; `{}` takes its flags type from its surroundings."""

    members: list[Name]


@dataclass(eq=False, slots=True, kw_only=True)
class RangeOf(Expr):
    """`[low, high)`: a half-open range of addresses."""

    low: Expr
    high: Expr


@dataclass(eq=False, slots=True, kw_only=True)
class Quantifier(Expr):
    """`for x: T where c: body`, `exists x: T where c` (body None), `count x: T where c` (body None)."""

    kind: str
    binders: list[Binder]
    where: list[Expr]
    body: Expr | None


@dataclass(eq=False, slots=True, kw_only=True)
class Old(Expr):
    """`old(e)`: `e` in the state before the operation; only in `step` and `after` properties."""

    operand: Expr


@dataclass(eq=False, slots=True, kw_only=True)
class Binder:
    """A bound variable, parameter or result.

    `low`/`high` bound an `int` parameter: `k: int in 0..63`.  A nullable one may be `null`: `p: Region or null`.
    """

    name: str
    type_name: str
    span: Span
    low: Expr | None = None
    high: Expr | None = None
    type: Type | None = None
    type_span: Span | None = None
    nullable: bool = False


# --- effects -------------------------------------------------------------------------------------------------------


@dataclass(eq=False, slots=True, kw_only=True)
class Statement:
    span: Span


@dataclass(eq=False, slots=True, kw_only=True)
class Assign(Statement):
    """`f(a, b) = value`: a pointwise update; the right side reads the state before the operation."""

    target: Call | Name
    value: Expr


@dataclass(eq=False, slots=True, kw_only=True)
class ForEach(Statement):
    """`for r: Region where c:` and a block: the block for every element at once."""

    binders: list[Binder]
    where: list[Expr]
    body: list[Statement]


@dataclass(eq=False, slots=True, kw_only=True)
class If(Statement):
    condition: Expr
    then: list[Statement]
    otherwise: list[Statement]


@dataclass(eq=False, slots=True, kw_only=True)
class Some(Statement):
    """`some m: Region where c:` and a block: if such an element exists, choose one and run the block for it.

    `first m: Region where c:` leaves no choice: it takes the one that came to be before the others.
    """

    binder: Binder
    where: list[Expr]
    body: list[Statement]
    first: bool = False


@dataclass(eq=False, slots=True, kw_only=True)
class New(Statement):
    """`new child: Region`: an element that did not exist before."""

    binder: Binder


@dataclass(eq=False, slots=True, kw_only=True)
class Pick(Statement):
    """`picks at: address where c`: any value with that property."""

    binder: Binder
    where: list[Expr]


@dataclass(eq=False, slots=True, kw_only=True)
class Apply(Statement):
    """`dies(r)`: the statements of an `effect` declaration."""

    name: str
    args: list[Expr]
    ref: EffectDecl | None = None


# --- clauses of an operation ---------------------------------------------------------------------------------------


@dataclass(eq=False, slots=True, kw_only=True)
class Clause:
    span: Span


@dataclass(eq=False, slots=True, kw_only=True)
class Let(Clause):
    """`let hi = base + round_up(size)`: a name for an expression, visible below it in the operation."""

    name: str
    value: Expr


@dataclass(eq=False, slots=True, kw_only=True)
class Requires(Clause):
    """`requires c, d`: what every caller guarantees; calls that break it are outside the contract."""

    conditions: list[Expr]


@dataclass(eq=False, slots=True, kw_only=True)
class Fails(Clause):
    """`STATUS if c "why"` or `STATUS unless c "why"`, with an optional block: what has changed all the same."""

    status: str
    condition: Expr
    negated: bool
    sentence: str | None
    body: list[Statement]


@dataclass(eq=False, slots=True, kw_only=True)
class Asserts(Clause):
    """`asserts c "why"`: what the kernel asserts at this point; breaking it is a violation, not a status."""

    condition: Expr
    sentence: str | None


@dataclass(eq=False, slots=True, kw_only=True)
class May(Clause):
    """`may STATUS [if c] "why"`, with an optional block: the environment (memory) decides."""

    status: str
    condition: Expr | None
    sentence: str | None
    body: list[Statement]


# --- declarations --------------------------------------------------------------------------------------------------


@dataclass(eq=False, slots=True, kw_only=True)
class Declaration:
    """A top-level item; `span` covers its first words, up to its name."""

    name: str
    span: Span
    sentence: str | None = None


@dataclass(eq=False, slots=True, kw_only=True)
class SortDecl(Declaration):
    """`sort Region` (elements come from `new`) or `sort Vmo given` (elements exist from the start)."""

    given: bool = False


@dataclass(eq=False, slots=True, kw_only=True)
class EnumDecl(Declaration):
    members: list[EnumMember] = field(default_factory=list)


@dataclass(eq=False, slots=True, kw_only=True)
class EnumMember(Declaration):
    owner: EnumDecl
    value: int


@dataclass(eq=False, slots=True, kw_only=True)
class FlagsDecl(Declaration):
    members: list[FlagMember] = field(default_factory=list)


@dataclass(eq=False, slots=True, kw_only=True)
class FlagMember(Declaration):
    """One flag; `bit` is its position."""

    owner: FlagsDecl
    bit: int


@dataclass(eq=False, slots=True, kw_only=True)
class StatusDecl(Declaration):
    """One status of a `statuses { OK = 0, ... }` block; `value` is Zircon's number."""

    value: int = 0


@dataclass(eq=False, slots=True, kw_only=True)
class ConstDecl(Declaration):
    """`const P: bytes = 4096`; the value may be any constant expression, also by architecture."""

    type_name: str = ""
    value: Expr | None = None
    type: Type | None = None
    type_span: Span | None = None


@dataclass(eq=False, slots=True, kw_only=True)
class GivenDecl(Declaration):
    """`given vmo_size: Vmo -> bytes [where c]`: a fact about the world that no operation changes.

    In `where`, the arguments are called by the binders: `given vmo_size(o: Vmo): bytes where aligned(vmo_size(o))`.
    """

    params: list[Binder] = field(default_factory=list)
    result_name: str = ""
    where: list[Expr] = field(default_factory=list)
    type: Type | None = None
    result_span: Span | None = None


@dataclass(eq=False, slots=True, kw_only=True)
class SwitchDecl(Declaration):
    """`switch documented_destroy_order "..."`: off means as implemented, on means as documented."""


@dataclass(eq=False, slots=True, kw_only=True)
class VarDecl(Declaration):
    """`var life: Region -> Life`, `var under: Region, Region -> bool`."""

    param_names: list[str] = field(default_factory=list)
    result_name: str = ""
    params: list[Type] = field(default_factory=list)
    type: Type | None = None
    param_spans: list[Span] = field(default_factory=list)
    result_span: Span | None = None


@dataclass(eq=False, slots=True, kw_only=True)
class DefDecl(Declaration):
    """`def range(r: Region) = [base(r), base(r) + size(r))`; not recursive."""

    params: list[Binder] = field(default_factory=list)
    body: Expr | None = None
    type: Type | None = None


@dataclass(eq=False, slots=True, kw_only=True)
class EffectDecl(Declaration):
    """`effect dies(r: Region):` and a block: statements with a name; not recursive."""

    params: list[Binder] = field(default_factory=list)
    body: list[Statement] = field(default_factory=list)


@dataclass(eq=False, slots=True, kw_only=True)
class InitDecl(Declaration):
    """`init:` and a block: the first state, made from the state in which nothing exists.  `name` is "init"."""

    body: list[Statement] = field(default_factory=list)


@dataclass(eq=False, slots=True, kw_only=True)
class OpDecl(Declaration):
    """An operation: who refuses (ordered clauses), what is chosen, what changes."""

    params: list[Binder] = field(default_factory=list)
    results: list[Binder] = field(default_factory=list)
    clauses: list[Clause] = field(default_factory=list)
    effects: list[Statement] = field(default_factory=list)


@dataclass(eq=False, slots=True, kw_only=True)
class PropertyDecl(Declaration):
    """`invariant`, `step`, `reach`, `temporal` or `after` property.

    For `after`, `op_name` names the operation and `params` / `results` are names for its parameters and results, in
    order; the body may use `status`.  `excepted` are operations that a `step` property does not speak of,
    `fair` those that a run of a `temporal` property does not put off for ever.
    """

    kind: str = "invariant"
    source: str | None = None
    body: Expr | None = None
    op_name: str | None = None
    op_span: Span | None = None
    op: OpDecl | None = None
    params: list[Binder] = field(default_factory=list)
    results: list[Binder] = field(default_factory=list)
    excepted: list[str] = field(default_factory=list)
    excepted_spans: list[Span] = field(default_factory=list)
    fair: list[str] = field(default_factory=list)
    fair_spans: list[Span] = field(default_factory=list)
    deviation: Deviation | None = None
    supporting: bool = False


@dataclass(eq=False, slots=True, kw_only=True)
class Deviation:
    """`deviation SWITCH on op, op "consequence"`: these break it as implemented; with the switch on it holds."""

    switch_name: str
    op_names: list[str]
    consequence: str | None
    span: Span
    switch: SwitchDecl | None = None
    op_spans: list[Span] = field(default_factory=list)


@dataclass(eq=False, slots=True, kw_only=True)
class ScopeDecl(Declaration):
    """`scope ci: 3 Aspace, 5 Region, 4 steps, arch = arm64, size in [0, 4096]`: bounds for the bounded engines."""

    counts: dict[str, int] = field(default_factory=dict)
    steps: int = 0
    count_spans: dict[str, Span] = field(default_factory=dict)
    settings: list[Setting] = field(default_factory=list)


@dataclass(eq=False, slots=True, kw_only=True)
class Setting:
    """What a scope says of one name: the value of a given, of each element in turn, or the values of a var or argument.

    `name` may be `OPERATION.PARAMETER`.  With `is_range`, `values` are the lowest and the highest.
    """

    name: str
    values: list[Expr]
    span: Span
    is_value: bool
    is_range: bool = False


@dataclass(frozen=True, slots=True)
class Builtin:
    """A word of the language itself, such as `disjoint`; see `types.BUILTINS`."""

    name: str


Referent = (
    Binder
    | Let
    | EnumMember
    | FlagMember
    | StatusDecl
    | ConstDecl
    | GivenDecl
    | SwitchDecl
    | VarDecl
    | DefDecl
    | Builtin
)


@dataclass(eq=False, slots=True, kw_only=True)
class Program:
    """All declarations of the files that were read together, in order; `files` maps each file name to its text."""

    declarations: list[Declaration]
    files: dict[str, str]
