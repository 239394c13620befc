"""The proofs: every claim for every format of page tables, a verdict each.

A claim is proved if no value of its variables breaks it, which is Z3's `unsat`. A time-out proves nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import z3

from vmaspace.checker.adapters.entries import ALL_TABLES, Tables
from vmaspace.checker.engines.entries.changes import CHANGES
from vmaspace.checker.engines.entries.counterexample import told
from vmaspace.checker.engines.entries.hardware import HARDWARE
from vmaspace.checker.engines.entries.leaves import LEAVES
from vmaspace.checker.engines.entries.paths import PATHS
from vmaspace.checker.engines.entries.query import Claim, Query, Subject
from vmaspace.checker.engines.entries.words import Truth
from vmaspace.checker.report.verdict import Kind, Verdict

ENGINE = "entries"
CLAIMS: dict[str, Claim] = {claim.name: claim for claim in (*LEAVES, *PATHS, *CHANGES, *HARDWARE)}
TIMEOUT = 20.0  # seconds for a query; none needs more than a fraction of one


def prove_entries(
    names: Iterable[str] | None = None,
    tables: Sequence[Tables] = ALL_TABLES,
    *,
    timeout: float = TIMEOUT,
    budget: float | None = None,
    progress: Callable[[int, int, str], None] = lambda done, total, what: None,
) -> tuple[list[Verdict], bool]:
    """Verdicts of the named claims (default: all), and whether time ran out or Ctrl-C was pressed before all were done. Times in
    seconds.

    A claim that has nothing to say of a format gives no verdict there.
    """
    deadline = None if budget is None else time.monotonic() + budget
    claims = [CLAIMS[name] for name in (CLAIMS if names is None else names)]
    todo = [(claim, subject) for claim in claims for subject in map(Subject, tables)]
    verdicts: list[Verdict] = []
    why = ""
    for done, (claim, subject) in enumerate(todo):
        if not why and deadline is not None and time.monotonic() > deadline:
            why = "the budget ran out before it was done"
        try:
            verdict = _undone(claim, subject, why) if why else prove_claim(claim, subject, timeout)
        except KeyboardInterrupt:
            why = "interrupted before it was done"
            verdict = _undone(claim, subject, why)
        if verdict is not None:
            verdicts.append(verdict)
            progress(done + 1, len(todo), verdict.id)
    return verdicts, bool(why)


def first_broken(tables: Sequence[Tables], timeout: float = TIMEOUT) -> tuple[Verdict | None, int]:
    """The first claim that is broken for one of these formats, and how many were looked at, each for one format."""
    done = 0
    for claim in CLAIMS.values():
        for subject in map(Subject, tables):
            verdict = prove_claim(claim, subject, timeout)
            done += verdict is not None
            if verdict is not None and verdict.is_red:
                return verdict, done
    return None, done


def prove_claim(claim: Claim, subject: Subject, timeout: float = TIMEOUT) -> Verdict | None:
    """One claim for one format; None if it says nothing there."""
    start = time.monotonic()
    try:
        queries = list(claim.queries(subject))
        kind, reason = _ask(claim, subject, queries, timeout)
    except z3.Z3Exception as error:
        queries = []
        kind, reason = (
            Kind.UNSUPPORTED,
            f"the codec of {subject.regime.name} does not take solver terms: {error}",
        )
    if not queries and kind is Kind.PROVED:
        return None
    scope = f"{subject.regime.name}: every entry, flag set and address"
    return _verdict(claim, subject, kind, time.monotonic() - start, scope, reason)


def _ask(claim: Claim, subject: Subject, queries: Sequence[Query], timeout: float) -> tuple[Kind, str]:
    """All queries in one question, which is quick; if it is not answered with no, one by one, to find the first that fails."""
    if _check(queries, timeout)[0] == z3.unsat:
        return Kind.PROVED, ""
    unknown = ""
    for query in queries:
        answer, solver = _check([query], timeout)
        where = f"{subject.regime.name}, {query.where}"
        if answer == z3.sat:
            lines = [f'{where}: "{claim.sentence}"', *(f"  {line}" for line in told(query, solver.model()))]
            return Kind.VIOLATED, "\n".join(lines)
        if answer != z3.unsat:
            unknown = unknown or f"{where}: no answer within {timeout:g} s ({solver.reason_unknown()})"
    return (Kind.UNKNOWN, unknown) if unknown else (Kind.PROVED, "")


def _check(queries: Sequence[Query], timeout: float) -> tuple[z3.CheckSatResult, z3.Solver]:
    """Whether something breaks one of the queries."""
    solver = z3.SolverFor("QF_BV")
    solver.set(timeout=max(1, round(timeout * 1000)))
    solver.add(is_broken(queries))
    answer = solver.check()
    if answer == z3.unknown and "interrupted" in solver.reason_unknown():  # Z3 keeps Ctrl-C to itself
        raise KeyboardInterrupt
    return answer, solver


def is_broken(queries: Sequence[Query]) -> Truth:
    """True of the values that break one of the queries."""
    return z3.Or(*(z3.And(*query.given, z3.Not(query.holds)) for query in queries))


def write_claims(names: Iterable[str] | None, folder: Path, tables: Sequence[Tables] = ALL_TABLES) -> int:
    """Each claim for each format as an SMT-LIB 2 file, unsatisfiable exactly when the claim holds; how many there are."""
    folder.mkdir(parents=True, exist_ok=True)
    written = 0
    for claim in [CLAIMS[name] for name in (CLAIMS if names is None else names)]:
        for subject in map(Subject, tables):
            queries = list(claim.queries(subject))
            if queries:
                solver = z3.Solver()
                solver.add(is_broken(queries))
                head = f"; {subject.tables.slug}/{claim.name}\n; unsat means: {claim.sentence}\n"
                path = folder / f"{subject.tables.slug}__{claim.name}.smt2"
                path.write_text(head + str(solver.to_smt2()), encoding="utf-8")
                written += 1
    return written


def _undone(claim: Claim, subject: Subject, why: str) -> Verdict:
    return _verdict(claim, subject, Kind.UNKNOWN, 0.0, "", why)


def _verdict(claim: Claim, subject: Subject, kind: Kind, seconds: float, scope: str, reason: str) -> Verdict:
    name = f"{subject.tables.slug}/{claim.name}"
    return Verdict(name, claim.name, None, ENGINE, kind, seconds, scope, None, None, reason)
