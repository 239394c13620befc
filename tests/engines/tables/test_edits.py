"""Page tables by themselves: random edits are judged, and what is wrong, in tables or answers, is found and made small."""

from functools import partial
from random import Random

import pytest

from vmaspace.checker.adapters.mutants import all_mutants
from vmaspace.checker.adapters.table_machine import LARGE, READ, USER, WRITE, Edit, TableMachine
from vmaspace.checker.cli import main
from vmaspace.checker.engines.tables import ARCHES, run_tables
from vmaspace.checker.engines.tables.account import Account
from vmaspace.checker.engines.tables.drawing import draw
from vmaspace.checker.engines.tables.run import Run
from vmaspace.checker.report.verdict import Kind

MUTANTS = {mutant.name: mutant.system_class for mutant in all_mutants()}
RU, RWU = READ | USER, READ | WRITE | USER
LARGE_PAGE = Edit("contiguous", "plain", LARGE, LARGE, RWU, 2 * LARGE)


def test_the_model_passes_and_a_seed_means_the_same_again() -> None:
    first, second = run_tables(3, edits=180), run_tables(3, edits=180)
    assert [verdict.verdict for verdict in first.verdicts] == [Kind.PASSED] * 3
    assert first.statistics["by_arch"] == dict.fromkeys(ARCHES, 60) == second.statistics["by_arch"]
    assert [draw(Random(5)) for _ in range(3)] == [draw(Random(5)) for _ in range(3)]


# Of each kind of thing that only edits by themselves find soon: roots, ids, splits, runs, breaks, harvests.
FOUND = {
    "SharedRootTableIsFreed": "tables-",
    "UnifiedIdIsNotInvalidated": "tables-14",
    "SharedPartInvalidatesItsOwnId": "tables-14",
    "RunsAreOnePage": "tables-14",
    "NewPageWithoutABreak": "tables-14",
    "HarvestInvalidatesNothing": "tables-14",
    "SplitLosesPermissions": "account",
    "SplitIsOnePageOff": "account",
    "TablesForbidToWrite": "account",
    "IdIsReusedWithoutAFlush": "tables-15",
}


@pytest.mark.parametrize(("name", "rule"), FOUND.items(), ids=FOUND)
def test_a_planted_fault_is_found(name: str, rule: str) -> None:
    result = run_tables(1, edits=2_000, make=partial(TableMachine, system_class=MUTANTS[name]), is_enough=True)
    red = next(verdict for verdict in result.verdicts if verdict.is_red)
    assert red.reason.split(": ")[1].startswith(rule)
    assert 0 < result.statistics["found"]["edits"] <= 2_000


def test_a_run_is_made_small_and_told_in_full() -> None:
    make = partial(TableMachine, system_class=MUTANTS["SplitIsOnePageOff"])
    (red,) = run_tables(edits=300, arches=["riscv64"], make=make).verdicts
    head, *steps = red.reason.splitlines()
    assert head.startswith("riscv64: account: ") and "should be" in head
    assert 1 < len(steps) <= 4 and all(step.startswith(f"  {number}. ") for number, step in enumerate(steps, 1))


def test_what_a_faulty_model_raises_is_a_finding() -> None:
    class Raising(TableMachine):
        def do(self, edit: Edit) -> str:
            raise KeyError(edit.kind)

    (red,) = run_tables(edits=60, arches=["arm64"], make=Raising).verdicts
    assert red.verdict is Kind.FAILED and "crash: KeyError" in red.reason


def test_without_edits_nothing_is_green() -> None:
    assert {verdict.verdict for verdict in run_tables(edits=0).verdicts} == {Kind.UNKNOWN}
    with pytest.raises(ValueError, match="needs a budget"):
        run_tables()


# The account, which has to say no of its own.


def accounted(arch: str, *edits: Edit) -> Run:
    run = Run(TableMachine(arch))
    for edit in edits:
        assert run.step(edit) is None
    return run


@pytest.mark.parametrize(
    ("edit", "status", "wrong"),
    [
        (Edit("map", pages=2, flags=RU), "NO_MEMORY", "should answer OK"),
        (Edit("map", page=LARGE + 1, flags=RU), "OK", "should answer ALREADY_EXISTS"),
        (Edit("contiguous", page=LARGE - 1, pages=2, flags=RU), "OK", "should answer ALREADY_EXISTS"),
        (Edit("unmap", page=LARGE, pages=LARGE), "OK", "should be not mapped"),
        (Edit("unmap", page=LARGE + 1, left=0), "OK", "should answer NO_MEMORY"),
        (Edit("protect", page=LARGE, pages=LARGE, flags=RU), "OK", "should be mapped"),
        (Edit("protect", page=LARGE + 1, flags=RWU), "OK", "should have them at no page"),
        (Edit("harvest"), "INVALID_ARGS", "should answer OK"),
        (Edit("mark"), "OK", "should answer NOT_SUPPORTED"),
        (Edit("access", page=LARGE, action="WRITE"), "refused", "should at 0x400"),
        (Edit("access", page=LARGE, action="EXECUTE"), "0x400", "should at refused"),
    ],
)
def test_the_account_says_no(edit: Edit, status: str, wrong: str) -> None:
    """Each time the tables are as before, and something else was asked for, or answered."""
    run = accounted("x86_64", LARGE_PAGE)
    found = run.accounts["plain"].judge(edit, status, *run.machine.pages("plain"))
    assert found is not None and wrong in found


def test_a_large_page_and_its_split() -> None:
    run = accounted("arm64", LARGE_PAGE, Edit("protect", "plain", LARGE + 7, 2, RU))
    pages, large = run.machine.pages("plain")
    assert not large and len(pages) == LARGE
    assert pages[LARGE + 7] == (2 * LARGE + 7, RU) and pages[LARGE + 9] == (2 * LARGE + 9, RWU)
    assert Account("arm64", "plain")._compare(pages, large) is not None


def test_a_query_that_answers_something_else_is_found() -> None:
    class Lying(TableMachine):
        def query(self, space: str, page: int) -> tuple[int, int] | None:
            return None

    found = Run(Lying("riscv64")).step(LARGE_PAGE)
    assert found is not None and found.rule == "query"


# The command.


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fuzz", "--level", "arch", "--steps", "60", "--arch", "arm64", "--seed", "4"]) == 0
    assert "60 edits judged in 1 runs" in capsys.readouterr().out
    broken = f"{MUTANTS['EveryLeafIsWritable'].__module__}:EveryLeafIsWritable"
    assert main(["fuzz", "--level", "arch", "--steps", "60", "--arch", "x86_64", "--model", broken]) == 1
    assert "1. " in capsys.readouterr().out
    for useless in (["some.aspec"], ["--oracle", "unicorn"]):
        assert main(["fuzz", "--level", "arch", *useless]) == 2
    assert "leave the files out" in capsys.readouterr().err
