"""The locks of the VM layer, which know who holds them and in which order they are taken.

Mirrors `DECLARE_MUTEX` and `Guard` as the VM layer uses them (`zircon/kernel/vm/include/vm/vm_aspace.h`,
`vm_object.h`): the list of address spaces, then an address space's `region_lock`, its `lock`, a VMO's lock, and the
private lock of the page tables. Taking them in another order, or one twice, is a violation: the kernel's lock
validation would report it, or the thread would wait for itself.

Does not model waiting: one thread runs at a time, so a lock that another one holds is never let go meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum

from vmaspace.model.status import AssertionViolation

_FILE = "zircon/kernel/vm/include/vm/vm_aspace.h"


class LockOrder(IntEnum):
    """Outermost first: a lock is taken only while all held ones stand above it."""

    ASPACE_LIST = 0
    REGION = 1
    ASPACE = 2
    VMO = 3
    ARCH = 4


class HeldLocks:
    """The locks that the current thread holds, in the order in which they were taken."""

    __slots__ = ("stack",)

    def __init__(self) -> None:
        self.stack: list[Mutex] = []

    def switch_to(self, stack: list[Mutex]) -> list[Mutex]:
        """Let another thread run; answers what the one before it holds."""
        previous, self.stack = self.stack, stack
        return previous

    def assert_none(self) -> None:
        """Raise if the current thread holds any lock: `lockdep::AssertNoLocksHeld`."""
        if self.stack:
            raise AssertionViolation(f"no lock is held here, and {self.stack[-1].name} is", _FILE)


class Mutex:
    """A lock with a place in the order. Used as `with mutex:`, like a kernel's guard."""

    __slots__ = ("_held", "holder", "name", "order")

    def __init__(self, held: HeldLocks, order: LockOrder, name: str) -> None:
        self._held = held
        self.order = order
        self.name = name
        self.holder: list[Mutex] | None = None  # the stack of the thread that holds it

    def __repr__(self) -> str:
        return f"<{self.name} {'held' if self.holder is not None else 'free'}>"

    def acquire(self) -> None:
        """Take the lock.

        *Kernel:* `Guard<CriticalMutex>` (zircon/kernel/kernel/include/kernel/mutex.h)
        *Fails with:* nothing.
        *Asserts:* nobody holds it, and the current thread holds none that stands at or below it in the order.
        """
        stack = self._held.stack
        if self.holder is not None:
            other = "this thread holds it already" if self.holder is stack else "another thread holds it"
            raise AssertionViolation(f"{self.name} is taken while {other}", _FILE)
        if stack and stack[-1].order >= self.order:
            raise AssertionViolation(f"{self.name} is taken before {stack[-1].name}", _FILE)
        self.holder = stack
        stack.append(self)

    def release(self, *_: object) -> None:
        """Let the lock go. As the end of a `with` block it is given what was raised, which goes on.

        *Kernel:* `Guard::Release` (zircon/kernel/kernel/include/kernel/mutex.h)
        *Fails with:* nothing.
        *Asserts:* the current thread holds it.
        """
        stack = self._held.stack
        if self.holder is not stack:
            raise AssertionViolation(f"{self.name} is held here", _FILE)
        self.holder = None
        if stack[-1] is self:
            stack.pop()
        else:
            stack.remove(self)

    __enter__ = acquire
    __exit__ = release

    def is_held(self) -> bool:
        """Whether the current thread holds the lock."""
        return self.holder is self._held.stack

    def assert_held(self) -> None:
        """Raise unless the current thread holds the lock: `AssertHeld`."""
        if self.holder is not self._held.stack:
            raise AssertionViolation(f"{self.name} is held here", _FILE)

    @contextmanager
    def released(self) -> Iterator[None]:
        """Let the lock go for the length of the block: `Guard::CallUnlocked`."""
        self.release()
        try:
            yield
        finally:
            self.acquire()
