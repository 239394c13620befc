"""What is judged of a dump that tells a part: on which address spaces, in what words, and what is left out by name."""

import pytest

from vmaspace.checker.adapters.dumps import DumpError, read_dump, told_of
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
    assert "r = region1: line 3 of d.txt, 0xb100 'one'\ns = region2: line 4 of d.txt, 0xb200 'two'" in overlap.reason
    assert list(found.left_out) == ["line 5 of d.txt, 0xc000 'next'"]
    assert "root" in found.left_out["line 5 of d.txt, 0xc000 'next'"]


def test_a_missing_tree_is_undecided_and_not_green() -> None:
    found = inspected(SOUND + NEXT)
    missing = of(found, TREES)
    assert missing.verdict is Kind.UNSUPPORTED and missing.reason.endswith("line 5 of d.txt, 0xc000 'next'")
    assert str(missing.source) == "d.txt:5:1"
    assert [v for v in found.verdicts if not v.is_green] == [missing]
    # What its header tells is judged.
    assert of(found, "names_fit_their_buffer").scope == "the dump d.txt"
    long = inspected(SOUND + NEXT.replace("next", "n" * 32))
    assert of(long, "names_fit_their_buffer").verdict is Kind.VIOLATED


@pytest.mark.parametrize("text", [SOUND, SOUND + GONE + UNIFIED, NEXT, NEXT + GONE])
def test_trees_that_no_kernel_prints_are_not_missed(text: str) -> None:
    found = inspected(text)
    assert all(v.is_green for v in found.verdicts)
    assert (TREES in {v.property for v in found.verdicts}) is ("vmar" in text)
    assert not found.left_out


def test_a_destroyed_space_with_a_tree_is_a_finding() -> None:
    assert of(inspected(SOUND.replace("destroyed 0", "destroyed 1")), "no_region_outlives_its_space").is_red


def test_children_out_of_order_are_a_finding_with_its_place() -> None:
    lines = SOUND.splitlines()
    found = inspected("\n".join([*lines[:2], lines[3], lines[2]]))
    order = of(found, ORDER)
    assert order.verdict is Kind.VIOLATED and str(order.source) == "d.txt:4:1"
    assert order.reason == (
        "the list of line 2 of d.txt, 0xb000 'root' is not in address order\n"
        "0x500000: line 3 of d.txt, 0xb200 'two'\n0x400000: line 4 of d.txt, 0xb100 'one'"
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


def test_a_drawing_is_shown_once_and_a_property_says_what_it_is_about() -> None:
    found = inspected(KERNEL + BROKEN)
    first, second = of(found, "siblings_are_disjoint").reason, of(found, "regions_nest_or_are_disjoint").reason
    assert first.startswith("Two live children of one VMAR never share a byte.\n")
    assert "└─" in first and "└─" not in second and second.endswith("The drawing is that of siblings_are_disjoint.")


def test_a_unified_space_is_drawn_without_the_parts_that_no_dump_tells() -> None:
    drawing = of(inspected(KERNEL + KERNEL.replace("0xf", "0x7") + UNIFIED), "there_is_one_kernel_space").reason
    assert "aspace2 user, unified\n" in f"{drawing}\n"


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


def test_a_mapping_that_wraps_is_a_finding() -> None:
    mapping = """\
    map 0xb300 [0xfffffffffffff000 0xfff] sz 0x2000 state 1 mergeable false
       [0xfffffffffffff000 0xfff] mmufl 0xc
      vmo 0xbb00/k7 off 0 bytes (0/0) ref 1 ''
"""
    text = SOUND.replace("subregions 2", "subregions 3") + mapping
    assert of(inspected(text), "regions_do_not_wrap").is_red
    split = "       [0xfffffffffffff000 0xffffffffffffffff] mmufl 0xc\n       [0 0xfff] mmufl 0x1c\n"
    line = "       [0xfffffffffffff000 0xfff] mmufl 0xc\n"
    assert of(inspected(text.replace(line, split)), "regions_do_not_wrap").is_red
    with pytest.raises(DumpError, match=r"d.txt:6:45: expected a protection range from 0xfffffffffffff000 on"):
        inspected(text.replace("[0xfffffffffffff000 0xfff] mmufl", "[0xfffffffffffff000 0x1fff] mmufl"))


def test_names_and_vmos_lead_back_to_the_machine() -> None:
    mapping = """\
    map 0xb300 [0x500000 0x500fff] sz 0x1000 state 1 mergeable false
       [0x500000 0x500fff] mmufl 0xc
      vmo 0xbb00/k7 off 0 bytes (0/0) ref 1 'a vmo'
"""
    text = (SOUND.replace("subregions 2", "subregions 3") + mapping).replace("'sound'", "'to\\x0aday'")
    reason = of(inspected(text), "siblings_are_disjoint").reason
    assert reason.splitlines()[1:5] == [
        "r = region2: line 4 of d.txt, 0xb200 'two'",
        "s = region3: line 5 of d.txt, 0xb300",
        "aspace0: line 1 of d.txt, 0xa000 'to\\nday'",
        "vmo0: line 7 of d.txt, 0xbb00 k7",
    ]
