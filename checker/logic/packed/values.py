"""Values of the small compiler: conditions, expressions and calls of one function become LLVM's instructions.

Not here: statements and whole functions (`machine`), where the language is described too.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Mapping

from vmaspace.checker.logic.packed.assembly import (
    BIT,
    HALF,
    HALVES,
    VOID,
    WIDE,
    WORD,
    WORDS,
    Block,
    Builder,
    Function,
    Type,
    Value,
)

TYPES = {"Word": WORD, "Wide": WIDE, "Words": WORDS, "Halves": HALVES, "bool": BIT}
DECLARED = """
declare void @llvm.prefetch.p0(ptr, i32, i32, i32)
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)
"""


class Values:
    """What one function computes, at the place where its builder `b` stands."""

    def __init__(
        self, functions: Mapping[str, Function], function: Function, constants: Mapping[str, Value], calls: Counter[str]
    ) -> None:
        self.constants = constants
        self.calls = calls  # how often each function is called, counted here
        self.functions = functions
        self.function = function
        self.b = Builder(function)
        self.slots: dict[str, Value] = {}

    # --- conditions ------------------------------------------------------------------------------------------------

    def condition(self, e: ast.expr, yes: Block, no: Block) -> None:
        """Branch on a condition; `and` and `or` stop as soon as they know."""
        match e:
            case ast.BoolOp(op=op, values=values):
                for value in values[:-1]:
                    more = self.b.new_block("more")
                    if isinstance(op, ast.And):
                        self.condition(value, more, no)
                    else:
                        self.condition(value, yes, more)
                    self.b.block = more
                self.condition(values[-1], yes, no)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                self.condition(operand, no, yes)
            case _:
                self.b.branch(self.convert(self.expr(e), BIT), yes, no)

    # --- expressions -----------------------------------------------------------------------------------------------

    def expr(self, e: ast.expr) -> Value:
        match e:
            case ast.Constant(value=bool() as value):
                return BIT(int(value))
            case ast.Constant(value=int() as value):
                return (WORD if -(2**63) <= value < 2**63 else WIDE)(value)
            case ast.Name(id=name) if name in self.slots:
                return self.b.load(self.slots[name])
            case ast.Name(id=name):
                return self.constants[name]
            case ast.BinOp(left=left, op=op, right=right):
                return self.arithmetic(op, self.expr(left), self.expr(right))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                positive = self.expr(operand)
                return self.b.binary("sub", positive.type(0), positive)
            case ast.UnaryOp(op=ast.Invert(), operand=operand):
                inverted = self.expr(operand)
                return self.b.binary("xor", inverted, inverted.type(-1))
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                a, b = self.alike(self.expr(left), self.expr(right))
                return self.b.compare(_COMPARISONS[type(op)], a, b)
            case ast.BoolOp() | ast.UnaryOp(op=ast.Not()):
                return self.choice(e, lambda: BIT(1), lambda: BIT(0))
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return self.choice(test, lambda: self.expr(body), lambda: self.expr(orelse))
            case ast.Subscript(value=array, slice=index):
                loaded = self.b.load(self.place(array, index))
                return self.b.cast("zext", loaded, WORD) if loaded.type is HALF else loaded
            case ast.Call(func=ast.Name(id=name), args=args):
                return self.call(name, args)
        raise AssertionError(ast.dump(e))

    def choice(self, test: ast.expr, yes: Callable[[], Value], no: Callable[[], Value]) -> Value:
        """One of two values; only the one that is needed is computed."""
        blocks = [self.b.new_block(n) for n in ("yes", "no", "either")]
        self.condition(test, blocks[0], blocks[1])
        found: list[Value] = []
        ends: list[Block] = []
        for block, compute in zip(blocks, (yes, no), strict=False):
            self.b.block = block
            found.append(compute())
            ends.append(self.b.block)
        if found[0].type is not found[1].type:
            widest = WIDE if WIDE in (found[0].type, found[1].type) else WORD
            for i, block in enumerate(ends):
                self.b.block = block
                found[i] = self.convert(found[i], widest)
        for block in ends:
            self.b.block = block
            self.b.jump(blocks[2])
        self.b.block = blocks[2]
        return self.b.choice(list(zip(found, ends, strict=True)))

    def alike(self, a: Value, b: Value) -> tuple[Value, Value]:
        if a.type is b.type:
            return a, b
        widest = WIDE if WIDE in (a.type, b.type) else WORD
        return self.convert(a, widest), self.convert(b, widest)

    def convert(self, value: Value, type_: Type) -> Value:
        if value.type is type_:
            return value
        assert type_.bits and value.type.bits, (value.type, type_)
        if value.constant is not None and type_ is not BIT:
            return type_(value.constant)
        if value.type is BIT:
            return self.b.cast("zext", value, type_)
        if type_ is BIT:
            return self.b.compare("!=", value, value.type(0))
        return self.b.cast("sext" if value.type.bits < type_.bits else "trunc", value, type_)

    def arithmetic(self, op: ast.operator, left: Value, right: Value) -> Value:
        if isinstance(op, ast.LShift | ast.RShift):
            return self.b.binary("shl" if isinstance(op, ast.LShift) else "lshr", left, self.convert(right, left.type))
        a, b = self.alike(left, right)
        if a.type is BIT and not isinstance(op, ast.BitAnd | ast.BitOr):
            a, b = self.convert(a, WORD), self.convert(b, WORD)
        if isinstance(op, ast.FloorDiv | ast.Mod):
            assert b.constant is not None
            return self.divided(a, b.constant, isinstance(op, ast.Mod))
        return self.b.binary(_OPERATORS[type(op)], a, b)

    def divided(self, a: Value, divisor: int, is_rest: bool) -> Value:
        if divisor & (divisor - 1) == 0:
            if is_rest:
                return self.b.binary("and", a, a.type(divisor - 1))
            return self.b.binary("ashr", a, a.type(divisor.bit_length() - 1))
        assert a.type is WORD, "a wide number is divided by powers of two only"
        rest = self.b.binary("srem", a, WORD(divisor))
        below = self.b.compare("<", rest, WORD(0))
        if is_rest:
            return self.b.select(below, self.b.binary("add", rest, WORD(divisor)), rest)
        return self.b.binary("sub", self.b.binary("sdiv", a, WORD(divisor)), self.b.cast("zext", below, WORD))

    def place(self, array: ast.expr, index: ast.expr) -> Value:
        return self.b.element(self.expr(array), self.convert(self.expr(index), WORD))

    # --- calls -----------------------------------------------------------------------------------------------------

    def call(self, name: str, args: list[ast.expr]) -> Value:
        match name, args:
            case "local", [ast.Constant(value=int() as size)]:
                return self.b.allocate(WORD, size)
            case "words", [address]:
                return self.b.cast("inttoptr", self.expr(address), WORDS)
            case "halves", [address]:
                return self.b.cast("inttoptr", self.expr(address), HALVES)
            case "wide", [x]:
                return self.convert(self.expr(x), WIDE)
            case "narrow", [x]:
                return self.convert(self.expr(x), WORD)
            case "unsigned", [x]:
                value = self.expr(x)
                return value if value.type is WIDE else self.b.cast("zext", value, WIDE)
            case "prefetch", [array, index]:
                return self.b.call("llvm.prefetch.p0", VOID, [self.place(array, index), HALF(0), HALF(3), HALF(1)])
            case "copy", [target, source, count]:
                ends = self.expr(target), self.expr(source)
                length = self.b.binary("mul", self.convert(self.expr(count), WORD), WORD(8))
                return self.b.call("llvm.memcpy.p0.p0.i64", VOID, [*ends, length, BIT(0)])
        function = self.functions[name]
        self.calls[name] += 1
        values = [self.expr(a) for a in args]
        given = [self.convert(v, p.type) for v, p in zip(values, function.params, strict=True)]
        return self.b.call(name, function.result, given)


_COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
}  # fmt: skip
_OPERATORS: dict[type[ast.operator], str] = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.BitAnd: "and", ast.BitOr: "or", ast.BitXor: "xor",
}  # fmt: skip
