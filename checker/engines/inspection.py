"""Judges a dump: every invariant that it says enough about.

An invariant is judged on those address spaces that tell all that it reads; the others are named. One that reads what no
address space of the dump tells is not judged, and that is said: it is neither green nor red. One that is known to deviate is
not judged either. A tree that is missing among others that are there is undecided: the dump is a part of one.

Not here: how a dump is read; that is `checker.adapters.dumps`.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from vmaspace.checker.adapters.dumps import Told
from vmaspace.checker.engines.fuzz.properties import Properties
from vmaspace.checker.engines.traces import place_of
from vmaspace.checker.language.types import Type
from vmaspace.checker.logic import terms as tm
from vmaspace.checker.logic.contract import Contract, Property
from vmaspace.checker.logic.execute import Interpreter
from vmaspace.checker.logic.joins import joined
from vmaspace.checker.logic.rewriting import functions_of, walk
from vmaspace.checker.logic.state import Codec
from vmaspace.checker.report.cursor import Cursor
from vmaspace.checker.report.drawing import drawn_lines, excerpt, lay_out
from vmaspace.checker.report.state import read_state
from vmaspace.checker.report.verdict import Kind, Place, Verdict

ENGINE = "inspect"
# What is judged of a dump itself. The contract knows sets of children, and the kernel a list in address order.
ORDER = "children_in_address_order"
TREES = "every_tree_is_there"
Witness = dict[str, tuple[int, Type]]  # value and type of each variable of a counterexample
_DRAWN = 60  # lines of a drawing; of a longer one, so many around each region in question:
_NEAR = 4


@dataclass(frozen=True, slots=True)
class Inspection:
    """verdicts: of what was judged. unjudged: the other invariants, each with the reason.

    left_out: the address spaces on which some of the verdicts say nothing, each with what it does not tell.
    """

    verdicts: list[Verdict]
    unjudged: dict[str, str]
    left_out: dict[str, str]


def inspect(contract: Contract, told: Told, file: str, names: Iterable[str] | None = None) -> Inspection:
    """Judge the invariants of the contract, or the named ones, on what a dump tells."""
    return _Inspector(contract, told, file).inspect(None if names is None else frozenset(names))


class _Inspector:
    def __init__(self, contract: Contract, told: Told, file: str) -> None:
        self.contract, self.told, self.file = contract, told, file
        self.judge = Properties(Interpreter(contract))
        self.codec = Codec(contract)
        self.drawn: dict[str, str] = {}  # the property for which something was drawn first

    def inspect(self, names: frozenset[str] | None) -> Inspection:
        told = self.told
        judged = {p.name for p in self.judge.judged}
        verdicts: list[Verdict] = []
        unjudged: dict[str, str] = {}
        untold: dict[int, set[str]] = {}  # what was asked of an address space and is not told
        for p in self.contract.properties.values():
            if p.kind != "invariant" or (names is not None and p.name not in names):
                continue
            reads = _read(p)
            silent = told.silent(reads)
            missing = sorted(reads - told.variables)
            if p.name not in judged:
                unjudged[p.name] = "Zircon is known to deviate from it"
            elif missing:
                how = "; --arch does" if missing == ["arch"] else ""
                unjudged[p.name] = f"a dump does not tell {', '.join(missing)}{how}"
            elif len(silent) == len(told.by_space):
                unjudged[p.name] = f"no address space of the dump tells all of {', '.join(sorted(reads))}"
            elif (silent or not told.has_kernel) and _looks_elsewhere(p.body):
                who = "some do not tell enough" if told.has_kernel else "there is no kernel's"
                unjudged[p.name] = f"the dump does not hold every address space: {who}"
            else:
                verdicts.append(self.verdict(p, silent))
                for a in silent:
                    untold.setdefault(a, set()).update(reads - told.by_space[a] - told.facts)
        if names is None or ORDER in names:
            verdicts += self.order()
        if names is None or TREES in names:
            verdicts += self.trees()
        left_out = {self.place("Aspace", a): f"not told: {', '.join(sorted(untold[a]))}" for a in sorted(untold)}
        return Inspection(verdicts, unjudged, left_out)

    # --- what the contract says ------------------------------------------------------------------------------------

    def verdict(self, p: Property, silent: Sequence[int]) -> Verdict:
        """Of an invariant, on the address spaces that are not silent."""
        start, told = time.monotonic(), self.told
        kept = [a for a in range(len(told.by_space)) if a not in silent]
        state, reason = told.part(kept), ""
        if not joined(p.body)(state, state, {}):
            success = next(iter(self.contract.operations.values())).success
            witness = self.judge.witness(p, {}, success, state, state)
            drawing = "\n".join(self.drawing(witness, kept))
            earlier = self.drawn.setdefault(drawing, p.name)
            if earlier != p.name:
                drawing = f"The drawing is that of {earlier}."
            reason = "\n".join([p.sentence, *self.words(witness), "", drawing])
        return self.say(p.name, reason, place_of(p.span), time.monotonic() - start, silent)

    def words(self, witness: Witness) -> Iterator[str]:
        """Where the elements of a counterexample stand, and those that they belong to."""
        t, around = self.told.state.tables, dict[tuple[str, int], None]()
        for name, (value, type_) in witness.items():
            if (type_.name, value) in self.told.lines:
                yield f"{name} = {self.words_of(type_.name, value)}"
            elif type_.kind != "sort":
                yield f"{name} = {value:#x}"
            if type_.name == "Region":
                around["Aspace", t["aspace"][value]] = None
                if value in t["object"]:
                    around["Vmo", t["object"][value]] = None
        for sort, element in around:
            yield self.words_of(sort, element)

    def words_of(self, sort: str, element: int) -> str:
        return f"{self.codec.element(sort, element)}: {self.place(sort, element)}"

    def drawing(self, witness: Witness, kept: Sequence[int]) -> list[str]:
        """The address spaces that a counterexample is about, or all that were judged; of big ones what is near to it."""
        t = self.told.state.tables
        regions = [v for v, type_ in witness.values() if type_.name == "Region"]
        about = {v for v, type_ in witness.values() if type_.name == "Aspace"} | {t["aspace"][r] for r in regions}
        shown = sorted(about) or kept
        variables = [
            name
            for name, f in self.contract.variables.items()
            if (len(f.params) == 1 or f.is_piecewise) and all(name in self.told.by_space[a] for a in shown)
        ]
        values = self.codec.state(self.told.part(shown), variables)
        lines = drawn_lines(read_state(Cursor(values, self.file)))
        above = {s for r in regions for s in self.told.above(r)}
        near = {str(self.codec.element("Region", r)): 0 for r in above}
        near |= {str(self.codec.element("Region", r)): _NEAR for r in regions}
        return lay_out(excerpt(lines, near, _DRAWN))

    # --- what a dump is --------------------------------------------------------------------------------------------

    def order(self) -> Iterator[Verdict]:
        """Children are printed in the order of their parent's list, which is that of their addresses."""
        t, last = self.told.state.tables, dict[int, int]()
        reason, at = "", 1
        for r in self.told.state.domains["Region"]:  # in the order of their lines
            parent = t["parent"].get(r)
            if parent is None:
                continue
            s = last.get(parent, r)
            if t["base"].get(r, 0) < t["base"].get(s, 0) and not reason:
                reason = (
                    f"the list of {self.place('Region', parent)} is not in address order\n"
                    f"{t['base'].get(s, 0):#x}: {self.place('Region', s)}\n"
                    f"{t['base'].get(r, 0):#x}: {self.place('Region', r)}"
                )
                at = self.told.lines["Region", r][0]
            last[parent] = r
        if any("parent" in told for told in self.told.by_space):
            yield self.say(ORDER, reason, Place(self.file, at), 0.0, self.told.silent({"parent"}))

    def trees(self) -> Iterator[Verdict]:
        """Nothing is known of a tree that is missing. A dump without any is not verbose, and that is all."""
        if not self.told.state.domains["Region"]:
            return
        missing = self.told.silent({"root"})
        if not missing:
            yield self.say(TREES, "", Place(self.file), 0.0, ())
            return
        reason = "\n".join([
            "an address space that has a range has its tree below it in a verbose dump; here it is missing, and nothing is "
            "said of its regions. Is the dump cut off?",
            *(self.place("Aspace", a) for a in missing),
        ])  # fmt: skip
        at = self.told.lines["Aspace", missing[0]][0]
        yield Verdict(
            f"{self.file}/{TREES}", TREES, None, ENGINE, Kind.UNSUPPORTED, 0.0, self.scope(()), Place(self.file, at),
            None, reason,
        )  # fmt: skip

    # --- words -----------------------------------------------------------------------------------------------------

    def say(self, name: str, reason: str, place: Place | None, seconds: float, silent: Sequence[int]) -> Verdict:
        kind = Kind.VIOLATED if reason else Kind.PASSED
        return Verdict(
            f"{self.file}/{name}", name, None, ENGINE, kind, seconds, self.scope(silent), place, None, reason
        )

    def scope(self, silent: Sequence[int]) -> str:
        if not silent:
            return f"the dump {self.file}"
        if len(silent) == 1:
            return f"the dump {self.file} without the address space of line {self.told.lines['Aspace', silent[0]][0]}"
        return f"the dump {self.file} without {len(silent)} of its {len(self.told.by_space)} address spaces"

    def place(self, sort: str, element: int) -> str:
        line, pointer = self.told.lines[sort, element]
        name = self.told.names.get((sort, element))
        return f"line {line} of {self.file}, {pointer:#x}" + (f" {name}" if name else "")


def _read(p: Property) -> set[str]:
    """The variables and given facts that a property is about."""
    return {f.name for f in functions_of(p.body) if f.kind != "exists"}


def _looks_elsewhere(t: tm.Term, is_positive: bool = True) -> bool:
    """Whether an element that was not printed could make a formula true: then a part of the machine is no counterexample."""
    match t.op:
        case "not":
            return _looks_elsewhere(t.args[0], not is_positive)
        case "and" | "or":
            return any(_looks_elsewhere(a, is_positive) for a in t.args)
        case "forall" | "exists":
            return (t.op == "exists") is is_positive or _looks_elsewhere(t.body, is_positive)
        case _:
            return any(a.op in tm.QUANTIFIERS for a in walk(t))
