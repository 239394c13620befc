"""Each model check is turned red by something that it is there to find, and by nothing in a sound system.

Where the model asserts the same, the assertion is ignored: the check has to know by itself.
"""

import dataclasses
from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from typing import Any

import pytest

from tests.adapters.twins_of_tables import TABLE_TWINS
from tests.adapters.twins_of_vmos import VMO_TWINS
from vmaspace.checker.adapters.invariants.fault_record import FaultRecord
from vmaspace.checker.adapters.invariants.journal import INVARIANTS
from vmaspace.checker.adapters.invariants.observed import ObservedSystem, observed
from vmaspace.checker.adapters.kernel_work import run_process
from vmaspace.checker.adapters.model import ModelAdapter
from vmaspace.checker.engines.fuzz import fuzz
from vmaspace.checker.engines.replay import replay
from vmaspace.checker.engines.standard import standard_contract
from vmaspace.model import System
from vmaspace.model.arch.aspace import ExistingEntryAction, NonTerminalAction, TerminalAction
from vmaspace.model.aspace import VmAspace
from vmaspace.model.enumerator import EnumerationMode
from vmaspace.model.flags import AspaceType, MmuFlag, ShareOpt, VmarFlag
from vmaspace.model.mapping import VmMapping
from vmaspace.model.mapping_faults import FaultInProgress
from vmaspace.model.object.process import ProcessDispatcher, ShareableProcessState
from vmaspace.model.object.thread import Thread
from vmaspace.model.region import LifeCycleState, MemoryPriority
from vmaspace.model.region_list import RegionList
from vmaspace.model.status import AssertionViolation, Status
from vmaspace.model.usage import MemoryUsage
from vmaspace.model.vmar import VmAddressRegion
from vmaspace.model.vmar_range_op import RangeOpType
from vmaspace.model.vmo import HintType, RangeChangeOp, VmoKind

PAGE = 4096
BASE = 0x200000
RW = MmuFlag.PERM_READ | MmuFlag.PERM_WRITE | MmuFlag.PERM_USER
CAN = VmarFlag.CAN_MAP_READ | VmarFlag.CAN_MAP_WRITE
AT = VmarFlag.SPECIFIC | CAN
HARVEST = (NonTerminalAction.FREE_UNACCESSED, TerminalAction.UPDATE_AGE_AND_HARVEST)
WRITE_FAULT, READ_FAULT = 1, 0


class Scene:
    """A system with a user space in which 8 pages of a VMO are mapped, and a sub-VMAR above them."""

    def __init__(self, system_class: type[System] = System) -> None:
        self.system: ObservedSystem = observed(system_class)("x86_64")
        self.aspace = self.made(self.system.create_aspace(BASE, 1 << 30))
        self.root = self.made(self.aspace.root)
        self.vmo = self.made(self.system.create_vmo(8 * PAGE)[1])
        self.mapping = self.map(0)
        self.vmar = self.made(self.root.create_sub_vmar(0x100000, 16 * PAGE, 0, AT)[1])

    @staticmethod
    def made(what: Any) -> Any:
        assert what is not None
        return what

    def map(self, offset: int, flags: int = AT, perms: int = RW, vmo: Any = None, vmo_offset: int = 0) -> Any:
        vmo = vmo or self.vmo
        return self.made(self.root.create_vm_mapping(offset, 8 * PAGE, 0, flags, vmo, vmo_offset, perms)[1])

    def unified(self) -> tuple[VmAspace, VmAspace, VmAspace]:
        arch = self.system.arch
        shared = self.made(
            self.system.create_aspace(arch.shared_base, arch.shared_size, share_opt=ShareOpt.SHARED)
        )
        size = arch.user_restricted_aspace_size
        restricted = self.made(
            self.system.create_aspace(arch.user_aspace_base, size, share_opt=ShareOpt.RESTRICTED)
        )
        return shared, restricted, self.made(self.system.create_unified_aspace(shared, restricted))

    def broken(self) -> set[str]:
        found = {broken.invariant for broken in self.system.journal.broken()}
        return {number for i in found for number in (i.number, i.also) if number}


TWINS: dict[str, Callable[[Scene], Any]] = {**TABLE_TWINS, **VMO_TWINS}


def breaks(*numbers: str) -> Callable[[Callable[[Scene], Any]], Callable[[Scene], Any]]:
    def register(twin: Callable[[Scene], Any]) -> Callable[[Scene], Any]:
        TWINS.update(dict.fromkeys(numbers, twin))
        return twin

    return register


@pytest.mark.parametrize("number", INVARIANTS)
def test_a_check_can_fail(number: str) -> None:
    scene = Scene()
    assert scene.broken() == set()
    with suppress(AssertionViolation):
        TWINS[number](scene)
    assert number in scene.broken()


def test_a_space_without_a_place_breaks_nothing() -> None:
    """x86_64 alone lets one be made."""
    system: ObservedSystem = observed(System)("x86_64")
    empty = Scene.made(system.create_aspace(0, 0, AspaceType.LOW_KERNEL))
    assert empty.size == 0 and not system.journal.broken()


def test_there_is_no_twin_too_many() -> None:
    assert TWINS.keys() == INVARIANTS.keys()


# --- address spaces ------------------------------------------------------------------------------------------------

breaks("aspace-1")(lambda s: setattr(s.aspace, "aslr_config", dataclasses.replace(s.aspace.aslr_config, seed=-1)))
breaks("aspace-2")(lambda s: setattr(s.aspace, "size", 1 << 64))
breaks("aspace-13")(lambda s: setattr(s.aspace.arch, "root", None))
breaks("aspace-14")(lambda s: s.system.aspaces.append(s.aspace))
breaks("aspace-15")(lambda s: s.system.aspaces.reverse())
breaks("aspace-20")(lambda s: setattr(s.aspace, "pt_harvest_since_active", 3))
breaks("aspace-21")(lambda s: setattr(s.aspace, "type", AspaceType.LOW_KERNEL))
breaks("aspace-11")(lambda s: setattr(s.aspace, "high_priority_count", -1))
breaks("vmar-28", "faults-19")(lambda s: setattr(s.mapping, "memory_priority", MemoryPriority.HIGH))
breaks("aspace-23")(lambda s: s.system.kernel_aspace.aslr_prng())
breaks("aspace-31")(lambda s: s.aspace.attach_to_thread(s.system.current_thread))
breaks("aspace-32")(lambda s: s.aspace.free_region(BASE))


@breaks("aspace-22")
def _entropy(s: Scene) -> None:
    s.aspace.aslr_config = dataclasses.replace(s.aspace.aslr_config, entropy_bits=37)


@breaks("aspace-12")
def _count_of_the_destroyed(s: Scene) -> None:
    s.aspace.destroy()
    with s.aspace.lock():
        s.aspace.change_high_priority_count_locked(1)


@breaks("aspace-19", "faults-4")
def _dead_is_remembered(s: Scene) -> None:
    s.mapping.destroy()
    s.aspace.last_fault = s.mapping


@breaks("aspace-28")
def _restricted_is_in_use(s: Scene) -> None:
    shared, restricted, _ = s.unified()
    restricted.arch.map(BASE, [PAGE], MmuFlag.PERM_READ, ExistingEntryAction.ERROR)
    s.system.create_unified_aspace(shared, restricted)


@breaks("aspace-29")
def _unified_is_edited(s: Scene) -> None:
    s.unified()[2].arch.unmap(BASE, 1)


@breaks("aspace-30")
def _destroyed_has_translations(s: Scene) -> None:
    s.aspace.destroy()
    s.aspace.arch.map(BASE, [PAGE], MmuFlag.PERM_READ, ExistingEntryAction.ERROR)


@breaks("aspace-24")
def _insertion_without_locks(s: Scene) -> None:
    s.root.subregions.remove_region(s.vmar)


@breaks("aspace-25")
def _lock_first(s: Scene) -> None:
    with s.aspace.lock(), suppress(AssertionViolation):
        s.system.held_locks.stack.append(s.aspace.region_lock())
        s.system.held_locks.stack.pop()


class _LowerHalfFirst(ProcessDispatcher):
    def kill(self) -> None:
        if not self.is_dead:
            self.state.decrement_share_count()
        self.is_dead = True


@breaks("aspace-33")
def _lower_half_stays(s: Scene) -> None:
    class Mutant(System):
        process_class = _LowerHalfFirst

    other = _moved(s, Mutant)
    for is_joined in (False, True):
        run_process(other.system, 0, is_shared=True, is_joined=is_joined, is_killed=True)


class _NobodyLeaves(ShareableProcessState):
    def decrement_share_count(self) -> None:
        self.share_count -= 1


@breaks("aspace-34")
def _shared_space_stays(s: Scene) -> None:
    class Mutant(System):
        process_state_class = _NobodyLeaves

    run_process(_moved(s, Mutant).system, 0, is_shared=True, is_joined=False, is_killed=True)


class _AnyAddress(Thread):
    __slots__ = ()

    def aspace_for_fault(self, va: int) -> VmAspace | None:
        return self.process.aspace_at(va) if self.process is not None else self.aspace


@breaks("faults-18")
def _kernel_fault(s: Scene) -> None:
    class Mutant(System):
        thread_class = _AnyAddress

    run_process(_moved(s, Mutant).system, 2**64 - 1, is_shared=False, is_joined=False, is_killed=False)


# --- regions -------------------------------------------------------------------------------------------------------

breaks("vmar-3")(lambda s: setattr(s.mapping, "base", BASE + PAGE))
breaks("vmar-4")(lambda s: setattr(s.mapping, "size", 1 << 29))
breaks("vmar-7")(lambda s: setattr(s.root.subregions.root, "max_addr", s.mapping.base))
breaks("vmar-8")(lambda s: setattr(s.root.subregions.root, "max_gap", 4095))
@breaks("vmar-40")
def _yielded_twice(s: Scene) -> None:
    walk = s.system.enumerator_class(s.root, EnumerationMode.MAPPINGS_ONLY, s.root.base, s.root.end)
    walk._next = s.mapping
    walk.next()
    walk._next = s.mapping
    walk.next()


def test_a_walk_may_yield_what_has_come_to_lie_over_the_place_where_it_goes_on() -> None:
    s = Scene()
    second = s.map(8 * PAGE)
    walk = s.system.enumerator_class(s.root, EnumerationMode.MAPPINGS_ONLY, s.root.base, s.root.end)
    assert walk.next() is not None and walk._next is second
    walk.pause()
    s.root.unmap(BASE, 16 * PAGE)
    s.root.create_vm_mapping(0, 24 * PAGE, 0, AT, s.vmo, 0, RW)
    walk.resume()
    assert walk.next() is not None and not s.system.journal.broken()


breaks("vmar-9", "vmar-13")(lambda s: RegionList.remove_region(s.root.subregions, s.mapping))
breaks("vmar-34")(lambda s: s.root.subregions.get_alloc_spot(12, 0, PAGE, BASE, 1 << 30))
breaks("vmar-38")(lambda s: s.root.destroy())
breaks("vmar-16")(lambda s: s.vmo.remove_mapping(s.mapping))


@breaks("vmar-14")
def _dead_is_high(s: Scene) -> None:
    s.mapping.destroy()
    s.mapping.memory_priority = MemoryPriority.HIGH
    s.system.journal.regions.append(s.mapping)


class _Misplaced(RegionList):
    def get_alloc_spot(self, *args: Any, **kw: Any) -> tuple[Status, int]:
        return Status.ZX_OK, BASE


@breaks("vmar-33")
def _placed_on_another(s: Scene) -> None:
    class Mutant(System):
        region_list_class = _Misplaced

    other = _moved(s, Mutant)
    other.root.create_sub_vmar(0, PAGE, 0, CAN)


class _HalfDone(VmAddressRegion):
    __slots__ = ()

    def unmap(self, base: int, size: int, op_children: bool = True) -> Status:
        super().unmap(base, size, op_children)
        return Status.ZX_ERR_INVALID_ARGS

    def protect(self, *args: Any, **kw: Any) -> Status:
        super().protect(*args, **kw)
        return Status.ZX_ERR_NOT_FOUND

    def range_op(self, *args: Any, **kw: Any) -> Status:
        with self.aspace.lock():
            return self.subregions.front().vmo.commit_range(0, PAGE)  # type: ignore[attr-defined, no-any-return]


class _HalfDoneSystem(System):
    vmar_class = _HalfDone


def _moved(s: Scene, system_class: type[System]) -> Scene:
    """The scene with another implementation in it."""
    other = Scene(system_class)
    s.system = other.system
    return other


breaks("vmar-36")(lambda s: _moved(s, _HalfDoneSystem).root.unmap(BASE, PAGE))
breaks("vmar-35")(lambda s: _moved(s, _HalfDoneSystem).root.protect(BASE, PAGE, MmuFlag.PERM_READ))
breaks("vmar-39")(lambda s: _moved(s, _HalfDoneSystem).root.range_op(RangeOpType.COMMIT, BASE, PAGE))


# --- mappings ------------------------------------------------------------------------------------------------------

breaks("vmar-22")(lambda s: setattr(s.vmo, "cache_policy", 1))
breaks("vmar-23")(lambda s: setattr(s.system.journal, "is_protecting", True) or _protect_writable(s))
breaks("vmar-37", "faults-5")(
    lambda s: (setattr(s.aspace, "last_fault", s.mapping), setattr(s.mapping, "state", LifeCycleState.DEAD))
)
breaks("faults-15")(lambda s: setattr(s.mapping, "vmo", None))


def _protect_writable(s: Scene) -> None:
    s.aspace.arch.protect(BASE, 1, int(RW))


@breaks("vmar-21")
def _boundary_without_a_difference(s: Scene) -> None:
    s.mapping._ranges._boundaries.append(BASE + PAGE)
    s.mapping._ranges._flags.append(s.mapping._ranges.first_flags)


@breaks("vmar-24")
def _zero_page_is_writable(s: Scene) -> None:
    s.aspace.arch.map(BASE, [s.system.pmm.zero_page.paddr], int(RW), ExistingEntryAction.ERROR)


@breaks("vmar-25")
def _kernel_page_is_taken(s: Scene) -> None:
    s.vmo.commit_range_pinned(0, 8 * PAGE, True)
    root = Scene.made(s.system.kernel_aspace.root)
    root.create_vm_mapping(0, PAGE, 0, CAN, s.vmo, 0, MmuFlag.PERM_READ | MmuFlag.PERM_WRITE)
    s.vmo.range_change_update(0, PAGE, RangeChangeOp.UNMAP)


@breaks("vmar-26")
def _no_stream(s: Scene) -> None:
    s.mapping._flags |= VmarFlag.FAULT_BEYOND_STREAM_SIZE
    s.vmo.kind = VmoKind.CONTIGUOUS


class _MergesAnything(VmMapping):
    __slots__ = ()

    def _can_merge(self, left: VmMapping, right: VmMapping) -> bool:
        return left.end == right.base


@breaks("vmar-31")
def _unmergeable_merges(s: Scene) -> None:
    class Mutant(System):
        mapping_class = _MergesAnything

    other = _moved(s, Mutant)
    other.map(8 * PAGE).mark_mergeable()


# --- faults --------------------------------------------------------------------------------------------------------

breaks("faults-3")(lambda s: s.aspace.page_fault(BASE, 0x80 | 0x10))
breaks("faults-17")(lambda s: s.unified()[2].page_fault(BASE, READ_FAULT))


@breaks("faults-1")
def _fault_under_a_lock(s: Scene) -> None:
    with s.aspace.lock():
        s.aspace.page_fault(BASE, READ_FAULT)


@breaks("faults-2")
def _fault_in_a_destroyed_space(s: Scene) -> None:
    s.aspace.destroy()
    s.aspace.page_fault(BASE, READ_FAULT)


@breaks("faults-6")
def _stale_entry(s: Scene) -> None:
    s.aspace.last_fault = other = s.map(8 * PAGE)
    other.base = BASE
    s.aspace.page_fault(BASE, READ_FAULT)


class _MapsMore(VmMapping):
    """Faults that map another page, with other permissions, than they may."""

    __slots__ = ()

    def _page_fault_locked(self, va: int, *args: Any) -> tuple[Status, int]:
        super()._page_fault_locked(va, *args)
        page = self.vmo.lookup_page(self._vmo_offset(va), True)[1]  # type: ignore[union-attr]
        assert page is not None
        self.aspace.arch.map(va + 8 * PAGE, [page.paddr], 0x38, ExistingEntryAction.UPGRADE)
        return Status.ZX_ERR_SHOULD_WAIT, 17


class _MapsMoreSystem(System):
    mapping_class = _MapsMore


@breaks("faults-7", "faults-10", "faults-11", "faults-14")
def _fault_maps_more(s: Scene) -> None:
    other = _moved(s, _MapsMoreSystem)
    other.aspace.page_fault(BASE, READ_FAULT)


class _ReadsWrite(VmMapping):
    __slots__ = ()

    def _collect_required(self, batch: Any, va: int, *args: Any) -> Status:
        page = self.aspace.system.pmm.allocate_page()
        assert page is not None
        for at in (va, va + PAGE):
            batch.append(at, page.paddr, int(RW))
        return Status.ZX_OK


@breaks("faults-8", "faults-9")
def _a_read_makes_writable(s: Scene) -> None:
    class Mutant(System):
        mapping_class = _ReadsWrite

    _moved(s, Mutant).aspace.page_fault(BASE, READ_FAULT)


@breaks("faults-12")
def _two_markers(s: Scene) -> None:
    s.mapping.currently_faulting = FaultInProgress(0, PAGE)
    s.mapping.currently_faulting = FaultInProgress(0, PAGE)


@breaks("faults-13")
def _what_was_put_off_is_forgotten(s: Scene) -> None:
    fault = FaultRecord(s.mapping, BASE, False, 0, int(RW), BASE + PAGE)
    fault.marker = FaultInProgress(0, PAGE)
    fault.marker.skipped_unmap = True
    s.mapping._tell_of_outcome(s.system.journal, fault, Status.ZX_ERR_NO_MEMORY, 0)


@breaks("faults-16")
def _user_of_a_guest(s: Scene) -> None:
    guest = Scene.made(s.system.create_aspace(0, 1 << 30, AspaceType.GUEST_PHYSICAL))
    _, mapping = guest.root.create_vm_mapping(0, PAGE, 0, AT, s.vmo, 0, RW)
    mapping.page_fault(mapping.base, 2, 0, s.vmo)


# --- harvests and usage --------------------------------------------------------------------------------------------


@breaks("faults-20")
def _high_is_harvested(s: Scene) -> None:
    s.root.set_memory_priority(MemoryPriority.HIGH)
    s.aspace.arch.harvest_accessed(s.aspace.base, 1, *HARVEST)


class _CountsTwice(VmAspace):
    __slots__ = ()

    def _is_harvest_due(self, accessed: bool, non_terminal: NonTerminalAction) -> bool:
        self.pt_harvest_since_active = 2
        return True


@breaks("faults-21")
def _rests_at_once(s: Scene) -> None:
    class Mutant(System):
        aspace_class = _CountsTwice

    other = _moved(s, Mutant)
    other.aspace.harvest_all_user_accessed_bits(other.system, *HARVEST)


@breaks("faults-22")
def _harvest_fails(s: Scene) -> None:
    s.aspace.arch.base = s.aspace.base + 1
    s.aspace.arch.harvest_accessed(s.aspace.arch.base, 1, *HARVEST)


@breaks("faults-23")
def _unlisted_is_harvested(s: Scene) -> None:
    s.system.forget_aspace(s.aspace)
    s.aspace.arch.harvest_accessed(s.aspace.base, 1, *HARVEST)


class _PaysTooMuch(VmAspace):
    __slots__ = ()

    def get_memory_usage(self) -> tuple[Status, MemoryUsage | None]:
        with self.lock():
            self.root.subregions.front().vmo.attributed_memory_in_range(0, PAGE)  # type: ignore[union-attr, attr-defined]
        return Status.ZX_OK, MemoryUsage(0, 0, 1, Fraction(2))


@breaks("faults-24", "faults-25", "faults-26")
def _usage_is_wrong(s: Scene) -> None:
    class Mutant(System):
        aspace_class = _PaysTooMuch

    _moved(s, Mutant).aspace.get_memory_usage()


# --- in a campaign -------------------------------------------------------------------------------------------------


class _StaysListed(VmMapping):
    __slots__ = ()

    def _leave_vmo(self) -> None:
        super()._leave_vmo()
        assert self.vmo is not None
        self.vmo.add_mapping(self)


class StaysInTheVmosList(System):
    """A mapping that dies stays in the list of its VMO."""

    mapping_class = _StaysListed


def test_a_broken_invariant_is_found_made_small_and_found_again() -> None:
    contract = standard_contract()
    result = fuzz(contract, lambda: ModelAdapter(contract, StaysInTheVmosList), seed=1, steps=5_000)
    red = [verdict for verdict in result.verdicts if verdict.property == "vmar-16" and verdict.is_red]
    assert red
    trace = red[0].trace
    assert trace is not None and trace.property == "vmar-16" and len(trace.steps) <= 6
    of = INVARIANTS["vmar-16"]
    assert str(red[0].source) == str(trace.source) == f"{of.source}:1:1"
    assert trace.sentence == of.sentence
    again = replay(trace, system_class=StaysInTheVmosList)
    assert (again.id, again.verdict, again.source) == (red[0].id, red[0].verdict, red[0].source)
    assert replay(trace, system_class=System).is_green


class _HintsUnderLock(VmAddressRegion):
    __slots__ = ()

    def range_op(self, *args: Any, **kw: Any) -> Status:
        with self.aspace.lock():
            return self.subregions.front().vmo.hint_range(0, PAGE, HintType.DONT_NEED)  # type: ignore[attr-defined, no-any-return]


class _HintsUnderLockSystem(System):
    vmar_class = _HintsUnderLock


def test_a_hint_under_a_lock_is_told_too() -> None:
    scene = Scene(_HintsUnderLockSystem)
    with suppress(AssertionViolation):
        scene.root.range_op(RangeOpType.DONT_NEED, BASE, PAGE)
    assert "vmar-39" in scene.broken()


def test_a_campaign_says_which_invariants_held() -> None:
    contract = standard_contract()
    result = fuzz(contract, lambda: ModelAdapter(contract), seed=1, steps=500)
    green = {verdict.property for verdict in result.verdicts if verdict.is_green}
    assert {i.number for i in INVARIANTS.values()} <= green
