"""The command line.

Question it answers: how does a kernel engineer ask, from a shell or from CI?
May import: every room.
May not be imported by: any room.
Start reading at: `main` (arguments and exit codes), then `jobs` (what each command does).
To add a command: a parser in `main`, a function in `jobs`.
Tests: `tests/cli/`.
"""

from vmaspace.checker.cli.main import main

__all__ = ["main"]
