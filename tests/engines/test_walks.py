"""What `show` says of a walk: the right words for the right bytes, and a mark on what cannot be right."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from vmaspace.checker.adapters.model import ModelAdapter
from vmaspace.checker.adapters.world import World
from vmaspace.checker.engines.example import VMOS, Maker, example
from vmaspace.checker.engines.fuzz.session import Session
from vmaspace.checker.engines.rerun import Rerun, rerun
from vmaspace.checker.engines.standard import standard_contract
from vmaspace.checker.engines.walks import WalkError, chosen_aspaces, part_of, walks
from vmaspace.checker.logic.state import Codec
from vmaspace.checker.report.cursor import TraceError
from vmaspace.checker.report.space import read_space
from vmaspace.checker.report.state import number_of
from vmaspace.checker.report.trace import Trace
from vmaspace.checker.report.walk import WalkView, tell_walk
from vmaspace.model.arch.aspace import ArchVmAspace
from vmaspace.model.arch.walk import Step
from vmaspace.model.system import System

ARCHES = ("x86_64", "arm64", "riscv64")
MAY = ["can_map_read", "can_map_write", "can_map_specific"]


def said(view: WalkView) -> dict[str, str]:
    return {remark.label: remark.text for remark in view.remarks}


def look(run: Rerun, at: int, aspace: str | None = None) -> list[WalkView]:
    return walks(run, chosen_aspaces(run, aspace, at), at)


def leaf(run: Rerun, at: int, aspace: int = 1) -> Step:
    return run.adapter.observer.aspaces[aspace].arch.walk(at)[-1]


def write_entry(run: Rerun, step: Step, entry: int) -> None:
    page = run.adapter.system.pmm.page_for(step.table)
    assert page is not None
    page.words[step.slot] = entry


@pytest.fixture(params=ARCHES)
def looked(request: pytest.FixtureRequest) -> tuple[Rerun, int]:
    return example(request.param, 3)


# --- what there is ----------------------------------------------------------------------------------------------------


def test_a_written_page(looked: tuple[Rerun, int]) -> None:
    run, at = looked
    (view,) = look(run, at)
    step = leaf(run, at)
    last = view.rows[-1]
    assert (last.entry, last.slot, last.at) == (step.entry, step.slot, step.table + 8 * step.slot)
    assert view.paddr is not None
    assert view.paddr & 0xFFF == at & 0xFFF
    assert last.leads_to == f"page at {view.paddr & -0x1000:#x}"
    assert [row.level for row in view.rows] == list(range(len(view.rows) - 1, -1, -1))
    assert said(view)["entries pass"] == "user rw-, kernel rw-"
    assert said(view)["a CPU grants"].startswith(
        "user rw-, kernel rw-" if run.world.arch == "arm64" else "user rw-, kernel ---"
    )
    assert "region3 of aspace1" in said(view)["mapping"]
    assert "vmo0+0x123 here" in said(view)["mapping"]
    assert said(view)["page"] == "page 0 of vmo0"


def test_a_page_that_was_only_read(looked: tuple[Rerun, int]) -> None:
    run, at = looked
    (view,) = look(run, at + 0x1000)
    assert said(view)["entries pass"] == "user r--, kernel r--"
    assert said(view)["page"] == "page 1 of vmo0, never written: the shared zero page"


def test_a_page_that_nobody_touched(looked: tuple[Rerun, int]) -> None:
    run, at = looked
    (view,) = look(run, at + 0x2000)
    assert view.paddr is None
    page = at + 0x2000 & -0x1000
    assert said(view)["translation"].endswith(f"nothing is mapped in [{page:#x}, {page + 0x1000:#x})")
    assert (
        said(view)["page"]
        == "page 2 of vmo0, which is not there yet; not faulted in: the first access is a page fault"
    )


def test_a_gap(looked: tuple[Rerun, int]) -> None:
    run, _ = looked
    (view,) = look(run, 0x200000)
    assert said(view)["mapping"] == "none: a gap of region1; a page fault answers NOT_FOUND"


def test_the_kernels_space(looked: tuple[Rerun, int]) -> None:
    run, _ = looked
    (view,) = look(run, number_of(run.state, "aspace_base", "aspace0"))
    assert view.aspace == "aspace0"
    assert "kernel" in view.title


def test_a_tag_is_ignored() -> None:
    run, at = example("arm64")
    (tagged,) = look(run, at | 0x5A << 56)
    (plain,) = look(run, at)
    assert (tagged.paddr, tagged.rows) == (plain.paddr, plain.rows)
    assert "its tag 0x5a is ignored" in tagged.title


def test_the_seed_places_the_example() -> None:
    assert example("x86_64", 1)[1] == example("x86_64", 1)[1]
    assert example("x86_64", 1)[1] != example("x86_64", 2)[1]


@pytest.mark.parametrize("arch", ["x86_64", "arm64"])
def test_a_guest(arch: str) -> None:
    made = Maker(ModelAdapter(standard_contract()), World(arch, VMOS))
    space = made.call("create", base="0x0", size="0x1000000000", type="guest_physical", share="none")
    root = made.value("root", space)
    made.call("map", v=root, offset="0x0", size="0x4000", align_pow2=0, flags=MAY[:2], vmo="vmo0", vmo_offset="0x0",
              perms=["read", "write"])  # fmt: skip
    at = number_of(made.rerun().state, "base", "region2")
    made.call("page_fault", a=space, at=hex(at), is_write=True, is_fetch=False, is_user=False)
    (view,) = look(made.rerun(), at)
    assert said(view)["entries pass"] == "guest rw-"
    assert ("EPTP" if arch == "x86_64" else "VTTBR_EL2") in view.title
    with pytest.raises(WalkError, match="translates" if arch == "x86_64" else "translate"):
        look(made.rerun(), 1 << 50, "aspace1")


# --- unified spaces ---------------------------------------------------------------------------------------------------


def unified(arch: str) -> tuple[Rerun, int]:
    """A unified space whose shared part has a page, and the page's address."""
    made = Maker(ModelAdapter(standard_contract()), World(arch, VMOS))
    edge = 1 << (36 if arch == "riscv64" else 39)  # no entry of the root covers both parts
    low = made.call("create", base="0x200000", size=hex(edge - 0x200000), type="user", share="restricted")
    high = made.call("create", base=hex(edge), size=hex(edge), type="user", share="shared")
    both = made.call("create_unified", shared=high, restricted=low)
    assert both is not None
    root = made.value("root", high)
    made.call("map", v=root, offset="0x0", size="0x4000", align_pow2=0, flags=MAY[:2], vmo="vmo0", vmo_offset="0x0",
              perms=["user_access", "read", "write"])  # fmt: skip
    region = next(r for r, kind in made.rerun().state["values"]["kind"].items() if kind == "mapping")
    at = number_of(made.rerun().state, "base", region)
    made.access(high, at, is_write=True)  # faults are the parts's
    return made.rerun(), at


@pytest.mark.parametrize("arch", ARCHES)
def test_a_unified_space_has_two_views(arch: str) -> None:
    run, at = unified(arch)
    assert chosen_aspaces(run, None, at) == ["aspace3", "aspace1", "aspace2"]
    views = look(run, at)
    assert [view.aspace for view in views] == ["aspace3", "aspace2"]
    assert said(views[0])["views"] == "the walk through aspace2 comes to the same"
    assert views[0].paddr == views[1].paddr is not None
    assert "of aspace2" in said(views[0])["mapping"]
    low = look(run, 0x300000)
    if arch == "arm64":
        assert said(low[0])["views"] == "aspace1 has the same root table: its walk is this one"
    else:
        assert len(low) == 2


def test_views_that_differ_are_marked() -> None:
    run, at = unified("x86_64")
    top = run.adapter.observer.aspaces[3].arch.walk(at)[0]
    write_entry(run, top, 0)
    assert said(look(run, at)[0])["views"] == "! the walk through aspace2 comes to something else"


# --- what cannot be right ---------------------------------------------------------------------------------------------


def test_a_wrong_page_is_marked() -> None:
    run, at = example("x86_64")
    step = leaf(run, at)
    write_entry(run, step, step.entry + 0x1000)
    assert said(look(run, at)[0])["page"].startswith("! page 0 of vmo0 is at ")


def test_an_entry_without_a_mapping_is_marked() -> None:
    run, at = example("x86_64")
    below = at - 0x1123
    step = leaf(run, below)
    assert step.entry == 0
    write_entry(run, step, leaf(run, at).entry)
    assert said(look(run, below)[0])["mapping"].startswith("! none: a gap of region2")


def test_a_malformed_entry_ends_the_walk() -> None:
    run, at = example("x86_64")
    top = run.adapter.observer.aspaces[1].arch.walk(at)[0]
    write_entry(run, top, top.entry | 0x80)
    (view,) = look(run, at)
    assert len(view.rows) == 1
    assert "is malformed" in said(view)["translation"]


def test_a_table_that_is_nowhere_ends_the_walk() -> None:
    run, at = example("x86_64")
    step = run.adapter.observer.aspaces[1].arch.walk(at)[-2]
    write_entry(run, step, 0x000F_0000_0000_0007)
    assert "leads to no table" in said(look(run, at)[0])["translation"]


def test_a_page_that_is_not_accessed_faults_first() -> None:
    run, at = example("arm64")
    step = leaf(run, at)
    write_entry(run, step, step.entry & ~(1 << 10))
    found = said(look(run, at)[0])
    assert found["a CPU grants"] == "user ---, kernel ---  (every access faults: access flag)"
    assert found["user faults"] == "read 0xb, write 0xb, execute 0xb: access flag (fault status code)"


def test_a_large_page_is_called_by_its_size() -> None:
    run, at = example("x86_64")
    step = run.adapter.observer.aspaces[1].arch.walk(at)[-2]
    write_entry(run, step, 0x2000_00E7)
    (view,) = look(run, at)
    assert view.rows[-1].leads_to == "2 MiB page at 0x20000000"
    assert view.paddr == 0x2000_0000 | at & 0x1F_FFFF


def test_a_reserved_bit_faults_first() -> None:
    run, at = example("riscv64")
    step = leaf(run, at)
    write_entry(run, step, step.entry | 1 << 54)
    (view,) = look(run, at)
    assert "RESERVED 0x40000000000000" in view.rows[-1].flags
    assert said(view)["a CPU grants"] == "user ---, kernel ---  (every access faults: reserved)"
    assert said(view)["user faults"] == "read 0xd, write 0xf, execute 0xc: reserved (scause)"


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arch", "aspace", "at", "message"),
    [
        ("x86_64", None, 0x5000, "is in no address space that is alive; name one with --aspace: aspace0 "),
        ("x86_64", "aspace9", 0x300000, "no address space 'aspace9' here; there are aspace0 "),
        ("x86_64", "aspace1", 1 << 47, "is not canonical"),
        ("riscv64", "aspace1", 1 << 38, "is not canonical"),
        ("arm64", "aspace1", 0x0080_0000_0000_0000 | 1 << 48, "is not an address of the half"),
        ("arm64", "aspace0", 0x300000, "is not an address of the half"),
    ],
)
def test_refusals(arch: str, aspace: str | None, at: int, message: str) -> None:
    run, _ = example(arch)
    with pytest.raises(WalkError, match=message):
        look(run, at, aspace)


def test_a_freed_space_has_no_tables() -> None:
    made = Maker(ModelAdapter(standard_contract()), World("x86_64", VMOS))
    space = made.call("create", base="0x200000", size="0x40000000", type="user", share="none")
    made.call("destroy", a=space)
    made.call("release", a=space)
    with pytest.raises(WalkError, match="it was freed"):
        look(made.rerun(), 0x300000, str(space))


def test_tables_that_raise_are_told_of() -> None:
    class FaultyTables(ArchVmAspace):
        __slots__ = ()

        def walk(self, va: int) -> list[Step]:
            raise KeyError("slot")

    class Faulty(System):
        arch_aspace_class = FaultyTables

    made = Maker(ModelAdapter(standard_contract(), Faulty), World("x86_64", VMOS))
    made.call("create", base="0x200000", size="0x40000000", type="user", share="none")
    with pytest.raises(WalkError, match="the page tables of aspace1 cannot be walked: KeyError"):
        look(made.rerun(), 0x300000)


def test_a_part_of_a_state_is_a_state() -> None:
    run, _ = example("x86_64")
    part = part_of(run.state, ["aspace1"])
    assert part["elements"]["Aspace"] == ["aspace1"]
    assert "region0" not in part["elements"]["Region"]


# --- traces -----------------------------------------------------------------------------------------------------------


def trace_of(run: Rerun) -> Trace:
    """The example as the trace of a failing run."""
    contract = run.adapter.contract
    codec = Codec(contract)
    first = ModelAdapter(contract)
    first.start(run.world)
    start = codec.state(first.observe())
    start["elements"].pop("Vmo", None)
    return Trace(
        property="conforms",
        operation="access",
        engine="fuzz",
        verdict="failed",
        arch=run.world.arch,
        given=codec.givens(run.world.givens(contract)),  # type: ignore[arg-type]
        seed=run.world.seed,
        subject=run.adapter.subject,
        initial=start,  # type: ignore[arg-type]
        steps=run.steps,
    )


@pytest.mark.parametrize("arch", ARCHES)
def test_a_trace_runs_again_to_the_same_bytes(arch: str) -> None:
    run, at = example(arch, 5)
    trace = trace_of(run)
    again = rerun(trace)
    assert not again.notes
    assert look(again, at) == look(run, at)
    before = rerun(trace, upto=4)
    assert look(before, at)[0].paddr is None


def test_what_is_not_as_recorded_is_noted() -> None:
    trace = trace_of(example("x86_64", 5)[0])
    steps = (*trace.steps[:2], replace(trace.steps[2], status="NO_MEMORY"), *trace.steps[3:])
    assert "step 3 answers OK; the trace says NO_MEMORY" in rerun(replace(trace, steps=steps)).notes
    other = rerun(replace(trace, seed=6), upto=2)
    assert other.notes == ("after step 2 the model is in another state than the trace says",)


def test_an_implementation_that_does_not_start_is_told_of() -> None:
    class Faulty(System):
        def __init__(self, *args: object, **kwargs: object) -> None:
            raise RuntimeError("no memory")

    with pytest.raises(TraceError, match="does not start: RuntimeError: no memory"):
        rerun(trace_of(example("x86_64")[0]), system_class=Faulty)


def test_a_run_that_starts_elsewhere_is_refused() -> None:
    trace = trace_of(example("x86_64")[0])
    with pytest.raises(TraceError, match="does not start where a machine starts"):
        rerun(replace(trace, initial=trace.steps[0].state))


# --- runs at random ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arch", ARCHES)
def test_whatever_is_run_can_be_walked_and_nothing_is_marked(arch: str) -> None:
    """Bytes, regions and VMOs say the same at every edge, after calls at random."""
    contract = standard_contract()
    adapter = ModelAdapter(contract)
    session = Session(contract, adapter, (arch,))
    dice = Random(11)
    operations = [*contract.operations, *("map", "access", "protect", "soft_fault_in_range") * 10]
    pages = 0
    for _ in range(9):
        session.begin(dice.getrandbits(40))
        for _ in range(20):
            session.take(dice.choice(operations), dice.getrandbits(40))
        run = Rerun(adapter, session.drive.world, ())
        for aspace in read_space(run.state).aspaces:
            for at in [] if aspace.freed else edges(run, aspace.name):
                for view in walks(run, chosen_aspaces(run, aspace.name, None), at):
                    marked = {label: text for label, text in said(view).items() if text.startswith("!")}
                    assert not marked.keys() - {"views"}, (
                        view
                    )  # parts that share a root entry are a known deviation
                    pages += view.paddr is not None
                    assert all(line.text for line in tell_walk(view, 80))
    assert pages > 3


def edges(run: Rerun, aspace: str) -> list[int]:
    """Addresses of the space that are next to something."""
    space = read_space(run.state)
    chosen = next(a for a in space.aspaces if a.name == aspace)
    regions = [r for r in space.regions.values() if r.aspace == aspace]
    near = {at for r in regions for at in (r.base - 1, r.base, r.base + 0x1FFF, r.end - 1, r.end)}
    return sorted(at for at in near if chosen.base <= at < chosen.base + chosen.size)
