"""Operations on address spaces, processes, handles and the vDSO."""

from __future__ import annotations

from vmaspace.checker.engines.conformance.environment import Bound, Environment
from vmaspace.checker.engines.conformance.error import BadStep, nearest
from vmaspace.checker.engines.conformance.vocabulary import (
    INTEGER,
    MAYBE_INTEGER,
    MAYBE_TRUTH,
    MAYBE_WORD,
    MAYBE_WORDS,
    OBJECT,
    WORD,
    WORDS,
    Answer,
    observe_address,
    operation,
)
from vmaspace.model.arch.aspace import NonTerminalAction, TerminalAction
from vmaspace.model.aspace import VmAspace
from vmaspace.model.flags import AspaceType, ShareOpt
from vmaspace.model.status import ZX_ERR_UNAVAILABLE, ZX_OK

_TYPES = {type_.name.lower(): type_ for type_ in AspaceType}
_SHARES = {share.name.lower(): share for share in ShareOpt}


def _bind_aspace(aspace: VmAspace | None) -> Answer:
    def is_null(expected: str | None) -> str | None:
        """What was refused is `null`, as a word or as JSON has it."""
        return None if (expected in (None, "null")) is (aspace is None) else "null" if aspace is None else "an aspace"

    if aspace is None:
        return Answer("null", {"result": is_null})
    bound = {"": Bound(aspace, aspace.base, aspace.size)}
    if aspace.root is not None:
        bound[".root"] = Bound(aspace.root, aspace.root.base, aspace.root.size)
    return Answer(observed={"result": is_null}, bound=bound)


@operation(
    "aspace.create", "status result", type=WORD, base=MAYBE_INTEGER, size=MAYBE_INTEGER, share=MAYBE_WORD
)
def aspace_create(
    env: Environment, type: str, base: int | None = None, size: int | None = None, share: str | None = None
) -> Answer:
    """Create an address space; without a range, over the whole range of the type."""
    if type not in _TYPES:
        raise BadStep(f"unknown type of address space {type!r}", nearest(type, list(_TYPES)))
    if share is not None and share not in _SHARES:
        raise BadStep(f"unknown share {share!r}", nearest(share, list(_SHARES)))
    if base is None and size is None and share is None:
        return _bind_aspace(env.system.create_default_aspace(_TYPES[type], "test"))
    default_base, default_size = _default_range(env, _TYPES[type])
    return _bind_aspace(
        env.system.create_aspace(
            default_base if base is None else base,
            default_size if size is None else size,
            _TYPES[type],
            "test",
            _SHARES[share or "none"],
        )
    )


def _default_range(env: Environment, type: AspaceType) -> tuple[int, int]:
    arch = env.system.arch
    return {
        AspaceType.USER: (arch.user_aspace_base, arch.user_aspace_size),
        AspaceType.KERNEL: (arch.kernel_aspace_base, arch.kernel_aspace_size),
        AspaceType.LOW_KERNEL: (0, arch.user_top),
        AspaceType.GUEST_PHYSICAL: (0, arch.guest_aspace_size),
    }[type]


@operation("aspace.create_unified", "status result", shared=OBJECT, restricted=OBJECT)
def aspace_create_unified(env: Environment, shared: Bound, restricted: Bound) -> Answer:
    """Unite two address spaces."""
    return _bind_aspace(env.system.create_unified_aspace(env.aspace(shared), env.aspace(restricted)))


@operation("aspace.destroy", aspace=OBJECT)
def aspace_destroy(env: Environment, aspace: Bound) -> Answer:
    """Destroy an address space; the reference stays."""
    return Answer(env.aspace(aspace).destroy().name)


@operation("aspace.kernel", "status result")
def aspace_kernel(env: Environment) -> Answer:
    """Bind the kernel's address space."""
    return _bind_aspace(env.system.kernel_aspace)


@operation("aspace.set_active", aspace=WORD)
def aspace_set_active(env: Environment, aspace: str) -> Answer:
    """Load page tables, or go back to those that were loaded before."""
    if aspace == "previous":
        target = env.previously_active.pop() if env.previously_active else None
        env.system.set_active_aspace(target)
    else:
        env.previously_active.append(env.system.set_active_aspace(env.aspace(env.lookup(aspace))))
    return Answer()


# Faults and harvests.


@operation("aspace.soft_fault", aspace=OBJECT, addr=INTEGER, flags=WORDS, len=MAYBE_INTEGER)
def aspace_soft_fault(
    env: Environment, aspace: Bound, addr: int, flags: list[str], len: int | None = None
) -> Answer:
    """Resolve a fault in software, of one page or of a range."""
    target, fault_flags = env.aspace(aspace), env.fault_flags(flags)
    if len is None:
        return Answer(target.soft_fault(addr, fault_flags).name)
    return Answer(target.soft_fault_in_range(addr, fault_flags, len).name)


@operation(
    "aspace.page_fault",
    "status pages_mapped",
    mapping=OBJECT,
    addr=INTEGER,
    flags=WORDS,
    additional_pages=MAYBE_INTEGER,
)
def aspace_page_fault(
    env: Environment, mapping: Bound, addr: int, flags: list[str], additional_pages: int = 0
) -> Answer:
    """The fault routine of one mapping, which does not wait."""
    target = env.mapping(mapping)
    if target.vmo is None:
        return Answer(ZX_ERR_UNAVAILABLE.name, {"pages_mapped": 0})
    status, pages = target.page_fault(addr, env.fault_flags(flags), additional_pages, target.vmo)
    return Answer(status.name, {"pages_mapped": pages})


@operation("aspace.harvest", "", non_terminal=WORD, terminal=WORD)
def aspace_harvest(env: Environment, non_terminal: str, terminal: str) -> Answer:
    """Collect the accessed bits of all address spaces."""
    non_terminals = {action.name.lower(): action for action in NonTerminalAction}
    terminals = {action.name.lower(): action for action in TerminalAction}
    if non_terminal not in non_terminals:
        raise BadStep(f"unknown action {non_terminal!r}", nearest(non_terminal, list(non_terminals)))
    if terminal not in terminals:
        raise BadStep(f"unknown action {terminal!r}", nearest(terminal, list(terminals)))
    VmAspace.harvest_all_user_accessed_bits(env.system, non_terminals[non_terminal], terminals[terminal])
    return Answer()


# The kernel's own allocations.


@operation(
    "aspace.alloc",
    "status base base_nonzero aligned_log2",
    aspace=OBJECT,
    size=INTEGER,
    align_pow2=MAYBE_INTEGER,
    vmm_flags=MAYBE_WORDS,
    at=MAYBE_INTEGER,
    contiguous=MAYBE_TRUTH,
    mmu=MAYBE_WORDS,
)
def aspace_alloc(
    env: Environment,
    aspace: Bound,
    size: int,
    align_pow2: int = 0,
    vmm_flags: list[str] | None = None,
    at: int | None = None,
    contiguous: bool = False,
    mmu: list[str] | None = None,
) -> Answer:
    """Allocate kernel memory."""
    target = env.aspace(aspace)
    allocate = target.alloc_contiguous if contiguous else target.alloc
    status, base = allocate(
        "test", size, align_pow2, env.vmm_flags(vmm_flags or []), env.mmu_flags(mmu or []), at=at
    )
    if status is not ZX_OK:
        return Answer(status.name)
    return Answer(status.name, observe_address(base), {"": Bound(base, base, size)})


@operation(
    "aspace.map_object",
    "status base base_nonzero aligned_log2",
    aspace=OBJECT,
    vmo=OBJECT,
    vmo_offset=INTEGER,
    size=INTEGER,
    align_pow2=MAYBE_INTEGER,
    vmm_flags=MAYBE_WORDS,
    at=MAYBE_INTEGER,
    mmu=MAYBE_WORDS,
)
def aspace_map_object(
    env: Environment,
    aspace: Bound,
    vmo: Bound,
    vmo_offset: int,
    size: int,
    align_pow2: int = 0,
    vmm_flags: list[str] | None = None,
    at: int | None = None,
    mmu: list[str] | None = None,
) -> Answer:
    """Map a VMO into a kernel address space."""
    status, base = env.aspace(aspace).map_object_internal(
        env.vmo(vmo),
        "test",
        vmo_offset,
        size,
        align_pow2,
        env.vmm_flags(vmm_flags or []),
        env.mmu_flags(mmu or []),
        at=at,
    )
    if status is not ZX_OK:
        return Answer(status.name)
    return Answer(status.name, observe_address(base), {"": Bound(base, base, size)})


@operation("aspace.free_region", aspace=OBJECT, addr=INTEGER)
def aspace_free_region(env: Environment, aspace: Bound, addr: int) -> Answer:
    """Free what `aspace.alloc` made."""
    return Answer(env.aspace(aspace).free_region(addr).name)
