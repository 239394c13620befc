"""The flag words and enumerations of the VM layer, with their real values.

Mirrors `zircon/kernel/vm/include/vm/vm_address_region.h` (VMAR_FLAG_*), `vm/arch_vm_aspace.h`
(ARCH_MMU_FLAG_*, ARCH_ASPACE_FLAG_*), `vm/vm_aspace.h` (Type, ShareOpt, VMM_FLAG_*) and
`zircon/system/public/zircon/types.h` (ZX_VM_*, ZX_RIGHT_*).

The upper-case integers below the classes are the masks that the model computes with: plain integers, because
flag objects cost an allocation for each operator.
"""

from enum import IntEnum, IntFlag
from typing import Final


class VmarFlag(IntFlag):
    """VMAR_FLAG_*: what a VMAR or mapping is created with, and what it may hold."""

    COMPACT = 1 << 0
    SPECIFIC = 1 << 1
    SPECIFIC_OVERWRITE = 1 << 2
    CAN_MAP_SPECIFIC = 1 << 3
    CAN_MAP_READ = 1 << 4
    CAN_MAP_WRITE = 1 << 5
    CAN_MAP_EXECUTE = 1 << 6
    REQUIRE_NON_RESIZABLE = 1 << 7
    ALLOW_FAULTS = 1 << 8
    OFFSET_IS_UPPER_LIMIT = 1 << 9
    DEBUG_DYNAMIC_KERNEL_MAPPING = 1 << 10
    FAULT_BEYOND_STREAM_SIZE = 1 << 11


VMAR_FLAG_COMPACT: Final = int(VmarFlag.COMPACT)
VMAR_FLAG_SPECIFIC: Final = int(VmarFlag.SPECIFIC)
VMAR_FLAG_SPECIFIC_OVERWRITE: Final = int(VmarFlag.SPECIFIC_OVERWRITE)
VMAR_FLAG_CAN_MAP_SPECIFIC: Final = int(VmarFlag.CAN_MAP_SPECIFIC)
VMAR_FLAG_CAN_MAP_READ: Final = int(VmarFlag.CAN_MAP_READ)
VMAR_FLAG_CAN_MAP_WRITE: Final = int(VmarFlag.CAN_MAP_WRITE)
VMAR_FLAG_CAN_MAP_EXECUTE: Final = int(VmarFlag.CAN_MAP_EXECUTE)
VMAR_FLAG_REQUIRE_NON_RESIZABLE: Final = int(VmarFlag.REQUIRE_NON_RESIZABLE)
VMAR_FLAG_ALLOW_FAULTS: Final = int(VmarFlag.ALLOW_FAULTS)
VMAR_FLAG_OFFSET_IS_UPPER_LIMIT: Final = int(VmarFlag.OFFSET_IS_UPPER_LIMIT)
VMAR_FLAG_DEBUG_DYNAMIC_KERNEL_MAPPING: Final = int(VmarFlag.DEBUG_DYNAMIC_KERNEL_MAPPING)
VMAR_FLAG_FAULT_BEYOND_STREAM_SIZE: Final = int(VmarFlag.FAULT_BEYOND_STREAM_SIZE)

VMAR_CAN_RWX_FLAGS: Final = VMAR_FLAG_CAN_MAP_READ | VMAR_FLAG_CAN_MAP_WRITE | VMAR_FLAG_CAN_MAP_EXECUTE
# These say how to create an object; they are never stored in one.
VMAR_CREATION_ONLY_FLAGS: Final = (
    VMAR_FLAG_SPECIFIC | VMAR_FLAG_SPECIFIC_OVERWRITE | VMAR_FLAG_OFFSET_IS_UPPER_LIMIT
)
# What CreateSubVmar and CreateVmMapping take; anything else is ZX_ERR_INVALID_ARGS.
SUB_VMAR_FLAGS: Final = (
    VMAR_FLAG_SPECIFIC
    | VMAR_FLAG_CAN_MAP_SPECIFIC
    | VMAR_FLAG_COMPACT
    | VMAR_CAN_RWX_FLAGS
    | VMAR_FLAG_OFFSET_IS_UPPER_LIMIT
)
MAPPING_FLAGS: Final = (
    VMAR_FLAG_SPECIFIC
    | VMAR_FLAG_SPECIFIC_OVERWRITE
    | VMAR_CAN_RWX_FLAGS
    | VMAR_FLAG_OFFSET_IS_UPPER_LIMIT
    | VMAR_FLAG_DEBUG_DYNAMIC_KERNEL_MAPPING
    | VMAR_FLAG_FAULT_BEYOND_STREAM_SIZE
)


class MmuFlag(IntFlag):
    """ARCH_MMU_FLAG_*: permissions and cache policy of a translation.

    The lowest two bits are one number, the cache policy, and not two flags.
    """

    CACHED = 0
    UNCACHED = 1
    UNCACHED_DEVICE = 2
    WRITE_COMBINING = 3
    CACHE_MASK = 3
    PERM_USER = 0x04
    PERM_READ = 0x08
    PERM_WRITE = 0x10
    PERM_EXECUTE = 0x20
    PERM_RWX_MASK = 0x38
    NS = 0x40
    INVALID = 0x80


MMU_CACHE_MASK: Final = 0x03
MMU_PERM_USER: Final = int(MmuFlag.PERM_USER)
MMU_PERM_READ: Final = int(MmuFlag.PERM_READ)
MMU_PERM_WRITE: Final = int(MmuFlag.PERM_WRITE)
MMU_PERM_EXECUTE: Final = int(MmuFlag.PERM_EXECUTE)
MMU_PERM_RWX_MASK: Final = int(MmuFlag.PERM_RWX_MASK)

# The CAN_MAP flags that each combination of permissions needs: the two fields have the same order, one bit apart.
_MMU_TO_CAN_MAP_SHIFT: Final = 1


def can_map_flags_for_mmu_flags(mmu_flags: int) -> int:
    """The CAN_MAP_* flags that permissions need: READ needs CAN_MAP_READ, and so on. No other bit matters."""
    return (mmu_flags & MMU_PERM_RWX_MASK) << _MMU_TO_CAN_MAP_SHIFT


class ArchAspaceFlag(IntFlag):
    """ARCH_ASPACE_FLAG_*: what kind of page tables an address space needs."""

    NONE = 0
    KERNEL = 1 << 0
    GUEST = 1 << 1


class AspaceType(IntEnum):
    """`VmAspace::Type`."""

    USER = 0
    KERNEL = 1
    LOW_KERNEL = 2
    GUEST_PHYSICAL = 3


class ShareOpt(IntEnum):
    """`VmAspace::ShareOpt`: which initialiser of the page tables is used."""

    NONE = 0
    RESTRICTED = 1
    SHARED = 2


class VmmFlag(IntFlag):
    """VMM_FLAG_*: options of the legacy kernel allocators."""

    VALLOC_SPECIFIC = 1 << 0
    COMMIT = 1 << 1


VMM_FLAG_VALLOC_SPECIFIC: Final = int(VmmFlag.VALLOC_SPECIFIC)
VMM_FLAG_COMMIT: Final = int(VmmFlag.COMMIT)


class FaultFlag(IntFlag):
    """VMM_PF_FLAG_*: what kind of access a page fault is about (`zircon/kernel/vm/include/vm/fault.h`)."""

    WRITE = 1 << 0
    USER = 1 << 1
    GUEST = 1 << 2
    INSTRUCTION = 1 << 3
    NOT_PRESENT = 1 << 4
    HW_FAULT = 1 << 5
    SW_FAULT = 1 << 6
    ACCESS = 1 << 7


VMM_PF_FLAG_WRITE: Final = int(FaultFlag.WRITE)
VMM_PF_FLAG_USER: Final = int(FaultFlag.USER)
VMM_PF_FLAG_GUEST: Final = int(FaultFlag.GUEST)
VMM_PF_FLAG_INSTRUCTION: Final = int(FaultFlag.INSTRUCTION)
VMM_PF_FLAG_NOT_PRESENT: Final = int(FaultFlag.NOT_PRESENT)
VMM_PF_FLAG_HW_FAULT: Final = int(FaultFlag.HW_FAULT)
VMM_PF_FLAG_SW_FAULT: Final = int(FaultFlag.SW_FAULT)
VMM_PF_FLAG_ACCESS: Final = int(FaultFlag.ACCESS)
VMM_PF_FLAG_FAULT_MASK: Final = VMM_PF_FLAG_HW_FAULT | VMM_PF_FLAG_SW_FAULT


class VmOption(IntFlag):
    """ZX_VM_*: options of the system calls; bits 24 to 31 hold log2 of an alignment."""

    PERM_READ = 1 << 0
    PERM_WRITE = 1 << 1
    PERM_EXECUTE = 1 << 2
    COMPACT = 1 << 3
    SPECIFIC = 1 << 4
    SPECIFIC_OVERWRITE = 1 << 5
    CAN_MAP_SPECIFIC = 1 << 6
    CAN_MAP_READ = 1 << 7
    CAN_MAP_WRITE = 1 << 8
    CAN_MAP_EXECUTE = 1 << 9
    MAP_RANGE = 1 << 10
    REQUIRE_NON_RESIZABLE = 1 << 11
    ALLOW_FAULTS = 1 << 12
    OFFSET_IS_UPPER_LIMIT = 1 << 13
    PERM_READ_IF_XOM_UNSUPPORTED = 1 << 14
    FAULT_BEYOND_STREAM_SIZE = 1 << 15


ZX_VM_ALIGN_BASE: Final = 24  # the lowest bit of the alignment field


class Right(IntFlag):
    """ZX_RIGHT_*: what the holder of a handle may do."""

    NONE = 0
    DUPLICATE = 1 << 0
    TRANSFER = 1 << 1
    READ = 1 << 2
    WRITE = 1 << 3
    EXECUTE = 1 << 4
    MAP = 1 << 5
    GET_PROPERTY = 1 << 6
    SET_PROPERTY = 1 << 7
    ENUMERATE = 1 << 8
    DESTROY = 1 << 9
    SET_POLICY = 1 << 10
    GET_POLICY = 1 << 11
    SIGNAL = 1 << 12
    SIGNAL_PEER = 1 << 13
    WAIT = 1 << 14
    INSPECT = 1 << 15
    MANAGE_JOB = 1 << 16
    MANAGE_PROCESS = 1 << 17
    MANAGE_THREAD = 1 << 18
    APPLY_PROFILE = 1 << 19
    MANAGE_SOCKET = 1 << 20
    OP_CHILDREN = 1 << 21
    RESIZE = 1 << 22
    ATTACH_VMO = 1 << 23
    MANAGE_VMO = 1 << 24
