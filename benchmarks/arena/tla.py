"""The configuration of `Arena.tla`, the arena in TLA+, for one size.

    python benchmarks/arena/tla.py p2r2b1s3 [A|B] > Arena.cfg
"""

from __future__ import annotations

import sys

from counts import Size, size_of


def configuration(size: Size, fault: str = "") -> str:
    """What TLC reads beside the module: the constants of a size, perhaps with a planted fault."""
    constants = dict(zip(("PAGES", "REGIONS", "RIGHTS", "SPACES"), map(str, size), strict=True))
    constants |= {"FaultA": str(fault == "A").upper(), "FaultB": str(fault == "B").upper()}
    lines = ["SPECIFICATION Spec", "CHECK_DEADLOCK FALSE", "CONSTANTS"]
    lines += [f"  {name} = {value}" for name, value in constants.items()]
    lines += ["INVARIANTS", "  SiblingsAreDisjoint", "  ChildrenLieInsideTheirParent"]
    lines += ["  RightsOnlyShrinkDownwards", "  UnifiedSpacesHaveTheirConstituents"]
    return "\n".join(lines)


if __name__ == "__main__":
    print(configuration(size_of(sys.argv[1]), "".join(sys.argv[2:])))
