"""Checks: comparisons of numbers, what is in page tables, what is attributed to whom."""

from __future__ import annotations

import operator
from collections.abc import Callable

from vmaspace.checker.engines.conformance.environment import Bound, Environment
from vmaspace.checker.engines.conformance.error import BadStep
from vmaspace.checker.engines.conformance.vocabulary import (
    INTEGER,
    MAYBE_INTEGER,
    MAYBE_WORD,
    OBJECT,
    TRUTH,
    TRUTHS,
    Answer,
    operation,
)
from vmaspace.model.aspace import VmAspace
from vmaspace.model.constants import PAGE_SIZE
from vmaspace.model.mapping import VmMapping
from vmaspace.model.object.dispatcher import Handle, VmAddressRegionDispatcher, lookup
from vmaspace.model.object.process import ProcessDispatcher
from vmaspace.model.status import ZX_OK
from vmaspace.model.vmar import VmAddressRegion
from vmaspace.model.vmo import AttributionCounts

# Comparisons.


def _compare(sign: str, holds: Callable[[int, int], bool], a: int, b: int) -> Answer:
    return Answer(mismatch=None if holds(a, b) else (f"a {sign} b", f"a = {a:#x}, b = {b:#x}"))


@operation("expect.eq", "", a=INTEGER, b=INTEGER)
def expect_eq(env: Environment, a: int, b: int) -> Answer:
    """Two numbers are equal."""
    return _compare("==", operator.eq, a, b)


@operation("expect.ne", "", a=INTEGER, b=INTEGER)
def expect_ne(env: Environment, a: int, b: int) -> Answer:
    """Two numbers differ."""
    return _compare("!=", operator.ne, a, b)


@operation("expect.le", "", a=INTEGER, b=INTEGER)
def expect_le(env: Environment, a: int, b: int) -> Answer:
    """One number is at most another."""
    return _compare("<=", operator.le, a, b)


@operation("expect.ge", "", a=INTEGER, b=INTEGER)
def expect_ge(env: Environment, a: int, b: int) -> Answer:
    """One number is at least another."""
    return _compare(">=", operator.ge, a, b)


# Page tables and mappings.


def _pages(is_mapped: Callable[[int], bool], base: int, pages: list[int]) -> Answer:
    """Compare page by page; the first that differs is told."""
    for index, wanted in enumerate(pages):
        if is_mapped(base + index * PAGE_SIZE) is not bool(wanted):
            states = ("not mapped", "mapped")
            return Answer(
                mismatch=(f"page {index} is {states[bool(wanted)]}", f"it is {states[not wanted]}")
            )
    return Answer()


def _in_page_tables(aspace: VmAspace) -> Callable[[int], bool]:
    return lambda addr: aspace.arch.query(addr)[0] is ZX_OK


@operation("expect.pages_mapped", "", process=OBJECT, base=INTEGER, pages=TRUTHS, asserted=MAYBE_INTEGER)
def expect_pages_mapped(
    env: Environment, process: Bound, base: int, pages: list[int], asserted: int | None = None
) -> Answer:
    """Which pages a mapping of the process holds; of `pages`, the first `asserted` are checked."""
    status, dispatcher = lookup(env.handle(process), ProcessDispatcher)
    if dispatcher is None:
        return Answer(status.name)

    def is_mapped(addr: int) -> bool:
        return isinstance(dispatcher.aspace_at(addr).find_region(addr), VmMapping)

    return _pages(is_mapped, base, pages if asserted is None else pages[:asserted])


@operation("expect.arch_pages_mapped", "", aspace=OBJECT, base=INTEGER, pages=TRUTHS)
def expect_arch_pages_mapped(env: Environment, aspace: Bound, base: int, pages: list[int]) -> Answer:
    """Which pages are in the page tables."""
    return _pages(_in_page_tables(env.aspace(aspace)), base, pages)


@operation(
    "expect.arch_mapped_prefix", "", aspace=OBJECT, base=INTEGER, size=INTEGER, mapped_pages=INTEGER
)
def expect_arch_mapped_prefix(
    env: Environment, aspace: Bound, base: int, size: int, mapped_pages: int
) -> Answer:
    """Exactly the first pages of a range are in the page tables."""
    pages = [int(index < mapped_pages) for index in range(-(-size // PAGE_SIZE))]
    return _pages(_in_page_tables(env.aspace(aspace)), base, pages)


@operation("expect.contiguous", "", aspace=OBJECT, addr=INTEGER, size=INTEGER)
def expect_contiguous(env: Environment, aspace: Bound, addr: int, size: int) -> Answer:
    """A range leads to one run of physical pages."""
    arch = env.aspace(aspace).arch
    status, first, _ = arch.query(addr)
    for offset in range(0, size, PAGE_SIZE):
        status, paddr, _ = arch.query(addr + offset)
        if status is not ZX_OK or paddr != first + offset:
            got = f"{paddr:#x}" if status is ZX_OK else status.name
            return Answer(mismatch=(f"{addr + offset:#x} leads to {first + offset:#x}", got))
    return Answer()


# Attribution and priority.


def _attributed(env: Environment, of: Bound) -> AttributionCounts:
    value = of.value
    if isinstance(value, Handle) and isinstance(value.dispatcher, VmAddressRegionDispatcher):
        value = value.dispatcher.vmar
    if isinstance(value, (VmMapping, VmAddressRegion)):
        return value.get_attributed_memory()
    vmo = env.vmo(of)
    return vmo.attributed_memory_in_range(0, vmo.size)


def _compare_bytes(wanted: int, rel: str, got: int) -> Answer:
    if rel not in ("eq", "le"):
        raise BadStep(f"rel is eq or le, not {rel!r}")
    holds = got == wanted if rel == "eq" else got <= wanted
    return Answer(mismatch=None if holds else (f"{'' if rel == 'eq' else 'at most '}{wanted} bytes", f"{got}"))


@operation("expect.attributed_bytes", "", of=OBJECT, bytes=INTEGER)
def expect_attributed_bytes(env: Environment, of: Bound, bytes: int) -> Answer:
    """How many bytes a VMO, mapping or VMAR is charged with."""
    return _compare_bytes(bytes, "eq", _attributed(env, of).total)


@operation("expect.populated_bytes", "", of=OBJECT, bytes=INTEGER, rel=MAYBE_WORD, kind=MAYBE_WORD)
def expect_populated_bytes(
    env: Environment, of: Bound, bytes: int, rel: str = "eq", kind: str | None = None
) -> Answer:
    """How many bytes have memory; `private`: of those, how many nobody else sees."""
    if kind not in (None, "private"):
        raise BadStep(f"kind is private, not {kind!r}")
    counts = _attributed(env, of)
    return _compare_bytes(bytes, rel, counts.total if kind is None else counts.total_private)


@operation("attribution.snapshot", of=OBJECT)
def attribution_snapshot(env: Environment, of: Bound) -> Answer:
    """Remember what is attributed."""
    return Answer(bound={"": Bound(_attributed(env, of))})


@operation("expect.attribution_same", "", of=OBJECT, since=OBJECT)
def expect_attribution_same(env: Environment, of: Bound, since: Bound) -> Answer:
    """What is attributed is what it was."""
    counts = _attributed(env, of)
    return Answer(mismatch=None if counts == since.value else (str(since.value), str(counts)))


@operation("expect.high_priority", "", of=OBJECT, high=TRUTH)
def expect_high_priority(env: Environment, of: Bound, high: bool) -> Answer:
    """Whether a VMO or an address space has high memory priority."""
    if isinstance(of.value, VmAspace):
        got = of.value.is_high_memory_priority()
    else:
        got = env.vmo(of).is_high_priority
    return Answer(mismatch=None if got is high else (str(high).lower(), str(got).lower()))
