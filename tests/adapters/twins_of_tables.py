"""A way to break each check of page tables: by number, something done to a scene of `test_invariants`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from vmaspace.model.arch.aspace import ArchVmAspace, ExistingEntryAction
from vmaspace.model.arch.walk import Step
from vmaspace.model.flags import FaultFlag, MmuFlag

PAGE = 4096
BASE = 0x200000
READ = MmuFlag.PERM_READ
WRITE_FAULT = FaultFlag.WRITE | FaultFlag.USER

TABLE_TWINS: dict[str, Callable[[Any], Any]] = {}


def breaks(number: str) -> Callable[[Callable[[Any], Any]], Callable[[Any], Any]]:
    def register(twin: Callable[[Any], Any]) -> Callable[[Any], Any]:
        TABLE_TWINS[number] = twin
        return twin

    return register


def leaf(scene: Any) -> Step:
    """The leaf of the first page of the mapping, which a fault has made."""
    scene.aspace.page_fault(scene.mapping.base, WRITE_FAULT)
    found = scene.aspace.arch.leaf_at(scene.mapping.base)
    assert found is not None
    return found


def set_leaf(scene: Any, change: Callable[[int], int]) -> None:
    found = leaf(scene)
    scene.aspace.arch.words_at(found.table)[found.slot] = change(found.entry)


def table(scene: Any) -> Any:
    return scene.system.pmm.page_for(leaf(scene).table)


breaks("tables-1")(lambda s: set_leaf(s, lambda entry: entry & ~1))
breaks("tables-3")(lambda s: set_leaf(s, lambda entry: entry | 1 << 9))
breaks("tables-20")(lambda s: set_leaf(s, lambda entry: entry | 1 << 8))
breaks("tables-11")(lambda s: s.aspace.arch.root.words.__setitem__(511, 0))
breaks("tables-13")(lambda s: s.aspace.arch.shootdown.enqueue(BASE, 0, 1, is_terminal=True))
breaks("tables-6")(lambda s: setattr(s.aspace.arch, "pt_pages", 7))
breaks("tables-7")(lambda s: s.aspace.arch.new_table())
breaks("tables-10")(lambda s: setattr(s.aspace.arch, "asid", 4000))
breaks("tables-16")(lambda s: s.aspace.arch.map(BASE + (1 << 29), [PAGE], READ, ExistingEntryAction.ERROR))


@breaks("tables-2")
def _forbidden_to_execute_above(s: Any) -> None:
    leaf(s)
    step = s.aspace.arch.walk(s.mapping.base)[1]
    s.aspace.arch.words_at(step.table)[step.slot] |= 1 << 63


@breaks("tables-4")
def _miscounted(s: Any) -> None:
    table(s).num_mappings += 1


@breaks("tables-5")
def _emptied(s: Any) -> None:
    set_leaf(s, lambda entry: 0)


@breaks("tables-8")
def _shared_slot_of_its_own(s: Any) -> None:
    unified = s.unified()[2]
    unified.arch.root.words[130] = 0


@breaks("tables-9")
def _not_propagated(s: Any) -> None:
    _, restricted, unified = s.unified()
    restricted.arch.map(BASE, [PAGE], READ, ExistingEntryAction.ERROR)
    unified.arch.root.words[0] = 0


@breaks("tables-12")
def _given_back_too_early(s: Any) -> None:
    tables = s.aspace.arch
    made = tables.new_table()
    tables.shootdown.enqueue(BASE, 0, 1, is_terminal=True)
    tables.give_back(made)


@breaks("tables-14")
def _nothing_is_issued(s: Any) -> None:
    tables = s.aspace.arch
    leaf(s)
    ArchVmAspace.context_switch(0, None, tables)
    tables.shootdown.rules = dataclasses.replace(tables.shootdown.rules, issue=lambda owed: None)
    s.mapping.destroy()


@breaks("tables-15")
def _an_id_for_two(s: Any) -> None:
    first, second = s.aspace.arch, s.system.create_aspace(1 << 31, 1 << 30).arch
    second.asid, second.dirty_cpus = first.asid, 0
    ArchVmAspace.context_switch(0, None, first)
    ArchVmAspace.context_switch(0, first, second)


@breaks("tables-17")
def _grants_more_than_the_mapping(s: Any) -> None:
    leaf(s)
    s.mapping._ranges.first_flags = int(READ | MmuFlag.PERM_USER)


@breaks("tables-18")
def _another_page(s: Any) -> None:
    set_leaf(s, lambda entry: entry + PAGE)


@breaks("tables-19")
def _seen_by_one_alone(s: Any) -> None:
    _, restricted, unified = s.unified()
    restricted.arch.map(BASE, [PAGE], READ, ExistingEntryAction.ERROR)
    unified.arch.root.words[0] = 0
