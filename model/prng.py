"""The pseudo-random numbers behind address space layout randomisation.

Mirrors `crypto::Prng` (`zircon/kernel/lib/crypto`): 64-bit draws, masked and rejected until they are below the
bound. Deterministic given a seed and the sequence of draws.

Does not model the cipher: the raw 64-bit numbers come from another generator, so addresses differ from a kernel's.
"""

from random import Random

from vmaspace.model.status import AssertionViolation

_FILE = "zircon/kernel/lib/crypto/prng.cc"


class Prng:
    """A seeded source of integers."""

    __slots__ = ("_random",)

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def draw(self) -> int:
        """Eight bytes, as an unsigned number."""
        return self._random.getrandbits(64)

    def rand_int(self, bound: int) -> int:
        """An integer below `bound`, each as likely as any other.

        *Kernel:* `Prng::RandInt` (zircon/kernel/lib/crypto/prng.cc)
        *Fails with:* nothing.
        *Asserts:* `bound` is not 0.
        """
        if bound == 0:
            raise AssertionViolation("the bound of a random integer is not 0", _FILE)
        mask = (1 << (bound - 1).bit_length()) - 1
        while True:
            value = self.draw() & mask
            if value < bound:
                return value
