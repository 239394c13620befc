"""`--oracle unicorn`: one clear message without the package, verdicts with it."""

from __future__ import annotations

import json
import sys
from types import ModuleType

import pytest

from vmaspace.checker.cli.main import main
from vmaspace.checker.report.verdict import Exit

HINT = "pip install 'vmaspace[oracle]'"


@pytest.mark.parametrize("command", ["check", "fuzz"])
def test_without_the_package_the_message_says_what_to_install(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "unicorn", None)
    assert main([command, "--oracle", "unicorn"]) == Exit.USAGE
    streams = capsys.readouterr()
    assert streams.err.startswith("vmaspace: ") and HINT in streams.err
    assert "Traceback" not in streams.err and not streams.out


def test_another_version_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    package = ModuleType("unicorn")
    package.__dict__["__version__"] = "3.0"
    monkeypatch.setitem(sys.modules, "unicorn", package)
    assert main(["check", "--oracle", "unicorn"]) == Exit.USAGE
    error = capsys.readouterr().err
    assert "2.1.4" in error and "3.0" in error and HINT in error


def test_only_known_oracles(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit:
        main(["check", "--oracle", "qemu"])
    assert exit.value.code == Exit.USAGE
    assert "unicorn" in capsys.readouterr().err


def test_check_has_a_verdict_for_each_architecture_and_kind(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("unicorn", reason=f"needs the package unicorn: {HINT}")
    # Next to no time: everything is undecided, and told.
    assert main(["check", "--oracle", "unicorn", "--budget", "0.001", "--json"]) == Exit.UNDECIDED
    report = json.loads(capsys.readouterr().out)
    found = [v for v in report["verdicts"] if v["engine"] == "oracle"]
    assert len(found) == 12 and {v["verdict"] for v in found} == {"unknown"}
    assert len(report["oracle"]["comparisons"]) == 12


def test_fuzz_tells_how_much_was_compared(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("unicorn", reason=f"needs the package unicorn: {HINT}")
    main(["fuzz", "--oracle", "unicorn", "--steps", "400", "--arch", "riscv64", "--json"])
    report = json.loads(capsys.readouterr().out)
    assert report["fuzz"]["oracle"]["comparisons"] > 0
    (verdict,) = [v for v in report["verdicts"] if v["property"] == "oracle-1"]
    assert verdict["verdict"] == "passed" and "comparisons" in verdict["scope"]
