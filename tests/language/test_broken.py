"""Broken texts and their messages, word for word: `broken/NN_name.aspec` and `broken/NN_name.expected`.

After a change of wording, write the expected texts anew with `VMASPACE_UPDATE_GOLDEN=1 pytest tests/language`, and read
every line of the difference: each message must say the place, what was seen, what was expected, and what to do.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vmaspace.checker.language import codes
from vmaspace.checker.language.check import check
from vmaspace.checker.language.diagnostics import LanguageError
from vmaspace.checker.language.mistakes import ADVICE
from vmaspace.checker.language.parser import parse

BROKEN = sorted((Path(__file__).parent / "broken").glob("*.aspec"))


@pytest.mark.parametrize("path", BROKEN, ids=lambda p: p.stem)
def test_the_message_is_as_expected(path: Path, contract: str) -> None:
    with pytest.raises(LanguageError) as caught:
        check(parse({"contract.aspec": contract, path.name: path.read_text(encoding="utf-8")}))
    rendered = caught.value.render() + "\n"
    golden = path.with_suffix(".expected")
    if os.environ.get("VMASPACE_UPDATE_GOLDEN"):
        golden.write_text(rendered, encoding="utf-8")
    assert rendered == golden.read_text(encoding="utf-8")


def test_the_broken_texts_show_most_codes() -> None:
    """What is not shown here cannot be shown by a small text in a file of its own, or is shown elsewhere."""
    shown = {line[:6] for p in BROKEN for line in p.with_suffix(".expected").read_text().splitlines()}
    elsewhere = {codes.UNREADABLE, codes.NOT_TEXT, codes.TOO_DEEP, codes.UNBOUND_TARGET, codes.PRODUCT}
    assert set(codes.CODES) - shown == elsewhere


def test_every_piece_of_advice_is_shown() -> None:
    shown = "\n".join(p.with_suffix(".expected").read_text(encoding="utf-8") for p in BROKEN)
    assert [hint for _, hint in ADVICE if f"  hint      {hint}\n" not in shown] == []
