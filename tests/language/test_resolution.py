"""What names mean: members and flags by expected type, local names, declarations in any order."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from vmaspace.checker.language import syntax as ast
from vmaspace.checker.language.check import CheckedProgram
from vmaspace.checker.language.diagnostics import LanguageError

Check = Callable[[str], CheckedProgram]
Refuse = Callable[[str], LanguageError]


def body(checked: Check, text: str) -> ast.Expr:
    d = checked(f"def f(r: Region, a: Aspace, shared: Aspace) = {text}").defs["f"]
    assert d.body is not None
    return d.body


def names(e: ast.Expr) -> list[ast.Name]:
    match e:
        case ast.Name():
            return [e]
        case ast.Binary():
            return [*names(e.left), *names(e.right)]
        case ast.Call():
            return [n for a in e.args for n in names(a)]
        case ast.Conditional():
            return [n for part in (e.condition, e.then, e.otherwise) for n in names(part)]
        case ast.FlagSet():
            return e.members
    return []


@pytest.mark.parametrize(
    ("text", "owner"),
    [
        ("share(a) == none", "ShareOpt"),
        ("none == kind(r)", "Kind"),
        ("kind(r) != Kind.none", "Kind"),
        ("(if true then none else share(a)) == share(a)", "ShareOpt"),
        ("share(a) == ShareOpt.shared", "ShareOpt"),
    ],
)
def test_a_member_of_two_types_is_found_by_what_is_expected(text: str, owner: str, checked: Check) -> None:
    refs = [n.ref for n in names(body(checked, text))]
    members = [r for r in refs if isinstance(r, ast.EnumMember)]
    assert [m.owner.name for m in members] == [owner]


@pytest.mark.parametrize(
    ("text", "owner"),
    [
        ("read in prot(r, base(r))", "Perms"),
        ("Perms.read in prot(r, base(r))", "Perms"),
        ("flags(r) <= {compact, specific}", "VmarFlags"),
        ("{VmarFlags.compact} & flags(r) == {}", "VmarFlags"),
        ("(if true then {compact} else {}) <= flags(r)", "VmarFlags"),
        ("can_map_read in can_map()", "VmarFlags"),
    ],
)
def test_flags(text: str, owner: str, checked: Check) -> None:
    refs = [n.ref for n in names(body(checked, text))]
    flags = {r.owner.name for r in refs if isinstance(r, ast.FlagMember)}
    assert flags == {owner}


def test_a_local_name_hides_a_member(checked: Check, refused: Refuse) -> None:
    e = body(checked, "root(shared) == r")
    assert isinstance(e, ast.Binary)
    shared = names(e.left)[0]
    assert isinstance(shared.ref, ast.Binder) and str(shared.type) == "Aspace"
    error = refused("def f(shared: Aspace) = share(shared) == shared")
    assert "`ShareOpt.shared`" in (error.diagnostics[0].hint or "")


def test_a_parameter_may_have_the_name_of_a_var(checked: Check) -> None:
    d = checked("def f(size: bytes, r: Region) = size(r) == size").defs["f"]
    assert isinstance(d.body, ast.Binary)
    assert isinstance(d.body.left, ast.Call) and isinstance(d.body.left.ref, ast.VarDecl)
    assert isinstance(d.body.right, ast.Name) and isinstance(d.body.right.ref, ast.Binder)


def test_a_definition_may_have_a_parameter_of_its_own_name(checked: Check) -> None:
    assert str(checked("def low(low: address) = low").defs["low"].type) == "address"


def test_declarations_stand_in_any_order(checked: Check) -> None:
    program = checked("def f() = g() + LAST\ndef g() = LAST\nconst LAST: bytes = PAGE_SIZE * 2")
    assert str(program.defs["f"].type) == "bytes"


def test_every_kind_of_reference(checked: Check) -> None:
    program = checked(
        """
def f() = true
invariant all_kinds "Every kind of name." from "x"
  for r: Region: documented_order and arch == arm64 and PAGE_SIZE == size(r) and f() and aligned(0)
    and is_vdso(object(r))
given is_vdso(o: Vmo): bool
after create(at, length, how) -> made: answers "The answer." from "x"
  status == OK implies base(root(made)) == at
"""
    )
    kinds = {"documented_order": ast.SwitchDecl, "arch": ast.GivenDecl, "arm64": ast.EnumMember,
             "PAGE_SIZE": ast.ConstDecl, "r": ast.Binder}  # fmt: skip
    p = program.properties["all_kinds"]
    assert isinstance(p.body, ast.Quantifier) and p.body.body is not None
    for n in names(p.body.body):
        assert isinstance(n.ref, kinds[n.name])
    after = program.properties["answers"]
    assert after.op is program.ops["create"]
    assert [(b.name, str(b.type)) for b in (*after.params, *after.results)] == [
        ("at", "address"), ("length", "bytes"), ("how", "ShareOpt"), ("made", "Aspace"),
    ]  # fmt: skip
    assert isinstance(after.body, ast.Binary) and isinstance(after.body.left, ast.Binary)
    status, ok = names(after.body.left)
    assert status.ref == ast.Builtin("status") and isinstance(ok.ref, ast.StatusDecl)


def test_names_of_an_operation(checked: Check) -> None:
    d = checked(
        """
op grow(v: Region, by: bytes) -> child: Region
  let high = end(v) + by
  OK if high == 0
  picks at: address where at < high
  new child: Region
  base(child) = at
"""
    ).ops["grow"]
    let, fails = d.clauses
    pick, new, assign = d.effects
    assert isinstance(fails, ast.Fails) and names(fails.condition)[0].ref is let
    assert isinstance(pick, ast.Pick) and isinstance(new, ast.New) and isinstance(assign, ast.Assign)
    assert [n.ref for n in names(pick.where[0])] == [pick.binder, let]
    assert isinstance(assign.target, ast.Call) and isinstance(assign.target.ref, ast.VarDecl)
    assert [n.ref for n in names(assign.target)] == [new.binder]
    assert str(d.results[0].type) == str(new.binder.type) == "Region"


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("parnt(r) == null", "did you mean `parent`?"),
        ("life(r) == alve", "did you mean `alive`?"),
        ("life(r) == Alive", "did you mean `alive`?"),
        ("life(r) == Life.ded", "did you mean `dead`?"),
        ("arch == Arhc.arm64", "did you mean `Arch`?"),
        ("size(r) == PAGESIZE", "did you mean `PAGE_SIZE`?"),
        ("aligned_to(base(r))", "did you mean `aligned`?"),
        ("compct in flags(r)", "did you mean `compact`?"),
        ("{compct} <= flags(r)", "did you mean `compact`?"),
        ("parent(rr) == null", "did you mean `r`?"),
        ("True", "write `true`"),
    ],
)
def test_the_nearest_name_is_offered(text: str, hint: str, refused: Refuse) -> None:
    error = refused(f"def f(r: Region) = {text}")
    assert [d.hint for d in error.diagnostics] == [hint], error.render()


@pytest.mark.parametrize(
    "text",
    [
        "def f(r: Region) = for r: Region: true",
        "def f(r: Region, r: Region) = true",
        "op o(a: Region)\n  let a = 3\n",
        "op o(a: Region)\n  new b: Region\n  new b: Region\n",
        "op o(a: Region) -> a: Region\n  new a: Region\n",
        "effect e(a: Region):\n  for a: Region:\n    life(a) = dead\n",
    ],
)
def test_a_local_name_does_not_hide_another(text: str, refused: Refuse) -> None:
    assert refused(text).diagnostics[0].code == "VMA026"


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("def f() = f()", "`f` uses `f`"),
        ("def f() = g()\ndef g() = h()\ndef h() = f()", "`f` uses `g` uses `h` uses `f`"),
        ("const A: int = B\nconst B: int = A", "`A` uses `B` uses `A`"),
        ("effect e():\n  d()\neffect d():\n  e()\n", "`e` uses `d` uses `e`"),
    ],
)
def test_circles_are_spelled_out(text: str, path: str, refused: Refuse) -> None:
    error = refused(text)
    assert [(d.code, d.found) for d in error.diagnostics] == [("VMA029", path)], error.render()


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("forall r: Region: true", "write `for x: Sort where …: …`"),
        ("there_exists r: Region where true", "write `exists x: Sort where …`"),
        ("is_alive(r) xor true", "write `a != b`"),
        ("pre(is_alive(r))", "write `old(…)`"),
        ("is_alive(r) && true", "write `and`"),
        ("is_alive(r) => true", "write `implies`; less or equal is `<=`"),
        ("base(r) % 2 == 0", "write `mod`"),
        ("∀ r: Region: true", "write `for x: Sort where …: …`"),
        ("base(r) == -1", "numbers have no sign: write `0 - n`"),
        ("size(r) == 2^size(r)", "a power is written with two numbers, such as `2^12`"),
    ],
)
def test_words_of_other_languages(text: str, hint: str, refused: Refuse) -> None:
    error = refused(f"def f(r: Region) = {text}")
    assert error.diagnostics[0].hint == hint, error.render()


def test_status_is_a_word_of_the_language(refused: Refuse) -> None:
    assert [d.code for d in refused("given status: int").diagnostics] == ["VMA030"]
