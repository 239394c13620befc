"""Random histories against an account page by page: who shows which page of what, with which protection."""

from hypothesis import given, settings
from hypothesis import strategies as st

from vmaspace.model.flags import MmuFlag, VmarFlag
from vmaspace.model.status import Status
from vmaspace.model.system import System

P = 0x1000
PAGES = 10
R, W = int(MmuFlag.PERM_READ), int(MmuFlag.PERM_WRITE)

spans = st.tuples(st.integers(0, PAGES - 1), st.integers(1, 6)).map(
    lambda span: (span[0], min(span[1], PAGES - span[0]))
)
steps = st.one_of(
    st.tuples(st.just("map"), spans, st.integers(0, 2), st.sampled_from([R, R | W])),
    st.tuples(st.just("overwrite"), spans, st.integers(0, 2), st.sampled_from([R, R | W])),
    st.tuples(st.just("unmap"), spans),
    st.tuples(st.just("protect"), spans, st.sampled_from([0, R, R | W])),
    st.tuples(st.just("mark"), st.integers(0, PAGES - 1)),
    st.tuples(st.just("destroy"), st.integers(0, PAGES - 1)),
)


class Account:
    """For each page: the VMO page shown there, the protection, and the ceiling; None in a gap."""

    def __init__(self) -> None:
        self.system = System(aslr_disabled=True)
        self.root = self.system.create_default_aspace().root
        _, self.vmo = self.system.create_vmo(PAGES * 2 * P)
        self.pages: list[tuple[int, int, int] | None] = [None] * PAGES

    def map(self, span, delta: int, mmu: int, flags: int) -> None:
        low, count = span
        status, _ = self.root.create_vm_mapping(
            low * P, count * P, 0, flags, self.vmo, (low + delta) * P, mmu
        )
        taken = any(page is not None for page in self.pages[low : low + count])
        if flags == VmarFlag.SPECIFIC and taken:
            assert status is Status.ZX_ERR_ALREADY_EXISTS
            return
        assert status is Status.ZX_OK
        for page in range(low, low + count):
            self.pages[page] = (page + delta, mmu, mmu)

    def unmap(self, span) -> None:
        low, count = span
        assert self.root.unmap(self.root.base + low * P, count * P) is Status.ZX_OK
        self.pages[low : low + count] = [None] * count

    def protect(self, span, mmu: int) -> None:
        low, count = span
        status = self.root.protect(self.root.base + low * P, count * P, mmu)
        expected = Status.ZX_OK
        for page in self.pages[low : low + count]:
            if page is None or mmu & ~page[2]:
                expected = Status.ZX_ERR_NOT_FOUND if page is None else Status.ZX_ERR_ACCESS_DENIED
                break
        assert status is expected
        if status is Status.ZX_OK:
            for page in range(low, low + count):
                offset, _, ceiling = self.pages[page]
                self.pages[page] = (offset, mmu, ceiling)

    def mark(self, page: int) -> None:
        mapping = self.root.find_region(self.root.base + page * P)
        if mapping is not None:
            mapping.mark_mergeable()

    def destroy(self, page: int) -> None:
        mapping = self.root.find_region(self.root.base + page * P)
        assert (mapping is None) == (self.pages[page] is None)
        if mapping is not None:
            low = (mapping.base - self.root.base) // P
            assert mapping.destroy() is Status.ZX_OK
            self.pages[low : low + mapping.size // P] = [None] * (mapping.size // P)

    def check(self) -> None:
        seen: list[tuple[int, int, int] | None] = [None] * PAGES
        for mapping in self.root.subregions:
            assert mapping.is_alive() and mapping.parent is self.root and mapping.vmo is self.vmo
            for low, high, mmu in mapping.protection_ranges():
                for addr in range(low, high, P):
                    page = (addr - self.root.base) // P
                    assert seen[page] is None
                    offset = (mapping.object_offset + addr - mapping.base) // P
                    seen[page] = (offset, int(mmu), (int(mapping.flags) & 0x70) >> 1)
        assert seen == self.pages
        assert set(self.vmo.mappings) == set(self.root.subregions)


@settings(max_examples=300)
@given(st.lists(steps, max_size=25))
def test_histories_agree_with_the_account(history: list) -> None:
    account = Account()
    for name, *arguments in history:
        if name == "map":
            account.map(*arguments, VmarFlag.SPECIFIC)
        elif name == "overwrite":
            account.map(*arguments, VmarFlag.SPECIFIC_OVERWRITE)
        else:
            getattr(account, name)(*arguments)
        account.check()
