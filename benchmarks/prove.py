"""What the proof method buys: the same obligations, proved three ways in one run.

  ranked    as the engine does it: instances found in the solver's models, near invariants first
  flat      the same without ranks: every invariant may add instances in every round
  triggers  one quantified query, left to the solver's own instantiation by triggers

Prints seconds and ratios.  Run: python benchmarks/prove.py [seconds per query]
"""

from __future__ import annotations

import sys
import time

import z3

from vmaspace.checker.engines.prove import induction as module
from vmaspace.checker.engines.prove.induction import Induction
from vmaspace.checker.engines.prove.smt2 import obligation_text
from vmaspace.checker.engines.standard import standard_contract

SAMPLE = (
    "allocate/siblings_are_disjoint",
    "allocate/regions_nest_or_are_disjoint",
    "unmap/mappings_are_disjoint",
    "unmap/parents_are_live_vmars",
    "unmap/unmap_keeps_the_rest",
    "map/child_rights_stay_within_the_parents",
    "map/regions_nest_or_are_disjoint",
    "protect/permissions_stay_within_the_ceiling",
    "destroy_vmar/the_dead_hold_nothing",
    "release/references_count_the_unified_spaces",
)


def by_models(name: str, timeout: float, is_ranked: bool) -> tuple[bool, float]:
    operation, wanted = name.split("/")
    contract = standard_contract()
    kept, module.TACTICS = module.TACTICS, ((1.0, module.Tactic(is_ranked, 5, 0)),)
    try:
        start = time.perf_counter()
        attempt = Induction(contract, timeout).attempt(contract.properties[wanted], operation)
        return attempt.proved, time.perf_counter() - start
    finally:
        module.TACTICS = kept


def by_triggers(name: str, timeout: float) -> tuple[bool, float]:
    operation, wanted = name.split("/")
    contract = standard_contract()
    engine = Induction(contract, timeout)
    p = contract.properties[wanted]
    start = time.perf_counter()
    proved = True
    for goal in engine.goals(p, operation):
        solver = z3.Solver()
        solver.set("timeout", int(timeout * 1000), "auto_config", False, "mbqi", False)
        solver.from_string(obligation_text(engine, p, goal, operation))
        if solver.check() != z3.unsat:
            proved = False
            break
    return proved, time.perf_counter() - start


def main() -> None:
    timeout = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    totals = [0.0, 0.0, 0.0]
    print(f"{'obligation':48} {'ranked':>9} {'flat':>9} {'triggers':>9}")
    for name in SAMPLE:
        results = [by_models(name, timeout, True), by_models(name, timeout, False), by_triggers(name, timeout)]
        cells = [f"{seconds:8.2f}{' ' if proved else '?'}" for proved, seconds in results]
        totals = [t + seconds for t, (_, seconds) in zip(totals, results, strict=True)]
        print(f"{name:48} {' '.join(cells)}", flush=True)
    print(f"{'sum':48} {totals[0]:8.2f}  {totals[1]:8.2f}  {totals[2]:8.2f}")
    print(f"{'ratio to ranked':48} {1:8.1f}  {totals[1] / totals[0]:8.1f}  {totals[2] / totals[0]:8.1f}   (? not proved)")


if __name__ == "__main__":
    main()
