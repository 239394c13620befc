"""What each command does: read the sources, run the engines, show the result."""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from vmaspace.checker.adapters.model import ModelAdapter
from vmaspace.checker.adapters.mutants import SUBJECTS, all_mutants, mutant_of
from vmaspace.checker.adapters.touched import TouchingAdapter
from vmaspace.checker.cli.cluster import cluster_of
from vmaspace.checker.cli.entries import chosen_names, is_asked, prove_claims
from vmaspace.checker.cli.error import UsageError
from vmaspace.checker.cli.exploration import explore_profile, only
from vmaspace.checker.cli.oracle import ask_oracle, demand_oracle, watched
from vmaspace.checker.cli.profiles import PROFILES
from vmaspace.checker.cli.showing import show
from vmaspace.checker.cli.sources import known, load_program, settings
from vmaspace.checker.cli.subjects import modules_here, system_class
from vmaspace.checker.cli.tables import edit_tables, refuse_texts
from vmaspace.checker.engines.audit import ENGINES, Audit
from vmaspace.checker.engines.cluster.connection import Cluster
from vmaspace.checker.engines.cluster.hands import Hands
from vmaspace.checker.engines.conformance import ConformanceError, runner
from vmaspace.checker.engines.conformance.results import Outcome
from vmaspace.checker.engines.entries.run import write_claims
from vmaspace.checker.engines.explore.scopes import disagreements
from vmaspace.checker.engines.fuzz.campaigns import Recipe, divided, fuzz_together
from vmaspace.checker.engines.fuzz.run import fuzz as run_fuzz
from vmaspace.checker.engines.oracle import Watch
from vmaspace.checker.engines.prove.induction import Induction
from vmaspace.checker.engines.prove.obligations import obligations
from vmaspace.checker.engines.prove.run import Prover
from vmaspace.checker.engines.prove.smt2 import write_obligations
from vmaspace.checker.engines.prove.worker import Budget, contracts_for
from vmaspace.checker.engines.replay import replay as replay_trace
from vmaspace.checker.engines.standard import standard_texts
from vmaspace.checker.engines.traces import place_of
from vmaspace.checker.engines.workers import Workers
from vmaspace.checker.language.check import CheckedProgram
from vmaspace.checker.logic.elaborate import elaborate
from vmaspace.checker.report.progress import Progress
from vmaspace.checker.report.terminal import make_console, print_trace
from vmaspace.checker.report.trace import Trace
from vmaspace.checker.report.verdict import Kind, Report, Verdict
from vmaspace.model.system import System

FUZZ_SECONDS = 20.0


def check(o: argparse.Namespace) -> int:
    """The main job: prove (the properties, and the claims about entries), explore, edit page tables, fuzz, known answers."""
    profile = PROFILES[o.profile]
    has_oracle = demand_oracle(o)
    start = time.monotonic()
    program = load_program(o.spec, o.properties, o.files, o.alone)
    names, claims = chosen_names(o, program)
    files = settings().conformance
    verdicts, blocks, late = prove_all(
        program, o, profile.budget(program), names, None, _left(start, o.budget)
    )
    found, late_too = prove_claims(claims, profile.prove.induction, _left(start, o.budget))
    verdicts += found
    late |= late_too
    if is_asked(names) and _left(start, o.budget) != 0.0:
        contract = elaborate(program)
        found, explored = explore_profile(contract if names is None else only(contract, names), o.profile)
        verdicts += [*found, *disagreements(verdicts, found)]
        if explored:
            blocks["explore"] = explored
    if names is None and _left(start, o.budget) != 0.0:
        found, blocks["tables"], late_too = edit_tables(o.seed, profile.edits, _left(start, o.budget))
        verdicts += found
        late |= late_too
    if has_oracle:
        found, blocks["oracle"], late_too = ask_oracle(profile, o.seed, _left(start, o.budget))
        verdicts += found
        late |= late_too
    left = _left(start, o.budget)
    seconds = profile.fuzz_seconds if left is None else min(profile.fuzz_seconds, left)
    if seconds > 0:
        found, statistics = fuzz_all(program, o.seed, None, seconds, (), None)
        verdicts += found
        blocks["fuzz"] = statistics
        late |= bool(statistics.get("interrupted"))
    else:
        late = True
    for file in files:
        found, summary = known_answers(file, None)
        verdicts += found
        blocks["conformance"] = summary
    return show(o, verdicts, blocks, start, late)


def prove(o: argparse.Namespace) -> int:
    start = time.monotonic()
    program = load_program(o.spec, o.properties, o.files, o.alone)
    operations = known(o.operation or (), program.ops, "operation") or None
    names, claims = chosen_names(o, program)
    if o.smt2 is not None:
        return write_smt2(program, o, names, operations, claims)
    budget = PROFILES["ci"].budget(program)
    if o.timeout is not None:
        budget = replace(budget, induction=o.timeout, search=o.timeout)
    with cluster_of(o) as cluster:
        workers = None if cluster is None else Hands(cluster)
        verdicts, blocks, late = prove_all(program, o, budget, names, operations, o.budget, workers)
    if names is not None:  # who asks for one by name is answered
        reason = "a property of runs is not proved, but searched for runs that break it: `vmaspace explore` judges it"
        verdicts += [
            Verdict(n, n, None, "prove", Kind.UNSUPPORTED, source=place_of(program.properties[n].span), reason=reason)
            for n in blocks.get("prove", {}).get("left_to_explore", ())
        ]
    found, late_too = prove_claims(claims, budget.induction, _left(start, o.budget))
    return show(o, verdicts + found, blocks, start, late or late_too)


def fuzz(o: argparse.Namespace) -> int:
    seconds = o.seconds if o.seconds is not None or o.steps is not None else FUZZ_SECONDS
    if o.level == "arch":
        if o.cluster is not None:
            raise UsageError("--level arch works on this machine alone: without --cluster")
        refuse_texts(o)
        start = time.monotonic()
        verdicts, statistics, is_late = edit_tables(o.seed, o.steps, seconds, o.arch or (), o.model)
        return show(o, verdicts, {"tables": statistics}, start, is_late)
    has_oracle = demand_oracle(o)
    start = time.monotonic()
    program = load_program(o.spec, o.properties, o.files, o.alone)
    watch = Watch() if has_oracle else None
    with cluster_of(o, not_with=("oracle",)) as cluster:
        if cluster is not None:
            verdicts, statistics = fuzz_cluster(program, o, seconds, cluster)
        else:
            verdicts, statistics = fuzz_all(program, o.seed, o.steps, seconds, o.arch or (), o.model, watch)
    if watch is not None:
        verdicts, statistics["oracle"] = watched(verdicts, watch)
    return show(o, verdicts, {"fuzz": statistics}, start, bool(statistics.get("interrupted")))


def replay(o: argparse.Namespace) -> int:
    start = time.monotonic()
    path = Path(o.file)
    if path.suffix == ".jsonl":
        verdicts, summary = known_answers(path, o.model)
        if o.json:  # the summary itself: it has every case
            code = Report(tuple(verdicts)).exit
            print(json.dumps({**summary, "exit": int(code)}, indent=1))
            return int(code)
        return show(o, verdicts, {"conformance": summary}, start, False)
    trace = Trace.load(path)
    program = load_program(o.spec, o.properties, [*o.files, *written_by_users(trace)], o.alone)
    contract = elaborate(program, frozenset(trace.switches))
    modules_here()
    chosen = None if o.model is None else system_class(o.model)
    verdict = replay_trace(trace, contract, system_class=chosen, file=str(path))
    if not o.json:
        print_trace(make_console(), verdict.trace or trace, path)
    return show(o, [replace(verdict, trace=None)], {}, start, False)


def audit(o: argparse.Namespace) -> int:
    """Every mutant must be found, by one of the engines."""
    start = time.monotonic()
    contract = elaborate(load_program(o.spec, o.properties, o.files))
    if o.model is not None:
        mutants = [mutant_of(system_class(o.model))]
    else:
        every = {m.name: m for m in all_mutants()}
        subjects = known(o.subject or SUBJECTS, SUBJECTS, "subject")
        mutants = [every[name] for name in known(o.mutant or every, every, "mutant") if every[name].subject in subjects]
        if not mutants:
            raise UsageError("no mutant is left: --mutant and --subject name different ones")
    with Progress("audit", len(mutants)) as progress:
        job = Audit(
            contract,
            settings().conformance,
            seed=o.seed,
            steps=o.steps,
            jobs=o.jobs,
            engines=known(o.engine or ENGINES, ENGINES, "engine"),
            tell=lambda done, total, what: progress.update(done, what),
        )
        rows = job.run(mutants)
    block = {"seed": o.seed, "steps": o.steps, "mutants": [row.to_json() for row in rows]}
    return show(o, [row.verdict() for row in rows], {"audit": block}, start, job.interrupted)


def written_by_users(trace: Trace) -> list[str]:
    """The file in which the trace's property stands, if it is not one of the library and is still there."""
    file = "" if trace.source is None else trace.source.file
    return [file] if file and file not in standard_texts() and Path(file).is_file() else []


# --- the engines ------------------------------------------------------------------------------------------------------


def prove_all(
    program: CheckedProgram,
    o: argparse.Namespace,
    budget: Budget,
    names: Sequence[str] | None,
    operations: Iterable[str] | None,
    seconds: float | None,
    workers: Workers | None = None,
) -> tuple[list[Verdict], dict[str, Any], bool]:
    """workers: who proves, in place of processes of this machine."""
    if not is_asked(names):
        return [], {}, False
    with Progress("prove") as progress:

        def tell(done: int, total: int, what: str) -> None:
            progress.total = total
            progress.update(done, what)

        prover = Prover(program, budget, o.jobs, tell, seconds, workers)
        verdicts = prover.prove(names, operations)
    asked = [p.name for p in program.properties.values() if names is None or p.name in names]
    left = [name for name in asked if program.properties[name].kind == "temporal"]
    block = {"obligations": len(verdicts), "left_to_explore": left}
    return verdicts, {"prove": block}, prover.interrupted or prover.is_late


def fuzz_all(
    program: CheckedProgram,
    seed: int,
    steps: int | None,
    seconds: float | None,
    arches: Iterable[str],
    model: str | None,
    watch: Watch | None = None,
) -> tuple[list[Verdict], dict[str, Any]]:
    """watch: what looks at page tables after every step, if anything does."""
    contract = elaborate(program)
    chosen = System if model is None else system_class(model)

    def adapter() -> ModelAdapter:
        return ModelAdapter(contract, chosen) if watch is None else TouchingAdapter(contract, watch.judge, chosen)

    with Progress("fuzz", steps) as progress:
        result = run_fuzz(
            contract,
            adapter,
            seed=seed,
            steps=steps,
            seconds=seconds,
            arches=tuple(arches),
            progress=progress,
        )
    return result.verdicts, result.statistics


def fuzz_cluster(
    program: CheckedProgram, o: argparse.Namespace, seconds: float | None, cluster: Cluster
) -> tuple[list[Verdict], dict[str, Any]]:
    """The same by workers of a cluster, in campaigns with seeds of their own."""
    chosen = System if o.model is None else system_class(o.model)
    name = o.model or f"{chosen.__module__}:{chosen.__qualname__}"
    recipe = Recipe(program, name, tuple(o.arch or ()), os.getcwd())
    campaigns = divided(o.seed, o.steps, seconds, cluster.workers)
    with Progress("fuzz", o.steps) as progress:
        result = fuzz_together(Hands(cluster), recipe, campaigns, progress)
    return result.verdicts, result.statistics


def known_answers(file: Path, model: str | None) -> tuple[list[Verdict], dict[str, Any]]:
    """One verdict for the file if all is well, one for each case that failed otherwise."""
    start = time.monotonic()
    try:
        if model is None:
            report = runner.run_file(file)
        else:
            chosen = system_class(model)
            report = runner.run_file(file, lambda arch: chosen(arch))
    except ConformanceError as error:
        raise UsageError(str(error)) from None
    seconds = time.monotonic() - start
    verdicts = [
        Verdict(
            f"conformance/{c.id}",
            f"conformance/{c.id}",
            None,
            "replay",
            Kind.FAILED,
            0.0,
            "one case",
            None,
            None,
            str(c),
        )
        for c in report.cases
        if c.outcome is Outcome.FAILED
    ]
    scope = f"{report.passed} of {len(report.cases)} cases; {report.known_gaps} are known gaps"
    undecided = [str(c) for c in report.cases if c.outcome is Outcome.UNSUPPORTED]
    if undecided:
        what = f"{len(undecided)} cases use what is not there yet or can not be understood, and are not listed as known gaps"
        reason = "\n".join([what, *undecided])
        verdicts.append(
            Verdict("conformance", "conformance", None, "replay", Kind.UNSUPPORTED, seconds, scope, reason=reason)
        )
    elif not verdicts:
        verdicts.append(Verdict("conformance", "conformance", None, "replay", Kind.PASSED, seconds, scope))
    return verdicts, report.to_json()


def write_smt2(
    program: CheckedProgram,
    o: argparse.Namespace,
    names: Sequence[str] | None,
    operations: Iterable[str] | None,
    claims: Sequence[str] | None,
) -> int:
    contracts = contracts_for(program, names)
    chosen = None if names is None else set(names)
    kept = None if operations is None else set(operations)
    inductions = {switch: Induction(contract) for switch, contract in contracts.items()}
    written = write_claims(claims, Path(o.smt2) / "entries") if is_asked(claims) else 0
    for ob in obligations(contracts[""], contracts[""].properties.values()):
        if not ob.operation or (chosen is not None and ob.property not in chosen) or (kept and ob.operation not in kept):
            continue
        induction = inductions[ob.switch]
        folder = Path(o.smt2) / ob.switch if ob.switch else Path(o.smt2)
        written += len(
            write_obligations(induction, induction.contract.properties[ob.property], ob.operation, folder)
        )
    print(f"{written} queries written to {o.smt2}")
    return 0


def _left(start: float, budget: float | None) -> float | None:
    return None if budget is None else max(0.0, budget - (time.monotonic() - start))
