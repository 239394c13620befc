"""Mutants: the reference model with one small thing wrong, for showing that the checks can turn red.

Question they answer: which check notices when a kernel engineer gets this wrong?
A mutant is a class derived from `System` that uses a class with one member changed. Its docstring is the sentence
that says what is wrong; the module it stands in is its subject. Register it with `@mutant`.
To audit mutants of your own: `vmaspace audit --model package.module:Class`.
Tests: `tests/engines/audit/`.
"""

from importlib import import_module

from vmaspace.checker.adapters.mutants.registry import Mutant, mutant, mutant_of, registered

SUBJECTS = (
    "regions", "mappings", "aspaces", "vdso", "faults", "clones", "accounting", "locks", "processes", "pagers", "entries",
    "tables", "shootdown",
)  # fmt: skip


def all_mutants() -> tuple[Mutant, ...]:
    """Every mutant that ships, by subject."""
    for subject in SUBJECTS:
        import_module(f"{__name__}.{subject}")
    return registered()


__all__ = ["SUBJECTS", "Mutant", "all_mutants", "mutant", "mutant_of"]
