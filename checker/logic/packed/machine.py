"""A small compiler: functions over whole words, written in a part of Python's syntax, become machine code.

`Word` is 64 bits, `Wide` 128 (sums of addresses leave 64), `Words` an array of words and `Halves` one of 32-bit numbers.
Assignments of numbers outside functions are constants, and `shared(n)` there is an array that all functions see.  There
are assignments, `if`, `while`, `for … in range(…)`, calls, arithmetic and comparisons; a mix of a word and a wide
number is wide.  LLVM does the rest.  The text is our own (see `program`), so what it does not know is an assertion.

Words wrap around, `>>` brings in zeros, and `//` and `%` are by positive constants and round down.
"""

from __future__ import annotations

import ast
from collections import Counter

from llvmlite import ir

from vmaspace.checker.logic.packed.values import HALF, TYPES, WIDE, WORD, Value, Values, element


def module_ir(text: str, exported: frozenset[str]) -> str:
    """The LLVM module of a text; only `exported` functions are seen from outside."""
    tree = ast.parse(text)
    module = ir.Module("packed")
    definitions = [d for d in tree.body if isinstance(d, ast.FunctionDef)]
    constants = dict(_constant(module, d) for d in tree.body if isinstance(d, ast.Assign))
    functions: dict[str, ir.Function] = {}
    calls = Counter(node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name))
    for d in definitions:
        functions[d.name] = _declare(module, d, d.name in exported)
        if calls[d.name] == 1 and d.name not in exported:  # so it takes no more room where it is called
            functions[d.name].attributes.add("alwaysinline")
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


class _Body(Values):
    """One function."""

    def __init__(
        self,
        module: ir.Module,
        functions: dict[str, ir.Function],
        function: ir.Function,
        constants: dict[str, Value],
    ) -> None:
        super().__init__(module, functions, function, constants)
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
                self.b.store(self.convert(value, element(place)), place)
            case _:
                raise AssertionError(ast.dump(target))

    def store(self, name: str, value: Value) -> None:
        slot = self.slots.get(name)
        if slot is None:
            slot = self.slots[name] = self.allocate(value.type, name)
        self.b.store(self.convert(value, element(slot)), slot)

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


def _as_load(target: ast.expr) -> ast.expr:
    match target:
        case ast.Name(id=name):
            return ast.Name(id=name, ctx=ast.Load())
        case ast.Subscript(value=array, slice=index):
            return ast.Subscript(value=array, slice=index, ctx=ast.Load())
    raise AssertionError(ast.dump(target))
