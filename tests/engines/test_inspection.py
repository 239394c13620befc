"""What is judged of a dump that tells a part: on which address spaces, in what words, and what is left out by name."""

import pytest

from vmaspace.checker.adapters.dumps import read_dump, told_of
from vmaspace.checker.engines.inspection import ORDER, TREES, Inspection, inspect
from vmaspace.checker.engines.standard import standard_contract
from vmaspace.checker.report.verdict import Kind, Verdict

CONTRACT = standard_contract()
BROKEN = """\
as 0xa000 [0x200000 0x7fffffffefff] sz 0x7fffffdff000 typ 0 ref 1 'broken' destroyed 0
  vmar 0xb000 [0x200000 0x7fffffffefff] sz 0x7fffffdff000 ref 1 state 1 'root' subregions 2
    vmar 0xb100 [0x400000 0x4fffff] sz 0x100000 ref 1 state 1 'one' subregions 0
    vmar 0xb200 [0x480000 0x5fffff] sz 0x180000 ref 1 state 1 'two' subregions 0
"""
SOUND = BROKEN.replace("[0x480000 0x5fffff] sz 0x180000", "[0x500000 0x5fffff] sz 0x100000").replace(
    "'broken'", "'sound'"
)
NEXT = "as 0xc000 [0x200000 0x7fffffffefff] sz 0x7fffffdff000 typ 0 ref 1 'next' destroyed 0\n"
GONE = "as 0xd000 [0x200000 0x7fffffffefff] sz 0x7fffffdff000 typ 0 ref 1 'gone' destroyed 1\n"
UNIFIED = "as 0xe000 [0 0xffffffffffffffff] sz 0 typ 0 ref 1 'unified' destroyed 0\n"
KERNEL = """\
as 0xf000 [0xffffff8000000000 0xffffffffffffffff] sz 0x8000000000 typ 1 ref 1 'kernel' destroyed 0
  vmar 0xf100 [0xffffff8000000000 0xffffffffffffffff] sz 0x8000000000 ref 1 state 1 'root' subregions 0
"""


def inspected(text: str, *names: str) -> Inspection:
    return inspect(CONTRACT, told_of(CONTRACT, read_dump(text, "d.txt")), "d.txt", names or None)


def of(found: Inspection, name: str) -> Verdict:
    (verdict,) = [v for v in found.verdicts if v.property == name]
    return verdict


def test_a_cut_behind_the_next_header_hides_no_violation() -> None:
    found = inspected(BROKEN + NEXT)
    overlap = of(found, "siblings_are_disjoint")
    assert overlap.verdict is Kind.VIOLATED
    assert overlap.scope == "the dump d.txt without the address space of line 5"
    assert "r = region1: line 3 of d.txt, 0xb100\ns = region2: line 4 of d.txt, 0xb200" in overlap.reason
    assert list(found.left_out) == ["line 5 of d.txt, 0xc000"]
    assert "root" in found.left_out["line 5 of d.txt, 0xc000"]


def test_a_missing_tree_is_undecided_and_not_green() -> None:
    found = inspected(SOUND + NEXT)
    missing = of(found, TREES)
    assert missing.verdict is Kind.UNKNOWN and missing.reason.endswith("line 5 of d.txt, 0xc000")
    assert str(missing.source) == "d.txt:5:1"
    assert [v for v in found.verdicts if not v.is_green] == [missing]
    # What its header tells is judged.
    assert of(found, "names_fit_their_buffer").scope == "the dump d.txt"
    long = inspected(SOUND + NEXT.replace("next", "n" * 32))
    assert of(long, "names_fit_their_buffer").verdict is Kind.VIOLATED


@pytest.mark.parametrize("text", [SOUND, SOUND + GONE + UNIFIED, NEXT, NEXT + GONE])
def test_trees_that_no_kernel_prints_are_not_missed(text: str) -> None:
    found = inspected(text)
    assert all(v.is_green and v.property != TREES for v in found.verdicts)
    assert not found.left_out


def test_a_destroyed_space_with_a_tree_is_a_finding() -> None:
    assert of(inspected(SOUND.replace("destroyed 0", "destroyed 1")), "no_region_outlives_its_space").is_red


def test_children_out_of_order_are_a_finding_with_its_place() -> None:
    lines = SOUND.splitlines()
    found = inspected("\n".join([*lines[:2], lines[3], lines[2]]))
    order = of(found, ORDER)
    assert order.verdict is Kind.VIOLATED and str(order.source) == "d.txt:4:1"
    assert order.reason == (
        "the list of line 2 of d.txt, 0xb000 is not in address order\n"
        "0x500000: line 3 of d.txt, 0xb200\n0x400000: line 4 of d.txt, 0xb100"
    )
    assert [v.property for v in found.verdicts if v.is_red] == [ORDER]
    assert of(inspected(SOUND), ORDER).is_green


def test_a_part_of_a_machine_is_no_evidence_that_something_is_missing() -> None:
    assert of(inspected(KERNEL + SOUND), "there_is_one_kernel_space").is_green
    assert of(inspected(KERNEL + SOUND.replace("typ 0", "typ 1")), "there_is_one_kernel_space").is_red
    assert "there is no kernel's" in inspected(SOUND).unjudged["there_is_one_kernel_space"]
    tree = "".join(line.replace("0xb", "0x9")[2:] for line in SOUND.splitlines(keepends=True)[1:])
    assert "some do not tell enough" in inspected(KERNEL + tree).unjudged["there_is_one_kernel_space"]


def test_only_the_address_spaces_in_question_are_drawn() -> None:
    found = inspected(KERNEL + BROKEN)
    drawing = of(found, "siblings_are_disjoint").reason
    assert "aspace1" in drawing and "! overlaps region2" in drawing and "aspace0" not in drawing


def test_chosen_properties_alone() -> None:
    assert [v.property for v in inspected(BROKEN + NEXT, "siblings_are_disjoint").verdicts] == [
        "siblings_are_disjoint"
    ]
    assert [v.property for v in inspected(BROKEN + NEXT, ORDER, TREES).verdicts] == [ORDER, TREES]


def test_of_a_long_drawing_the_neighbourhood_is_shown() -> None:
    vmars = []
    for i in range(4, 204):
        size = 0x101000 if i == 154 else 0x100000  # one reaches into the next
        vmars.append(
            f"    vmar {0x10000 + i:#x} [{i << 20:#x} {(i << 20) + size - 1:#x}] sz {size:#x} ref 1 state 1 'v' subregions 0"
        )
    header, root = SOUND.splitlines()[:2]
    text = "\n".join([header, root.replace("subregions 2", "subregions 200"), *vmars])
    verdict = of(inspected(text), "siblings_are_disjoint")
    drawing = verdict.reason.split("\n\n")[1].splitlines()
    assert verdict.is_red and len(drawing) < 20
    assert [line.split("··· ")[1] for line in drawing if "···" in line] == ["147 lines", "45 lines"]
    (overlap,) = [line for line in drawing if "! overlaps region151" in line]
    assert "region152 vmar" in overlap
