"""Statistics that the kernel keeps of itself.

Mirrors the `KCOUNTER`s of the VM layer (`zircon/kernel/vm/vm_aspace.cc`, `vm_mapping.cc`, `vm_address_region.cc`), by
their names there.

Does not model counts per CPU.
"""

from typing import Final

COUNTERS: Final = (
    "vm.aspace.last_fault.hit",
    "vm.aspace.last_fault.miss",
    "vm.aspace.high_priority",
    "vm.aspace.accessed_harvest.performed",
    "vm.aspace.accessed_harvest.skipped",
    "vm.aspace.mapping.merged_neighbors",
    "vm.aspace.mapping.protect_without_write",
    "vm.aspace.mapping.state.dead",
    "vm.attributed_memory.mapping.queries",
    "vm.region.map.all.attempt",
    "vm.region.map.all.success",
    "vm.region.map.specific.attempt",
    "vm.region.map.specific.success",
    "vm.region.map.upper_bound.attempt",
    "vm.region.map.upper_bound.success",
)


def new_counters() -> dict[str, int]:
    """All counters, at 0."""
    return dict.fromkeys(COUNTERS, 0)
