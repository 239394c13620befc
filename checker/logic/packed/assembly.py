"""LLVM's assembly language, as much as the small compiler needs: types, values, and a builder that writes one function.

It is text from the start, and no tree of objects that is printed later: that takes a quarter of the time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple


@dataclass(frozen=True, slots=True, eq=False)
class Type:
    """A type; a pointer has the type of what is there as its `element`."""

    name: str
    bits: int = 0
    element: Type | None = None

    def __call__(self, number: int) -> Value:
        """A constant."""
        return Value(self, str(number), number)


class Value(NamedTuple):
    """What an instruction has computed, by its name; or a constant."""

    type: Type
    name: str
    constant: int | None = None

    @property
    def pointee(self) -> Type:
        assert self.type.element is not None, self
        return self.type.element


VOID = Type("void")
WORD = Type("i64", 64)
WIDE = Type("i128", 128)
HALF = Type("i32", 32)
BIT = Type("i1", 1)


@cache
def pointer_to(type_: Type) -> Type:
    return Type("ptr", element=type_)


WORDS = pointer_to(WORD)
HALVES = pointer_to(HALF)

COMPARISONS = {"==": "eq", "!=": "ne", "<": "slt", "<=": "sle", ">": "sgt", ">=": "sge"}
NOTHING = Value(VOID, "")


@dataclass(slots=True)
class Block:
    """A basic block."""

    label: str
    lines: list[str] = field(default_factory=list)
    is_terminated: bool = False


@dataclass(slots=True)
class Function:
    """A function and, when it is built, its blocks."""

    name: str
    result: Type
    params: list[Value]
    is_exported: bool
    is_inlined: bool = False
    blocks: list[Block] = field(default_factory=list)

    def text(self) -> str:
        params = ", ".join(f"{p.type.name}{' noalias' if p.type.element else ''} {p.name}" for p in self.params)
        linkage = "" if self.is_exported else "internal "
        attributes = " alwaysinline" if self.is_inlined else ""
        body = "\n".join(f"{b.label}:\n" + "\n".join(b.lines) for b in self.blocks)
        return f'define {linkage}{self.result.name} @"{self.name}"({params}){attributes} {{\n{body}\n}}'


class Builder:
    """Writes instructions at the end of a block."""

    def __init__(self, function: Function) -> None:
        self.function = function
        self.count = 0
        self.entry = self.new_block("entry")
        self.block = self.new_block("start")

    def new_block(self, name: str) -> Block:
        block = Block(f"{name}.{len(self.function.blocks)}")
        self.function.blocks.append(block)
        return block

    def value(self, type_: Type, instruction: str) -> Value:
        self.count += 1
        name = f"%t{self.count}"
        self.block.lines.append(f"{name} = {instruction}")
        return Value(type_, name)

    def end(self, instruction: str) -> None:
        self.block.lines.append(instruction)
        self.block.is_terminated = True

    # --- memory ----------------------------------------------------------------------------------------------------

    def allocate(self, type_: Type, size: int = 1) -> Value:
        """Room that lives as long as the function."""
        self.count += 1
        name = f"%t{self.count}"
        self.entry.lines.append(f"{name} = alloca {type_.name}, i64 {size}")
        return Value(pointer_to(type_), name)

    def load(self, place: Value) -> Value:
        return self.value(place.pointee, f"load {place.pointee.name}, ptr {place.name}")

    def store(self, value: Value, place: Value) -> None:
        self.block.lines.append(f"store {value.type.name} {value.name}, ptr {place.name}")

    def element(self, array: Value, index: Value) -> Value:
        """The place of an element."""
        return self.value(array.type, f"getelementptr {array.pointee.name}, ptr {array.name}, i64 {index.name}")

    # --- arithmetic ------------------------------------------------------------------------------------------------

    def binary(self, operation: str, a: Value, b: Value) -> Value:
        return self.value(a.type, f"{operation} {a.type.name} {a.name}, {b.name}")

    def compare(self, sign: str, a: Value, b: Value) -> Value:
        return self.value(BIT, f"icmp {COMPARISONS[sign]} {a.type.name} {a.name}, {b.name}")

    def cast(self, operation: str, value: Value, type_: Type) -> Value:
        return self.value(type_, f"{operation} {value.type.name} {value.name} to {type_.name}")

    def select(self, test: Value, yes: Value, no: Value) -> Value:
        return self.value(yes.type, f"select i1 {test.name}, {yes.type.name} {yes.name}, {no.type.name} {no.name}")

    # --- flow ------------------------------------------------------------------------------------------------------

    def call(self, name: str, result: Type, arguments: Sequence[Value]) -> Value:
        instruction = f'call {result.name} @"{name}"({", ".join(f"{a.type.name} {a.name}" for a in arguments)})'
        if result is VOID:
            self.block.lines.append(instruction)
            return NOTHING
        return self.value(result, instruction)

    def jump(self, target: Block) -> None:
        self.end(f"br label %{target.label}")

    def branch(self, test: Value, yes: Block, no: Block) -> None:
        self.end(f"br i1 {test.name}, label %{yes.label}, label %{no.label}")

    def choice(self, found: Sequence[tuple[Value, Block]]) -> Value:
        """The value that belongs to the block from which this one was reached."""
        type_ = found[0][0].type
        return self.value(type_, f"phi {type_.name} " + ", ".join(f"[{v.name}, %{b.label}]" for v, b in found))

    def give(self, value: Value | None) -> None:
        self.end("ret void" if value is None else f"ret {value.type.name} {value.name}")
