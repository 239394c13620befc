"""The world that a run happens in: the facts that no operation changes, and the seed.

A `World` is what an implementation is started with; `givens` says the same as a state of the contract, and
`world_of` reads it back from one, so that a recorded run can be started again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from vmaspace.checker.logic.contract import Contract
from vmaspace.checker.logic.state import State, Table

# The facts that an adapter knows how to bring about.
FACTS = (
    "arch", "aslr_disabled", "vmo_kind", "vmo_size", "is_vdso", "pinned", "vmo_origin", "vdso_code_start",
    "vdso_code_size",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class VmoSpec:
    """A memory object to be there from the start.

    size: in bytes, whole pages.  origin: as in the contract; "snapshot" and "slice" are of the first one of the world.
    """

    size: int
    kind: str = "paged"
    is_vdso: bool = False
    pinned: bool = False
    origin: str = "alone"


@dataclass(frozen=True, slots=True)
class World:
    """Where a run happens.  Sizes and offsets in bytes."""

    arch: str = "x86_64"
    vmos: tuple[VmoSpec, ...] = ()
    vdso_code_start: int = 0x7000
    vdso_code_size: int = 0x2000
    aslr_disabled: bool = False
    switches: frozenset[str] = frozenset()
    seed: int = 0

    def givens(self, contract: Contract) -> State:
        """The given elements and facts of this world; no variable has a table yet."""
        kinds, origins = contract.enums["VmoKind"], contract.enums["VmoOrigin"]
        tables: dict[str, Table] = {
            "arch": {(): contract.enums["Arch"].index(self.arch)},
            "aslr_disabled": {(): int(self.aslr_disabled)},
            "vmo_kind": {i: kinds.index(o.kind) for i, o in enumerate(self.vmos) if kinds.index(o.kind)},
            "vmo_size": {i: o.size for i, o in enumerate(self.vmos) if o.size},
            "is_vdso": {i: 1 for i, o in enumerate(self.vmos) if o.is_vdso},
            "pinned": {i: 1 for i, o in enumerate(self.vmos) if o.pinned},
            "vmo_origin": {i: origins.index(o.origin) for i, o in enumerate(self.vmos) if origins.index(o.origin)},
            "vdso_code_start": {(): self.vdso_code_start},
            "vdso_code_size": {(): self.vdso_code_size},
        }
        unknown = contract.givens.keys() - tables.keys()
        if unknown:
            raise ValueError(f"no adapter can bring about the given fact {min(unknown)!r}")
        return State({"Vmo": tuple(range(len(self.vmos)))}, {n: tables[n] for n in contract.givens})


def world_of(contract: Contract, state: State, switches: Iterable[str] = (), seed: int = 0) -> World:
    """The world that the givens of a state describe."""

    def fact(name: str, key: object = ()) -> int:
        return int(state.tables.get(name, {}).get(key, 0))

    vmos = tuple(
        VmoSpec(
            fact("vmo_size", i),
            contract.enums["VmoKind"][fact("vmo_kind", i)],
            bool(fact("is_vdso", i)),
            bool(fact("pinned", i)),
            contract.enums["VmoOrigin"][fact("vmo_origin", i)],
        )
        for i in state.domains.get("Vmo", ())
    )
    return World(
        contract.enums["Arch"][fact("arch")],
        vmos,
        fact("vdso_code_start"),
        fact("vdso_code_size"),
        bool(fact("aslr_disabled")),
        frozenset(switches),
        seed,
    )
