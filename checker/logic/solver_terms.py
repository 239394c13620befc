"""Terms as Z3 formulas about any number of elements.

Every sort becomes an uninterpreted sort, every state variable an uninterpreted function of the state before the operation
(stage 0), every number a mathematical integer, every flag set a bit vector.  A quantifier over a sort ranges over the
elements that exist.

`aligned` with a variable power of two is abstracted to an unknown predicate unless `exact` is set: that is sound for
"proved" and for nothing else.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from itertools import count

import z3

from vmaspace.checker.language.types import Type
from vmaspace.checker.logic import terms as tm
from vmaspace.checker.logic.contract import Contract, in_word, quantify
from vmaspace.checker.logic.terms import Function, Term


class SolverTerms:
    """Translates terms of one contract; formulas are shared, so one instance serves a whole run.

    exact: expand `aligned(x, k)` with a variable k instead of abstracting it.
    """

    def __init__(self, contract: Contract, exact: bool = False) -> None:
        self.contract = contract
        self.exact = exact
        self.sorts: dict[Type, z3.SortRef] = {}
        self.enums: dict[str, list[z3.ExprRef]] = {}
        self.nulls: dict[str, z3.ExprRef] = {}
        self.functions: dict[Function, z3.FuncDeclRef] = {}
        self.memo: dict[Term, z3.ExprRef] = {}
        self.aligned = z3.Function("aligned_pow2", z3.IntSort(), z3.IntSort(), z3.BoolSort())

    # --- sorts and symbols -----------------------------------------------------------------------------------------

    def sort(self, type_: Type) -> z3.SortRef:
        found = self.sorts.get(type_)
        if found is None:
            found = self.sorts[type_] = self._sort(type_)
        return found

    def _sort(self, type_: Type) -> z3.SortRef:
        match type_.kind:
            case "bool":
                return z3.BoolSort()
            case "enum":
                members = self.contract.enums[type_.name]
                sort, self.enums[type_.name] = enumeration(type_.name, members)
                return sort
            case "status":
                return z3.IntSort()
            case "flags":
                return z3.BitVecSort(1 + max(self.contract.flags[type_.name].values()))
            case "sort":
                sort = z3.DeclareSort(type_.name)
                self.nulls[type_.name] = z3.Const(f"null.{type_.name}", sort)
                return sort
            case _:
                return z3.IntSort()

    def null(self, type_: Type) -> z3.ExprRef:
        self.sort(type_)
        return self.nulls[type_.name]

    def function(self, f: Function) -> z3.FuncDeclRef:
        found = self.functions.get(f)
        if found is None:
            signature = [self.sort(p) for p in f.params] + [self.sort(f.result)]
            # A parameter may have the name of a variable, which SMT-LIB could not tell apart.
            name = f.name if f.kind == "given" else f"{f.name}@0"
            found = self.functions[f] = z3.Function(name, *signature)
        return found

    # --- terms -----------------------------------------------------------------------------------------------------

    def formula(self, t: Term) -> z3.ExprRef:
        found = self.memo.get(t)
        if found is None:
            found = self.memo[t] = self._formula(t)
        return found

    def _formula(self, t: Term) -> z3.ExprRef:
        if t.op in tm.QUANTIFIERS:
            return self.quantifier(t)
        if t.op == "app":
            return self.application(t)
        args = [self.formula(a) for a in t.args]
        match t.op:
            case "const":
                return self.value(t.value, t.type)
            case "null":
                return self.null(t.type)
            case "sym":
                return z3.Const(t.name, self.sort(t.type))
            case "not":
                return z3.Not(args[0])
            case "and":
                return z3.And(*args)
            case "or":
                return z3.Or(*args)
            case "eq":
                return args[0] == args[1]
            case "ite":
                return z3.If(args[0], args[1], args[2])
            case "add":
                return z3.Sum(*args)
            case "mul":
                return z3.IntVal(t.factor) * args[0]
            case "div":
                return args[0] / z3.IntVal(t.factor)
            case "mod":
                return args[0] % z3.IntVal(t.factor)
            case "le":
                return args[0] <= args[1]
            case "bitand":
                return args[0] & args[1]
            case "bitor":
                return args[0] | args[1]
            case "bitdiff":
                return args[0] & ~args[1]
            case "aligned":
                return self.alignment(t, args[0], args[1])
        raise AssertionError(t.op)

    def value(self, value: int, type_: Type) -> z3.ExprRef:
        match type_.kind:
            case "bool":
                return z3.BoolVal(bool(value))
            case "enum":
                self.sort(type_)
                return self.enums[type_.name][value]
            case "flags":
                return z3.BitVecVal(value, self.sort(type_))
            case _:
                return z3.IntVal(value)

    def alignment(self, t: Term, x: z3.ExprRef, k: z3.ExprRef) -> z3.ExprRef:
        log2 = t.args[1]
        if log2.op == "const":
            return x % z3.IntVal(1 << log2.value) == 0
        if self.exact:
            cases = [z3.And(k == i, x % z3.IntVal(1 << i) == 0) for i in range(1, 64)]
            return z3.Or(k <= 0, *cases)
        return z3.Or(k <= 0, self.aligned(x, k))

    def application(self, t: Term) -> z3.ExprRef:
        assert t.stage == 0, f"stage {t.stage} in {t}: expand it first"
        f = t.function
        args = [self.formula(a) for a in t.args]
        if f.kind == "exists" and self.contract.sorts[f.params[0].name]:
            return args[0] != self.null(f.params[0])
        return self.function(f)(*args)

    def quantifier(self, t: Term) -> z3.ExprRef:
        if t.stage is not None:
            guards = [
                tm.app(tm.existence(b.type), (b,)) if b.type.kind == "sort" else in_word(b) for b in t.binders
            ]
            return self.formula(quantify(t.op, t.binders, guards, t.body))
        assert t.op != "count", "counts have no direct translation"
        build = z3.ForAll if t.op == "forall" else z3.Exists
        return build([self.formula(b) for b in t.binders], self.formula(t.body))


_numbers: dict[str, Iterator[int]] = defaultdict(count)


@cache
def enumeration(name: str, members: tuple[str, ...]) -> tuple[z3.SortRef, list[z3.ExprRef]]:
    """Z3 wants every enumeration declared once in a process; another one of the same name gets another."""
    number = next(_numbers[name])
    unique = f"{name}.{number}" if number else name
    sort, values = z3.EnumSort(unique, [f"{unique}.{m}" for m in members])
    return sort, values
