"""What a layout of an entry is: named fields by place, address bits, and what is left of 64 bits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from vmaspace.model.constants import MAX_U64


class Field(NamedTuple):
    """Bits of an entry with a name. values: what each value says, in order; a value past the end says nothing."""

    name: str
    low: int
    width: int = 1
    values: tuple[str, ...] = ()

    @property
    def mask(self) -> int:
        return (1 << self.width) - 1 << self.low

    @property
    def bits(self) -> str:
        """`63`, or `51:12`."""
        return str(self.low) if self.width == 1 else f"{self.low + self.width - 1}:{self.low}"

    def of(self, entry: int) -> int:
        return entry >> self.low & (1 << self.width) - 1

    def meaning(self, entry: int) -> str:
        value = self.of(entry)
        return self.values[value] if value < len(self.values) else ""


@dataclass(frozen=True)
class Layout:
    """One kind of entry at one level.

    frame: the address bits, as they stand in the entry. ignored: bits without a name that hardware does not look at.
    memory_bits: single bits that together, the first the lowest, number the memory type in memory_types.
    """

    frame: int
    fields: tuple[Field, ...]
    ignored: int
    memory_bits: tuple[int, ...] = ()
    memory_types: tuple[str, ...] = ()

    @cached_property
    def named(self) -> int:
        """The bits of the fields."""
        mask = 0
        for field in self.fields:
            mask |= field.mask
        return mask

    @cached_property
    def reserved(self) -> int:
        """The bits that must be 0: all that are nothing else."""
        return MAX_U64 & ~(self.frame | self.named | self.ignored)

    @cached_property
    def from_the_top(self) -> tuple[Field, ...]:
        return tuple(sorted(self.fields, key=lambda field: -field.low))

    def memory_type(self, entry: int) -> str:
        index = sum((entry >> bit & 1) << place for place, bit in enumerate(self.memory_bits))
        return self.memory_types[index] if self.memory_types else ""


@dataclass(frozen=True)
class Layouts:
    """A format of page tables: its layouts by level, and what the manual calls the tables of each level."""

    level_names: tuple[str, ...]  # from level 0 on
    leaves: Mapping[int, Layout]
    tables: Mapping[int, Layout]


def span(high: int, low: int) -> int:
    """The bits `high` down to `low`."""
    return (1 << high + 1) - (1 << low)
