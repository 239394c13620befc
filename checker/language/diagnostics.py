"""Diagnostics: what is wrong with a text, where, what was expected, and the next thing to do.

One structure serves the terminal, JSON and an editor.  `LanguageError` is the only exception that leaves this room.
It does not decide anything: the modules that find a mistake write its words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vmaspace.checker.language.syntax import Span

WIDTH = 118  # a longer source line is cut round the place of interest


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One mistake.  `notes` point at other places that matter, such as the first of two declarations."""

    code: str
    message: str
    span: Span
    expected: str | None = None
    found: str | None = None
    hint: str | None = None
    notes: tuple[tuple[str, Span], ...] = ()

    @property
    def place(self) -> tuple[str, int, int]:
        return self.span.file, self.span.line, self.span.column


class LanguageError(Exception):
    """A text that is not a contract: its diagnostics in order of place, and the sources to show them with."""

    def __init__(self, diagnostics: Sequence[Diagnostic], files: Mapping[str, str]) -> None:
        self.diagnostics = tuple(sorted(diagnostics, key=lambda d: d.place))
        self.files = dict(files)
        super().__init__(self.diagnostics)

    def __str__(self) -> str:
        return self.render()

    def render(self) -> str:
        return "\n\n".join(render(d, self.files) for d in self.diagnostics)


def render(diagnostic: Diagnostic, files: Mapping[str, str]) -> str:
    """The diagnostic as text for a terminal, without a final newline."""
    lines = [f"{diagnostic.code} {printable(diagnostic.message)}", f"  {place(diagnostic.span)}"]
    lines += excerpt(diagnostic.span, files)
    for title, text in (
        ("expected", diagnostic.expected),
        ("found", diagnostic.found),
        ("hint", diagnostic.hint),
    ):
        if text is not None:
            lines.append(f"  {title:<9} {printable(text)}")
    for text, span in diagnostic.notes:
        lines.append(f"  {'note':<9} {printable(text)}, {place(span)}")
    return "\n".join(lines)


def place(span: Span) -> str:
    return f"{printable(span.file)}:{span.line}:{span.column}"


def printable(text: str) -> str:
    """The text with everything that would disturb a terminal made visible."""
    return "".join(c if c.isprintable() else "·" for c in text)


def excerpt(span: Span, files: Mapping[str, str]) -> list[str]:
    """The source line with a caret line under it; nothing if the text is not at hand."""
    source = files.get(span.file, "").split("\n")
    if not 1 <= span.line <= len(source) or not source[span.line - 1].strip():
        return []
    text = printable(source[span.line - 1].rstrip())
    start = min(span.column - 1, len(text))
    end = span.end_column - 1 if span.end_line == span.line else len(text)
    end = max(min(end, len(text)), start + 1)
    offset = 0
    if len(text) > WIDTH:  # show the part round the place, and keep the place on it
        offset = max(0, min(start - WIDTH // 2, len(text) - WIDTH))
        cut = text[offset : offset + WIDTH]
        text = ("…" + cut[1:] if offset else cut)[: WIDTH - 1] + (
            "…" if offset + WIDTH < len(text) else cut[-1:]
        )
        end = max(min(end, offset + WIDTH), start + 1)
    carets = " " * (start - offset) + "^" * (end - start)
    return [f"  {span.line:>5} | {text}", f"        | {carets}"]
