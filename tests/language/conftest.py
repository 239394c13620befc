"""What the tests of the language share: a small contract that does not move, and ways to read texts with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from vmaspace.checker.language.check import CheckedProgram, check
from vmaspace.checker.language.diagnostics import LanguageError
from vmaspace.checker.language.parser import parse

HERE = Path(__file__).parent
CONTRACT = HERE / "contract.aspec"


@pytest.fixture(scope="session")
def contract() -> str:
    return CONTRACT.read_text(encoding="utf-8")


@pytest.fixture
def checked(contract: str) -> Callable[[str], CheckedProgram]:
    """Checks a text together with the small contract."""
    return lambda text: check(parse({"contract.aspec": contract, "text.aspec": text}))


@pytest.fixture
def refused(checked: Callable[[str], CheckedProgram]) -> Callable[[str], LanguageError]:
    """The error for a text that must not pass."""

    def refuse(text: str) -> LanguageError:
        with pytest.raises(LanguageError) as caught:
            checked(text)
        return caught.value

    return refuse
