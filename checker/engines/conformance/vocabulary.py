"""What an operation is: its arguments and their kinds, the answers that can be compared, and a function.

Each module of operations registers its own here with `@operation`. An argument or an expectation that an
operation does not name is not supported by it, and is never ignored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from vmaspace.checker.engines.conformance.environment import Bound


class Kind(Enum):
    """How an argument is written."""

    INTEGER = "a number or an expression"
    CONDITION = "an expression or a comparison"
    OBJECT = "the name of something bound"
    WORD = "a string"
    WORDS = "a list of strings"
    FLAGS = "a string or a list of strings"
    TRUTH = "true or false"
    INTEGERS = "a list of numbers or expressions"
    TRUTHS = "a list of 0 and 1"


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of an operation."""

    kind: Kind
    is_required: bool = True


INTEGER: Final = Argument(Kind.INTEGER)
OBJECT: Final = Argument(Kind.OBJECT)
WORD: Final = Argument(Kind.WORD)
WORDS: Final = Argument(Kind.WORDS)
TRUTH: Final = Argument(Kind.TRUTH)
MAYBE_INTEGER: Final = Argument(Kind.INTEGER, is_required=False)
MAYBE_OBJECT: Final = Argument(Kind.OBJECT, is_required=False)
MAYBE_WORD: Final = Argument(Kind.WORD, is_required=False)
MAYBE_WORDS: Final = Argument(Kind.WORDS, is_required=False)
MAYBE_FLAGS: Final = Argument(Kind.FLAGS, is_required=False)
MAYBE_TRUTH: Final = Argument(Kind.TRUTH, is_required=False)
INTEGERS: Final = Argument(Kind.INTEGERS)
TRUTHS: Final = Argument(Kind.TRUTHS)

# Every operation can have these: the step is done only under a condition; its address is passed with a tag.
COMMON_ARGUMENTS: Final = {"only_if": Argument(Kind.CONDITION, is_required=False), "tag": MAYBE_INTEGER}
# Every operation that answers a status can be asked for it in these ways.
STATUS_EXPECTATIONS: Final = frozenset({"status", "status_in", "status_if"})

# A check of its own: given what is expected, None or what was seen instead.
Check: TypeAlias = Callable[[Any], str | None]


@dataclass(slots=True)
class Answer:
    """What an operation answered."""

    status: str = "ZX_OK"
    observed: Mapping[str, object] = field(default_factory=dict)  # values, or a `Check`
    bound: Mapping[str, Bound] = field(default_factory=dict)  # by suffix: "" is the name itself, ".vmar" ...
    mismatch: tuple[str, str] | None = None  # of a comparison: expected and got

    @property
    def is_refused(self) -> bool:
        """Whether the operation did not do what it was asked."""
        return self.status != "ZX_OK"


@dataclass(frozen=True, slots=True)
class Operation:
    """One word of the vocabulary."""

    name: str
    arguments: Mapping[str, Argument]
    expectations: frozenset[str]
    run: Callable[..., Answer]


OPERATIONS: dict[str, Operation] = {}
Runner: TypeAlias = Callable[..., Answer]


def operation(name: str, expects: str = "status", /, **arguments: Argument) -> Callable[[Runner], Runner]:
    """Register a function as the operation `name`.

    It is called with the environment and one keyword argument for each argument given. `expects` lists what can
    be compared; `status` stands for all the ways to ask for a status.
    """
    expectations = set(expects.split())
    if "status" in expectations:
        expectations |= STATUS_EXPECTATIONS

    def register(run: Runner) -> Runner:
        if name in OPERATIONS:
            raise ValueError(f"the operation {name} is there twice")
        OPERATIONS[name] = Operation(name, {**arguments, **COMMON_ARGUMENTS}, frozenset(expectations), run)
        return run

    return register


def observe_address(base: int) -> dict[str, object]:
    """What can be asked about an address that was returned."""

    def aligned_log2(expected: int) -> str | None:
        return None if base == 0 or (base & -base).bit_length() > expected else f"{base:#x}"

    def nonzero(expected: bool) -> str | None:
        return None if (base != 0) is expected else f"{base:#x}"

    def top_byte_zero(expected: bool) -> str | None:
        return None if (base >> 56 == 0) is expected else f"{base:#x}"

    return {
        "base": base,
        "value": base,
        "aligned_log2": aligned_log2,
        "base_nonzero": nonzero,
        "nonzero": nonzero,
        "top_byte_zero": top_byte_zero,
    }
