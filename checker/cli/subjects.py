"""The model that a command drives: ours, or a class that somebody derived from it."""

from __future__ import annotations

import os
import sys

from vmaspace.checker.adapters.subject import SubjectError, system_class_of
from vmaspace.checker.cli.error import UsageError
from vmaspace.model.system import System


def modules_here() -> None:
    """Let modules of the current folder be imported, after everything that is installed."""
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())


def system_class(name: str) -> type[System]:
    """The model class that `--model package.module:Class` names; modules of the current folder count."""
    modules_here()
    try:
        return system_class_of(name)
    except SubjectError as error:
        raise UsageError(
            f"--model {name}: {error.message}" + (f"; {error.hint}" if error.hint else "")
        ) from None
