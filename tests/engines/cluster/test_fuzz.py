"""Fuzzing on a cluster: the result of the same campaigns in this process, with a model that lies in a folder of the user's."""

import sys

from vmaspace.checker.engines.cluster.hands import Hands
from vmaspace.checker.engines.fuzz.campaigns import Recipe, divided, fuzz_together
from vmaspace.checker.engines.standard import standard_texts
from vmaspace.checker.engines.workers import Here
from vmaspace.checker.language.check import check
from vmaspace.checker.language.parser import parse

MODEL = """
from vmaspace.model import System

class Mine(System):
    pass
"""


def test_the_result_is_that_of_this_process(cluster, tmp_path, monkeypatch):
    (tmp_path / "mine_for_cluster.py").write_text(MODEL)
    monkeypatch.setattr(sys, "path", [*sys.path])
    recipe = Recipe(check(parse(standard_texts())), "mine_for_cluster:Mine", ("x86_64",), str(tmp_path))

    def told(workers):
        result = fuzz_together(workers, recipe, divided(0, 120, None, 3, length=30))
        s = result.statistics
        same = (s["seed"], s["steps"], s["runs"], s["outcomes"], s["campaigns"], s["found"], s["subject"])
        return [(v.id, v.verdict, v.scope, v.reason, v.trace) for v in result.verdicts], same

    here = told(Here())
    assert told(Hands(cluster)) == here
    assert here[1][-1] == "mine_for_cluster:Mine"
