"""Every row of the kernel's error tables, alone and before every later one that can hold together with it."""

import pytest

from tests.model import aspace_errors, fault_errors, region_errors, syscall_errors, vmar_errors
from tests.model.error_rows import ErrorTable, Facts, Outcome, pair_params, row_params
from vmaspace.model.status import Status

OK, BAD_STATE = Status.ZX_OK, Status.ZX_ERR_BAD_STATE
MODULES = (vmar_errors, region_errors, syscall_errors, aspace_errors, fault_errors)
TABLES = {operation: table for module in MODULES for operation, table in module.TABLES.items()}


def test_no_table_hides_another() -> None:
    assert len(TABLES) == sum(len(module.TABLES) for module in MODULES)


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_a_call_without_any_of_the_conditions_succeeds(table: ErrorTable) -> None:
    assert table.answer(table.good) is OK


@pytest.mark.parametrize(("table", "facts", "outcome"), row_params(TABLES))
def test_a_row(table: ErrorTable, facts: Facts, outcome: Outcome) -> None:
    assert table.answer(facts) == outcome


@pytest.mark.parametrize(("table", "row"), pair_params(TABLES))
def test_a_row_wins_over_every_later_one(table: ErrorTable, row: str) -> None:
    outcome = table.rows[row][0]
    answers = {later: table.answer(facts) for later, facts in table.later(row)}
    assert answers == dict.fromkeys(answers, outcome)


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_neighbours_are_tested_or_exclude_each_other(table: ErrorTable) -> None:
    assert table.untested_neighbours() == []


def test_rows_in_another_order_are_noticed() -> None:
    swapped = ErrorTable(vmar_errors.unmap, {name: vmar_errors.UNMAP.rows[name] for name in ("past the end", "dead")})
    assert [swapped.answer(facts) for _, facts in swapped.later("past the end")] == [BAD_STATE]
    assert ErrorTable(vmar_errors.unmap, {"one": (OK, {"size": 1}), "other": (BAD_STATE, {"size": 2})}).untested_neighbours()
