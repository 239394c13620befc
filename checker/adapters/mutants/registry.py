"""Where mutants are listed, in the order in which they were declared."""

from __future__ import annotations

from dataclasses import dataclass

from vmaspace.model.system import System


@dataclass(frozen=True, slots=True)
class Mutant:
    """One planted fault."""

    name: str
    subject: str
    sentence: str
    system_class: type[System]

    def changes(self, *names: str) -> bool:
        """Whether the mutant has a member of its own in place of one of these of `System`."""
        lineage = self.system_class.__mro__
        return any(name in vars(own) for own in lineage[: lineage.index(System)] for name in names)


_MUTANTS: dict[str, Mutant] = {}


def mutant(system_class: type[System]) -> type[System]:
    """Register a class derived from `System` under its own name; its docstring says what is wrong with it."""
    found = mutant_of(system_class)
    if not found.sentence:
        raise ValueError(f"the mutant {found.name} needs a docstring that says what is wrong with it")
    if found.name in _MUTANTS:
        raise ValueError(f"there are two mutants called {found.name}")
    _MUTANTS[found.name] = found
    return system_class


def mutant_of(system_class: type[System]) -> Mutant:
    """A class derived from `System` as a mutant, listed or not."""
    sentence = (system_class.__doc__ or "").strip().partition("\n")[0]
    return Mutant(system_class.__name__, system_class.__module__.rpartition(".")[2], sentence, system_class)


def registered() -> tuple[Mutant, ...]:
    """What is listed so far."""
    return tuple(_MUTANTS.values())
