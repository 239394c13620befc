"""The JUnit form of a report: one suite for each engine, one case for each verdict.

Red is a failure and undecided an error, so that no dashboard takes an unanswered question for a pass.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.etree import ElementTree

from vmaspace.checker.report.messages import code_of, headline
from vmaspace.checker.report.narrative import narrate_verdict
from vmaspace.checker.report.verdict import Report, Verdict

# What XML 1.0 cannot hold, even escaped.
FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

Case = tuple[Verdict, Path | None]


def junit_text(report: Report, paths: Sequence[Path | None] | None = None) -> str:
    """The document as text, with its XML declaration."""
    files = paths if paths is not None else [None] * len(report.verdicts)
    cases = list(zip(report.verdicts, files, strict=True))
    suites = ElementTree.Element("testsuites", {"name": "vmaspace", **totals(cases)})
    for engine in dict.fromkeys(verdict.engine for verdict in report.verdicts):
        own = [case for case in cases if case[0].engine == engine]
        suite = ElementTree.SubElement(suites, "testsuite", {"name": clean(f"vmaspace.{engine}"), **totals(own)})
        suite.extend(testcase(*case) for case in own)
    ElementTree.indent(suites, " ")
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(suites, encoding="unicode") + "\n"


def totals(cases: Sequence[Case]) -> dict[str, str]:
    return {
        "tests": str(len(cases)),
        "failures": str(sum(verdict.is_red for verdict, _ in cases)),
        "errors": str(sum(verdict.is_undecided for verdict, _ in cases)),
        "skipped": "0",
        "time": f"{sum(verdict.seconds for verdict, _ in cases):.3f}",
    }


def testcase(verdict: Verdict, path: Path | None) -> ElementTree.Element:
    case = ElementTree.Element(
        "testcase",
        name=clean(verdict.id),
        classname=clean(f"vmaspace.{verdict.engine}.{verdict.property}"),
        time=f"{verdict.seconds:.3f}",
    )
    if verdict.source is not None:
        case.set("file", clean(verdict.source.file))
        case.set("line", str(verdict.source.line))
    if verdict.is_green:
        said = "\n".join(greeting(verdict))
        if said:
            ElementTree.SubElement(case, "system-out").text = clean(said)
        return case
    kind = "failure" if verdict.is_red else "error"
    message = headline(verdict.verdict, verdict.property, verdict.operation)
    if verdict.reason:
        message += ": " + verdict.reason.splitlines()[0]
    outcome = ElementTree.SubElement(case, kind, message=clean(message), type=code_of(verdict.verdict))
    outcome.text = clean(narrate_verdict(verdict, path))
    return case


def greeting(verdict: Verdict) -> Iterator[str]:
    """What a green verdict has to say: how far it reaches, and what it was seen to deviate from."""
    if verdict.scope:
        yield f"{verdict.verdict}: {verdict.scope}"
    if verdict.reason:
        yield verdict.reason
    yield from verdict.notes


def clean(text: str) -> str:
    return FORBIDDEN.sub("\ufffd", text)
