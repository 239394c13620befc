"""The list of codes: every one is used, described in the reference, and given out once."""

from __future__ import annotations

import re
from pathlib import Path

from vmaspace.checker.language import codes

ROOT = Path(__file__).resolve().parents[2]
LANGUAGE = ROOT / "checker" / "language"
NAMES = {
    name: value for name, value in vars(codes).items() if isinstance(value, str) and value.startswith("VMA")
}
RAISED_ELSEWHERE = {"UNBOUND_TARGET", "PRODUCT"}  # by `checker/logic/elaborate.py`


def test_every_code_has_a_name_and_a_line() -> None:
    assert sorted(NAMES.values()) == sorted(codes.CODES)
    assert all(re.fullmatch(r"VMA0\d\d", code) for code in codes.CODES)
    assert len(set(codes.CODES.values())) == len(codes.CODES)


def test_the_list_is_in_order() -> None:
    listed = re.findall(r'_code\("(VMA\d+)"', (LANGUAGE / "codes.py").read_text(encoding="utf-8"))
    assert listed == sorted(listed)


def test_every_code_is_used_and_every_use_is_listed() -> None:
    sources = [p for p in LANGUAGE.glob("*.py") if p.name != "codes.py"]
    used = {n for p in sources for n in re.findall(r"\bcodes\.([A-Z_]+)", p.read_text(encoding="utf-8"))}
    assert used == set(NAMES) - RAISED_ELSEWHERE
    literal = [p.name for p in sources if re.search(r'"VMA\d', p.read_text(encoding="utf-8"))]
    assert literal == []


def test_every_code_is_in_the_reference() -> None:
    text = (ROOT / "docs" / "language.md").read_text(encoding="utf-8")
    described = dict(re.findall(r"^\| (VMA0\d\d) \| (.+?) \|$", text, re.MULTILINE))
    assert described == codes.CODES
