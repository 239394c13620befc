"""Calls that are made up to be about one object."""

from vmaspace.checker.adapters.model import ModelAdapter
from vmaspace.checker.adapters.world import VmoSpec, World
from vmaspace.checker.engines.fuzz.arguments import ANYTHING, Arguments, Focus
from vmaspace.checker.engines.fuzz.dice import Dice
from vmaspace.checker.logic.contract import Contract
from vmaspace.checker.logic.execute import Interpreter
from vmaspace.checker.logic.state import State

PAGE = 0x1000
PERMS = ("read", "write", "user_access")


def shown(contract: Contract) -> State:
    """A user space that shows the second of two VMOs of pagers."""
    adapter = ModelAdapter(contract)
    adapter.start(World(vmos=(VmoSpec(4 * PAGE, origin="pager"), VmoSpec(4 * PAGE, origin="pager")), aslr_disabled=True))
    adapter.observe()
    adapter.call("create", {"base": 0x200000, "size": 64 * PAGE, "type": 0, "share": 0})
    adapter.observe()
    perms = sum(1 << contract.flags["Perms"][name] for name in PERMS)
    call = {"v": 1, "offset": 0, "size": 4 * PAGE, "align_pow2": 0, "flags": 2, "vmo": 1, "vmo_offset": 0, "perms": perms}
    assert adapter.call("map", call).status == "OK"
    return adapter.observe()


def test_a_call_is_about_the_object_whose_pages_were_used(contract: Contract) -> None:
    arguments, state = Arguments(Interpreter(contract)), shown(contract)

    def about(focus: Focus) -> set[int]:
        calls = (arguments.call("order_pages", state, Dice(number), focus) for number in range(60))
        return {call.env["o"] for call in calls if call is not None}

    assert arguments.places.used({"a": 1, "at": 0x200000 + 4 * PAGE}, state) == {}
    assert about(arguments.places.used({"a": 1, "at": 0x200000 + 4 * PAGE - 1}, state)) == {1}
    assert about({"Vmo": 0}) == {0}
    assert about(ANYTHING) == {0, 1}
