"""The account: what one window of page tables is to say, told by the calls alone.

It is a dictionary of pages, and knows nothing of entries. Where memory runs out it says what may be left, as the kernel's
page-table code promises it (zircon/kernel/vm/include/vm/arch_vm_aspace.h, and the loops in zircon/kernel/arch/*/mmu*).
"""

from __future__ import annotations

from typing import Final

from vmaspace.checker.adapters.table_machine import (
    ENLARGE,
    EXECUTE,
    LARGE,
    READ,
    USER,
    WRITE,
    Edit,
    Pages,
)

_RWX: Final = READ | WRITE | EXECUTE
_NEEDED: Final = {"READ": READ, "WRITE": WRITE, "EXECUTE": EXECUTE}


class Account:
    """Of one space. `judge` hears of every edit of it, and says what is wrong with what came of it."""

    def __init__(self, arch: str, space: str) -> None:
        self.arch = arch
        self.space = space
        self.pages: Pages = {}
        self.large: set[int] = set()  # first pages of large leaves

    def judge(self, edit: Edit, status: str, now: Pages, large: set[int]) -> str | None:
        """What is wrong, in words. status: that the edit answered; now, large: what the tables say after it."""
        wrong = getattr(self, f"_{edit.kind}")(edit, status, now, large)
        return wrong or self._compare(now, large)

    def _compare(self, now: Pages, large: set[int]) -> str | None:
        if now != self.pages:
            page = min(page for page in now.keys() | self.pages.keys() if now.get(page) != self.pages.get(page))
            return f"{self.space} page {page:#x} is {_told(now.get(page))}, and should be {_told(self.pages.get(page))}"
        if large != self.large:
            return f"{self.space} has large leaves at {_numbers(large)}, and should have them at {_numbers(self.large)}"
        return None

    # Edits.

    def _map(self, edit: Edit, status: str, now: Pages, large: set[int]) -> str | None:
        if status == "NO_MEMORY" and edit.left is not None:
            return self._failed_map(edit, now)
        self.pages, wanted = self._mapped(edit)
        return _unlike(status, wanted)

    def _mapped(self, edit: Edit) -> tuple[Pages, str]:
        """The pages after a mapping for which there is memory, and the status."""
        pages = dict(self.pages)
        is_read_only = edit.flags & _RWX == READ
        for i in range(edit.pages):
            page, new = edit.page + i, (edit.target + i, edit.flags)
            old = pages.get(page)
            if old is None:
                pages[page] = new
            elif edit.action == "ERROR" or self._is_in_large(page):
                return self._rolled_back(edit, i), "ALREADY_EXISTS"
            elif edit.action == "UPGRADE" and not (old[0] == new[0] and is_read_only):
                pages[page] = new
        return pages, "OK"

    def _rolled_back(self, edit: Edit, passed: int) -> Pages:
        """What the cursor has passed is unmapped, also what was there before."""
        return {page: to for page, to in self.pages.items() if not edit.page <= page < edit.page + passed}

    def _failed_map(self, edit: Edit, now: Pages) -> str | None:
        """Of the given pages none is mapped: what was passed is gone, what was not is as before."""
        touched = range(edit.page, edit.page + edit.pages)
        stays = min((page for page in touched if page in now), default=touched.stop)
        self.pages = {page: to for page, to in self.pages.items() if page not in touched or page >= stays}
        return None

    def _contiguous(self, edit: Edit, status: str, now: Pages, large: set[int]) -> str | None:
        touched = range(edit.page, edit.page + edit.pages)
        if any(page in self.pages for page in touched):
            if status == "NO_MEMORY" and edit.left is not None:
                return None
            return _unlike(status, "ALREADY_EXISTS")
        if status == "NO_MEMORY" and edit.left is not None:
            return None
        self.pages = self.pages | {edit.page + i: (edit.target + i, edit.flags) for i in range(edit.pages)}
        first = edit.page + -edit.page % LARGE
        for page in range(first, touched.stop - LARGE + 1, LARGE):
            if not (edit.target + page - edit.page) % LARGE:
                self.large.add(page)
        return _unlike(status, "OK")

    def _unmap(self, edit: Edit, status: str, now: Pages, large: set[int]) -> str | None:
        low, high = edit.page, edit.page + edit.pages
        enlarges = bool(edit.options & ENLARGE) if self.arch == "x86_64" else bool(edit.options)
        left, wanted = edit.left, "OK"
        gone: set[int] = set()
        for first in self._in_part(low, high):
            if left == 0 and not enlarges:
                high, wanted = max(low, first), "NO_MEMORY"
                break
            if left == 0:
                gone.update(range(first, first + LARGE))
            else:
                left = None if left is None else left - 1
            self.large.discard(first)
        self.pages = {page: to for page, to in self.pages.items() if not (low <= page < high or page in gone)}
        self.large = {first for first in self.large if first in self.pages}
        return _unlike(status, wanted)

    def _protect(self, edit: Edit, status: str, now: Pages, large: set[int]) -> str | None:
        low, high = edit.page, edit.page + edit.pages
        left, wanted = edit.left, "OK"
        for first in self._in_part(low, high):
            if left == 0:
                high, wanted = max(low, first), "NO_MEMORY"
                break
            left = None if left is None else left - 1
            self.large.discard(first)
        # As implemented, riscv64 never takes a page away from user mode.
        kept = USER if self.arch == "riscv64" else 0
        self.pages = {
            page: (to[0], edit.flags | to[1] & kept) if low <= page < high else to for page, to in self.pages.items()
        }
        return _unlike(status, wanted)

    def _harvest(self, edit: Edit, status: str, now: Pages, large: set[int]) -> str | None:
        if edit.options and self.arch != "riscv64":  # which tables were not accessed is for the bytes to say
            self.pages = {page: to for page, to in self.pages.items() if page in now}
            self.large = {first for first in self.large if first in now}
        return _unlike(status, "OK")

    def _mark(self, edit: Edit, status: str, now: Pages, large: set[int]) -> str | None:
        return _unlike(status, "NOT_SUPPORTED" if self.arch == "x86_64" else "OK")

    def _access(self, edit: Edit, status: str, now: Pages, large: set[int]) -> str | None:
        if status == "unmarked":
            return None
        to = self.pages.get(edit.page)
        needed = _NEEDED[edit.action] | (0 if self.space == "kernel" else USER)
        wanted = "refused" if to is None or to[1] & needed != needed else f"{to[0]:#x}"
        return None if status == wanted else f"the walk of the CPU ends at {status}, and should at {wanted}"

    # Large pages.

    def _is_in_large(self, page: int) -> bool:
        return page & -LARGE in self.large

    def meets_large(self, edit: Edit) -> bool:
        """Whether a map of single pages comes to a large one, over which x86-64 may not step."""
        return any(first < edit.page + edit.pages and edit.page < first + LARGE for first in self.large)

    def _in_part(self, low: int, high: int) -> list[int]:
        """The large leaves that `[low, high)` covers in part, in order."""
        return [
            first
            for first in sorted(self.large)
            if first < high and low < first + LARGE and not (low <= first and first + LARGE <= high)
        ]


def _unlike(status: str, wanted: str) -> str | None:
    return None if status == wanted else f"answers {status}, and should answer {wanted}"


def _told(to: tuple[int, int] | None) -> str:
    return "not mapped" if to is None else f"mapped to {to[0]:#x} with flags {to[1]:#x}"


def _numbers(pages: set[int]) -> str:
    return ", ".join(map(hex, sorted(pages))) or "no page"
