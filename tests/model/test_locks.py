"""Locks: who holds them, and in which order they are taken."""

import pytest

from vmaspace.model.locks import HeldLocks, LockOrder, Mutex
from vmaspace.model.status import AssertionViolation


@pytest.fixture
def held() -> HeldLocks:
    return HeldLocks()


def mutexes(held: HeldLocks) -> list[Mutex]:
    return [Mutex(held, order, order.name.lower()) for order in LockOrder]


def test_locks_are_taken_outermost_first(held: HeldLocks) -> None:
    locks = mutexes(held)
    for lock in locks:
        lock.acquire()
    assert held.stack == locks
    for lock in locks:  # let go in any order
        lock.release()
    held.assert_none()


@pytest.mark.parametrize(("first", "second"), [(i, j) for i in range(5) for j in range(i + 1)])
def test_any_other_order_is_a_violation(held: HeldLocks, first: int, second: int) -> None:
    locks, others = mutexes(held), mutexes(held)
    with locks[first], pytest.raises(AssertionViolation, match="is taken before"):
        others[second].acquire()
    held.assert_none()


def test_a_lock_is_not_taken_twice(held: HeldLocks) -> None:
    lock = mutexes(held)[1]
    with lock, pytest.raises(AssertionViolation, match="this thread holds it already"):
        lock.acquire()


def test_a_lock_that_another_thread_holds_is_not_waited_for(held: HeldLocks) -> None:
    lock = mutexes(held)[1]
    lock.acquire()
    ours = held.switch_to([])
    assert not lock.is_held()
    with pytest.raises(AssertionViolation, match="another thread holds it"):
        lock.acquire()
    with pytest.raises(AssertionViolation, match="is held here"):
        lock.release()
    held.switch_to(ours)
    lock.release()
    held.assert_none()


def test_what_demands_a_lock_or_none_says_so(held: HeldLocks) -> None:
    lock = mutexes(held)[2]
    with pytest.raises(AssertionViolation, match="aspace is held here"):
        lock.assert_held()
    with lock:
        lock.assert_held()
        with pytest.raises(AssertionViolation, match="no lock is held here, and aspace is"):
            held.assert_none()
        with lock.released():
            held.assert_none()
        lock.assert_held()
