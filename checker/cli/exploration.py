"""The command `explore`: a scope of the contract, every state of it."""

from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

from vmaspace.checker.cli.error import UsageError
from vmaspace.checker.cli.showing import show
from vmaspace.checker.cli.sources import known, load_program
from vmaspace.checker.engines.explore.result import Progress as Reached
from vmaspace.checker.engines.explore.run import MIB, Explorer, Options, generated_text
from vmaspace.checker.logic.contract import Contract, Scope
from vmaspace.checker.logic.elaborate import elaborate
from vmaspace.checker.logic.packed.layout import ScopeError
from vmaspace.checker.report.progress import Progress


def explore(o: argparse.Namespace) -> int:
    start = time.monotonic()
    program = load_program(o.spec, o.properties, o.files, o.alone)
    names = known(o.property or (), program.properties, "property")
    known([o.scope], program.scopes, "scope")
    contract = elaborate(program)
    if names:
        chosen = {n: p for n, p in contract.properties.items() if n in names}
        contract = replace(contract, properties=chosen)
    scope = contract.scopes[o.scope]
    options = Options(
        jobs=o.jobs, memory=o.memory * MIB, symmetry=o.symmetry, keep_going=o.keep_going, plain=o.plain or o.print_code,
        cache=None if o.no_cache else cache_folder(),
    )  # fmt: skip
    try:
        if o.print_code:
            sys.stdout.write(generated_text(contract, scope, o.symmetry))
            return 0
        return search(o, contract, scope, options, start)
    except ScopeError as error:
        raise UsageError(str(error)) from None
    except ModuleNotFoundError as error:
        if error.name != "llvmlite":
            raise
        raise UsageError(
            "explore compiles the contract with llvmlite, which is not installed; "
            "pip install 'vmaspace[explore]', or take the slow way: --plain"
        ) from None


def search(o: argparse.Namespace, contract: Contract, scope: Scope, options: Options, start: float) -> int:
    with Progress("explore") as progress:
        progress.text = f"scope {scope.name}: compiling"
        progress.show()
        explorer = Explorer(contract, scope, options)

        def tell(reached: Reached) -> None:
            progress.update(reached.states, str(reached))

        verdicts, statistics = explorer.explore(tell)
    return show(o, verdicts, {"explore": statistics}, start, not statistics["complete"] and not any(v.is_red for v in verdicts))


def cache_folder() -> Path:
    """Where machine code is kept between runs."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "vmaspace" / "explore"
