"""The command `explore`: a scope of the contract, every state of it."""

from __future__ import annotations

import argparse
import errno
import os
import sys
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from vmaspace.checker.cache import cache_folder
from vmaspace.checker.cli.cluster import cluster_of
from vmaspace.checker.cli.error import UsageError
from vmaspace.checker.cli.showing import show
from vmaspace.checker.cli.sources import known, load_program
from vmaspace.checker.engines.explore.compaction import Compaction
from vmaspace.checker.engines.explore.core import MOST_WORKERS
from vmaspace.checker.engines.explore.result import Progress as Reached
from vmaspace.checker.engines.explore.run import MIB, Options, generated_text
from vmaspace.checker.engines.explore.scopes import chosen, explore_all
from vmaspace.checker.engines.explore.temporal import verdict_on
from vmaspace.checker.logic.contract import Contract, Scope
from vmaspace.checker.logic.elaborate import elaborate
from vmaspace.checker.logic.packed.layout import ScopeError
from vmaspace.checker.report.progress import Progress
from vmaspace.checker.report.verdict import Kind, Verdict

NO_COMPILER = "explore compiles the contract with llvmlite, which is not installed: pip install 'vmaspace[explore]'"
MEMORY = {"quick": 1024, "ci": 2048, "nightly": 16384}  # MiB


def explore(o: argparse.Namespace) -> int:
    start = time.monotonic()
    if o.compact and o.simulate:
        raise UsageError("--compact is about the states that a search keeps; random walks (--simulate) keep none: leave it out")
    program = load_program(o.spec, o.properties, o.files, o.alone)
    names = known(o.property or (), program.properties, "property")
    contract = elaborate(program)
    scopes = chosen(contract, o.scope)
    if not scopes:
        known([o.scope], program.scopes, "scope")
    if names:
        contract = only(contract, names)
    options = Options(
        jobs=o.jobs, memory=o.memory * MIB, symmetry=o.symmetry, keep_going=o.keep_going, plain=o.plain or o.print_code,
        cache=None if o.no_cache else cache_folder("explore"),
        checkpoint=None if o.checkpoint is None else Path(o.checkpoint), checkpoint_every=o.checkpoint_every,
        simulate=o.simulate, seed=o.seed, compaction=Compaction(o.seed) if o.compact else None,
    )  # fmt: skip
    try:
        if o.print_code:
            sys.stdout.write("\n\n".join(generated_text(contract, scope, options) for scope in scopes))
            return 0
        with cluster_of(o, not_with=("plain", "simulate"), most=MOST_WORKERS) as cluster:
            if cluster is not None:
                options = replace(options, cluster=cluster, jobs=cluster.workers)
            verdicts, block = search(contract, scopes, options)
    except ScopeError as error:
        raise UsageError(str(error)) from None
    except OSError as error:
        if error.errno != errno.ENOMEM:
            raise
        raise UsageError(f"--memory {o.memory}: this machine does not give so much; ask for less") from None
    except ModuleNotFoundError as error:
        if error.name != "llvmlite":
            raise
        raise UsageError(f"{NO_COMPILER}, or take the slow way: --plain") from None
    late = not block["complete"] and not any(v.is_red for v in verdicts)
    return show(o, verdicts, {"explore": block}, start, late)


def only(contract: Contract, names: Iterable[str]) -> Contract:
    """The contract with these properties and no others."""
    kept = set(names)
    return replace(
        contract,
        properties={n: p for n, p in contract.properties.items() if n in kept},
        temporals={n: p for n, p in contract.temporals.items() if n in kept},
    )


def search(
    contract: Contract, scopes: list[Scope], options: Options, apart: bool = False
) -> tuple[list[Verdict], dict[str, Any]]:
    with Progress("explore") as progress:

        def tell(name: str, reached: Reached | None) -> None:
            if reached is None:
                progress.text = f"scope {name}: compiling"
                progress.show()
            else:
                progress.update(reached.states, f"scope {name}: {reached}")

        return explore_all(contract, scopes, options, tell, apart)


def explore_profile(contract: Contract, profile: str) -> tuple[list[Verdict], dict[str, Any]]:
    """What the main job explores; without the compiler, nothing, and the report says so.  `quick` has no time for a compiler."""
    scopes = [s for s in chosen(contract, profile) if s.name != profile]
    if not scopes:
        return unjudged(contract, f"no scope of profile {profile} says enough to be explored"), {}
    jobs = os.cpu_count() or 1
    options = Options(
        jobs=min(jobs, 2), memory=MEMORY[profile] * MIB, keep_going=True, plain=profile == "quick", cache=cache_folder("explore")
    )  # fmt: skip
    try:
        return search(contract, scopes, options, apart=True)
    except ModuleNotFoundError as error:
        if error.name != "llvmlite":
            raise
        return unjudged(contract, NO_COMPILER), {"skipped": NO_COMPILER}
    except ScopeError as error:
        raise UsageError(str(error)) from None


def unjudged(contract: Contract, reason: str) -> list[Verdict]:
    """No other engine judges properties of runs."""
    return [verdict_on(p, Kind.UNSUPPORTED, "", reason) for p in contract.temporals.values()]
