"""The list of known gaps: strict both ways, and broken lists are refused with a place."""

from pathlib import Path

import pytest

from vmaspace.checker.engines.conformance import ConformanceError, Outcome, run_file

PASSES = ("process.create", {"options": []}, {"status": "ZX_OK"}, "p")
FAILS = ("process.create", {"options": []}, {"status": "ZX_ERR_IO"}, "p")
UNSUPPORTED = ("tlb.create", {}, {})


def gaps(path: Path, text: str) -> Path:
    path.with_name("known_gaps.toml").write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("step", [FAILS, UNSUPPORTED])
def test_a_listed_case_that_does_not_pass_is_a_known_gap(write, step: tuple) -> None:
    (result,) = run_file(gaps(write(step), '[T-1]\nreason = "not there"\n')).cases
    assert result.outcome is Outcome.KNOWN_GAP and result.reason.startswith("not there [")
    assert "known gap" in str(result)


def test_a_listed_case_that_passes_is_a_failure(write) -> None:
    report = run_file(gaps(write(PASSES), '[T-1]\nreason = "not there"\n'))
    assert report.failed == 1 and "strike it from the list" in str(report.cases[0])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[T-2]\nreason = "x"\n', "known_gaps.toml:1: no case is called 'T-2'"),
        ('\n[T-1]\n', "known_gaps.toml:2: T-1 has no reason"),
        ('[T-1]\nreason = " "\n', "known_gaps.toml:1: T-1 has no reason"),
        ('T-1 = 5\n', "T-1 has no reason"),
        ('[T-1]\nreason = "x"\nsince = 3\n', "T-1 has an unknown key 'since'"),
        ("[T-1\n", "known_gaps.toml: is not TOML"),
    ],
)
def test_broken_lists(write, text: str, message: str) -> None:
    with pytest.raises(ConformanceError) as caught:
        run_file(gaps(write(PASSES), text))
    assert message in str(caught.value)
