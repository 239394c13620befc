"""The reference, `docs/language.md`: every `aspec` block in it is parsed and checked.

A block is a text of its own; marked `aspec contract` it is checked together with the contract, and marked
`fails CODE` it must be refused with that code.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from vmaspace.checker.language.check import check
from vmaspace.checker.language.diagnostics import LanguageError
from vmaspace.checker.language.loader import read
from vmaspace.checker.language.parser import grammar, parse
from vmaspace.checker.language.scanner import ITEM_WORDS, RESERVED
from vmaspace.checker.language.types import BUILTINS, GROUND

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "language.md").read_text(encoding="utf-8")
BLOCKS = [
    pytest.param(m[1].split(), m[2], id=f"line {PAGE.count(chr(10), 0, m.start()) + 1}")
    for m in re.finditer(r"^```aspec *([^\n]*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
]


@pytest.fixture(scope="module")
def contract() -> dict[str, str]:
    return read([ROOT / "spec"])


@pytest.mark.parametrize(("marks", "text"), BLOCKS)
def test_the_block_is_true(marks: list[str], text: str, contract: dict[str, str]) -> None:
    files = {**(contract if "contract" in marks else {}), "block": text}
    if "fails" not in marks:
        check(parse(files))
        return
    with pytest.raises(LanguageError) as caught:
        check(parse(files))
    assert {d.code for d in caught.value.diagnostics} == {marks[-1]}


def test_there_are_blocks() -> None:
    assert len(BLOCKS) > 15


def test_every_word_is_explained() -> None:
    """Each item, each reserved word, each word that is called and each type stands in the page as code."""
    code = "\n".join(re.findall(r"^```aspec.*?^```|`[^`\n]+`", PAGE, re.MULTILINE | re.DOTALL))
    words = set(re.findall(r"\w+", code))
    grammatical = {str(t.pattern.value) for t in grammar().terminals if str(t.pattern.value).isidentifier()}
    assert ITEM_WORDS | RESERVED | set(BUILTINS) | set(GROUND) | grammatical <= words


def test_links_lead_somewhere() -> None:
    heads = {
        re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-")
        for h in re.findall(r"^#+ (.+)$", PAGE, re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#([\w-]+)\)", PAGE)) <= heads
