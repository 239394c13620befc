"""The language: one grammar for contract and properties.

Question it answers: is this text a contract, and if not, what is wrong with it and where?
May import: nothing of ours.
Start reading at: `syntax.py` (what a text becomes), `docs/language.md` (what it means).
Tests: `tests/language/`.
"""

from vmaspace.checker.language.diagnostics import Diagnostic, LanguageError
from vmaspace.checker.language.loader import load

__all__ = ["Diagnostic", "LanguageError", "load"]
