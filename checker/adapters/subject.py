"""The implementation that a trace or a command line names: `package.module:Class`.

Only classes derived from `model.System` are taken.  Finding the class imports its module, as pytest would.
"""

from __future__ import annotations

import importlib
import re

from vmaspace.model.system import System

NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


class SubjectError(Exception):
    """A name that leads to no implementation: what is wrong with it, and what to do next."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def system_class_of(name: str) -> type[System]:
    """The class that `package.module:Class` names."""
    if not NAME.fullmatch(name):
        raise SubjectError(
            f'"{name}" does not name a class', "write package.module:Class, such as mine:MySystem"
        )
    module_name, _, path = name.partition(":")
    try:
        found: object = importlib.import_module(module_name)
    except Exception as error:  # the module may raise anything while it is imported
        raise SubjectError(
            f'the module "{module_name}" cannot be imported: {type(error).__name__}: {error}',
            "is it installed, or the folder it lies in on PYTHONPATH?",
        ) from None
    for part in path.split("."):
        found = getattr(found, part, None)
    if not (isinstance(found, type) and issubclass(found, System)):
        raise SubjectError(
            f'"{path}" in {module_name} is not a class derived from vmaspace.model.System',
            "derive it from System, and name your own classes in it",
        )
    return found
