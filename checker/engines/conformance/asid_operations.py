"""Operations on an allocator of address-space ids of its own.

Mirrors `zircon/kernel/arch/arm64/asid_allocator_tests.cc`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from vmaspace.checker.engines.conformance.environment import Bound, Environment
from vmaspace.checker.engines.conformance.error import BadStep
from vmaspace.checker.engines.conformance.vocabulary import INTEGER, OBJECT, Answer, operation
from vmaspace.model.arch.ids import FIRST_USER_ASID, IdAllocator
from vmaspace.model.status import ZX_ERR_NO_MEMORY, ZX_OK

LAST_ASIDS: Final = {8: 0, 16: 0xFFFF}  # by bits; with 8, ids are not in use


def _allocator(bound: Bound) -> IdAllocator:
    if not isinstance(bound.value, IdAllocator):
        raise BadStep("expected an allocator of ids")
    return bound.value


@operation("asid.create", "status max", bits=INTEGER)
def asid_create(env: Environment, bits: int) -> Answer:
    """An allocator for a machine with ids of 8 or 16 bits."""
    if bits not in LAST_ASIDS:
        raise BadStep(f"ids have 8 or 16 bits, not {bits}")
    asids = IdAllocator(FIRST_USER_ASID, LAST_ASIDS[bits], ZX_ERR_NO_MEMORY)
    return Answer(observed={"max": (1 << bits) - 1}, bound={"": Bound(asids)})


@operation("asid.alloc", "status id", asids=OBJECT)
def asid_alloc(env: Environment, asids: Bound) -> Answer:
    """One id."""
    status, found = _allocator(asids).allocate()
    return Answer(status.name, {"id": found}, {"": Bound(found, found)})


@operation("asid.alloc_n", "status each_ge each_le", asids=OBJECT, count=INTEGER)
def asid_alloc_n(env: Environment, asids: Bound, count: int) -> Answer:
    """`count` ids; the first failure ends it."""
    allocator = _allocator(asids)
    found: list[int] = []
    for _ in range(count):
        status, number = allocator.allocate()
        if status is not ZX_OK:
            return Answer(status.name)
        found.append(number)

    def each(holds: Callable[[int, int], bool]) -> Callable[[int], str | None]:
        def check(expected: int) -> str | None:
            return next((str(number) for number in found if not holds(number, expected)), None)

        return check

    observed = {"each_ge": each(lambda number, low: number >= low), "each_le": each(lambda number, high: number <= high)}
    return Answer(observed=observed, bound={"": Bound(found, items=tuple(found))})


@operation("asid.free_range", asids=OBJECT, first=INTEGER, last=INTEGER)
def asid_free_range(env: Environment, asids: Bound, first: int, last: int) -> Answer:
    """Give every id from `first` to `last` back."""
    for number in range(first, last + 1):
        status = _allocator(asids).free(number)
        if status is not ZX_OK:
            return Answer(status.name)
    return Answer()
