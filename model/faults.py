"""Page faults: what an access needs, and how a fault is written in a trace.

Mirrors `zircon/kernel/vm/include/vm/fault.h` and the permission test of `VmMapping::PageFaultLocked`
(`zircon/kernel/vm/vm_mapping.cc`).

Does not model the registers of an exception: a fault is an address and flags.
"""

from __future__ import annotations

from vmaspace.model.flags import (
    MMU_PERM_EXECUTE,
    MMU_PERM_READ,
    MMU_PERM_USER,
    MMU_PERM_WRITE,
    VMM_PF_FLAG_GUEST,
    VMM_PF_FLAG_INSTRUCTION,
    VMM_PF_FLAG_NOT_PRESENT,
    VMM_PF_FLAG_USER,
    VMM_PF_FLAG_WRITE,
)


def fault_flags_text(pf_flags: int) -> str:
    """Four letters: `w` or `r`, `u`, `g` or `s`, `i` or `d`, `n` or `p`.

    *Kernel:* `vmm_pf_flags_to_string` (zircon/kernel/vm/include/vm/fault.h)
    *Fails with:* nothing.
    """
    who = "u" if pf_flags & VMM_PF_FLAG_USER else "g" if pf_flags & VMM_PF_FLAG_GUEST else "s"
    return "".join(
        (
            "w" if pf_flags & VMM_PF_FLAG_WRITE else "r",
            who,
            "i" if pf_flags & VMM_PF_FLAG_INSTRUCTION else "d",
            "n" if pf_flags & VMM_PF_FLAG_NOT_PRESENT else "p",
        )
    )


def permissions_needed(pf_flags: int) -> int:
    """The MMU permissions that a fault needs: a write needs no READ, a fetch needs READ and EXECUTE.

    *Kernel:* `VmMapping::PageFaultLocked` (zircon/kernel/vm/vm_mapping.cc)
    *Fails with:* nothing.
    """
    needed = MMU_PERM_WRITE if pf_flags & VMM_PF_FLAG_WRITE else MMU_PERM_READ
    if pf_flags & VMM_PF_FLAG_USER:
        needed |= MMU_PERM_USER
    if pf_flags & VMM_PF_FLAG_INSTRUCTION:
        needed |= MMU_PERM_EXECUTE
    return needed
