"""Arguments, exit codes, and what becomes of every error.

Exit codes: 0 all green, 1 something is red, 2 the input or the call can not be used, 3 something stayed undecided, or Ctrl-C;
141 whoever was to read the output has gone.
No input ends in a traceback: what is wrong is said on standard error, with a place and a next step.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module

from vmaspace.checker.cli.error import UsageError
from vmaspace.checker.cli.places import demand_places
from vmaspace.checker.language.diagnostics import LanguageError
from vmaspace.checker.report.trace import TraceError
from vmaspace.checker.report.verdict import Exit

PROFILES = ("quick", "ci", "nightly")
ARCHES = ("x86_64", "arm64", "riscv64")
ORACLES = ("unicorn",)
LEVELS = ("vm", "arch")
UNHEARD = 128 + 13  # what a shell says of a command that died of SIGPIPE: nobody has read the answer
TABLES = ("user", "kernel", "guest", "hypervisor")


def main(arguments: Sequence[str] | None = None) -> int:
    """The `vmaspace` command; returns its exit code."""
    options = parser().parse_args(arguments)
    try:
        demand_places(options)
        code = job_of(options)(options)
        sys.stdout.flush()
        return code
    except LanguageError as error:
        print(error.render(), file=sys.stderr)
    except (UsageError, TraceError) as error:
        print(f"vmaspace: {error}", file=sys.stderr)
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return UNHEARD
        name = f"{error.filename}: " if error.filename else ""
        print(f"vmaspace: {name}{error.strerror or error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("vmaspace: interrupted", file=sys.stderr)
        return int(Exit.UNDECIDED)
    return int(Exit.USAGE)


def job_of(options: argparse.Namespace) -> Callable[[argparse.Namespace], int]:
    """The function that does a command.  Imported when it is asked for: no command waits for the others' tools."""
    module, _, name = options.job.partition(".")
    job: Callable[[argparse.Namespace], int] = getattr(import_module(f"vmaspace.checker.cli.{module}"), name)
    return job


class _Version(argparse.Action):
    """Looks the version up when it is asked for: what does that takes a while to import."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(f"vmaspace {version('vmaspace')}")
        parser.exit()


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="vmaspace", description="Checks Zircon's VmAspace against its formal contract."
    )
    top.add_argument("--version", action=_Version, nargs=0, help="show program's version number and exit")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _check(commands.add_parser("check", help="the main job: prove, fuzz and replay within a budget"))
    _prove(commands.add_parser("prove", help="prove properties for any number of elements"))
    _explore(commands.add_parser("explore", help="visit every state of a scope"))
    _fuzz(commands.add_parser("fuzz", help="drive the model and judge every step"))
    _replay(commands.add_parser("replay", help="run a trace or a file of known answers again"))
    _inspect(commands.add_parser("inspect", help="judge the dump of a machine's address spaces"))
    _show(commands.add_parser("show", help="draw an address space and the walk of one address, or decode one entry"))
    _audit(commands.add_parser("audit", help="plant faults in the model and see them found"))
    return top


def _check(p: argparse.ArgumentParser) -> None:
    p.set_defaults(job="jobs.check")
    _sources(p)
    p.add_argument("--profile", choices=PROFILES, default="ci", help="how much work (default: ci)")
    p.add_argument(
        "--budget", type=_seconds, metavar="SECONDS", help="end after so long; what is left is undecided"
    )
    p.add_argument("--seed", type=_natural, default=0, metavar="N", help="seed of the fuzzing (default: 0)")
    _oracle(p, "compare page tables and walks with an emulated MMU too")
    _only(p)
    _proving(p)
    _output(p)


def _prove(p: argparse.ArgumentParser) -> None:
    p.set_defaults(job="jobs.prove")
    _sources(p)
    _only(p)
    p.add_argument("--operation", action="append", metavar="OP", help="only this operation (may be repeated)")
    p.add_argument("--timeout", type=_seconds, metavar="SECONDS", help="per solver query and per search")
    p.add_argument(
        "--budget", type=_seconds, metavar="SECONDS", help="end after so long; what is left is undecided"
    )
    p.add_argument("--smt2", metavar="DIR", help="write the obligations as SMT-LIB 2 files and solve nothing")
    _proving(p)
    _cluster(p)
    _output(p)


def _explore(p: argparse.ArgumentParser) -> None:
    p.set_defaults(job="exploration.explore")
    _sources(p)
    _only(p)
    p.add_argument("--scope", default="ci", metavar="NAME", help="a scope, and all called NAME_... (default: ci)")
    p.add_argument("--symmetry", action="store_true", help="one state for all that differ in numbering only")
    p.add_argument(
        "--compact", action="store_true", help="keep a hash of each state; that one is omitted gets a probability"
    )
    p.add_argument("--keep-going", action="store_true", help="do not stop at the first property that is broken")
    p.add_argument("--simulate", type=_positive, default=0, metavar="STEPS", help="random walks of so many steps in all")
    p.add_argument("--seed", type=_natural, default=0, metavar="N", help="of the random walks and hashes (default: 0)")
    p.add_argument("--jobs", type=_positive, default=1, metavar="N", help="worker threads (default: 1)")
    p.add_argument(
        "--memory", type=_positive, default=4096, metavar="MIB", help="end where states take so much (default: 4096)"
    )
    p.add_argument(
        "--checkpoint", metavar="DIR", help="keep there how far the search is; the same call again goes on from it"
    )
    p.add_argument(
        "--checkpoint-every", type=_seconds, default=60.0, metavar="SECONDS", help="how often (default: 60)"
    )
    _cluster(p)
    p.add_argument("--plain", action="store_true", help="without machine code: slow, and written independently")
    p.add_argument("--no-cache", action="store_true", help="neither read nor keep machine code of earlier runs")
    p.add_argument("--print-code", action="store_true", help="print the generated code and search nothing")
    _output(p)


def _fuzz(p: argparse.ArgumentParser) -> None:
    p.set_defaults(job="jobs.fuzz")
    _sources(p)
    length = p.add_mutually_exclusive_group()
    length.add_argument("--steps", type=_positive, metavar="N", help="judge so many steps")
    length.add_argument("--seconds", type=_seconds, metavar="S", help="go on for so long (default: 20)")
    p.add_argument(
        "--seed", type=_natural, default=0, metavar="N", help="the same seed and steps, the same campaign"
    )
    p.add_argument("--arch", action="append", choices=ARCHES, help="only this machine (may be repeated)")
    p.add_argument(
        "--level", choices=LEVELS, default="vm", help="address spaces, or page tables by themselves (default: vm)"
    )
    _oracle(p, "compare what each step writes into page tables with an emulated MMU")
    _cluster(p)
    _model(p)
    _output(p)


def _replay(p: argparse.ArgumentParser) -> None:
    p.set_defaults(job="jobs.replay")
    p.add_argument("file", metavar="FILE", help="a trace (.json) or known answers (.jsonl)")
    _sources(p)
    _model(p)
    _output(p)


def _inspect(p: argparse.ArgumentParser) -> None:
    p.set_defaults(job="inspection.inspect")
    _sources(p, nargs="+", metavar="FILE", help="texts with a dump in them, - for standard input; property files (.aspec)")
    _only(p)
    p.add_argument("--arch", choices=ARCHES, help="the machine, where the dump has no kernel space to tell it")
    _output(p)


def _show(p: argparse.ArgumentParser) -> None:
    p.set_defaults(job="walking.show")
    p.add_argument("file", nargs="?", metavar="TRACE", help="a trace (.json); without one, a small example is made")
    p.add_argument("--step", type=_natural, metavar="N", help="after so many steps of the trace (default: all)")
    p.add_argument("--aspace", metavar="NAME", help="an address space, such as aspace1 (default: the one of --at)")
    p.add_argument("--at", metavar="ADDRESS", help="walk the page tables to this address")
    p.add_argument("--arch", choices=ARCHES, help="of the example or the entry (default: x86_64)")
    p.add_argument("--seed", type=_natural, metavar="N", help="places the example (default: 0)")
    p.add_argument("--entry", metavar="HEX", help="decode one page-table entry, and show nothing else")
    p.add_argument("--level", metavar="LEVEL", help="of the entry's table: 0 is the last, or PD, L2 (default: 0)")
    p.add_argument("--tables", choices=TABLES, help="whose the entry is (default: user)")
    _model(p)
    p.add_argument("--json", action="store_true", help="print one JSON object (vmaspace.show/1)")


def _audit(p: argparse.ArgumentParser) -> None:
    p.set_defaults(job="jobs.audit")
    _sources(p)
    p.add_argument("--mutant", action="append", metavar="NAME", help="only this mutant (may be repeated)")
    p.add_argument("--subject", action="append", metavar="NAME", help="only mutants of this subject (may be repeated)")
    p.add_argument("--engine", action="append", metavar="NAME", help="only this engine looks (may be repeated)")
    p.add_argument("--steps", type=_positive, default=30_000, metavar="N", help="judge so many steps of each")
    p.add_argument("--seed", type=_natural, default=0, metavar="N", help="seed of the fuzzing (default: 0)")
    p.add_argument("--jobs", type=_natural, metavar="N", help="worker processes (default: one a core)")
    _model(p)
    _output(p)


# --- options that several commands share ------------------------------------------------------------------------------


def _sources(
    p: argparse.ArgumentParser,
    nargs: str = "*",
    metavar: str = "ASPEC",
    help: str = "property files to judge beside the library",
) -> None:
    p.add_argument("files", nargs=nargs, metavar=metavar, help=help)
    p.add_argument("--spec", metavar="DIR", help="the contract, in place of the one that is installed")
    p.add_argument(
        "--properties", metavar="DIR", help="the library of properties, in place of the installed one"
    )
    p.add_argument(
        "--alone", action="store_true", help="the files are everything: neither the contract nor the library"
    )


def _only(p: argparse.ArgumentParser) -> None:
    p.add_argument("--property", action="append", metavar="NAME", help="only this property (may be repeated)")


def _proving(p: argparse.ArgumentParser) -> None:
    p.add_argument("--jobs", type=_natural, metavar="N", help="worker processes (default: one a core)")
    p.add_argument("--slowest", type=_natural, default=5, metavar="N", help="list the N slowest (default: 5)")


def _cluster(p: argparse.ArgumentParser) -> None:
    p.add_argument(
        "--cluster", nargs="?", const="", metavar="ADDRESS",
        help="work on Ray: HOST:PORT, `auto` for one that runs here, `local` to start one (default: RAY_ADDRESS, else "
        "local); needs vmaspace[cluster]",
    )  # fmt: skip
    p.add_argument("--cluster-workers", type=_positive, metavar="N", help="how many (default: one a core of the cluster)")


def _oracle(p: argparse.ArgumentParser, text: str) -> None:
    p.add_argument("--oracle", choices=ORACLES, help=f"{text}; needs vmaspace[oracle]")


def _model(p: argparse.ArgumentParser) -> None:
    p.add_argument(
        "--model", metavar="MODULE:CLASS", help="a class derived from vmaspace.model.system:System"
    )


def _output(p: argparse.ArgumentParser) -> None:
    p.add_argument("--json", action="store_true", help="print one JSON object (vmaspace.report/1)")
    p.add_argument("--junit", metavar="FILE", help="write JUnit XML too")
    p.add_argument(
        "--traces", metavar="DIR", default="traces", help="where traces are saved (default: traces)"
    )


def _natural(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0")
    return int(text)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return int(text)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e7:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return value
