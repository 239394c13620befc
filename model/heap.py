"""Kernel memory: an allocator that succeeds until it is told to fail.

Mirrors nothing in particular: it stands for `fbl::AllocChecker` at every place where the kernel allocates an
object, a list node or a page-table root, so that each ZX_ERR_NO_MEMORY path can be reached on purpose.

Does not model how much memory there is.
"""


class Heap:
    """Counts object allocations, and fails the one it was told to."""

    __slots__ = ("_countdown", "allocations")

    def __init__(self) -> None:
        self._countdown = 0
        self.allocations = 0

    def fail_next(self, n: int = 1) -> None:
        """Let the `n`-th allocation from now fail, once. 0 takes a planned failure back."""
        self._countdown = n

    @property
    def planned(self) -> int:
        """Which allocation from now is to fail; 0 for none."""
        return self._countdown

    @property
    def is_failure_pending(self) -> bool:
        """Whether a planned failure has not happened yet."""
        return self._countdown > 0

    def allocate(self) -> bool:
        """Allocate one object; False when memory is out."""
        self.allocations += 1
        if not self._countdown:
            return True
        self._countdown -= 1
        return self._countdown > 0
