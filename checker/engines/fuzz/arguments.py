"""Arguments worth trying: from the types of parameters and the part they play, with edges taken from the state.

A good call is one that gets far through the clauses, or stops at one it was aimed at; most random calls stop
at the first. Elements that a clause about them alone refuses are taken seldom, ranges touch and overlap what
is there, and a few percent of everything is off by a page or by a byte, empty, or wraps.

Operations are not named here: an operation is known by its parameters.  Names of parameters, flags and
enumeration members only steer; whatever they are, any call that the contract lets a caller make can come out.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field

from vmaspace.checker.engines.fuzz.dice import Dice
from vmaspace.checker.engines.fuzz.places import Places
from vmaspace.checker.engines.fuzz.ranges import WORD
from vmaspace.checker.logic import terms as tm
from vmaspace.checker.logic.code import Evaluator, evaluator
from vmaspace.checker.logic.contract import Contract, Operation, Outcome
from vmaspace.checker.logic.execute import CompiledOutcome, Env, Interpreter
from vmaspace.checker.logic.rewriting import conjuncts, walk
from vmaspace.checker.logic.state import State
from vmaspace.checker.logic.terms import Term

TRIES = 5  # calls that are made up before a step is given up, because the kernel would stop over each
KEPT_STOPS_PERCENT = (
    60  # of the calls over which the kernel stops for the elements that were chosen, how many are made
)
KEPT_SLIPS_PERCENT = 20  # of the calls over which it stops for something else
STOP_PERCENT = 7  # how often an element is taken over which the kernel stops
LAME_PERCENT = 12  # below this: an element that a clause about it alone refuses
ONLY_LAME_PERCENT = (
    28  # below this: the same, for an operation that has nothing but its elements to be refused for
)
DESPERATE_PERCENT = 30  # below this: the same, where there is no other
PREFERRED_PERCENT = 85
INVITED_PERCENT = 60  # how often an element is taken for which more happens than for others
UNITED_PERCENT = 50  # how often something ends that is made of others
CROWDING_PERCENT = 30  # how often something new goes where the most is
IN_NOTHING_PERCENT = 5  # how often an address is asked about where nothing is mapped anywhere

# How often a flag is asked for; others are asked for seldom.
LIKELY = {
    "specific": 45, "specific_overwrite": 35, "can_map_specific": 70, "can_map_read": 80, "can_map_write": 70,
    "can_map_execute": 60, "compact": 15, "offset_is_upper_limit": 15, "debug_dynamic_kernel_mapping": 12,
    "user_access": 60, "read": 80, "write": 50, "execute": 35,
}  # fmt: skip
# How often a member of an enumeration is asked for, in parts; others count as one part.
USUAL = {"user": 8, "guest_physical": 2, "none": 3, "restricted": 3, "shared": 3, "supplies": 9}
UNUSUAL = 8

Focus = Mapping[str, int]  # by sort: the element that a call is to be about
ANYTHING: Focus = {}


@dataclass(slots=True)
class _Element:
    """A parameter of a sort: which elements a caller may pass, and which clauses refuse one for itself alone."""

    param: Term
    fits: Evaluator
    stops: list[Evaluator] = field(default_factory=list)
    refuses: list[Evaluator] = field(default_factory=list)
    invites: list[Evaluator] = field(default_factory=list)  # for what more happens than usual


@dataclass(slots=True)
class _Flags:
    """A flags parameter: the bits that the first clauses let pass, each with how often it is asked for."""

    param: Term
    bits: list[tuple[int, int]]


@dataclass(slots=True)
class Plan:
    """How the arguments of one operation are made up."""

    operation: Operation
    elements: list[_Element]
    flags: list[_Flags]
    others: list[Term]
    refused: dict[str, int]  # of a truth value: the one that a clause refuses for itself alone
    has_range: bool
    is_inside: bool  # an offset into what is there: a mapping or an object
    is_at: bool  # an address in an address space
    is_about_old: bool  # the range is of addresses, so of what is there; an offset is for something new
    makes_new: bool
    is_end: bool  # all that it says is which address space changes: it ends
    is_setting: bool  # it says of something that is there from the start how it behaves


@dataclass(frozen=True, slots=True)
class Call:
    """A call to make, with the outcomes that the contract allows for it."""

    env: Env
    allowed: list[CompiledOutcome]
    may_run_out: bool = True


class Arguments:
    """Makes up calls for the operations of one contract."""

    def __init__(self, interpreter: Interpreter) -> None:
        self.interpreter = interpreter
        self.contract = interpreter.contract
        self.places = Places(self.contract)
        self.plans = {op.name: _plan(self.contract, op) for op in self.contract.operations.values()}

    def call(self, op: str, state: State, dice: Dice, about: Focus = ANYTHING) -> Call | None:
        """A call of `op` that a caller may make in `state`; None if there is none at hand.

        about: the elements that it is to be about, of those sorts for which there is one.
        """
        plan = self.plans[op]
        for _ in range(TRIES):
            env = self.arguments(plan, state, dice, about)
            if env is None or not self.interpreter.enabled(op, state, env):
                return None
            allowed = self.interpreter.allowed(op, state, env)
            deciding = allowed[-1].outcome
            if deciding.kind != "asserts" or dice.chance(self.kept_percent(deciding)):
                return Call(env, allowed, self.places.may_run_out(env, state))
        return None

    @staticmethod
    def kept_percent(stop: Outcome) -> int:
        """How many of the calls are made over which the kernel stops: those seldom that come up of themselves."""
        is_aimed = all(p.type.kind == "sort" for p in stop.condition.symbols)
        return KEPT_STOPS_PERCENT if is_aimed else KEPT_SLIPS_PERCENT

    def arguments(self, plan: Plan, state: State, dice: Dice, about: Focus) -> Env | None:
        env: Env = {}
        for e in plan.elements:
            wanted = about.get(e.param.type.name)
            preferred = self.preferred(plan, e, state, dice) if wanted is None else {wanted}
            if plan.is_at and not preferred and not dice.chance(IN_NOTHING_PERCENT):
                return None
            lame = LAME_PERCENT if plan.others else ONLY_LAME_PERCENT
            element = choose(e, state, dice, lame, preferred)
            if element is None or (wanted is not None and element != wanted):
                return None
            env[e.param.name] = element
        for f in plan.flags:
            env[f.param.name] = sum(1 << bit for bit, percent in f.bits if dice.chance(percent))
        region = next((e.param.name for e in plan.elements if e.param.type.name == "Region"), None)
        if region is not None:
            self.places.restrain(plan.operation, env, env[region], state, dice)
        for param in plan.others:
            if param.name not in env:
                env[param.name] = self.other(param, plan.operation, state, dice)
        self.place(plan, env, region, state, dice)
        self.places.content(plan.operation, env, state, dice)
        return env

    def preferred(self, plan: Plan, e: _Element, state: State, dice: Dice) -> set[int] | None:
        """The elements in which there is something that the call could be about; None if all are alike."""
        if e.param.type.name == "Region":
            if plan.is_about_old:
                return self.places.inhabited(state, bool(plan.flags))
            if plan.makes_new and dice.chance(CROWDING_PERCENT):
                return self.places.fullest(state)
        elif self.contract.sorts[e.param.type.name]:
            return self.places.passing(state, dice) if plan.flags else self.places.shown(state)
        elif plan.is_end and dice.chance(UNITED_PERCENT):
            return self.places.united(state)
        return self.places.mapped(state, dice) if plan.is_at else None

    def place(self, plan: Plan, env: Env, region: str | None, state: State, dice: Dice) -> None:
        """Where it is to happen: in what is there, at an address, below a region, or anywhere."""
        if plan.is_inside:
            self.places.inside(env, plan.elements[0].param.type.name, state, dice)
        elif plan.has_range:
            if region is not None:
                self.places.below(plan.operation, env, env[region], state, dice)
            else:
                self.places.anywhere(env, state, dice)
        if plan.is_at:
            self.places.address(env, env[plan.elements[0].param.name], state, dice)

    def other(self, param: Term, op: Operation, state: State, dice: Dice) -> int:
        match param.type.kind:
            case "bool":
                refused = self.plans[op.name].refused.get(param.name)
                if refused is not None and not dice.chance(LAME_PERCENT):
                    return 1 - refused
                return dice.below(2)
            case "enum":
                members = self.contract.enums[param.type.name]
                parts = [i for i, m in enumerate(members) for _ in range(USUAL.get(m, 1))]
                return dice.pick(parts)
            case "int":
                low, high = op.bounds.get(param.name, (0, 63))
                return self.exponent(low, high, dice)
            case _:
                return self.amount(dice)

    @staticmethod
    def exponent(low: int, high: int, dice: Dice) -> int:
        if dice.chance(70):
            return low
        if dice.chance(60):
            return min(high, max(low, dice.pick((1, 12, 13, 14, 16, 21))))
        return low + dice.below(high - low + 1)

    @staticmethod
    def amount(dice: Dice) -> int:
        """A number of bytes of which nothing is known."""
        if dice.chance(60):
            return dice.below(64)
        if dice.chance(60):
            return dice.below(64) * tm.PAGE
        return dice.pick((tm.PAGE - 1, tm.PAGE + 1, WORD - 1, WORD - tm.PAGE, dice.word()))


def choose(
    e: _Element, state: State, dice: Dice, lame_percent: int, preferred: Container[int] | None = None
) -> int | None:
    """An element to pass: one that no clause refuses for itself, mostly, and of those a preferred one.

    None if there is none, or if there are only others and they were had enough of.
    """
    name, fits = e.param.name, e.fits
    there = [i for i in state.domains[e.param.type.name] if fits(state, state, {name: i})]
    if not there:
        return None
    roll = dice.below(100)
    if e.stops and roll < STOP_PERCENT:
        return struck(e.stops, name, there, state, dice)
    safe = [i for i in there if not any(stops(state, state, {name: i}) for stops in e.stops)]
    good = [i for i in safe if not any(refuses(state, state, {name: i}) for refuses in e.refuses)]
    if e.refuses and (roll < lame_percent or (not good and roll < DESPERATE_PERCENT)):
        lame = struck(e.refuses, name, safe, state, dice)
        if lame is not None:
            return lame
    if not good:
        return None
    if e.invites and dice.chance(INVITED_PERCENT):
        invited = struck(e.invites, name, good, state, dice)
        if invited is not None:
            return invited
    if preferred is not None and dice.chance(PREFERRED_PERCENT):
        good = [i for i in good if i in preferred] or good
    return dice.late(good)


def struck(
    clauses: Sequence[Evaluator], name: str, of: Sequence[int], state: State, dice: Dice
) -> int | None:
    """An element that one of the clauses, any of them, applies to."""
    clause = dice.pick(clauses)
    found = [i for i in of if clause(state, state, {name: i})]
    return dice.pick(found) if found else None


# --- reading an operation ------------------------------------------------------------------------------------------


def _plan(contract: Contract, op: Operation) -> Plan:
    elements = [_element(op, p) for p in op.params if p.type.kind == "sort"]
    flags = [_flags(contract, op, p) for p in op.params if p.type.kind == "flags"]
    others = [p for p in op.params if p.type.kind not in ("sort", "flags")]
    names = {p.name for p in others}
    refused = {}
    for o in op.outcomes:
        for p in others:
            if o.condition.symbols == {p} and p.type.kind == "bool" and refuses(o):
                refused[p.name] = int(o.condition is p)
    has_range = "size" in names and bool(names & {"base", "offset"})
    makes_new = any(c.kind == "new" for c in op.success.choices)
    is_about_old = has_range and bool(elements) and "offset" not in names
    is_inside = bool(elements) and "offset" in names and not flags and not makes_new
    is_at = bool(elements) and elements[0].param.type.name == "Aspace" and "at" in names
    is_end = op.success.has_effect and [p.type.name for p in op.params] == ["Aspace"]
    is_given = bool(elements) and all(contract.sorts[e.param.type.name] for e in elements)
    is_setting = op.success.has_effect and is_given and bool(others) and {p.type.kind for p in others} == {"enum"}
    return Plan(
        op, elements, flags, others, refused, has_range, is_inside, is_at, is_about_old, makes_new, is_end, is_setting
    )


def refuses(o: Outcome) -> bool:
    """Whether an outcome is a stop, a refusal or nothing at all: some clauses only tell cases of success apart."""
    return o.kind == "asserts" or (o.kind == "fails" and not (o.status == "OK" and o.has_effect))


def _element(op: Operation, p: Term) -> _Element:
    own = frozenset((p,))
    about = [c for c in (*conjuncts(op.domain), *conjuncts(op.requires)) if c.symbols == own]
    found = _Element(p, evaluator(tm.and_(*about)))
    for o in op.outcomes:
        if o.condition.symbols == own and o.status == "OK" and o.has_effect:
            found.invites.append(evaluator(o.condition))
        elif o.condition.symbols == own and refuses(o):
            (found.stops if o.kind == "asserts" else found.refuses).append(evaluator(o.condition))
    more = {u.condition for u in op.success.updates if u.condition.symbols == own}
    found.invites += [evaluator(condition) for condition in sorted(more, key=str)]
    return found


def _flags(contract: Contract, op: Operation, p: Term) -> _Flags:
    members = contract.flags[p.type.name]
    taken = _taken(op, p)
    bits = []
    for name, bit in members.items():
        usual = LIKELY.get(name, UNUSUAL)
        bits.append((bit, usual if taken >> bit & 1 else 1))
    return _Flags(p, bits)


def _taken(op: Operation, p: Term) -> int:
    """The flags that a clause `unless flags <= {...}` lets pass; all of them if there is no such clause."""
    for o in op.outcomes:
        for t in walk(o.condition):
            if (
                t.op == "bitdiff"
                and t.args[0] is p
                and t.args[1].op == "const"
                and o.condition.symbols == {p}
            ):
                return t.args[1].value
    return -1
