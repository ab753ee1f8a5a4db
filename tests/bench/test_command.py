"""The benchmark command, its children and its reports."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bench import __main__ as command
from bench import child
from bench.child import ChildFailed
from bench.progress import Progress
from bench.report import Budget, Report, Table, as_markdown, as_text

REPORT = Report(
    name="features",
    title="A group",
    introduction="What is measured.",
    tables=(Table("A case", ("contender", "seconds"), (("ours", "1.20"),), ("A note.",)),),
    budgets=(Budget("work", "≤ 2 ×", "3.0 ×", False),),
    faults=("a cell differs",),
    figures={"seconds": 1.2},
    packages=("pytest",),
)


def test_an_unknown_group_is_named_with_the_known_ones(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(["features", "romans"])

    assert ended.value.code == 2
    assert "there is no group romans; groups are features" in capsys.readouterr().err


def test_a_page_that_cannot_be_written_is_refused_before_anything_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        command.main(["--write", str(tmp_path / "nowhere" / "page.md")])

    assert "there is no folder" in capsys.readouterr().err


def test_wrong_results_fail_the_command_and_missed_budgets_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NIGHTSHIFT_HOME", str(tmp_path))

    def group(home: Path, progress: Progress) -> Report:
        home.mkdir(exist_ok=True)
        return REPORT

    monkeypatch.setitem(command.GROUPS, "features", group)
    page = tmp_path / "page.md"

    assert command.main(["features", "--write", str(page)]) == 1
    assert "NOT met" in capsys.readouterr().out
    kept = json.loads((tmp_path / "bench" / "features.json").read_text(encoding="utf-8"))
    assert kept["faults"] == ["a cell differs"]
    assert kept["machine"]["pytest"] == pytest.__version__
    assert "| ours | 1.20 |" in page.read_text(encoding="utf-8")


def test_reports_show_tables_budgets_and_faults() -> None:
    text, page = as_text(REPORT), as_markdown([(REPORT, {"processors": "2"})])

    assert "contender  seconds\n──────────────────\nours          1.20\nA note." in text
    assert "WRONG: a cell differs" in text
    assert "| work | ≤ 2 × | 3.0 × | NOT met |" in page
    assert "Measured on: processors 2." in page


def test_the_page_keeps_the_groups_that_were_not_measured_now() -> None:
    other = replace(REPORT, title="Another group", tables=(), budgets=(), faults=())
    both = as_markdown([(REPORT, {"processors": "2"}), (other, {"processors": "2"})])

    again = as_markdown([(REPORT, {"processors": "8"})], both)

    assert again == both.replace("processors 2", "processors 8", 1)
    assert again.count("\n## ") == 2
    assert as_markdown([], both) == both
    one = as_markdown([(REPORT, {"processors": "2"})])
    assert as_markdown([(other, {"processors": "2"})], one) == both


def test_the_page_in_the_documentation_can_be_added_to() -> None:
    page = (child.REPOSITORY / "docs" / "benchmarks.md").read_text(encoding="utf-8")

    added = as_markdown([(replace(REPORT, title="Another group"), {})], page)

    assert added.startswith(page)
    assert added.endswith("**Wrong: a cell differs.**\n")


def test_a_child_that_dies_leaves_its_last_word() -> None:
    with pytest.raises(ChildFailed, match="No module named 'nothing'"):
        child.run("nothing:at_all")


def test_a_child_leaves_nothing_behind() -> None:
    left = Path(child.run("tempfile:mkdtemp"))

    assert not left.exists()


def test_the_command_imports_nothing_that_would_weigh_on_its_children() -> None:
    heavy = {"duckdb", "feast", "numpy", "optuna", "pandas", "pyarrow", "sklearn", "xgboost"}
    code = f"import sys, bench.__main__; print(sorted({heavy} & set(sys.modules)))"

    found = subprocess.run(
        [sys.executable, "-c", code],
        cwd=child.REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )

    assert found.stdout.strip() == "[]"
