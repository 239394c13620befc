"""No mapping keeps a translation that its VMO has taken back: caches against what the VMOs show, on random trees."""

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.model.vmo.test_clone_trees import Forest, P, Twin
from vmaspace.model.physical_memory import VmPage
from vmaspace.model.status import Status
from vmaspace.model.system import System
from vmaspace.model.vmo import RangeChangeOp, VmCowPages, VmObjectPaged


class Translations:
    """A mapping of a whole VMO, with page tables that hold what was touched until they are told otherwise."""

    def __init__(self, vmo: VmObjectPaged) -> None:
        self.vmo = vmo
        self.aspace = self
        self.entries: dict[int, tuple[VmPage, bool]] = {}
        with vmo.lock:
            vmo.add_mapping(self)

    def touch(self, offset: int, will_write: bool) -> None:
        with self.vmo.lock:
            status, page, is_writable = self.vmo.lookup_page(offset, will_write)
        assert status is Status.ZX_OK
        self.entries[offset] = page, is_writable

    def leave(self) -> None:
        with self.vmo.lock:
            self.vmo.remove_mapping(self)

    def aspace_unmap_locked_object(self, offset: int, size: int, option: RangeChangeOp) -> None:
        for at in [at for at in self.entries if offset <= at < offset + size]:
            del self.entries[at]

    def aspace_remove_write_locked_object(self, offset: int, size: int) -> None:
        for at, (page, _) in self.entries.items():
            if offset <= at < offset + size:
                self.entries[at] = page, False

    def check(self) -> None:
        for at, (page, is_writable) in self.entries.items():
            assert at < self.vmo.size and page.is_allocated
            with self.vmo.lock:
                shown, may_write = self.vmo.existing_page(at, False) or (self.vmo.system.pmm.zero_page, False)
            assert page is shown and is_writable <= may_write


class MappedForest(Forest):
    """A forest of clones, each VMO with a mapping of its own."""

    def __init__(self, dice: st.DataObject, system: System | None = None) -> None:
        self.translations: dict[Twin, Translations] = {}
        super().__init__(dice, system)

    def touch(self) -> None:
        twin = self.pick()
        for offset in range(0, twin.size, P):
            self.translations[twin].touch(offset, self.dice.draw(st.booleans()))

    def close(self) -> None:
        twin = self.pick()
        self.translations.pop(twin).leave()
        self.twins.remove(twin)
        twin.vmo.release()

    def step(self) -> None:
        for twin in self.twins:
            if twin not in self.translations:
                self.translations[twin] = Translations(twin.vmo)
        if self.twins and self.dice.draw(st.booleans()):
            self.touch()
        super().step()

    STEPS = (*Forest.STEPS[:-1], close)


def run(dice: st.DataObject, system: System | None = None) -> None:
    forest = MappedForest(dice, system)
    for _ in range(dice.draw(st.integers(1, 20))):
        forest.step()
        for translations in forest.translations.values():
            translations.check()


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_translation_is_stale(dice) -> None:
    run(dice)


class Quiet(VmCowPages):
    """Mappings are not told of one kind of change."""

    __slots__ = ()
    kept_back = RangeChangeOp.UNMAP

    def range_change_update(self, offset, size, op):
        if op is not self.kept_back:
            super().range_change_update(offset, size, op)


@pytest.mark.parametrize(
    "kind", [RangeChangeOp.UNMAP, RangeChangeOp.UNMAP_ZERO_PAGE, RangeChangeOp.REMOVE_WRITE]
)
def test_a_change_that_is_kept_back_is_found(kind: RangeChangeOp) -> None:
    class Planted(Quiet):
        __slots__ = ()
        kept_back = kind

    class Faulty(System):
        cow_pages_class = Planted

    @settings(
        max_examples=1000, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
        report_multiple_bugs=False,
    )  # fmt: skip
    @given(st.data())
    def runs_well(dice) -> None:
        run(dice, Faulty())

    with pytest.raises(AssertionError):
        runs_well()
