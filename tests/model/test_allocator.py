"""Placement: the candidates, first fit, randomness, alignment and upper limits."""

import random

import pytest

from vmaspace.model.allocator import candidate, find_spot
from vmaspace.model.aslr import MAX_ASLR_ENTROPY_BITS
from vmaspace.model.constants import MAX_U64
from vmaspace.model.prng import Prng
from vmaspace.model.region_list import RegionList
from vmaspace.model.status import AssertionViolation, Status
from vmaspace.model.system import System
from vmaspace.model.vmar import VmAddressRegion

P = 0x1000
BASE, SIZE = 0x100 * P, 0x40 * P


@pytest.fixture
def regions() -> RegionList:
    system = System()
    regions = RegionList(system.heap)
    for page, pages in [(0x108, 4), (0x110, 0x10)]:
        regions.insert_region(VmAddressRegion(system.kernel_aspace, None, page * P, pages * P, 0))
    return regions


def candidates(regions: RegionList, align_pow2: int, size: int, limit: int = MAX_U64) -> list[int]:
    where = (regions.root, align_pow2, size, BASE, SIZE, limit)
    spot, count = candidate(*where, 1 << 64)
    assert spot is None
    return [candidate(*where, index)[0] for index in range(count)]


@pytest.mark.parametrize("align_pow2", [12, 13, 14, 16])
@pytest.mark.parametrize("pages", [1, 3, 4, 5, 0x20])
@pytest.mark.parametrize("limit_page", [None, 0x100, 0x104, 0x10D, 0x110, 0x121, 0x13F])
def test_candidates_are_exactly_the_addresses_that_fit(
    regions: RegionList, align_pow2: int, pages: int, limit_page: int | None
) -> None:
    limit = MAX_U64 if limit_page is None else limit_page * P
    expected = [
        at
        for at in range(BASE, BASE + SIZE, P)
        if at % (1 << align_pow2) == 0
        and at + pages * P <= min(BASE + SIZE, limit)
        and regions.is_range_available(at, pages * P)
    ]
    assert candidates(regions, align_pow2, pages * P, limit) == expected
    first_fit = find_spot(regions.root, align_pow2, 0, pages * P, BASE, SIZE, None, limit)
    assert first_fit == ((Status.ZX_OK, expected[0]) if expected else (Status.ZX_ERR_NO_RESOURCES, 0))
    found = {find_spot(regions.root, align_pow2, 8, pages * P, BASE, SIZE, Prng(n), limit)[1] for n in range(40)}
    assert found <= set(expected or [0])
    if len(expected) > 4:
        assert len(found) > 1


@pytest.mark.parametrize("seed", range(4))
def test_subtrees_that_are_counted_by_a_sum_have_as_many_as_those_that_are_walked(seed: int) -> None:
    dice, system = random.Random(seed), System()
    regions = RegionList(system.heap)
    page = 0x100
    for _ in range(90):
        page += dice.choice((0, 1, 2, 5) if seed % 2 else (2, 3, 9))
        regions.insert_region(VmAddressRegion(system.kernel_aspace, None, page * P, P, 0))
        page += 1
    for base in [region.base for region in regions][:: seed + 5]:
        found = regions.find_region(base)
        assert found is not None
        regions.remove_region(found)
    size = page * P - BASE + 7 * P
    for pages in (1, 2, 4):
        free = [at for at in range(BASE, BASE + size, P) if at + pages * P <= BASE + size]
        fits = [at for at in free if regions.is_range_available(at, pages * P)]
        for limit in (MAX_U64, (page - 40) * P):
            where = (regions.root, 12, pages * P, BASE, size, limit)
            expected = [at for at in fits if at + pages * P <= limit]
            assert candidate(*where, len(expected)) == (None, len(expected))
            assert [candidate(*where, index)[0] for index in range(len(expected))] == expected


def test_little_entropy_stays_among_the_lowest_candidates(regions: RegionList) -> None:
    lowest = candidates(regions, 12, P)[:4]
    found = {find_spot(regions.root, 12, 2, P, BASE, SIZE, Prng(n), MAX_U64)[1] for n in range(100)}
    assert found == set(lowest)


def test_the_last_page_of_the_address_space_can_be_taken() -> None:
    assert find_spot(None, 12, 0, P, 2**64 - P, P, None, MAX_U64) == (Status.ZX_OK, 2**64 - P)


def test_requests_that_the_callers_never_make(regions: RegionList) -> None:
    for size in (0, P + 1):
        with pytest.raises(AssertionViolation):
            find_spot(regions.root, 12, 0, size, BASE, SIZE, None, MAX_U64)
    with pytest.raises(AssertionViolation):
        find_spot(regions.root, 12, 64, P, BASE, SIZE, None, MAX_U64)
    assert find_spot(regions.root, 255, 0, P, BASE, SIZE, None, MAX_U64)[0] is Status.ZX_ERR_NO_RESOURCES


def test_random_integers_are_below_their_bound_and_repeatable() -> None:
    assert [Prng(7).rand_int(10) for _ in range(3)] == [Prng(7).rand_int(10)] * 3
    prng = Prng(1)
    assert {prng.rand_int(5) for _ in range(200)} == set(range(5))
    assert prng.rand_int(1) == 0
    with pytest.raises(AssertionViolation):
        prng.rand_int(0)


def test_placement_is_deterministic_given_a_seed() -> None:
    def bases(seed: int) -> list[int]:
        system = System(seed=seed)
        root = system.create_default_aspace().root
        return [root.create_sub_vmar(0, P, 0, 0)[1].base for _ in range(20)]

    assert bases(1) == bases(1)
    assert bases(1) != bases(2)


def test_who_is_randomised() -> None:
    system = System(aslr_entropy_bits=60)
    user, guest = system.create_default_aspace(), system.create_default_aspace(3)
    assert user.is_aslr_enabled() and user.aslr_entropy_bits(compact=False) == MAX_ASLR_ENTROPY_BITS
    assert user.aslr_entropy_bits(compact=True) == 0
    assert not guest.is_aslr_enabled() and not system.kernel_aspace.is_aslr_enabled()
    with pytest.raises(AssertionViolation):
        guest.aslr_prng()
    _, compact = user.root.create_sub_vmar(0, 0x100 * P, 0, 1)
    assert [compact.create_sub_vmar(0, P, 0, 0)[1].base - compact.base for _ in range(3)] == [0, P, 2 * P]
