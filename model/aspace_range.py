"""Where address spaces of each type may lie.

Mirrors the ranges in `VmAspace::Create` (`zircon/kernel/vm/vm_aspace.cc`).
"""

from vmaspace.model.arch.record import Arch
from vmaspace.model.constants import ByteSize, Vaddr, wrap
from vmaspace.model.flags import AspaceType
from vmaspace.model.status import AssertionViolation


def default_range(arch: Arch, type: int) -> tuple[Vaddr, ByteSize]:
    """Base and size of the default range of a type.

    *Kernel:* `VmAspace::Create(Type, const char*)` (zircon/kernel/vm/vm_aspace.cc)
    *Fails with:* nothing.
    *Asserts:* the type is known.
    """
    if type == AspaceType.USER:
        return arch.user_aspace_base, arch.user_aspace_size
    if type == AspaceType.KERNEL:
        return arch.kernel_aspace_base, arch.kernel_aspace_size
    if type == AspaceType.LOW_KERNEL:
        return 0, arch.user_top
    if type == AspaceType.GUEST_PHYSICAL:
        return 0, arch.guest_aspace_size
    raise AssertionViolation("the type of an address space is known", "zircon/kernel/vm/vm_aspace.cc")


def permitted_range(arch: Arch, type: int) -> tuple[Vaddr, Vaddr]:
    """The lowest base and the highest end of a type. The kernel's end wraps to 0: nothing lies in its range.

    *Kernel:* `VmAspace::Create` (zircon/kernel/vm/vm_aspace.cc)
    *Fails with:* nothing.
    *Asserts:* the type is known.
    """
    base, size = default_range(arch, type)
    return base, wrap(base + size)
