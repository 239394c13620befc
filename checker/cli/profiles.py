"""How much work a run does: the profiles `quick`, `ci` and `nightly`.

Seconds stand here; how large a run or a world may be stands in the contract, in the scope of the profile's name.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from vmaspace.checker.engines.prove.worker import Budget
from vmaspace.checker.language.check import CheckedProgram


@dataclass(frozen=True, slots=True)
class Profile:
    """prove: budgets per obligation. fuzz_seconds: how long to fuzz. edits: of page tables by themselves. oracle: comparisons
    of each kind that is drawn by seed."""

    name: str
    prove: Budget
    fuzz_seconds: float
    edits: int
    oracle: int

    def budget(self, program: CheckedProgram) -> Budget:
        """The budget of a proof, with the bounds that the program's scope of this name sets."""
        scope = program.scopes.get(self.name)
        if scope is None:
            return self.prove
        counts = tuple((sort, n) for sort, n in scope.counts.items() if program.sorts[sort].given)
        return replace(self.prove, counts=counts or self.prove.counts, steps=scope.steps or self.prove.steps)


PROFILES = {
    "quick": Profile("quick", Budget(induction=10.0, search=10.0), 5.0, 300, 1_000),
    "ci": Profile("ci", Budget(), 20.0, 1_500, 5_000),
    "nightly": Profile("nightly", Budget(induction=60.0, search=120.0), 900.0, 50_000, 50_000),
}
