"""A small run to look at, made by the model: one user space with data and code in it, some of it touched.

The places are chosen as the kernel chooses them, at random, by a seed: the same seed, the same addresses.
"""

from __future__ import annotations

from typing import Any

from vmaspace.checker.adapters.model import ModelAdapter
from vmaspace.checker.adapters.world import VmoSpec, World
from vmaspace.checker.engines.rerun import Rerun
from vmaspace.checker.engines.standard import standard_contract
from vmaspace.checker.engines.traces import own_elements
from vmaspace.checker.logic.state import Codec
from vmaspace.checker.report.state import number_of
from vmaspace.checker.report.trace import Step

BASE, SIZE = 0x20_0000, 0x3F_FFE0_0000  # of the user space: what every architecture has
VMOS = (VmoSpec(0x4000), VmoSpec(0x2000))


def example(arch: str, seed: int = 0, system_class: type[Any] | None = None) -> tuple[Rerun, int]:
    """The run, and an address in it that is worth a look: a byte of data that was written.

    Of the data, the first page was written and the second one read; the other two were never touched. Of the code, the first
    page was executed.
    """
    contract = standard_contract()
    adapter = ModelAdapter(contract) if system_class is None else ModelAdapter(contract, system_class)
    made = Maker(adapter, World(arch, VMOS, seed=seed))
    space = made.call("create", base=hex(BASE), size=hex(SIZE), type="user", share="none")
    root = made.value("root", space)
    may = ["can_map_read", "can_map_write", "can_map_execute"]
    program = made.call("allocate", v=root, offset="0x0", size="0x10000", align_pow2=0, flags=may)
    placed = {"offset": "0x0", "align_pow2": 0, "vmo_offset": "0x0"}
    data, code = (
        made.call("map", v=program, size=hex(vmo.size), flags=may[:2] if i == 0 else may[::2], vmo=f"vmo{i}",
                  perms=["user_access", "read", "write" if i == 0 else "execute"], **placed)
        for i, vmo in enumerate(VMOS)
    )  # fmt: skip
    written = number_of(made.rerun().state, "base", str(data))
    made.access(space, written, is_write=True)
    made.access(space, written + 0x1000)
    made.access(space, number_of(made.rerun().state, "base", str(code)), is_fetch=True)
    return made.rerun(), written + 0x123


class Maker:
    """Makes calls whose arguments are written as in a trace, and keeps them as steps."""

    def __init__(self, adapter: ModelAdapter, world: World) -> None:
        self.adapter, self.world = adapter, world
        self.codec = Codec(adapter.contract)
        self.steps: list[Step] = []
        adapter.start(world)
        adapter.observe()

    def call(self, name: str, **shown: Any) -> str | None:
        """The element that the call returned."""
        op = self.adapter.contract.operations[name]
        answer = self.adapter.call(name, {p.name: self.codec.read(shown[p.name], p.type) for p in op.params})
        sorts = {c.name: c.symbol.type for c in op.success.choices}
        new = {result: self.codec.show(value, sorts[result]) for result, value in answer.results.items()}
        args = {p.name: shown[p.name] for p in op.params}
        state = own_elements(self.adapter.contract, self.codec.state(self.adapter.observe()))
        self.steps.append(Step(op=name, args=args, new=new, status=answer.status, state=state))  # type: ignore[arg-type]
        return next(iter(new.values()), None)

    def access(self, space: str | None, at: int, *, is_write: bool = False, is_fetch: bool = False) -> None:
        self.call("access", a=space, at=hex(at), is_write=is_write, is_fetch=is_fetch, is_user=True)

    def value(self, variable: str, element: str | None) -> Any:
        return self.rerun().state["values"][variable][element]

    def rerun(self) -> Rerun:
        return Rerun(self.adapter, self.world, tuple(self.steps))
