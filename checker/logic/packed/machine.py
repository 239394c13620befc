"""A small compiler: functions over whole words, written in a part of Python's syntax, become machine code.

`Word` is 64 bits, `Wide` 128 (sums of addresses leave 64), `Words` an array of words and `Halves` one of 32-bit numbers.
Assignments of numbers outside functions are constants, and `shared(n)` there is an array that all functions see.  There
are assignments, `if`, `while`, `for … in range(…)`, calls, arithmetic and comparisons; a mix of a word and a wide
number is wide.  LLVM does the rest.  The text is our own (see `program`), so what it does not know is an assertion.

Words wrap around, `>>` brings in zeros, and `//` and `%` are by positive constants and round down.
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


def module_ir(text: str, exported: frozenset[str]) -> str:
    """The LLVM module of a text; only `exported` functions are seen from outside."""
    tree = ast.parse(text)
    module = ir.Module("packed")
    definitions = [d for d in tree.body if isinstance(d, ast.FunctionDef)]
    constants = dict(_constant(module, d) for d in tree.body if isinstance(d, ast.Assign))
    functions: dict[str, ir.Function] = {}
    for d in definitions:
        functions[d.name] = _declare(module, d, d.name in exported)
    for d in definitions:
        _Body(module, functions, functions[d.name], constants).build(d)
    return str(module)


def _constant(module: ir.Module, d: ast.Assign) -> tuple[str, Value]:
    (target,) = d.targets
    assert isinstance(target, ast.Name)
    match d.value:
        case ast.Call(func=ast.Name(id="shared"), args=[ast.Constant(value=int() as size)]):
            kind = ir.ArrayType(WORD, size)
            words = ir.GlobalVariable(module, kind, target.id)
            words.linkage, words.initializer = "internal", ir.Constant(kind, None)
            return target.id, words.gep([HALF(0), HALF(0)])
    return target.id, WORD(ast.literal_eval(d.value))


def _declare(module: ir.Module, d: ast.FunctionDef, is_exported: bool) -> ir.Function:
    params = [_type(a.annotation) for a in d.args.args]
    result = ir.VoidType() if d.returns is None or _is_none(d.returns) else _type(d.returns)
    function = ir.Function(module, ir.FunctionType(result, params), d.name)
    if not is_exported:
        function.linkage = "internal"
    for given, own in zip(d.args.args, function.args, strict=True):
        own.name = given.arg
        if isinstance(own.type, ir.PointerType):
            own.add_attribute("noalias")
    return function


def _is_none(e: ast.expr) -> bool:
    return isinstance(e, ast.Constant) and e.value is None


def _type(annotation: ast.expr | None) -> ir.Type:
    assert isinstance(annotation, ast.Name), "a parameter without a type"
    return TYPES[annotation.id]


class _Body:
    """One function."""

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
        self.loops: list[tuple[ir.Block, ir.Block]] = []  # where `continue` and `break` go

    def build(self, d: ast.FunctionDef) -> None:
        first = self.b.block
        for a in self.function.args:
            self.store(a.name, a)
        self.block(d.body)
        if not self.b.block.is_terminated:
            if isinstance(self.function.function_type.return_type, ir.VoidType):
                self.b.ret_void()
            else:
                self.b.unreachable()
        ir.IRBuilder(self.entry).branch(first)

    # --- statements ------------------------------------------------------------------------------------------------

    def block(self, body: list[ast.stmt]) -> None:
        for s in body:
            if self.b.block.is_terminated:
                return
            self.statement(s)

    def statement(self, s: ast.stmt) -> None:
        match s:
            case ast.Assign(targets=[target], value=value):
                self.assign(target, self.expr(value))
            case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, value=value) if value is not None:
                self.store(name, self.convert(self.expr(value), _type(annotation)))
            case ast.AugAssign(target=target, op=op, value=value):
                left = self.expr(ast.fix_missing_locations(_as_load(target)))
                self.assign(target, self.arithmetic(op, left, self.expr(value)))
            case ast.If():
                self.branch(s)
            case ast.While():
                self.loop(s)
            case ast.For():
                self.counted(s)
            case ast.Return(value=None):
                self.b.ret_void()
            case ast.Return(value=value) if value is not None:
                self.b.ret(self.convert(self.expr(value), self.function.function_type.return_type))
            case ast.Break():
                self.b.branch(self.loops[-1][1])
            case ast.Continue():
                self.b.branch(self.loops[-1][0])
            case ast.Expr(value=ast.Constant()) | ast.Pass():
                pass
            case ast.Expr(value=value):
                self.expr(value)
            case _:
                raise AssertionError(ast.dump(s))

    def assign(self, target: ast.expr, value: Value) -> None:
        match target:
            case ast.Name(id=name):
                self.store(name, value)
            case ast.Subscript(value=array, slice=index):
                place = self.place(array, index)
                self.b.store(self.convert(value, _element(place)), place)
            case _:
                raise AssertionError(ast.dump(target))

    def store(self, name: str, value: Value) -> None:
        slot = self.slots.get(name)
        if slot is None:
            slot = self.slots[name] = self.allocate(value.type, name)
        self.b.store(self.convert(value, _element(slot)), slot)

    def allocate(self, type_: ir.Type, name: str = "", size: int | None = None) -> Value:
        return ir.IRBuilder(self.entry).alloca(type_, size, name)

    def branch(self, s: ast.If) -> None:
        then, after = self.b.append_basic_block("then"), self.b.append_basic_block("after")
        other = self.b.append_basic_block("else") if s.orelse else after
        self.condition(s.test, then, other)
        for start, body in ((then, s.body), (other, s.orelse)):
            if start is not after:
                self.b.position_at_end(start)
                self.block(body)
                if not self.b.block.is_terminated:
                    self.b.branch(after)
        self.b.position_at_end(after)

    def loop(self, s: ast.While) -> None:
        test, body, after = (self.b.append_basic_block(n) for n in ("while", "body", "after"))
        self.b.branch(test)
        self.b.position_at_end(test)
        self.condition(s.test, body, after)
        self.inside(body, s.body, test, after)

    def counted(self, s: ast.For) -> None:
        assert isinstance(s.target, ast.Name) and isinstance(s.iter, ast.Call)
        args = [self.expr(a) for a in s.iter.args]
        low, high = args if len(args) == 2 else (WORD(0), args[0])
        if WIDE in (low.type, high.type):
            low, high = self.convert(low, WIDE), self.convert(high, WIDE)
        name = s.target.id
        self.store(name, low)
        end = self.allocate(high.type)
        self.b.store(high, end)
        test, body, step, after = (self.b.append_basic_block(n) for n in ("for", "body", "next", "after"))
        self.b.branch(test)
        self.b.position_at_end(test)
        more = self.b.icmp_signed("<", self.b.load(self.slots[name]), self.b.load(end))
        self.b.cbranch(more, body, after)
        self.inside(body, s.body, step, after)
        self.b.position_at_end(step)
        now = self.b.load(self.slots[name])
        self.b.store(self.b.add(now, now.type(1)), self.slots[name])
        self.b.branch(test)
        self.b.position_at_end(after)

    def inside(self, body: ir.Block, statements: list[ast.stmt], again: ir.Block, after: ir.Block) -> None:
        self.loops.append((again, after))
        self.b.position_at_end(body)
        self.block(statements)
        if not self.b.block.is_terminated:
            self.b.branch(again)
        self.loops.pop()
        self.b.position_at_end(after)

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


def _element(pointer: Value) -> ir.Type:
    return pointer.type.pointee


def _as_load(target: ast.expr) -> ast.expr:
    match target:
        case ast.Name(id=name):
            return ast.Name(id=name, ctx=ast.Load())
        case ast.Subscript(value=array, slice=index):
            return ast.Subscript(value=array, slice=index, ctx=ast.Load())
    raise AssertionError(ast.dump(target))


_COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
}  # fmt: skip
_OPERATORS: dict[type[ast.operator], Any] = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.BitAnd: "and_", ast.BitOr: "or_", ast.BitXor: "xor",
}  # fmt: skip
