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
from collections.abc import Mapping

from vmaspace.checker.logic.packed.assembly import VOID, WIDE, WORD, WORDS, Block, Function, Type, Value
from vmaspace.checker.logic.packed.values import DECLARED, TYPES, Values


def module_ir(text: str, exported: frozenset[str]) -> str:
    """The LLVM module of a text; only `exported` functions are seen from outside."""
    tree = ast.parse(text)
    definitions = [d for d in tree.body if isinstance(d, ast.FunctionDef)]
    arrays: list[str] = []
    constants = dict(_constant(arrays, d) for d in tree.body if isinstance(d, ast.Assign))
    functions = {d.name: _declare(d, d.name in exported) for d in definitions}
    calls: Counter[str] = Counter()
    for d in definitions:
        _Body(functions, functions[d.name], constants, calls).build(d)
    for name, function in functions.items():  # so it takes no more room where it is called
        function.is_inlined = calls[name] == 1 and not function.is_exported
    return "\n".join([DECLARED, *arrays, *(f.text() for f in functions.values())])


def _constant(arrays: list[str], d: ast.Assign) -> tuple[str, Value]:
    (target,) = d.targets
    assert isinstance(target, ast.Name)
    match d.value:
        case ast.Call(func=ast.Name(id="shared"), args=[ast.Constant(value=int() as size)]):
            arrays.append(f"@{target.id} = internal global [{size} x i64] zeroinitializer")
            return target.id, Value(WORDS, f"@{target.id}")
    return target.id, WORD(ast.literal_eval(d.value))


def _declare(d: ast.FunctionDef, is_exported: bool) -> Function:
    result = VOID if d.returns is None or _is_none(d.returns) else _type(d.returns)
    return Function(d.name, result, [Value(_type(a.annotation), f"%{a.arg}") for a in d.args.args], is_exported)


def _is_none(e: ast.expr) -> bool:
    return isinstance(e, ast.Constant) and e.value is None


def _type(annotation: ast.expr | None) -> Type:
    assert isinstance(annotation, ast.Name), "a parameter without a type"
    return TYPES[annotation.id]


class _Body(Values):
    """One function."""

    def __init__(
        self, functions: Mapping[str, Function], function: Function, constants: Mapping[str, Value], calls: Counter[str]
    ) -> None:
        super().__init__(functions, function, constants, calls)
        self.loops: list[tuple[Block, Block]] = []  # where `continue` and `break` go

    def build(self, d: ast.FunctionDef) -> None:
        first = self.b.block
        for p in self.function.params:
            self.store(p.name.removeprefix("%"), p)
        self.block(d.body)
        if not self.b.block.is_terminated:
            if self.function.result is VOID:
                self.b.give(None)
            else:
                self.b.end("unreachable")
        self.b.block = self.b.entry
        self.b.jump(first)

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
                self.b.give(None)
            case ast.Return(value=value) if value is not None:
                self.b.give(self.convert(self.expr(value), self.function.result))
            case ast.Break():
                self.b.jump(self.loops[-1][1])
            case ast.Continue():
                self.b.jump(self.loops[-1][0])
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
                self.b.store(self.convert(value, place.pointee), place)
            case _:
                raise AssertionError(ast.dump(target))

    def store(self, name: str, value: Value) -> None:
        slot = self.slots.get(name)
        if slot is None:
            slot = self.slots[name] = self.b.allocate(value.type)
        self.b.store(self.convert(value, slot.pointee), slot)

    def branch(self, s: ast.If) -> None:
        then, after = self.b.new_block("then"), self.b.new_block("after")
        other = self.b.new_block("else") if s.orelse else after
        self.condition(s.test, then, other)
        for start, body in ((then, s.body), (other, s.orelse)):
            if start is not after:
                self.b.block = start
                self.block(body)
                if not self.b.block.is_terminated:
                    self.b.jump(after)
        self.b.block = after

    def loop(self, s: ast.While) -> None:
        test, body, after = (self.b.new_block(n) for n in ("while", "body", "after"))
        self.b.jump(test)
        self.b.block = test
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
        end = self.b.allocate(high.type)
        self.b.store(high, end)
        test, body, step, after = (self.b.new_block(n) for n in ("for", "body", "next", "after"))
        self.b.jump(test)
        self.b.block = test
        more = self.b.compare("<", self.b.load(self.slots[name]), self.b.load(end))
        self.b.branch(more, body, after)
        self.inside(body, s.body, step, after)
        self.b.block = step
        now = self.b.load(self.slots[name])
        self.b.store(self.b.binary("add", now, now.type(1)), self.slots[name])
        self.b.jump(test)
        self.b.block = after

    def inside(self, body: Block, statements: list[ast.stmt], again: Block, after: Block) -> None:
        self.loops.append((again, after))
        self.b.block = body
        self.block(statements)
        if not self.b.block.is_terminated:
            self.b.jump(again)
        self.loops.pop()
        self.b.block = after


def _as_load(target: ast.expr) -> ast.expr:
    match target:
        case ast.Name(id=name):
            return ast.Name(id=name, ctx=ast.Load())
        case ast.Subscript(value=array, slice=index):
            return ast.Subscript(value=array, slice=index, ctx=ast.Load())
    raise AssertionError(ast.dump(target))
