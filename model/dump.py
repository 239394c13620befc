"""The text that the kernel prints of an address space and of what is in it.

Mirrors `VmAspace::DumpLocked` (`zircon/kernel/vm/vm_aspace.cc`) and `DumpLocked` of VMARs
(`zircon/kernel/vm/vm_address_region.cc`) and mappings (`zircon/kernel/vm/vm_mapping.cc`): one line for each object,
protection range and VMO, indented by depth. Numbers in hexadecimal have a prefix, but for zero.

Does not model where objects lie in memory, so pointers are made up, one for each object in a dump; nor what a VMO prints
of itself. Of the references to a region those are counted that the address space holds: one from the list of its parent,
or as the root, and one as the vDSO code mapping. Control characters in a name and what is left
of a letter that was cut, which the kernel prints as they are, are written as `\\x0a`: an object stays on its line, and the
lines are text.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from vmaspace.model.constants import MAX_U64, ByteSize, Vaddr
from vmaspace.model.mapping import VmMapping

if TYPE_CHECKING:
    from vmaspace.model.aspace import VmAspace
    from vmaspace.model.region import VmAddressRegionOrMapping
    from vmaspace.model.vmar import VmAddressRegion

_FIRST_POINTER: Final = 0xFFFF_0011_2233_0000
_POINTER_STEP: Final = 0x1000


class Dump:
    """One dump: lines, in which the same object has the same pointer."""

    __slots__ = ("_pointers",)

    def __init__(self) -> None:
        # By identity. The objects are kept too, so that no later one can have the identity of an earlier one.
        self._pointers: dict[int, tuple[int, object]] = {}

    def aspace(self, aspace: VmAspace, verbose: bool) -> Iterator[str]:
        """The line of an address space; if verbose, its tree too.

        *Kernel:* `VmAspace::DumpLocked` (zircon/kernel/vm/vm_aspace.cc)
        *Fails with:* nothing.
        """
        yield (
            f"as {self._pointer(aspace)} {_range(aspace.base, aspace.size)} sz {_hex(aspace.size)} "
            f"typ {int(aspace.type)} ref {aspace.references} {_quoted(aspace.name)} destroyed {int(aspace.destroyed)}"
        )
        if verbose and aspace.root is not None:
            yield from self.vmar(aspace.root, 1)

    def vmar(self, vmar: VmAddressRegion, depth: int) -> Iterator[str]:
        """The line of a VMAR, and all that is below it.

        *Kernel:* `VmAddressRegion::DumpLocked` (zircon/kernel/vm/vm_address_region.cc)
        *Fails with:* nothing.
        """
        children: list[VmAddressRegionOrMapping] = list(vmar.subregions)
        yield (
            f"{_indent(depth)}vmar {self._region(vmar)} ref {_references(vmar)} state {int(vmar.state)} "
            f"{_quoted(vmar.name)} subregions {len(children)}"
        )
        for child in children:
            if isinstance(child, VmMapping):
                yield from self.mapping(child, depth + 1)
            else:
                yield from self.vmar(child, depth + 1)  # type: ignore[arg-type]

    def mapping(self, mapping: VmMapping, depth: int) -> Iterator[str]:
        """The line of a mapping, one for each of its protection ranges, and one for its VMO.

        *Kernel:* `VmMapping::DumpLocked` (zircon/kernel/vm/vm_mapping.cc)
        *Fails with:* nothing.
        """
        yield (
            f"{_indent(depth)}map {self._region(mapping)} state {int(mapping.state)} "
            f"mergeable {str(mapping.mergeable).lower()}"
        )
        for start, end, mmu_flags in mapping.protection_ranges():
            yield f"{_indent(depth + 1)} {_range(start, end - start)} mmufl {_hex(mmu_flags)}"
        vmo = mapping.vmo
        if vmo is not None:
            counts = vmo.attributed_memory_in_range(mapping.object_offset, mapping.size)
            yield (
                f"{_indent(depth + 1)}vmo {self._pointer(vmo)}/k{vmo.koid} off {_hex(mapping.object_offset)} "
                f"bytes ({counts.uncompressed}/{counts.compressed}) ref {_references(mapping)} {_quoted(vmo.name)}"
            )

    def _region(self, region: VmAddressRegionOrMapping) -> str:
        return f"{self._pointer(region)} {_range(region.base, region.size)} sz {_hex(region.size)}"

    def _pointer(self, thing: object) -> str:
        pointer = _FIRST_POINTER + len(self._pointers) * _POINTER_STEP
        return f"{self._pointers.setdefault(id(thing), (pointer, thing))[0]:#x}"


def _references(region: VmAddressRegionOrMapping) -> int:
    """Those that the address space holds; on the line of a VMO too the number is the mapping's."""
    return 1 + (region is region.aspace.vdso_code_mapping)


def _quoted(name: str) -> str:
    return "'" + "".join(_as_printed(c) for c in name) + "'"


def _as_printed(letter: str) -> str:
    if "\udc80" <= letter <= "\udcff":
        return f"\\x{ord(letter) - 0xDC00:02x}"
    return f"\\x{ord(letter):02x}" if letter < " " or letter == "\x7f" else letter


def _indent(depth: int) -> str:
    return "  " * depth


def _hex(number: int) -> str:
    """As `%#x` prints it: zero has no prefix."""
    return f"{number:#x}" if number else "0"


def _range(base: Vaddr, size: ByteSize) -> str:
    """The first and the last byte; for an empty range at 0 the last one wraps."""
    return f"[{_hex(base)} {_hex((base + size - 1) & MAX_U64)}]"
