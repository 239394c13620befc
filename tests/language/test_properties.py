"""Properties: what each kind may say, what each must have, and several mistakes in one run."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from vmaspace.checker.language.check import CheckedProgram
from vmaspace.checker.language.diagnostics import LanguageError
from vmaspace.checker.language.parser import parse

Check = Callable[[str], CheckedProgram]
Refuse = Callable[[str], LanguageError]

ALL = """
invariant one "Sentence one." from "source one"
  deviation documented_order on destroy, create "What the difference means."
  true
supporting invariant two "Sentence two." true
step three except destroy, unmap "Sentence three." from "source three"
  for a: Aspace: old(destroyed(a)) implies destroyed(a)
reach four "Sentence four." exists a: Aspace where destroyed(a)
after unmap(v, at, length, children): five "Sentence five." from "source five"
  status == OK implies old(kind(v)) == vmar
after create(base, size, share) -> made: six "Sentence six." from "source six" status == NULL or root(made) != null
scope ci "Small." : 3 Aspace
"""


def test_every_kind(checked: Check) -> None:
    program = checked(
        ALL.replace('scope ci "Small." : 3 Aspace', 'scope ci: 3 Aspace, 5 Region, 4 steps "Small."')
    )
    one, two, three, four, five, six = program.properties.values()
    assert [p.kind for p in program.properties.values()] == [
        "invariant", "invariant", "step", "reach", "after", "after",
    ]  # fmt: skip
    assert (one.sentence, one.source, one.supporting) == ("Sentence one.", "source one", False)
    assert one.deviation is not None and one.deviation.switch is program.switches["documented_order"]
    assert one.deviation.op_names == ["destroy", "create"]
    assert one.deviation.consequence == "What the difference means."
    assert two.supporting and two.source is None
    assert three.excepted == ["destroy", "unmap"]
    assert four.source is None
    assert five.op_name == "unmap" and [b.name for b in five.params] == ["v", "at", "length", "children"]
    assert six.op is program.ops["create"] and [b.name for b in six.results] == ["made"]
    scope = program.scopes["ci"]
    assert (scope.counts, scope.steps, scope.sentence) == ({"Aspace": 3, "Region": 5}, 4, "Small.")


def test_results_may_be_left_out(checked: Check) -> None:
    checked('after create(base, size, share): x "S." from "f" status == OK or true')


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('invariant p "S." from "f" old(true)', "VMA082"),
        ('reach p "S." old(true)', "VMA082"),
        ('step p "S." from "f" old(old(true))', "VMA082"),
        ('step p "S." from "f" status == OK', "VMA083"),
        ("def p() = old(true)", "VMA082"),
        ("op p()\n  OK if old(true)\n", "VMA082"),
        ("op p()\n  OK if status == OK\n", "VMA083"),
        ('invariant p from "f" true', "VMA080"),
        ('invariant p "" from "f" true', "VMA080"),
        ("reach p true", "VMA080"),
        ('step p "S." true', "VMA081"),
        ('invariant p "S." from "f" 3', "VMA040"),
        ('invariant p "S." from "f" OK', "VMA040"),
        ('reach p "S." deviation documented_order on destroy "x" true', "VMA086"),
        ('after destroy(a): p "S." from "f" deviation documented_order on create "x" true', "VMA086"),
        ('after destroy(a) -> b: p "S." from "f" true', "VMA042"),
        ('after destroy(a, b): p "S." from "f" true', "VMA042"),
        ("scope s: 3 Life", "VMA085"),
        ("scope s: 3 Nothing", "VMA021"),
        ("scope s: 3 Aspace, 4 Aspace", "VMA085"),
    ],
)
def test_is_refused(text: str, code: str, refused: Refuse) -> None:
    error = refused(text)
    assert [d.code for d in error.diagnostics] == [code], error.render()


def test_several_mistakes_in_one_run(refused: Refuse) -> None:
    """Each is reported once, in the order of the text, and what follows from it is not."""
    error = refused(
        """
invariant a from "f"
  for r: Regoin where parnt(r) == null, life(r) == alve: base(r) + base(r) < end(r)
step b except destory "S." from "f"
  for r: Region: old(base(r)) == size(r) and frob(r, r) and unknown
after unmap(v): c "S." from "f" status == OKAY
"""
    )
    found = [(d.span.line, d.code) for d in error.diagnostics]
    assert found == [
        (2, "VMA080"),
        (3, "VMA021"),
        (3, "VMA020"),
        (3, "VMA020"),
        (3, "VMA041"),
        (4, "VMA023"),
        (5, "VMA040"),
        (5, "VMA020"),
        (5, "VMA020"),
        (6, "VMA042"),
        (6, "VMA020"),
    ], error.render()


def test_syntax_errors_of_several_files_in_one_run() -> None:
    with pytest.raises(LanguageError) as caught:
        parse({"b.aspec": "sort 3\nsort\n", "a.aspec": "\n\nsort Region Region\n"})
    assert [d.place for d in caught.value.diagnostics] == [
        ("a.aspec", 3, 13),
        ("b.aspec", 1, 6),
        ("b.aspec", 2, 5),
    ]
