"""Two states as drawings with marks: `-` for what vanished, `+` for what appeared, `~` for what changed.

Side by side where the terminal is wide enough, otherwise one after the other. What no drawing shows, such as a counter,
is listed by `other_changes`.
"""

import difflib
from collections.abc import Iterator, Sequence
from typing import Any

from vmaspace.checker.report.drawing import Line, drawn_lines, lay_out
from vmaspace.checker.report.notation import value_text
from vmaspace.checker.report.space import DRAWN_VARIABLES
from vmaspace.checker.report.state import State, flatten

BETWEEN = "  │ "


def draw_change(
    before: State, after: State, *, width: int = 100, names: tuple[str, str] = ("before", "after")
) -> str:
    """Both drawings under their `names`, with a mark in front of every line that differs."""
    old, new = drawn_lines(before), drawn_lines(after)
    left, right = marked(old, new, "-"), marked(new, old, "+")
    column = max(len(names[0]) + 2, *map(len, left))
    if column + len(BETWEEN) + max(map(len, right)) <= width:
        rows = beside(old, new, left, right)
        lines = [f"  {names[0]:{column - 2}}{BETWEEN}  {names[1]}"]
        lines += [f"{here:{column}}{BETWEEN}{there}".rstrip() for here, there in rows]
    else:
        lines = [f"  {names[0]}", *left, "", f"  {names[1]}", *right]
    return "\n".join(line.rstrip() for line in lines)


def marked(lines: Sequence[Line], others: Sequence[Line], lonely: str) -> list[str]:
    """The drawing with a mark before each line: `lonely` where the other drawing has no such line."""
    there = {line.key: line.content for line in others}
    marks = [lonely if line.key not in there else " " if there[line.key] == line.content else "~" for line in lines]
    return [f"{mark} {text}" for mark, text in zip(marks, lay_out(lines), strict=True)]


def beside(
    old: Sequence[Line], new: Sequence[Line], left: Sequence[str], right: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """Pairs of lines, so that what is about the same thing stands in one row where the order allows it."""
    matcher = difflib.SequenceMatcher(None, [line.key for line in old], [line.key for line in new], autojunk=False)
    for kind, old_start, old_end, new_start, new_end in matcher.get_opcodes():
        if kind == "equal":
            yield from zip(left[old_start:old_end], right[new_start:new_end], strict=True)
        else:
            yield from ((text, "") for text in left[old_start:old_end])
            yield from (("", text) for text in right[new_start:new_end])


def other_changes(before: State, after: State) -> list[str]:
    """Values that differ and that no drawing shows: `name_length(aspace1): 0x6 -> 0x0`."""
    old, new = dict(flatten(before)), dict(flatten(after))
    return [
        f"{name}: {held_text(old, name)} -> {held_text(new, name)}"
        for name in dict.fromkeys((*old, *new))
        if name.partition("(")[0] not in DRAWN_VARIABLES and old.get(name) != new.get(name)
    ]


def held_text(values: dict[str, Any], name: str) -> str:
    return value_text(values[name]) if name in values else "default"
