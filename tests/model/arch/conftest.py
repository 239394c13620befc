"""Page tables by themselves, over an allocator that counts the tables and can run out of them."""

import pytest

from vmaspace.model.arch.aspace import ArchVmAspace
from vmaspace.model.arch.hardware import AccessKind, apply_updates, translate
from vmaspace.model.arch.mmu_rules import mmu_for
from vmaspace.model.arch.options import ExistingEntryAction
from vmaspace.model.arch.walk import Step
from vmaspace.model.flags import ArchAspaceFlag
from vmaspace.model.physical_memory import VmPage
from vmaspace.model.status import ZX_OK, Status
from vmaspace.model.system import System

PAGE = 0x1000
ARCHITECTURES = ("x86_64", "arm64", "riscv64")
NO_FLAGS = ArchAspaceFlag(0)


def hardware_access(tables: ArchVmAspace, va: int, *, is_write: bool) -> None:
    """What a CPU does to the entries on the way to a page that it accesses."""
    kind = AccessKind.WRITE if is_write else AccessKind.READ
    walked = translate(mmu_for(tables.regime), tables.memory, tables.own_root().paddr, va, kind, is_user=True)
    apply_updates(tables.memory, walked.updates)


class Space:
    """Page tables of one kind on a machine, and shorthands. Addresses in bytes, counts in pages."""

    def __init__(
        self,
        arch: str | System,
        kind: str = "plain",
        base: int = 0,
        size: int | None = None,
        flags: ArchAspaceFlag = NO_FLAGS,
    ) -> None:
        self.system = System(arch) if isinstance(arch, str) else arch
        self.name = self.system.arch.name
        self.left: int | None = None  # tables that can still be allocated; None: any number
        self.in_use = 0  # tables of this space
        if size is None:
            size = 1 << self.system.arch.guest_size_shift if flags else self.system.arch.user_top
        self.tables = ArchVmAspace(self.system, base, size, flags, self.allocate_table)
        self.arch = self.system.arch
        self.init = {
            "plain": self.tables.init,
            "restricted": self.tables.init_restricted,
            "shared": self.tables.init_shared,
        }.get(kind, lambda: ZX_OK)
        self.status = self.init()

    def allocate_table(self) -> VmPage | None:
        if self.left is not None:
            if not self.left:
                return None
            self.left -= 1
        return self.system.pmm.allocate_page()

    # Edits.

    def map(
        self, va: int, paddrs: list[int], flags: int, action: ExistingEntryAction = ExistingEntryAction.ERROR
    ) -> Status:
        return self.tables.map(va, paddrs, flags, action)

    # Looking.

    def at(self, va: int) -> tuple[int, int] | None:
        """The physical address and the flags that `va` leads to; None when nothing is mapped."""
        status, paddr, flags = self.tables.query(va)
        return (paddr, flags) if status is ZX_OK else None

    def leaf(self, va: int) -> Step:
        step = self.tables.leaf_at(va)
        assert step is not None
        return step

    def all_tables(self) -> list[tuple[int, int, VmPage]]:
        """(level, address, page) of the root and each table below it that is the space's own."""
        tables = self.tables
        found = []

        def go(table: VmPage, level: int, start: int) -> None:
            found.append((level, start, table))
            for slot, entry in enumerate(table.words.tolist()):
                va = start + (slot << 12 + 9 * level)
                is_own = level != tables.regime.top_level or va < tables.base + tables.size
                if entry and is_own and not tables.regime.is_leaf(entry, level):
                    go(tables.table_at(entry), level - 1, va)

        assert tables.root is not None
        go(tables.root, tables.regime.top_level, 0)
        return found

    def check(self) -> None:
        """Counts are what the bytes say, no table is empty, and what is not present is 0."""
        tables, regime = self.tables, self.tables.regime
        keeps = set(tables.root_slots()) if tables.kind.name == "SHARED" else set()
        all_tables = self.all_tables()
        assert tables.pt_pages == len(all_tables)
        for level, start, page in all_tables:
            words = page.words.tolist()
            assert all(word & regime.present for word in words if word)
            is_root = level == regime.top_level
            if is_root:
                last = (tables.base + tables.size - 1) >> 12 + 9 * level
                words = words[: last + 1]
            present = sum(1 for word in words if word)
            if is_root and keeps and not self.arch.counts_shared_slots:
                present -= len(keeps)
            assert page.num_mappings == present
            is_kept = level == regime.top_level - 1 and start >> 12 + 9 * regime.top_level in keeps
            assert is_root or is_kept or present

    # Several spaces.

    @classmethod
    def family(cls, arch: str | System) -> "tuple[Space, Space, Space]":
        """A shared and a restricted space as a process has them, and the unified space over both."""
        system = System(arch) if isinstance(arch, str) else arch
        a = system.arch
        shared = cls(system, "shared", a.shared_base, a.shared_size)
        restricted = cls(system, "restricted", a.user_aspace_base, a.user_restricted_aspace_size)
        unified = cls(system, "unified", 0, 0)
        assert shared.status is restricted.status is ZX_OK
        assert unified.tables.init_unified(shared.tables, restricted.tables) is ZX_OK
        return shared, restricted, unified


@pytest.fixture
def make() -> type[Space]:
    return Space


@pytest.fixture(params=ARCHITECTURES)
def arch(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def space(arch: str) -> Space:
    return Space(arch)
