"""The reference model, or a class derived from it, as an implementation to be driven.

An operation of the contract is one method here, and each calls the member of the model that the kernel's
callers would call. What the caller of the kernel chooses but the contract leaves out (a name's letters, the
koid) is fixed.

Not here: what the contract sees of the model afterwards; that is `observation`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from vmaspace.checker.adapters.cpus import ONLINE_CPUS, Cpus
from vmaspace.checker.adapters.given_vmo import given_vmos
from vmaspace.checker.adapters.interface import ASSERTION, CRASH, Answer, Broken, Invariant
from vmaspace.checker.adapters.invariants.journal import INVARIANTS
from vmaspace.checker.adapters.invariants.observed import observed
from vmaspace.checker.adapters.kernel_work import Walks, allocate_and_free, run_process
from vmaspace.checker.adapters.observation import Observer
from vmaspace.checker.adapters.pagers import pagers_of, reclaim
from vmaspace.checker.adapters.world import World
from vmaspace.checker.logic.contract import Contract
from vmaspace.checker.logic.state import State
from vmaspace.model import cpu
from vmaspace.model.arch.aspace import NonTerminalAction, TerminalAction
from vmaspace.model.arch.hardware import AccessKind
from vmaspace.model.flags import AspaceType, FaultFlag, MmuFlag, ShareOpt
from vmaspace.model.object.dispatcher import VmAddressRegionDispatcher
from vmaspace.model.region import MemoryPriority
from vmaspace.model.status import AssertionViolation, Status
from vmaspace.model.system import System
from vmaspace.model.vdso import VdsoImage
from vmaspace.model.vmar_range_op import RangeOpType, do_to_vmo
from vmaspace.model.vmo import CloneType, VmObject

# A name longer than this is cut like one of this length: it need not be made.
LONGEST_NAME = 64
NULL_OBJECT = "NULL"

Called = tuple[Any, Any]  # a status and an object, as the model's factories answer


class ModelAdapter:
    """Drives `system_class`, which is `model.System` or derived from it."""

    def __init__(self, contract: Contract, system_class: type[System] = System) -> None:
        self.contract = contract
        self.system_class = system_class
        self.methods: dict[str, Callable[..., Called]] = {
            name: getattr(self, f"_{name}") for name in contract.operations if hasattr(self, f"_{name}")
        }
        missing = contract.operations.keys() - self.methods.keys()
        if missing:
            raise ValueError(f"the model adapter does not know the operation {min(missing)!r}")
        # The contract numbers the members of an enumeration on its own: they are matched by name.
        self.types = [AspaceType[name.upper()] for name in contract.enums["Type"]]
        self.shares = [ShareOpt[name.upper()] for name in contract.enums["ShareOpt"]]
        self.priorities = [MemoryPriority[name.upper()] for name in contract.enums["Priority"]]
        self.range_ops = [RangeOpType[name.upper()] for name in contract.enums["RangeOp"]]
        self.allocators = contract.enums["Allocator"]
        self.lock_ops = contract.enums["LockOp"]
        self.orders = contract.enums["PagerOrder"]
        self.answers = contract.enums["PagerAnswer"]
        self.results = {
            o.name: (o.results[0], self._sort(o.name)) for o in contract.operations.values() if o.results
        }

    @property
    def subject(self) -> str:
        return f"{self.system_class.__module__}:{self.system_class.__qualname__}"

    def _sort(self, operation: str) -> str:
        op = self.contract.operations[operation]
        return next(c.symbol.type.name for c in op.success.choices if c.name == op.results[0])

    # --- the three members -----------------------------------------------------------------------------------------

    def start(self, world: World) -> None:
        self.world = world
        self.system = observed(self.system_class)(
            world.arch,
            seed=world.seed,
            switches=world.switches,
            aslr_disabled=world.aslr_disabled,
            vdso=VdsoImage(world.vdso_code_start, world.vdso_code_size),
            online_cpus=ONLINE_CPUS,
        )
        self.vmos: list[VmObject] = given_vmos(self.system, world.vmos)
        self.snapshots: list[list[VmObject]] = [[] for _ in self.vmos]  # of each VMO, oldest first
        self.written = 0
        self.cpus = Cpus(self.system)
        self.walks = Walks(self.system)
        self.pagers = pagers_of(self.system, self.vmos)
        self.observer = Observer(self.contract, self.system, self.vmos, self.pagers, world.givens(self.contract))

    def call(self, op: str, args: Mapping[str, int], fails_at: int = 0) -> Answer:
        self.cpus.switch(op, args, self.observer.aspaces)
        heap = self.system.heap
        heap.fail_next(fails_at)
        try:
            status, made = self.methods[op](**args)
        except AssertionViolation as violation:
            return Answer(ASSERTION, str(violation))
        except Exception as error:  # whatever a faulty implementation raises is its answer
            return Answer(CRASH, f"{type(error).__name__}: {error}")
        finally:
            heap.fail_next(0)
        results: dict[str, int] = {}
        if made is not None and op in self.results:
            name, sort = self.results[op]
            observer = self.observer
            results[name] = observer.aspace_id(made) if sort == "Aspace" else observer.region_id(made)
        return Answer(status_name(status), None, results)

    def observe(self) -> State:
        return self.observer.observe()

    def invariants(self) -> Sequence[Invariant]:
        return list(dict.fromkeys(INVARIANTS.values()))

    def broken_invariants(self) -> Sequence[Broken]:
        self.walks.go_on()
        return self.system.journal.broken()

    # --- the operations --------------------------------------------------------------------------------------------

    def _create(self, base: int, size: int, type: int, share: int) -> Called:
        made = self.system.create_aspace(base, size, self.types[type], "", self.shares[share])
        return (NULL_OBJECT, None) if made is None else (0, made)

    def _create_unified(self, shared: int, restricted: int) -> Called:
        aspaces = self.observer.aspaces
        # Who unites spaces takes one in whose page tables nothing is mapped yet.
        for va, _, _ in list(aspaces[restricted].arch.translations()):
            aspaces[restricted].arch.unmap(va, 1)
        made = self.system.create_unified_aspace(aspaces[shared], aspaces[restricted], "")
        return (NULL_OBJECT, None) if made is None else (0, made)

    def _destroy(self, a: int) -> Called:
        return self.observer.aspaces[a].destroy(), None

    def _release(self, a: int) -> Called:
        self.cpus.leave(self.observer.aspaces[a])
        self.observer.aspaces[a].release()
        return 0, None

    def _rename(self, a: int, is_null: int, length: int) -> Called:
        self.observer.aspaces[a].rename(None if is_null else "n" * min(length, LONGEST_NAME))
        return 0, None

    def _allocate(self, v: int, offset: int, size: int, align_pow2: int, flags: int) -> Called:
        return self._region(v).create_sub_vmar(offset, size, align_pow2, flags)  # type: ignore[no-any-return]

    def _map(
        self,
        v: int,
        offset: int,
        size: int,
        align_pow2: int,
        flags: int,
        vmo: int,
        vmo_offset: int,
        perms: int,
    ) -> Called:
        return self._region(v).create_vm_mapping(  # type: ignore[no-any-return]
            offset, size, align_pow2, flags, self.vmos[vmo], vmo_offset, perms
        )

    def _unmap(self, v: int, base: int, size: int, op_children: int) -> Called:
        return self._region(v).unmap(base, size, bool(op_children)), None

    def _protect(
        self, v: int, base: int, size: int, perms: int, has_cache_bits: int, op_children: int
    ) -> Called:
        mmu_flags = perms | (int(MmuFlag.UNCACHED) if has_cache_bits else 0)
        return self._region(v).protect(base, size, mmu_flags, bool(op_children)), None

    def _destroy_vmar(self, v: int) -> Called:
        self.cpus.leave(self._region(v).aspace)  # this may be the last reference
        dispatcher = VmAddressRegionDispatcher(self._region(v))
        status = dispatcher.destroy()
        dispatcher.on_zero_handles()  # it held a reference to the address space
        return status, None

    def _destroy_mapping(self, m: int) -> Called:
        return self._region(m).destroy(), None

    # --- faults ----------------------------------------------------------------------------------------------------

    def _page_fault(self, a: int, at: int, is_write: int, is_fetch: int, is_user: int) -> Called:
        return self._aspace(a).page_fault(at, fault_flags(is_write, is_fetch, is_user)), None

    def _soft_fault_in_range(
        self, a: int, at: int, size: int, is_write: int, is_fetch: int, is_user: int
    ) -> Called:
        flags = fault_flags(is_write, is_fetch, is_user)
        return self._aspace(a).soft_fault_in_range(at, flags, size), None

    def _accessed_fault(self, a: int, at: int) -> Called:
        return self._aspace(a).accessed_fault(at), None

    def _access(self, a: int, at: int, is_write: int, is_fetch: int, is_user: int) -> Called:
        aspace = self._aspace(a)
        is_user_access = bool(is_user) and aspace.type is not AspaceType.GUEST_PHYSICAL
        if is_write:
            # Different bytes each time: a page that is shared by mistake shows in another VMO.
            self.written += 1
            return cpu.write(aspace, at, bytes([self.written & 0xFF]), is_user=is_user_access), None
        kind = AccessKind.EXECUTE if is_fetch else AccessKind.READ
        return cpu.access(aspace, at, kind, is_user=is_user_access), None

    def _harvest_all_user_accessed_bits(self, frees_tables: int, clears: int) -> Called:
        non_terminal = NonTerminalAction.FREE_UNACCESSED if frees_tables else NonTerminalAction.RETAIN
        terminal = TerminalAction.UPDATE_AGE_AND_HARVEST if clears else TerminalAction.UPDATE_AGE
        self.system.aspace_class.harvest_all_user_accessed_bits(self.system, non_terminal, terminal)
        return 0, None

    def _drop_user_page_tables(self, a: int) -> Called:
        self._aspace(a).drop_user_page_tables()
        return 0, None

    def _get_memory_usage(self, a: int) -> Called:
        return self._aspace(a).get_memory_usage()[0], None

    # --- mappings and their pages ----------------------------------------------------------------------------------

    def _set_memory_priority(self, v: int, to: int) -> Called:
        return self._region(v).set_memory_priority(self.priorities[to]), None

    def _mark_mergeable(self, m: int) -> Called:
        self._region(m).mark_mergeable()
        return 0, None

    def _force_writable(self, m: int) -> Called:
        return self._region(m).force_writable()[0], None

    def _map_range(self, m: int, offset: int, size: int, commit: int, ignore_existing: int) -> Called:
        mapping = self._region(m)
        return mapping.map_range(offset, size, commit=bool(commit), ignore_existing=bool(ignore_existing)), None

    def _decommit_range(self, m: int, offset: int, size: int) -> Called:
        return self._region(m).decommit_range(offset, size), None

    def _range_op(self, v: int, does: int, base: int, size: int, op_children: int) -> Called:
        return self._region(v).range_op(self.range_ops[does], base, size, bool(op_children)), None

    # --- VMOs ------------------------------------------------------------------------------------------------------

    def _vmo_range(self, o: int, does: int, offset: int, size: int) -> Called:
        vmo, op = self.vmos[o], self.range_ops[does]
        if op is RangeOpType.MAP_RANGE:  # of a VMO alone, there is nothing to map
            op = RangeOpType.COMMIT
        return do_to_vmo(op, vmo, offset, size), None

    def _write_vmo(self, o: int, offset: int) -> Called:
        self.written += 1
        return self.vmos[o].write(offset, bytes([self.written & 0xFF])), None

    def _resize_vmo(self, o: int, size: int) -> Called:
        return self.vmos[o].resize(size), None

    def _snapshot_vmo(self, o: int) -> Called:
        vmo = self.vmos[o]
        status, snapshot = vmo.create_clone(CloneType.SNAPSHOT, 0, vmo.size)
        if snapshot is not None:
            self.snapshots[o].append(snapshot)
        return status, None

    def _write_snapshot(self, o: int, offset: int) -> Called:
        if not self.snapshots[o]:
            status, _ = self._snapshot_vmo(o)
            if status is not Status.ZX_OK:
                return status, None
        self.written += 1
        return self.snapshots[o][-1].write(offset, bytes([self.written & 0xFF])), None

    def _drop_snapshot(self, o: int) -> Called:
        if not self.snapshots[o]:
            return Status.ZX_ERR_NOT_FOUND, None
        self.snapshots[o].pop().release()
        return 0, None

    # --- pages that come and go ------------------------------------------------------------------------------------

    def _lock_vmo(self, o: int, act: int, offset: int, size: int) -> Called:
        vmo = self.vmos[o]
        match self.lock_ops[act]:
            case "lock":
                return vmo.lock_range(offset, size)[0], None
            case "try_lock":
                return vmo.try_lock_range(offset, size), None
            case _:
                return vmo.unlock_range(offset, size), None

    def _reclaim(self, o: int) -> Called:
        reclaim(self.vmos[o])
        return 0, None

    def _order_pages(self, o: int, order: int, offset: int, size: int) -> Called:
        pager = self.pagers.get(self.vmos[o])
        if pager is None:  # a VMO is not another pager's
            return Status.ZX_ERR_INVALID_ARGS, None
        return pager.order(self.orders[order], offset, size), None

    def _set_pager(self, o: int, answer: int) -> Called:
        pager = self.pagers.get(self.vmos[o])
        if pager is None:
            return Status.ZX_ERR_INVALID_ARGS, None
        if pager.answer == "is_gone":
            return Status.ZX_ERR_BAD_STATE, None
        pager.set_answer(self.answers[answer])
        return 0, None

    # --- the rest of the kernel ------------------------------------------------------------------------------------

    def _find_region(self, a: int, at: int) -> Called:
        return (NULL_OBJECT if self._aspace(a).find_region(at) is None else 0), None

    def _allocate_and_free(self, a: int, how: int, size: int, align_pow2: int) -> Called:
        return allocate_and_free(self._aspace(a), self.allocators[how], size, align_pow2), None

    def _run_process(self, at: int, is_shared: int, is_joined: int, is_killed: int) -> Called:
        status = run_process(
            self.system, at, is_shared=bool(is_shared), is_joined=bool(is_joined), is_killed=bool(is_killed)
        )
        return status, None

    def _aspace(self, a: int) -> Any:
        return self.observer.aspaces[a]

    def _region(self, r: int) -> Any:
        return self.observer.regions[r]


def fault_flags(is_write: int, is_fetch: int, is_user: int) -> int:
    """The VMM_PF_FLAG_* of an access."""
    flags = FaultFlag.WRITE if is_write else 0
    flags |= FaultFlag.INSTRUCTION if is_fetch else 0
    return int(flags | (FaultFlag.USER if is_user else 0))


def status_name(status: Any) -> str:
    """The contract's name of a status; factories of address spaces answer without one."""
    if isinstance(status, str):
        return status
    name = getattr(status, "name", None)
    if name is None:
        return "OK" if status == 0 else f"status {status!r}"
    return str(name).removeprefix("ZX_ERR_").removeprefix("ZX_")
