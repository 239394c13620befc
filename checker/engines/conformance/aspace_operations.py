"""Operations on address spaces, processes, handles and the vDSO."""

from __future__ import annotations

from vmaspace.checker.engines.conformance.environment import Bound, Environment
from vmaspace.checker.engines.conformance.error import BadStep, nearest
from vmaspace.checker.engines.conformance.vocabulary import (
    MAYBE_INTEGER,
    MAYBE_WORD,
    OBJECT,
    WORD,
    Answer,
    operation,
)
from vmaspace.model.aspace import VmAspace
from vmaspace.model.flags import AspaceType, ShareOpt

_TYPES = {type_.name.lower(): type_ for type_ in AspaceType}
_SHARES = {share.name.lower(): share for share in ShareOpt}


def _bind_aspace(aspace: VmAspace | None) -> Answer:
    if aspace is None:
        return Answer("null", {"result": "null"})
    bound = {"": Bound(aspace, aspace.base, aspace.size)}
    if aspace.root is not None:
        bound[".root"] = Bound(aspace.root, aspace.root.base, aspace.root.size)
    return Answer(observed={"result": "aspace"}, bound=bound)


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
