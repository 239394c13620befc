"""The end of every command: the report in the forms that were asked for, and the exit code."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

from vmaspace.checker.report.artifacts import save_traces, write_junit
from vmaspace.checker.report.as_json import report_text
from vmaspace.checker.report.narrative import counted, tell_step
from vmaspace.checker.report.trace import Trace
from vmaspace.checker.report.verdict import Report, Verdict


def show(
    o: argparse.Namespace,
    verdicts: list[Verdict],
    blocks: dict[str, Any],
    start: float,
    late: bool,
) -> int:
    report = Report(tuple(verdicts), blocks, time.monotonic() - start, late)
    paths = save_traces(report, o.traces)
    if o.junit is not None:
        write_junit(report, o.junit, paths)
    if o.json:
        sys.stdout.write(report_text(report, paths))
    else:
        from vmaspace.checker.report.terminal import make_console, print_report, put

        console = make_console()
        for line in summary(blocks):
            put(console, line)
        print_report(console, report, paths, slowest=getattr(o, "slowest", 0))
    return int(report.exit)


def summary(blocks: dict[str, Any]) -> list[str]:
    """What the engines' own numbers say, in a line each."""
    lines = runs_left(blocks)
    if "explore" in blocks:
        if "skipped" in blocks["explore"]:
            lines.append(f"explore      SKIPPED: {blocks['explore']['skipped']}")
        for scope in blocks["explore"].get("scopes", ()):
            lines += exploration_lines(scope)
    if "fuzz" in blocks:
        f = blocks["fuzz"]
        rate = f["steps"] / f["seconds"] if f["seconds"] else 0.0
        seeds = f"seeds {f['seed']} to {f['seed'] + f['campaigns'] - 1}" if f.get("campaigns", 1) > 1 else f"seed {f['seed']}"
        lines.append(
            f"fuzz         {f['steps']:,} steps judged in {f['runs']:,} runs, {rate:,.0f} a second, {seeds}"
        )
        if "oracle" in f:
            lines.append(oracle_line("fuzz", f["oracle"]["comparisons"], f["oracle"]["per_second"], f["oracle"]["deviations"]))
    if "tables" in blocks:
        t = blocks["tables"]
        rate = t["edits"] / t["seconds"] if t["seconds"] else 0.0
        lines.append(f"tables       {t['edits']:,} edits judged in {t['runs']:,} runs, {rate:,.0f} a second, seed {t['seed']}")
    for arch, rows in oracle_rows(blocks.get("oracle", {"comparisons": {}})).items():
        count, seconds = sum(row["comparisons"] for row in rows), sum(row["seconds"] for row in rows)
        deviations = Counter[str]()
        for row in rows:
            deviations.update(row["deviations"])
        lines.append(oracle_line(arch, count, round(count / seconds) if seconds else 0, deviations))
    if "conformance" in blocks:
        c = blocks["conformance"]
        lines.append(
            f"conformance  {c['cases']} cases: {c['passed']} passed, {c['failed']} failed, "
            f"{c['known_gaps']} known gaps, {c['unsupported']} unsupported"
        )
    for i in blocks.get("inspect", ()):
        lines.append(
            f"inspect      {i['file']}: {counted(i['aspaces'], 'address space')}; "
            f"{counted(i['judged'], 'property', 'properties')} judged, "
            f"{len(i['not_judged'])} not{':' if i['not_judged'] else ''}"
        )
        lines += [f"  --    {name}: {reason}" for name, reason in i["not_judged"].items()]
        lines += [f"  part  {place}: {reason}" for place, reason in i["left_out"].items()]
    if "audit" in blocks:
        lines += mutation_table(blocks["audit"]["mutants"])
    return [*lines, ""] if lines else []


def runs_left(blocks: dict[str, Any]) -> list[str]:
    """The properties of runs that `prove` left to `explore`, if that was not asked."""
    left = blocks.get("prove", {}).get("left_to_explore", ())
    if not left or "explore" in blocks:
        return []
    return [
        f"prove        {counted(len(left), 'property', 'properties')} of runs not judged: {', '.join(left)}",
        "             vmaspace explore judges them, and so does vmaspace check",
    ]


def oracle_rows(block: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The counts of the oracle's comparisons, by architecture."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for name, row in block["comparisons"].items():
        rows.setdefault(name.split("/")[0], []).append(row)
    return rows


def oracle_line(where: str, count: int, rate: int, deviations: Mapping[str, int]) -> str:
    known = "".join(f", {times:,} as {name} has it" for name, times in deviations.items())
    return f"oracle       {where}: {count:,} comparisons, {rate:,} a second{known}"


def exploration_lines(e: dict[str, Any]) -> list[str]:
    what = "orbits" if e["symmetry"] else "states"
    rate = e["states"] / e["seconds"] if e["seconds"] else 0.0
    end = "every state was looked at"
    if e["simulated"]:
        end = f"{e['simulated']:,} steps of random walks; NOT every state"
    elif not e["complete"]:
        end = f"NOT every state: {e['reason']}"
    elif e["depth"] == e["steps"]:
        end = f"every run of up to {e['steps']} operations was looked at"
    lines = [
        f"explore      scope {e['scope']}: {e['states']:,} {what}, {e['transitions']:,} transitions, depth {e['depth']}; {end}",
        f"             {e['seconds']:.2f} s ({rate:,.0f} {what} a second), {e['bytes_per_state']:.0f} bytes each, "
        f"compiled in {e['compile_seconds']:.2f} s",
    ]
    if e["compaction"]:
        lines.append(f"             {compaction_line(e['compaction'])}")
    if e["cut"]:
        lines.append(f"             {e['cut']:,} steps leave the scope and were not followed")
    if e["deadlocks"]:
        lines.append(f"             {e['deadlocks']:,} states from which no call is possible")
    if e["deadlock"]:
        lines += deadlock_lines(e["deadlock"], bool(e["simulated"]))
    width = max(len(name) for name in e["operations"])
    for name, o in e["operations"].items():
        never = "" if o["fired"] else "   NEVER: nothing here was said about it"
        lines.append(f"             {name:{width}}  enabled {o['enabled']:>13,}  fired {o['fired']:>13,}{never}")
    return lines


def compaction_line(c: dict[str, Any]) -> str:
    if c["omission"] is None:
        return "hash compaction: a state of this scope is no larger than a hash, so all were kept whole and none is omitted"
    return (
        f"hash compaction to {c['bits']} bits, seed {c['seed']}: "
        f"that a state is omitted has a probability of at most {c['omission']:.1e}"
    )


def deadlock_lines(trace: dict[str, Any], is_walk: bool = False) -> list[str]:
    """The shortest run to a deadlock, or a random walk to one; `trace` is a `vmaspace.trace/1`."""
    steps = Trace.from_json(trace).steps
    if not steps:
        return ["             the first state is one"]
    lines = [f"             {'one that a walk came to' if is_walk else 'the nearest of them'}:"]
    for number, step in enumerate(steps, 1):
        lines += [f"           {told.text}" for told in tell_step(number, step, 100)]
    return lines


def mutation_table(rows: list[dict[str, Any]]) -> list[str]:
    """Which engine finds which mutant, how soon, and in how much of its own measure."""
    name_width = max((len(row["mutant"]) for row in rows), default=0)
    finding_width = max((len(look["finding"] or "") for row in rows for look in row["looks"]), default=0)
    lines = []
    for subject in dict.fromkeys(row["subject"] for row in rows):
        lines.append(subject)
        for row in (row for row in rows if row["subject"] == subject):
            told = f"NOT FOUND, looked: {', '.join(map(look_text, row['looks'])) or 'nobody'}"
            if row["found_by"] is not None:
                found = row["looks"][-1]
                told = f"{look_text(found):32} {found['seconds']:7.2f} s  {found['finding']:{finding_width}}"
            lines.append(f"  {row['mutant']:{name_width}}  {told}  {row['sentence']}")
    counts = Counter(row["found_by"] or "nobody" for row in rows)
    return [*lines, "found by " + ", ".join(f"{engine} {count}" for engine, count in counts.items())]


def look_text(look: dict[str, Any]) -> str:
    return f"{look['engine']:13} {look['done']:>7,} {look['unit']}"
