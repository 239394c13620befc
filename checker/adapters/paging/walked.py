"""What the reference model's page tables make of one address, and what a CPU would.

The entries are those of `ArchVmAspace.walk`, decoded; what a CPU grants is asked of the model's MMU, once for each kind of access
and privilege. Nothing is changed, and no lock is taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from vmaspace.checker.adapters.paging.fields import LAYOUTS, Decoded, Role, decode
from vmaspace.model.arch.aspace import ArchVmAspace
from vmaspace.model.arch.hardware import AccessKind, Translation, translate
from vmaspace.model.arch.mmu_rules import mmu_for
from vmaspace.model.arch.regime import ALL_RIGHTS, KERNEL_RIGHTS_SHIFT, reach
from vmaspace.model.arch.registers import cr3, ept_pointer, satp, ttbr0, vttbr
from vmaspace.model.constants import ByteOffset, Paddr, Vaddr
from vmaspace.model.mapping import VmMapping
from vmaspace.model.region import VmAddressRegionOrMapping
from vmaspace.model.vmo import VmObject, VmObjectPaged, VmObjectPhysical

__all__ = [
    "ArchVmAspace", "MappedPage", "Walked", "WalkedEntry", "is_translated", "mapped_page", "root_register", "walk_to",
    "without_tag",
]  # fmt: skip
ENTRY_SIZE = 8
PAGE_SIZE = reach(0)


class WalkedEntry(NamedTuple):
    """One entry on the way. name: of its table's level; at: the physical address of the entry itself."""

    name: str
    slot: int
    at: Paddr
    decoded: Decoded


class Fault(NamedTuple):
    """An access that a CPU does not grant. kind: why, in words; code: as the CPU reports it."""

    is_user: bool
    access: str
    kind: str
    code: int


@dataclass(frozen=True)
class Walked:
    """A walk to `va`. rights: what all entries let pass; granted: what is left of that on a CPU as Zircon runs it.

    faults: of the accesses that are not granted.
    """

    va: Vaddr
    root: Paddr
    entries: tuple[WalkedEntry, ...]
    rights: int
    granted: int
    faults: tuple[Fault, ...]

    @property
    def last(self) -> Decoded:
        return self.entries[-1].decoded

    @property
    def paddr(self) -> Paddr | None:
        """The physical address that `va` leads to; None if it leads to no page."""
        if self.last.role is not Role.LEAF or self.last.paddr is None:
            return None
        # Hardware ignores the low bits of a large page's address.
        return self.last.paddr & -reach(self.last.level) | self.va & reach(self.last.level) - 1


def is_translated(tables: ArchVmAspace, va: Vaddr) -> bool:
    """Whether the tables translate an address like this at all: a canonical one, of the half that they are for."""
    mmu = mmu_for(tables.regime)
    return (va & mmu.ignored) >> mmu.canonical_shift in mmu.canonical_tops


def without_tag(tables: ArchVmAspace, va: Vaddr) -> Vaddr:
    """The address without the byte that hardware ignores."""
    return va & mmu_for(tables.regime).ignored


def walk_to(tables: ArchVmAspace, va: Vaddr) -> Walked | None:
    """The walk to an address that the tables translate; None when there are no tables."""
    if tables.root is None:
        return None
    names = LAYOUTS[tables.regime.name].level_names
    entries: list[WalkedEntry] = []
    rights = ALL_RIGHTS
    for step in tables.walk(va):
        decoded = decode(tables.regime, step.entry, step.level)
        entries.append(
            WalkedEntry(names[step.level], step.slot, step.table + ENTRY_SIZE * step.slot, decoded)
        )
        rights &= decoded.rights
        if decoded.role is not Role.TABLE:
            break  # software may see a table where hardware faults
    if not entries or entries[-1].decoded.role is not Role.LEAF:
        rights = 0
    if not entries:
        return None
    return Walked(va, tables.root.paddr, tuple(entries), rights, *ask_cpu(tables, va))


def ask_cpu(tables: ArchVmAspace, va: Vaddr) -> tuple[int, tuple[Fault, ...]]:
    """What a CPU, as Zircon runs it, grants at `va`, six bits as in `model.arch.regime`; and the faults of all else."""
    assert tables.root is not None
    mmu = mmu_for(tables.regime)
    rights, faults = 0, []
    for is_user, shift in ((True, 0), (False, KERNEL_RIGHTS_SHIFT)):
        for kind in AccessKind:
            answer = translate(mmu, tables.memory, tables.root.paddr, va, kind, is_user=is_user)
            if isinstance(answer, Translation):
                rights |= 1 << kind + shift
            else:
                name = answer.kind.name.lower().replace("_", " ")
                faults.append(Fault(is_user, kind.name.lower(), name, answer.code))
    return rights, tuple(faults)


def root_register(tables: ArchVmAspace) -> tuple[str, int]:
    """The register that holds the root on a CPU, and what it holds."""
    root = 0 if tables.root is None else tables.root.paddr
    is_guest = tables.is_guest
    match tables.arch.name:
        case "x86_64":
            return ("EPTP", ept_pointer(root)) if is_guest else ("CR3", cr3(root, tables.asid, flushes=True))
        case "arm64" if tables.is_kernel:
            return "TTBR1_EL1", root
        case "arm64":
            return (
                ("VTTBR_EL2", vttbr(root, tables.asid))
                if is_guest
                else ("TTBR0_EL1", ttbr0(root, tables.asid))
            )
    return "satp", satp(root, tables.asid, tables.regime.width)


class MappedPage(NamedTuple):
    """The page of a VMO that a mapping shows at an address. offset: in the VMO; paddr: None if there is no page yet."""

    offset: ByteOffset
    paddr: Paddr | None
    is_past_end: bool
    is_private_clone: bool
    zero_page: Paddr


def mapped_page(region: VmAddressRegionOrMapping, va: Vaddr) -> MappedPage | None:
    """What is behind `va`, inside the region; None for a VMAR, and for a mapping that has lost its VMO."""
    if not isinstance(region, VmMapping) or region.vmo is None:
        return None
    vmo = region.vmo
    offset = (va - region.base + region.object_offset) & -PAGE_SIZE
    zero = region.aspace.system.pmm.zero_page.paddr
    is_past_end = offset >= vmo.size
    return MappedPage(
        offset, None if is_past_end else _page(vmo, offset), is_past_end, region.private_clone, zero
    )


def _page(vmo: VmObject, offset: ByteOffset) -> Paddr | None:
    """Where the VMO's page is, own or inherited. Nothing is made, and no lock is taken."""
    if isinstance(vmo, VmObjectPhysical):
        return vmo.paddr + offset
    if not isinstance(vmo, VmObjectPaged):
        return None
    at = offset + vmo.cow_offset
    page = vmo.cow_pages.pages.get(at) or vmo.cow_pages.find_inherited(at)[2]
    return None if page is None else page.paddr
