"""Twins: the model's formats with one thing wrong, each of which turns the right claim red."""

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import pytest

from vmaspace.checker.adapters.entries import ALL_TABLES, Regime, Tables, mmu_levels
from vmaspace.checker.engines.entries import CLAIMS, changes, hardware, prove_entries
from vmaspace.checker.report.verdict import Kind, Verdict

FORMATS = {tables.slug: tables for tables in ALL_TABLES}
NX = 1 << 63


def twin(slug: str, **members: Any) -> Tables:
    """A format with other members; a change may be a function of the regime."""
    tables = FORMATS[slug]
    regime = tables.regime
    return replace(
        tables, regime=replace(regime, **{k: v(regime) if getattr(v, "of_regime", False) else v for k, v in members.items()})
    )


def of_regime(make: Callable[[Regime], Any]) -> Any:
    make.of_regime = True  # type: ignore[attr-defined]
    return make


def broken(tables: Tables, *names: str) -> dict[str, Verdict]:
    verdicts, _ = prove_entries(names or None, [tables])
    return {v.property: v for v in verdicts if v.verdict is not Kind.PROVED}


def leaf_bits(change: Callable[[Any, Any, int], Any]) -> Any:
    """The leaf's bits, changed: (bits, MMU flags, level)."""
    return of_regime(lambda r: lambda flags, level: change(r.leaf_bits(flags, level), flags, level))


def split_bits(change: Callable[[Any, Any, int], Any]) -> Any:
    return of_regime(lambda r: lambda entry, level: change(r.split_bits(entry, level), entry, level))


def mmu_flags(change: Callable[[Any, Any, int], Any]) -> Any:
    return of_regime(lambda r: lambda entry, level: change(r.mmu_flags(entry, level), entry, level))


TWINS = {
    "x86: NX in the place of a protection key": (
        "x86-64",
        {"leaf_bits": leaf_bits(lambda bits, flags, level: bits & ~NX | (1 ^ flags >> 5 & 1) << 62)},
        "a_leaf_says_what_its_flags_say",
    ),
    "x86: NX is set for code": (
        "x86-64",
        {"leaf_bits": leaf_bits(lambda bits, flags, level: bits ^ NX)},
        "a_path_grants_what_its_flags_say",
    ),
    "x86: USER is lost": (
        "x86-64",
        {"leaf_bits": leaf_bits(lambda bits, flags, level: bits & ~4)},
        "a_leaf_answers_its_flags",
    ),
    "x86: a table entry without U": ("x86-64", {"table_fixed": 3}, "a_path_grants_what_its_flags_say"),
    "x86: a table entry is read-only": ("x86-64", {"table_fixed": 5}, "a_table_entry_says_nothing_else"),
    "x86: global user pages": ("x86-64", {"leaf_fixed": 0x101}, "a_leaf_says_what_its_flags_say"),
    "x86: kernel pages that are not global": ("x86-64-kernel", {"leaf_fixed": 1}, "a_leaf_says_what_its_flags_say"),
    "x86: leaves are born accessed": ("x86-64", {"leaf_fixed": 0x21}, "a_leaf_says_what_its_flags_say"),
    "x86: leaves are not present": ("x86-64", {"leaf_fixed": 0}, "what_is_not_present_is_zero"),
    "x86: a leaf in the PML4": ("x86-64", {"leaf_levels": (0, 1, 2, 3)}, "leaves_are_made_where_hardware_has_them"),
    "x86: large leaves without PS": (
        "x86-64",
        {"leaf_bits": leaf_bits(lambda bits, flags, level: bits & ~0x80 if level else bits)},
        "a_leaf_is_a_leaf",
    ),
    "x86: the large PAT bit where PS is": (
        "x86-64",
        {"leaf_bits": leaf_bits(lambda bits, flags, level: bits & ~0x1000 | (bits & 0x1000) >> 5)},
        "a_leaf_answers_its_flags",
    ),
    "x86: the large PAT bit in a reserved place": (
        "x86-64",
        {"leaf_bits": leaf_bits(lambda bits, flags, level: bits & ~0x1000 | (bits & 0x1000) << 1)},
        "a_leaf_has_no_reserved_bit",
    ),
    "x86: a split does not move PAT": (
        "x86-64",
        {"split_bits": lambda entry, level: entry & (0x8000000000000FFF & ~0x80 if level == 1 else 0x8000000000001FFF)},
        "a_split_keeps_every_attribute",
    ),
    "x86: a split of a huge page makes no large pages": (
        "x86-64",
        {"split_bits": split_bits(lambda bits, entry, level: bits & ~0x80)},
        "a_split_makes_leaves",
    ),
    "x86: a split drops NX": (
        "x86-64",
        {"split_bits": split_bits(lambda bits, entry, level: bits & ~NX)},
        "a_split_keeps_every_attribute",
    ),
    "x86: a frame mask that is a bit short": (
        "x86-64",
        {"leaf_frames": (0x0007FFFFFFFFF000, 0x000FFFFFFFE00000, 0x000FFFFFC0000000, 0)},
        "a_leaf_holds_its_address",
    ),
    "x86: a large frame with the PAT bit in it": (
        "x86-64",
        {"leaf_frames": (0x000FFFFFFFFFF000,) * 3 + (0,)},
        "addresses_are_read_as_hardware_reads_them",
    ),
    "x86: the table's address is a bit short": (
        "x86-64", {"table_frame": 0x0007FFFFFFFFF000}, "a_table_entry_holds_its_address"
    ),
    "x86: protection keeps the whole old leaf": (
        "x86-64", {"protect_clears": 0x8000000000000006}, "protect_replaces_what_is_documented"
    ),
    "x86: write-combining taken for uncached": (
        "x86-64",
        {"mmu_flags": mmu_flags(lambda flags, entry, level: flags & ~2)},
        "what_a_query_answers_maps_the_same",
    ),
    "x86: a query that answers EXECUTE for all": (
        "x86-64",
        {"mmu_flags": mmu_flags(lambda flags, entry, level: flags | 0x20)},
        "a_query_answers_no_more_than_is_granted",
    ),
    "x86: a user may write through read-only tables": (
        "x86-64",
        {"table_rights": of_regime(lambda r: lambda entry: r.table_rights(entry) | 2)},
        "rights_of_a_path_are_those_of_all_its_entries",
    ),
    "x86: the wrong accessed bit": ("x86-64", {"accessed": 0x40}, "accessed_flags_change_nothing_else"),
    "x86: 1 GiB of every 512 GiB is out of reach": ("x86-64", {"width": 47}, "indices_are_an_address"),
    "x86: the MMU reads a large leaf's address a bit short": (
        "x86-64",
        {"leaf_frames": (0x000FFFFFFFFFF000, 0x0007FFFFFFE00000, 0x000FFFFFC0000000, 0)},
        "the_mmu_takes_entries_as_the_manuals_say",
    ),
    "x86: rights that depend on a table's accessed flag": (
        "x86-64",
        {"table_rights": of_regime(lambda r: lambda entry: r.table_rights(entry) & 62 + (entry >> 5 & 1))},
        "the_mmu_takes_entries_as_the_manuals_say",
    ),
    "EPT: uncached is write-through": (
        "ept",
        {"leaf_bits": leaf_bits(lambda bits, flags, level: bits | (flags & 1) << 5)},
        "a_leaf_has_a_known_type",
    ),
    "EPT: a reserved memory type": (
        "ept",
        {"leaf_bits": leaf_bits(lambda bits, flags, level: bits | (flags & flags >> 1 & 1) << 4)},
        "a_leaf_has_no_reserved_bit",
    ),
    "EPT: a leaf of 1 GiB": ("ept", {"leaf_levels": (0, 1, 2)}, "leaves_are_made_where_hardware_has_them"),
    "arm64: AF is clear": ("arm64", {"leaf_fixed": 1 << 11}, "a_leaf_says_what_its_flags_say"),
    "arm64: global user pages": ("arm64", {"leaf_fixed": 1 << 10}, "a_leaf_says_what_its_flags_say"),
    "arm64: protection loses nG": (
        "arm64",
        {"protect_clears": 0xC0 | 3 << 53 | 1 << 11, "leaf_fixed": 1 << 10},
        "protect_replaces_what_is_documented",
    ),
    "arm64: protection keeps UXN": (
        "arm64", {"protect_clears": 0xC0 | 1 << 53}, "protect_gives_the_new_flags"
    ),
    "arm64: the kernel executes user code": (
        "arm64",
        {"leaf_bits": leaf_bits(lambda bits, flags, level: bits & ~((flags >> 2 & flags >> 5 & 1) << 53))},
        "a_path_grants_what_its_flags_say",
    ),
    "arm64: pages of type block": (
        "arm64", {"leaf_bits": leaf_bits(lambda bits, flags, level: bits & ~2)}, "a_leaf_is_a_leaf"
    ),
    "arm64: the pages of a split are of type block": (
        "arm64",
        {"split_bits": split_bits(lambda bits, entry, level: bits & ~2)},
        "a_split_makes_leaves",
    ),
    "arm64: tables are taken for blocks": ("arm64", {"leaf_flip": 0}, "leaves_and_tables_are_told_apart"),
    "arm64: device memory is shareable": (
        "arm64",
        {"leaf_bits": leaf_bits(lambda bits, flags, level: bits | 0x300)},
        "a_leaf_says_what_its_flags_say",
    ),
    "arm64: a mark in a permission bit of a table": (
        "arm64", {"table_accessed": 1 << 59}, "accessed_flags_change_nothing_else"
    ),
    "arm64 stage 2: the attributes of stage 1": (
        "arm64-stage-2",
        {"leaf_bits": of_regime(lambda r: FORMATS["arm64-kernel"].regime.leaf_bits)},
        "a_leaf_says_what_its_flags_say",
    ),
    "arm64 stage 2: a root of 512 entries": ("arm64-stage-2", {"width": 39}, "leaves_are_made_where_hardware_has_them"),
    "arm64 EL2: PXN, which is reserved there": (
        "arm64-el2",
        {"leaf_bits": leaf_bits(lambda bits, flags, level: bits | 1 << 53)},
        "a_leaf_has_no_reserved_bit",
    ),
    "riscv64: a memory type without Svpbmt": (
        "riscv64-sv39",
        {"leaf_bits": leaf_bits(lambda bits, flags, level: bits | (flags & 1) << 61)},
        "a_leaf_has_no_reserved_bit",
    ),
    "riscv64: D is clear": ("riscv64-sv39", {"leaf_fixed": 0x41}, "a_leaf_says_what_its_flags_say"),
    "riscv64: tables that are readable": ("riscv64-sv48", {"table_fixed": 3}, "a_table_entry_is_a_table"),
    "riscv64: kernel tables without G": (
        "riscv64-sv39-kernel", {"table_fixed": 1}, "a_table_entry_says_nothing_else"
    ),
    "riscv64: an address that is not shifted": (
        "riscv64-sv39", {"frame_shift": 0}, "a_leaf_holds_its_address"
    ),
    "riscv64: a split loses the memory type": (
        "riscv64-sv48-with-svpbmt",
        {"split_bits": lambda entry, level: entry & 0x3FF},
        "a_split_keeps_every_attribute",
    ),
    "arm64: protection clears an address bit": (
        "arm64", {"protect_clears": 0xC0 | 3 << 53 | 1 << 47}, "protect_keeps_the_address"
    ),
    "riscv64: a leaf is what can be read": ("riscv64-sv39", {"leaf_any": 2}, "leaves_and_tables_are_told_apart"),
}  # fmt: skip


@pytest.mark.parametrize(("slug", "members", "claim"), TWINS.values(), ids=TWINS)
def test_a_twin_turns_its_claim_red(slug: str, members: dict[str, Any], claim: str) -> None:
    found = broken(twin(slug, **members), claim)
    assert found[claim].verdict is Kind.VIOLATED
    assert found[claim].is_red


class Overlapping(Regime):
    """The leaves of a split all start where the large leaf did."""

    def child_leaf(self, entry: int, level: int, index: int) -> int:
        return self.leaf_paddr(entry, level) >> self.frame_shift | self.split_bits(entry, level)


def test_a_split_into_one_and_the_same_page() -> None:
    tables = FORMATS["x86-64"]
    members = {f.name: getattr(tables.regime, f.name) for f in fields(tables.regime)}
    found = broken(replace(tables, regime=Overlapping(**members)), "a_split_keeps_every_translation")
    assert found["a_split_keeps_every_translation"].is_red


def test_an_index_of_eight_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "index_at", lambda va, level: va >> 12 + 9 * level & 255)
    names = ("an_address_is_its_indices", "indices_are_an_address")
    assert set(broken(FORMATS["riscv64-sv39"], *names)) == set(names)


@pytest.mark.parametrize(
    ("slug", "members"),
    [
        ("x86-64", {"leaf_reserved": 0}),
        ("ept", {"table_reserved": 0, "table_bytes": tuple(range(256))}),
        ("arm64", {"leaf_bytes": ()}),
        ("riscv64-sv39-with-svpbmt", {"leaf_not_all": 0}),
        ("riscv64-sv39", {"dirty": 0}),
        # What the last level of riscv64 must not hold: an entry that may neither be read, written nor executed.
        ("riscv64-sv39", {"leaf_bytes": tuple(byte for byte in range(256) if byte & 1)}),
    ],
)
def test_an_mmu_with_a_rule_missing(slug: str, members: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        hardware, "mmu_levels", lambda tables, bits: [replace(level, **members) for level in mmu_levels(tables, bits)]
    )
    name = "the_mmu_takes_entries_as_the_manuals_say"
    assert broken(FORMATS[slug], name)[name].verdict is Kind.VIOLATED


def test_every_claim_has_a_twin() -> None:
    apart = {"an_address_is_its_indices", "a_split_keeps_every_translation"}
    assert {claim for _, _, claim in TWINS.values()} | apart == set(CLAIMS)


def test_a_counterexample_shows_the_entry_and_its_bits() -> None:
    tables = twin("x86-64", leaf_bits=leaf_bits(lambda bits, flags, level: bits & ~NX))
    found = broken(tables, "a_path_grants_what_its_flags_say")["a_path_grants_what_its_flags_say"]
    head, *lines = found.reason.splitlines()
    assert head.startswith('x86-64, level 0 (4 KiB): "Through tables')
    text = {line.strip().split("  ")[0]: line for line in lines}
    assert "0x" in text["leaf"]
    assert " P" in text["leaf"]
    assert "execute" not in text["MMU flags"]
    assert text["the path grants"].rstrip().endswith("x")


def test_a_codec_that_asks_what_a_bit_is_proves_nothing() -> None:
    """A branch on an entry is decided for integers alone, so the claim is about nothing that was proved."""
    tables = twin("x86-64", mmu_flags=lambda entry, level: 8 if entry & 1 else 0)
    found = broken(tables, "a_leaf_answers_its_flags")["a_leaf_answers_its_flags"]
    assert found.verdict is Kind.UNSUPPORTED
    assert found.is_undecided
    assert "does not take solver terms" in found.reason
