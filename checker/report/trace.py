"""Trace: the one thing that every engine hands over when it says no (or shows a witness).

Operations with their arguments, choices, new elements, answers and states, and what was violated: enough to read, to
replay on another implementation, and to export. It is pure data. The published form is `trace.schema.json`.

Not here: how a trace is found, replayed or drawn.
"""

import builtins
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from vmaspace.checker.report.cursor import Cursor, TraceError, read_json
from vmaspace.checker.report.state import State, empty_state, read_state, read_values
from vmaspace.checker.report.verdict import Kind, Place

__all__ = ["SCHEMA", "Step", "Trace", "TraceError"]

SCHEMA = "vmaspace.trace/1"


@dataclass(frozen=True)
class Step:
    """One operation: what was asked, what was chosen, what appeared, the answer, and the state after it.

    `picks` are the values that the contract leaves free and this run took; `new` are fresh elements by the name that
    the operation gives them. `violated` names the property or the assertion clause that this step breaks.
    """

    op: str
    args: dict[str, Any] = field(default_factory=dict)
    picks: dict[str, Any] = field(default_factory=dict)
    new: dict[str, Any] = field(default_factory=dict)
    status: str = "OK"
    violated: str | None = None
    note: str | None = None
    state: State = field(default_factory=empty_state)


@dataclass(frozen=True, kw_only=True)
class Trace:
    """A run: the world it happened in, the state it started from, and its steps.

    `given` are the facts that no operation changes, in the form of a state. `subject` is the driven implementation,
    `package.module:Class`; `contract` the content hash of the text that was judged against; `mutations` what was broken
    on purpose, by the audit. With `loop`, the steps from that number on, counted from 0, are taken again and again; if there are
    none, the run stays in its last state.
    """

    property: str
    operation: str | None
    engine: str
    verdict: str
    reason: str = ""
    source: Place | None = None
    sentence: str | None = None             # what the property says, in words
    arch: str | None = None
    switches: Sequence[str] = ()            # where the documented contract was judged, not the one as implemented
    given: State = field(default_factory=empty_state)
    seed: int | None = None
    subject: str | None = None
    contract: str | None = None
    mutations: Sequence[str] = ()
    initial: State = field(default_factory=empty_state)
    steps: tuple[Step, ...] = ()
    loop: int | None = None                 # of a run without end: how many steps come before those that are repeated
    schema: str = SCHEMA

    def __post_init__(self) -> None:
        """Any sequence will do when a trace is made; equal traces are equal whichever it was."""
        for name in ("switches", "mutations", "steps"):
            object.__setattr__(self, name, tuple(getattr(self, name)))

    def to_json(self) -> dict[str, Any]:
        """A fresh JSON object, schema first; equal traces give equal objects."""
        data = asdict(self)
        for name in ("switches", "mutations", "steps"):
            data[name] = list(data[name])
        data["verdict"] = str(self.verdict)
        if self.loop is None:
            del data["loop"]
        return {"schema": data.pop("schema"), **data}

    @staticmethod
    def from_json(data: object, file: str = "<trace>") -> "Trace":
        """The trace in a JSON value; whatever is wrong with it, one `TraceError` says what and where."""
        try:
            return read_trace(Cursor(data, file))
        except RecursionError:
            raise TraceError(file, "/", "nested too deeply", "is it a trace at all?") from None

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the trace, with the folders it needs. A reader never sees half of it."""
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_name(f".{target.name}.{os.getpid()}")
        draft.write_text(json.dumps(self.to_json(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        draft.replace(target)
        return target

    @staticmethod
    def load(path: str | os.PathLike[str]) -> "Trace":
        return Trace.from_json(read_json(Path(path)), str(path))

    @builtins.property      # `property` is a field of this class
    def failing_step(self) -> int | None:
        """The number of the step that a reader wants to see, counted from 0: the first that violates, or the last."""
        for number, step in enumerate(self.steps):
            if step.violated is not None:
                return number
        return len(self.steps) - 1 if self.steps else None

    def state_before(self, step: int) -> State:
        return self.initial if step == 0 else self.steps[step - 1].state


# --- reading from JSON --------------------------------------------------------------------------------------

REQUIRED = ("schema", "property", "engine", "verdict", "initial", "steps")
OPTIONAL = (
    "operation", "reason", "source", "sentence", "arch", "switches", "given", "seed", "subject", "contract",
    "mutations", "loop",
)  # fmt: skip


def read_trace(cursor: Cursor) -> Trace:
    check_schema(cursor)
    fields = cursor.fields(REQUIRED, OPTIONAL)

    def text_or_none(name: str) -> str | None:
        return fields[name].or_null(Cursor.text) if name in fields else None

    def names(name: str) -> list[str]:
        return [item.nonempty() for item in fields[name].items()] if name in fields else []

    steps = tuple(read_step(step) for step in fields["steps"].items())
    loop = fields["loop"].or_null(Cursor.integer) if "loop" in fields else None
    if loop is not None and not 0 <= loop <= len(steps):
        fields["loop"].fail(f"there are {len(steps)} steps, so the loop cannot start behind {loop}", "the first step is behind 0")

    return Trace(
        property=fields["property"].nonempty(),
        operation=text_or_none("operation"),
        engine=fields["engine"].nonempty(),
        verdict=fields["verdict"].one_of([kind.value for kind in Kind]),
        reason=fields["reason"].text() if "reason" in fields else "",
        source=fields["source"].or_null(read_place) if "source" in fields else None,
        sentence=text_or_none("sentence"),
        arch=text_or_none("arch"),
        switches=names("switches"),
        given=read_state(fields["given"]) if "given" in fields else empty_state(),
        seed=fields["seed"].or_null(Cursor.integer) if "seed" in fields else None,
        subject=text_or_none("subject"),
        contract=text_or_none("contract"),
        mutations=names("mutations"),
        initial=read_state(fields["initial"]),
        steps=steps,
        loop=loop,
    )


def check_schema(cursor: Cursor) -> None:
    """Look at the version first: in a document of another one, every other complaint would mislead."""
    found = dict(cursor.entries())
    if "schema" not in found:
        cursor.fail('"schema" is missing', f'a trace starts with "schema": "{SCHEMA}"')
    version = found["schema"].text()
    if version != SCHEMA:
        found["schema"].fail(f'this vmaspace reads "{SCHEMA}", found "{version}"', "make the trace again")


def read_step(cursor: Cursor) -> Step:
    fields = cursor.fields(("op", "status", "state"), ("args", "picks", "new", "violated", "note"))
    return Step(
        op=fields["op"].nonempty(),
        args=read_values(fields["args"]) if "args" in fields else {},
        picks=read_values(fields["picks"]) if "picks" in fields else {},
        new=read_values(fields["new"]) if "new" in fields else {},
        status=fields["status"].nonempty(),
        violated=fields["violated"].or_null(Cursor.text) if "violated" in fields else None,
        note=fields["note"].or_null(Cursor.text) if "note" in fields else None,
        state=read_state(fields["state"]),
    )


def read_place(cursor: Cursor) -> Place:
    fields = cursor.fields(("file", "line", "column"))
    return Place(fields["file"].nonempty(), fields["line"].integer(least=1), fields["column"].integer(least=1))
