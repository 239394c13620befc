"""What a case has made so far: the system it runs on, and the names that are bound.

A bound name stands for an object and for the address that was answered when it was bound, which stays the same
whatever happens to the object later.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntFlag
from typing import Any, Final, TypeVar

from vmaspace.checker.engines.conformance.error import BadStep, Unsupported, nearest
from vmaspace.model.arch.ids import FIRST_USER_ASID
from vmaspace.model.aspace import VmAspace
from vmaspace.model.constants import PAGE_SIZE
from vmaspace.model.flags import ZX_VM_ALIGN_BASE, FaultFlag, MmuFlag, Right, VmarFlag, VmmFlag, VmOption
from vmaspace.model.mapping import VmMapping
from vmaspace.model.object.dispatcher import (
    Handle,
    VmAddressRegionDispatcher,
    VmObjectDispatcher,
    vmar_handle,
    vmo_handle,
)
from vmaspace.model.status import AssertionViolation, Status
from vmaspace.model.system import System
from vmaspace.model.vmar import VmAddressRegion
from vmaspace.model.vmo import VmObject

# The engine knows the model through this module and the operations only.
__all__ = ["STATUS_NAMES", "AssertionViolation", "Bound", "Environment", "NotBound", "System", "make_system"]

STATUS_NAMES: Final = frozenset(status.name for status in Status)
# Constants that are another number in each variant of a case.
_OF_VARIANTS: Final = frozenset({"HIGH"})
_NUMBER: Final = re.compile(r"0[xX][0-9a-fA-F]{1,16}|[0-9]{1,20}", re.ASCII)
_MMU_WORDS: Final = {
    "READ": MmuFlag.PERM_READ,
    "WRITE": MmuFlag.PERM_WRITE,
    "EXECUTE": MmuFlag.PERM_EXECUTE,
    "USER": MmuFlag.PERM_USER,
}
T = TypeVar("T")


def make_system(arch: str) -> System:
    """The reference model of a machine of this architecture."""
    return System(arch)


class NotBound(Exception):
    """A name that an earlier step would have bound, had it not been refused."""


@dataclass(frozen=True, slots=True)
class Bound:
    """What a name stands for."""

    value: object  # a handle, an object of the model, or a number
    base: int | None = None
    size: int | None = None
    items: tuple[int, ...] = ()  # of a list of numbers


class Environment:
    """The state of one case."""

    def __init__(self, system: System, params: Mapping[str, Any]) -> None:
        self.system = system
        self.params = params  # what the case, or a variant of it, gives names to
        self.bound: dict[str, Bound] = {}
        self.refused: set[str] = set()  # names whose step was refused
        self.previously_active: list[VmAspace | None] = []

    # Names.

    def bind(self, name: str, bound: Bound) -> None:
        """Let `name` stand for something new."""
        self.bound[name] = bound
        self.refused.discard(name)

    def refuse(self, name: str) -> None:
        """Note that the step which binds `name` was refused."""
        self.refused.add(name)

    def lookup(self, name: str) -> Bound:
        """What `name` stands for."""
        found = self.bound.get(name)
        if found is None:
            if name.split(".")[0] in self.refused:
                raise NotBound(name)
            raise BadStep(f"nothing is bound to {name!r}", nearest(name, list(self.bound)))
        return found

    def name(self, name: str, index: int | None) -> int:
        """The number that `$name` stands for: see `expressions.Values`."""
        if index is not None:
            items = self.lookup(name).items
            if index >= len(items):
                raise BadStep(f"${name}[{index}]: {name!r} has {len(items)} items")
            return items[index]
        if name not in self.bound:
            stem, _, last = name.rpartition(".")
            if stem in self.bound and last in ("base", "size"):
                number = self.bound[stem].base if last == "base" else self.bound[stem].size
                if number is None:
                    raise BadStep(f"${name}: {stem!r} has no {last}")
                return number
        given = None if name in self.bound else self._param(name)
        if given is not None:
            return given
        found = self.lookup(name)
        if found.base is None:
            raise BadStep(f"${name}: {name!r} has no address", "an address comes with a region or an aspace")
        return found.base

    def constant(self, name: str) -> int:
        """The number that `@name` stands for: see `expressions.Values`."""
        arch, vdso = self.system.arch, self.system.vdso
        constants = {
            "PAGE_SIZE": PAGE_SIZE,
            "USER_ASPACE_BASE": arch.user_aspace_base,
            "USER_ASPACE_SIZE": arch.user_aspace_size,
            "USER_RESTRICTED_ASPACE_SIZE": arch.user_restricted_aspace_size,
            "KERNEL_ASPACE_BASE": arch.kernel_aspace_base,
            "KERNEL_ASPACE_SIZE": arch.kernel_aspace_size,
            "GUEST_ASPACE_SIZE": arch.guest_aspace_size,
            "VDSO_TOTAL_SIZE": vdso.size,
            "VDSO_CODE_START": vdso.code_start,
            "VDSO_CODE_SIZE": vdso.code_size,
            "FIRST_USER_ASID": FIRST_USER_ASID,
            "MAX_USER_ASID_8": 0xFF,
            "MAX_USER_ASID_16": 0xFFFF,
        }
        if name in constants:
            return constants[name]
        given = self._param(name)
        if given is not None:
            return given
        if name in _OF_VARIANTS:
            raise Unsupported(f"the constant {name}, which no variant of the case gives")
        raise BadStep(f"unknown constant {name!r}", nearest(name, [*constants, *_OF_VARIANTS]))

    def _param(self, name: str) -> int | None:
        """The number that the case gives this name, if it does."""
        given = self.params.get(name)
        if isinstance(given, str) and _NUMBER.fullmatch(given):
            return int(given, 16 if given[:2].lower() == "0x" else 10)
        return given if isinstance(given, int) and not isinstance(given, bool) else None

    # Objects.

    def handle(self, bound: Bound) -> Handle:
        """A handle to what is bound; a bare VMAR or VMO gets one with the rights of a new one."""
        value = bound.value
        if isinstance(value, Handle):
            return value
        if isinstance(value, VmAddressRegion):
            base_mmu_flags = MmuFlag.PERM_USER if value.aspace.is_user() else MmuFlag.CACHED
            return vmar_handle(value, base_mmu_flags)
        if isinstance(value, VmObject):
            return vmo_handle(value)
        raise BadStep(f"expected something that handles refer to, not {_describe(value)}")

    def vmar(self, bound: Bound) -> VmAddressRegion:
        """The VMAR that is bound, or behind the bound handle."""
        value = bound.value
        if isinstance(value, Handle) and isinstance(value.dispatcher, VmAddressRegionDispatcher):
            return value.dispatcher.vmar
        return _expect(value, VmAddressRegion, "a VMAR")

    def vmo(self, bound: Bound) -> VmObject:
        """The VMO that is bound, or behind the bound handle."""
        value = bound.value
        if isinstance(value, Handle) and isinstance(value.dispatcher, VmObjectDispatcher):
            return value.dispatcher.vmo
        return _expect(value, VmObject, "a VMO")

    def mapping(self, bound: Bound) -> VmMapping:
        """The mapping that is bound."""
        return _expect(bound.value, VmMapping, "a mapping")

    def aspace(self, bound: Bound) -> VmAspace:
        """The address space that is bound."""
        return _expect(bound.value, VmAspace, "an address space")

    # Words.

    @staticmethod
    def mmu_flags(words: list[str]) -> int:
        """The MMU flags that a list of permissions stands for."""
        flags = 0
        for word in words:
            if word not in _MMU_WORDS:
                raise BadStep(f"unknown permission {word!r}", nearest(word, list(_MMU_WORDS)))
            flags |= _MMU_WORDS[word]
        return flags

    @staticmethod
    def fault_flags(words: list[str]) -> int:
        """The flags of a page fault."""
        flags = 0
        for word in words:
            flags |= _member(FaultFlag, word)
        return flags

    @staticmethod
    def vmm_flags(words: list[str]) -> int:
        """The options of the kernel's own allocators."""
        flags = 0
        for word in words:
            flags |= _member(VmmFlag, word)
        return flags

    @staticmethod
    def vm_options(words: list[str]) -> int:
        """The option word of a system call."""
        options = 0
        for word in words:
            numbered = _numbered_option(word)
            options |= _member(VmOption, word) if numbered is None else numbered
        return options

    @staticmethod
    def vmar_flags(words: list[str]) -> tuple[int, int]:
        """The VMAR flags of the kernel's own interface, and log2 of an alignment."""
        flags, align_pow2 = 0, 0
        for word in words:
            numbered = _numbered_option(word)
            if numbered is None and word in VmOption.__members__ and word not in VmarFlag.__members__:
                raise Unsupported(f"the option {word} of the kernel's own interface")
            if numbered is None:
                flags |= _member(VmarFlag, word)
            elif word.startswith("ALIGN_LOG2:"):
                align_pow2 = numbered >> ZX_VM_ALIGN_BASE
            else:
                flags |= numbered
        return flags, align_pow2

    @staticmethod
    def rights(words: list[str]) -> Right:
        """The rights that a list of names stands for."""
        rights = Right.NONE
        for word in words:
            rights |= Right(_member(Right, word))
        return rights


def _member(flags: type[IntFlag], word: str) -> int:
    if word not in flags.__members__:
        raise BadStep(f"unknown option {word!r}", nearest(word, list(flags.__members__)))
    return int(flags[word])


def _numbered_option(word: str) -> int | None:
    """`ALIGN_LOG2:n` or `BIT_n`."""
    for prefix, shift, limit in (("ALIGN_LOG2:", ZX_VM_ALIGN_BASE, 255), ("BIT_", None, 31)):
        if word.startswith(prefix):
            digits = word.removeprefix(prefix)
            if not (digits.isascii() and digits.isdigit()) or len(digits) > 3 or int(digits) > limit:
                raise BadStep(f"unknown option {word!r}", f"{prefix}n with n from 0 to {limit}")
            return 1 << int(digits) if shift is None else int(digits) << shift
    return None


def _expect(value: object, kind: type[T], what: str) -> T:
    if not isinstance(value, kind):
        raise BadStep(f"expected {what}, not {_describe(value)}")
    return value


def _describe(value: object) -> str:
    if isinstance(value, Handle):
        return f"a handle to a {type(value.dispatcher).__name__}"
    return f"a {type(value).__name__}"
