"""A trace or a verdict told in text: the headline, the numbered steps, the address space before and after, the reason.

    VMA501 siblings_are_disjoint does not survive map                  properties/regions.aspec:31:1
      1. create(base=0x200000, size=0x1000000, type=user, share=none) -> OK  a=aspace1 root=region1
      ...
      replay: vmaspace replay traces/map__siblings_are_disjoint.explore.json

Each line carries a tone, so that a terminal may colour it; `narrate` and `narrate_verdict` give the bare text.
"""

import textwrap
from collections.abc import Iterator
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from vmaspace.checker.report.change import draw_change, other_changes
from vmaspace.checker.report.drawing import draw_state
from vmaspace.checker.report.messages import ADVICE, headline
from vmaspace.checker.report.notation import arguments_text, value_text
from vmaspace.checker.report.trace import Step, Trace
from vmaspace.checker.report.verdict import Kind, Place, Verdict

WIDTH = 100
OTHERS_SHOWN = 12


class Tone(Enum):
    HEAD = "head"
    PLAIN = "plain"
    QUIET = "quiet"
    GONE = "gone"
    NEW = "new"
    CHANGED = "changed"
    BROKEN = "broken"


class Told(NamedTuple):
    """One line of a narrative."""

    text: str
    tone: Tone = Tone.PLAIN


def narrate(trace: Trace, file: str | Path | None = None, *, width: int = WIDTH) -> str:
    return as_text(tell_trace(trace, file, width=width))


def narrate_verdict(verdict: Verdict, file: str | Path | None = None, *, width: int = WIDTH) -> str:
    return as_text(tell_verdict(verdict, file, width=width))


def as_text(told: Iterator[Told]) -> str:
    return "\n".join(line.text.rstrip() for line in told) + "\n"


def tell_verdict(verdict: Verdict, file: str | Path | None = None, *, width: int = WIDTH) -> Iterator[Told]:
    """What a report says of one verdict, in full: its trace, or what there is without one."""
    if verdict.trace is not None:
        trace = verdict.trace
        # The verdict is the later word: an engine may know more by then than when it made the trace.
        trace = replace(trace, source=verdict.source or trace.source, reason=verdict.reason or trace.reason)
        yield from tell_trace(trace, file, width=width)
    else:
        yield head(headline(verdict.verdict, verdict.property, verdict.operation), verdict.source, width)
        by = [verdict.verdict.replace("_", " "), f"by {verdict.engine}"]
        by += [verdict.scope] if verdict.scope else []
        yield from prose(", ".join(by), width, Tone.QUIET)
        yield from prose(verdict.reason, width)
        if verdict.verdict in ADVICE:
            yield from prose(ADVICE[verdict.verdict], width)
    for note in verdict.notes:
        yield from prose(f"note: {note}", width)


def tell_trace(trace: Trace, file: str | Path | None = None, *, width: int = WIDTH) -> Iterator[Told]:
    yield head(headline(Kind(trace.verdict), trace.property, trace.operation), trace.source, width)
    if trace.sentence:
        yield from prose(f'"{trace.sentence}"', width)
    yield from prose(circumstances(trace), width, Tone.QUIET)
    if Kind(trace.verdict) is Kind.NOT_INDUCTIVE:
        yield from prose("the first state satisfies what is assumed; that a run reaches it is not known", width)
    for number, step in enumerate(trace.steps, start=1):
        if trace.loop == number - 1:
            yield Told("  again and again:", Tone.BROKEN)
        yield from tell_step(number, step, width)
    if trace.loop == len(trace.steps):
        yield Told("  and nothing more, for ever", Tone.BROKEN)
    yield Told("")
    yield from tell_states(trace, width)
    yield from prose(trace.reason, width)
    if file is not None:
        yield Told(f"  replay: vmaspace replay {file}")


def head(text: str, source: Place | None, width: int) -> Told:
    """The headline, with the place at the right margin."""
    place = str(source) if source else ""
    return Told(f"{text}  {place:>{max(0, width - len(text) - 2)}}".rstrip(), Tone.HEAD)


def prose(text: str, width: int, tone: Tone = Tone.PLAIN) -> Iterator[Told]:
    for line in text.splitlines():
        indent = " " * (len(line) - len(line.lstrip()))
        for part in textwrap.wrap(line, max(40, width - 2), subsequent_indent=indent, break_long_words=False):
            yield Told(f"  {part}", tone)


def circumstances(trace: Trace) -> str:
    """Everything that a reader has to know to see the same again."""
    said = [trace.verdict.replace("_", " "), f"by {trace.engine}"]
    if trace.arch:
        said.append(f"on {trace.arch}")
    if trace.subject:
        said.append(f"driving {trace.subject}")
    if trace.seed is not None:
        said.append(f"seed {trace.seed}")
    said.append(f"as documented ({' '.join(trace.switches)})" if trace.switches else "as implemented")
    if trace.mutations:
        said.append(f"broken on purpose: {' '.join(trace.mutations)}")
    return ", ".join(said)


def tell_step(number: int, step: Step, width: int) -> Iterator[Told]:
    words = f"{number}. {step.op}({arguments_text(step.args)}) -> {step.status}"
    got = {**step.new, **step.picks}
    if got:
        words += "  " + " ".join(f"{name}={value_text(value)}" for name, value in got.items())
    indent = " " * (2 + len(f"{number}. "))
    lines = textwrap.wrap(
        words, max(40, width), initial_indent="  ", subsequent_indent=indent, break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip
    tone = Tone.BROKEN if step.violated is not None else Tone.PLAIN
    for line in lines:
        yield Told(line, tone)
    if step.violated is not None:
        yield Told(f"{indent}violates {step.violated}", tone)
    if step.note:
        yield Told(f"{indent}note: {step.note}")


def tell_states(trace: Trace, width: int) -> Iterator[Told]:
    """The address space around the failing step; of a trace without steps, the only state that there is."""
    number = trace.failing_step
    if number is None:
        yield from (Told(f"    {line}") for line in draw_state(trace.initial).splitlines())
        yield Told("")
        return
    before, after = trace.state_before(number), trace.steps[number].state
    names = f"before step {number + 1}", f"after step {number + 1}"
    tones = {"-": Tone.GONE, "+": Tone.NEW, "~": Tone.CHANGED}
    for line in draw_change(before, after, width=width - 2, names=names).splitlines():
        yield Told(f"  {line}", tones.get(line[:1], Tone.PLAIN))
    changes = other_changes(before, after)
    for change in changes[:OTHERS_SHOWN]:
        yield Told(f"  ~ {change}", Tone.CHANGED)
    if len(changes) > OTHERS_SHOWN:
        yield Told(f"    and {len(changes) - OTHERS_SHOWN} more values that differ")
    yield Told("")


def counted(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
