"""Proofs on a cluster: the verdicts of one machine, in the same order."""

from tests.engines.small import SMALL
from vmaspace.checker.engines.cluster.hands import Hands
from vmaspace.checker.engines.prove.run import Prover
from vmaspace.checker.engines.prove.worker import Budget
from vmaspace.checker.language.check import check
from vmaspace.checker.language.parser import parse
from vmaspace.checker.report.verdict import Kind

# `nothing_is_done` is false, so what rests on it is proved anew; a deviation and a witness need runs.
TEXT = f"""{SMALL}
invariant nothing_is_done "false" from "y"
  for i: Item: not done(i)
invariant nobody_hangs_done "rests on it" from "y"
  for i: Item where up(i) != null: not done(up(i))
invariant total_is_there "does not" from "y"
  total >= 0
reach hung "x"
  exists i: Item where up(i) != null
"""


def test_verdicts_are_those_of_one_machine_and_in_their_order(cluster):
    program = check(parse({"small.aspec": TEXT}))

    def told(workers):
        verdicts = Prover(program, Budget(counts=(), steps=4), jobs=0, workers=workers).prove()
        return [(v.id, v.verdict, v.scope, v.reason, v.trace and [s.op for s in v.trace.steps]) for v in verdicts]

    here = told(None)
    assert told(Hands(cluster)) == here
    assert {kind for _, kind, *_ in here} >= {Kind.PROVED, Kind.VIOLATED, Kind.REACHED}
