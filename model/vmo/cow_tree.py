"""The tree of copy-on-write pages: which page a VMO sees, and who else sees it.

Mirrors the tree part of `VmCowPages` (`zircon/kernel/vm/include/vm/vm_cow_pages.h`, `zircon/kernel/vm/vm_cow_pages.cc`).
A snapshot puts a hidden parent above the VMO and its clone: the pages that both see move there, each with the number
of further VMOs that see it. A hidden parent with one child left goes, and its pages move down. A clone of a
pager-backed VMO is a plain child instead, and sees through to its parent.

Does not model the removal of clones in the background (`deferred`): everything is done at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Self

from vmaspace.model.constants import PAGE_SHIFT, PAGE_SIZE, ByteOffset, ByteSize
from vmaspace.model.status import AssertionViolation
from vmaspace.model.vmo.kinds import RangeChangeOp

if TYPE_CHECKING:
    from vmaspace.model.physical_memory import VmPage
    from vmaspace.model.system import System
    from vmaspace.model.vmo.page_source import PageSource
    from vmaspace.model.vmo.paged_lookup import PagedLookup

_FILE = "zircon/kernel/vm/vm_cow_pages.cc"


class CowNode:
    """One node of a tree of clones. `pages` holds the shared zero page where a parent's page must not shine through."""

    __slots__ = (
        "children",
        "high_priority_count",
        "is_hidden",
        "pages",
        "paged_refs",
        "parent",
        "parent_limit",
        "parent_offset",
        "pin_counts",
        "size",
        "source",
        "system",
    )

    def __init__(
        self, system: System, size: ByteSize, *, is_hidden: bool = False, source: PageSource | None = None
    ) -> None:
        self.system = system
        self.size = size
        self.is_hidden = is_hidden
        self.source = source  # of a root only
        self.pages: dict[ByteOffset, VmPage] = {}
        self.pin_counts: dict[ByteOffset, int] = {}
        self.high_priority_count = 0  # its own, and one for each child that has any
        self.paged_refs: list[PagedLookup] = []  # the VMOs that show it: one, its references and its slices
        self.children: list[Self] = []
        self.parent: Self | None = None
        self.parent_offset: ByteOffset = 0  # where the node begins in the parent
        self.parent_limit: ByteSize = 0  # how much of the node sees the parent

    def __repr__(self) -> str:
        kind = "hidden" if self.is_hidden else "visible"
        return f"<{kind} cow pages, {len(self.pages)} of {self.size >> PAGE_SHIFT} pages>"

    # Looking up.

    def root(self) -> Self:
        """The node without a parent above this one."""
        node = self
        while node.parent is not None:
            node = node.parent
        return node

    def offsets_in(self, start: ByteOffset, end: ByteOffset) -> list[ByteOffset]:
        """Where the node itself has pages in `[start, end)`, ascending."""
        if (end - start) >> PAGE_SHIFT <= len(self.pages):
            return [offset for offset in range(start, end, PAGE_SIZE) if offset in self.pages]
        return sorted(offset for offset in self.pages if start <= offset < end)

    def find_inherited(self, offset: ByteOffset) -> tuple[Self, ByteOffset, VmPage | None, bool]:
        """What the ancestors show at `offset`: the node and offset there, its page, and whether all are hidden.

        Without a page, the node is the topmost that was reached.
        """
        node, is_direct = self, True
        while (parent := node.parent) is not None and offset < node.parent_limit:
            offset += node.parent_offset
            node = parent
            is_direct = is_direct and node.is_hidden
            page = node.pages.get(offset)
            if page is not None:
                return node, offset, page, is_direct
        return node, offset, None, is_direct

    def inherited_pages(
        self, start: ByteOffset, end: ByteOffset
    ) -> Iterator[tuple[Self, ByteOffset, VmPage, ByteOffset]]:
        """The pages of hidden parents that are seen in `[start, end)`: node, offset there, page, offset here."""
        zero_page = self.system.pmm.zero_page
        shadowed = set(self.offsets_in(start, end))
        node, shift = self, 0
        while (parent := node.parent) is not None and parent.is_hidden:
            end = min(end, node.parent_limit - shift)
            if start >= end:
                return
            shift += node.parent_offset
            node = parent
            for at in node.offsets_in(start + shift, end + shift):
                offset = at - shift
                if offset in shadowed:
                    continue
                shadowed.add(offset)
                page = node.pages[at]
                if page is not zero_page:
                    yield node, at, page, offset

    # Who sees what.

    def drop_inherited(self, start: ByteOffset, end: ByteOffset) -> None:
        """See the pages of hidden parents in `[start, end)` no more: the last one who saw a page frees it."""
        for node, at, page, _ in self.inherited_pages(start, end):
            if page.share_count:
                page.share_count -= 1
            else:
                del node.pages[at]
                self.system.pmm.free_page(page)

    def free_pages(self, start: ByteOffset, end: ByteOffset) -> None:
        """Free the node's own pages in `[start, end)`."""
        pmm = self.system.pmm
        for offset in self.offsets_in(start, end):
            page = self.pages.pop(offset)
            if page is not pmm.zero_page:
                pmm.free_page(page)
            if self.source is not None:
                self.source.dirty.pop(offset, None)

    def range_change_update(self, offset: ByteOffset, size: ByteSize, op: RangeChangeOp) -> None:
        """Tell the mappings of all VMOs that see the node's pages in `[offset, offset + size)`.

        A child that has pages of its own at either end of its part is told of what lies between only.

        *Kernel:* `VmCowPages::RangeChangeUpdateLocked` (zircon/kernel/vm/vm_cow_pages.cc)
        *Fails with:* nothing.
        """
        for vmo in self.paged_refs:
            vmo.update_mappings_for_cow(offset, size, op)
        for child in self.children:
            start = max(offset - child.parent_offset, 0)
            end = min(offset + size - child.parent_offset, child.parent_limit)
            while start < end and start in child.pages:
                start += PAGE_SIZE
            while start < end and end - PAGE_SIZE in child.pages:
                end -= PAGE_SIZE
            if start < end:
                child.range_change_update(start, end - start, op)

    # Cloning.

    def clone_unidirectional(self, offset: ByteOffset, size: ByteSize, limit: ByteSize) -> Self:
        """A child that sees through to this node until it writes; `limit` bytes of it can.

        *Kernel:* `VmCowPages::CloneUnidirectionalLocked` (zircon/kernel/vm/vm_cow_pages.cc)
        *Fails with:* nothing; the caller has allocated.
        """
        child = type(self)(self.system, size)
        self._attach(child, offset, limit)
        return child

    def clone_bidirectional(self, offset: ByteOffset, size: ByteSize, limit: ByteSize) -> Self:
        """A clone that sees what is here now; this node and the clone get a hidden parent.

        *Kernel:* `VmCowPages::CloneNewHiddenParentLocked` (zircon/kernel/vm/vm_cow_pages.cc)
        *Fails with:* nothing; the caller has allocated.
        *Leaves alone:* what this node shows, and pages that the clone does not see.
        """
        for _, _, page, _ in self.inherited_pages(offset, offset + limit):
            page.share_count += 1
        hidden = type(self)(self.system, self.size, is_hidden=True)
        hidden.high_priority_count = 1 if self.high_priority_count else 0
        above = self._detach()
        if above is not None:
            above._attach(hidden, self.parent_offset, self.parent_limit)
        for at in self.offsets_in(offset, offset + limit):
            page = hidden.pages[at] = self.pages.pop(at)
            if page is not self.system.pmm.zero_page:
                page.share_count = 1
        hidden._attach(self, 0, self.size)
        clone = type(self)(self.system, size)
        hidden._attach(clone, offset, limit)
        return clone

    def _attach(self, child: Self, offset: ByteOffset, limit: ByteSize) -> None:
        child.parent, child.parent_offset, child.parent_limit = self, offset, limit
        self.children.append(child)

    def _detach(self) -> Self | None:
        """Leave the parent; answers it."""
        parent, self.parent = self.parent, None
        if parent is not None:
            parent.children.remove(self)
        return parent

    # Going away.

    def close_if_unused(self) -> None:
        """Free everything once no VMO shows the node and no child sees through it.

        *Kernel:* `VmCowPages::DeadTransitionLocked`, `~VmCowPages` (zircon/kernel/vm/vm_cow_pages.cc)
        *Fails with:* nothing.
        *Asserts:* no HIGH mapping counts on the pages any more.
        """
        if self.paged_refs or self.children:
            return
        if self.high_priority_count:
            raise AssertionViolation("pages that go have no high priority", _FILE)
        self.drop_inherited(0, self.size)
        self.free_pages(0, self.size)
        if self.source is not None:
            self.source.detach()
        parent = self._detach()
        if parent is None:
            return
        if not parent.is_hidden:
            parent.close_if_unused()
        elif len(parent.children) == 1:
            parent._merge_into_child(parent.children[0])

    def _merge_into_child(self, child: Self) -> None:
        """A hidden parent with one child: its pages become the child's, and it goes.

        *Kernel:* `VmCowPages::MergeContentWithChildLocked` (zircon/kernel/vm/vm_cow_pages.cc)
        *Fails with:* nothing.
        *Asserts:* every page is seen by the child, or by one below it.
        """
        shift, limit = child.parent_offset, child.parent_limit
        for at, page in self.pages.items():
            offset = at - shift
            if 0 <= offset < limit and offset not in child.pages:
                child.pages[offset] = page
            elif page is not self.system.pmm.zero_page:
                raise AssertionViolation("somebody sees each page of a hidden parent", _FILE)
        self.pages = {}
        child._detach()
        above = self._detach()
        if above is not None:
            above._attach(child, self.parent_offset + shift, max(min(limit, self.parent_limit - shift), 0))
