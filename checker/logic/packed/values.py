"""Values of the small compiler: conditions, expressions and calls of one function become LLVM's instructions.

Not here: statements and whole functions (`machine`), where the language is described too.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from llvmlite import ir

WORD = ir.IntType(64)
WIDE = ir.IntType(128)
HALF = ir.IntType(32)
BIT = ir.IntType(1)
TYPES: dict[str, ir.Type] = {
    "Word": WORD,
    "Wide": WIDE,
    "Words": WORD.as_pointer(),
    "Halves": HALF.as_pointer(),
    "bool": BIT,
}
Value = Any  # llvmlite has no types


class Values:
    """What one function computes, at the place where its builder `b` stands."""

    def __init__(
        self,
        module: ir.Module,
        functions: dict[str, ir.Function],
        function: ir.Function,
        constants: dict[str, Value],
    ) -> None:
        self.module = module
        self.constants = constants
        self.functions = functions
        self.function = function
        self.entry = function.append_basic_block("entry")
        self.b = ir.IRBuilder(function.append_basic_block("start"))
        self.slots: dict[str, Value] = {}

    def allocate(self, type_: ir.Type, name: str = "", size: int | None = None) -> Value:
        return ir.IRBuilder(self.entry).alloca(type_, size, name)

    # --- conditions ------------------------------------------------------------------------------------------------

    def condition(self, e: ast.expr, yes: ir.Block, no: ir.Block) -> None:
        """Branch on a condition; `and` and `or` stop as soon as they know."""
        match e:
            case ast.BoolOp(op=op, values=values):
                for value in values[:-1]:
                    more = self.b.append_basic_block("more")
                    if isinstance(op, ast.And):
                        self.condition(value, more, no)
                    else:
                        self.condition(value, yes, more)
                    self.b.position_at_end(more)
                self.condition(values[-1], yes, no)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                self.condition(operand, no, yes)
            case _:
                self.b.cbranch(self.convert(self.expr(e), BIT), yes, no)

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
                return self.b.neg(self.expr(operand))
            case ast.UnaryOp(op=ast.Invert(), operand=operand):
                return self.b.not_(self.expr(operand))
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                a, b = self.alike(self.expr(left), self.expr(right))
                return self.b.icmp_signed(_COMPARISONS[type(op)], a, b)
            case ast.BoolOp() | ast.UnaryOp(op=ast.Not()):
                return self.choice(e, lambda: BIT(1), lambda: BIT(0))
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return self.choice(test, lambda: self.expr(body), lambda: self.expr(orelse))
            case ast.Subscript(value=array, slice=index):
                loaded = self.b.load(self.place(array, index))
                return self.b.zext(loaded, WORD) if loaded.type == HALF else loaded
            case ast.Call(func=ast.Name(id=name), args=args):
                return self.call(name, args)
        raise AssertionError(ast.dump(e))

    def choice(self, test: ast.expr, yes: Callable[[], Value], no: Callable[[], Value]) -> Value:
        """One of two values; only the one that is needed is computed."""
        blocks = [self.b.append_basic_block(n) for n in ("yes", "no", "either")]
        self.condition(test, blocks[0], blocks[1])
        found: list[Value] = []
        ends: list[ir.Block] = []
        for block, compute in zip(blocks, (yes, no), strict=False):
            self.b.position_at_end(block)
            found.append(compute())
            ends.append(self.b.block)
        if found[0].type != found[1].type:
            widest = WIDE if WIDE in (found[0].type, found[1].type) else WORD
            for i, block in enumerate(ends):
                self.b.position_at_end(block)
                found[i] = self.convert(found[i], widest)
        for block in ends:
            self.b.position_at_end(block)
            self.b.branch(blocks[2])
        self.b.position_at_end(blocks[2])
        phi = self.b.phi(found[0].type)
        for value, block in zip(found, ends, strict=True):
            phi.add_incoming(value, block)
        return phi

    def alike(self, a: Value, b: Value) -> tuple[Value, Value]:
        if a.type == b.type:
            return a, b
        widest = WIDE if WIDE in (a.type, b.type) else WORD
        return self.convert(a, widest), self.convert(b, widest)

    def convert(self, value: Value, type_: ir.Type) -> Value:
        if value.type == type_:
            return value
        assert isinstance(type_, ir.IntType) and isinstance(value.type, ir.IntType), (value.type, type_)
        if isinstance(value, ir.Constant) and type_ != BIT:
            return type_(value.constant)
        if value.type == BIT:
            return self.b.zext(value, type_)
        if type_ == BIT:
            return self.b.icmp_signed("!=", value, value.type(0))
        if value.type.width < type_.width:
            return self.b.sext(value, type_)
        return self.b.trunc(value, type_)

    def arithmetic(self, op: ast.operator, left: Value, right: Value) -> Value:
        if isinstance(op, ast.LShift | ast.RShift):
            right = self.convert(right, left.type)
            return self.b.shl(left, right) if isinstance(op, ast.LShift) else self.b.lshr(left, right)
        a, b = self.alike(left, right)
        if a.type == BIT and not isinstance(op, ast.BitAnd | ast.BitOr):
            a, b = self.convert(a, WORD), self.convert(b, WORD)
        match op:
            case ast.FloorDiv() | ast.Mod():
                assert isinstance(b, ir.Constant)
                return self.divided(a, b.constant, isinstance(op, ast.Mod))
            case _:
                return getattr(self.b, _OPERATORS[type(op)])(a, b)

    def divided(self, a: Value, divisor: int, is_rest: bool) -> Value:
        if divisor & (divisor - 1) == 0:
            if is_rest:
                return self.b.and_(a, a.type(divisor - 1))
            return self.b.ashr(a, a.type(divisor.bit_length() - 1))
        assert a.type == WORD, "a wide number is divided by powers of two only"
        rest = self.b.srem(a, WORD(divisor))
        below = self.b.icmp_signed("<", rest, WORD(0))
        if is_rest:
            return self.b.select(below, self.b.add(rest, WORD(divisor)), rest)
        return self.b.sub(self.b.sdiv(a, WORD(divisor)), self.b.zext(below, WORD))

    def place(self, array: ast.expr, index: ast.expr) -> Value:
        return self.b.gep(self.expr(array), [self.convert(self.expr(index), WORD)])

    # --- calls -----------------------------------------------------------------------------------------------------

    def call(self, name: str, args: list[ast.expr]) -> Value:
        match name, args:
            case "local", [ast.Constant(value=int() as size)]:
                return self.allocate(WORD, size=size)
            case "words", [address]:
                return self.b.inttoptr(self.expr(address), TYPES["Words"])
            case "halves", [address]:
                return self.b.inttoptr(self.expr(address), TYPES["Halves"])
            case "wide", [x]:
                return self.convert(self.expr(x), WIDE)
            case "narrow", [x]:
                return self.convert(self.expr(x), WORD)
            case "unsigned", [x]:
                value = self.expr(x)
                return value if value.type == WIDE else self.b.zext(value, WIDE)
            case "prefetch", [array, index]:
                return self.prefetch(self.place(array, index))
            case "copy", [target, source, count]:
                return self.copy(self.expr(target), self.expr(source), self.convert(self.expr(count), WORD))
        function = self.functions[name]
        expected = function.function_type.args
        values = [self.expr(a) for a in args]
        return self.b.call(function, [self.convert(v, t) for v, t in zip(values, expected, strict=True)])

    def prefetch(self, place: Value) -> Value:
        byte = ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [byte, HALF, HALF, HALF])
        function = self.intrinsic("llvm.prefetch.p0", kind)
        return self.b.call(function, [self.b.bitcast(place, byte), HALF(0), HALF(3), HALF(1)])

    def copy(self, target: Value, source: Value, count: Value) -> Value:
        byte = ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [byte, byte, WORD, BIT])
        function = self.intrinsic("llvm.memcpy.p0.p0.i64", kind)
        size = self.b.mul(count, WORD(8))
        return self.b.call(function, [self.b.bitcast(target, byte), self.b.bitcast(source, byte), size, BIT(0)])

    def intrinsic(self, name: str, kind: ir.FunctionType) -> ir.Function:
        found = self.module.globals.get(name)
        return found if found is not None else ir.Function(self.module, kind, name)


def element(pointer: Value) -> ir.Type:
    """What a pointer points to."""
    return pointer.type.pointee


_COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
}  # fmt: skip
_OPERATORS: dict[type[ast.operator], Any] = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.BitAnd: "and_", ast.BitOr: "or_", ast.BitXor: "xor",
}  # fmt: skip
