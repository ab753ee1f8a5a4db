from __future__ import annotations

from pathlib import Path

import pytest

from include.errors import ConfigurationError, UsageError
from include.scaffold import writing

FILES = {Path("a/b/one.py"): "1", Path("a/two.py"): "2", Path("c/three.py"): "3"}


def test_all_files_are_written(tmp_path: Path) -> None:
    writing.write(FILES, tmp_path)
    assert {it: (tmp_path / it).read_text() for it in FILES} == FILES


def test_nothing_is_written_where_a_file_is_there(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "two.py").write_text("mine")
    with pytest.raises(UsageError, match=r"there is a/two\.py already; nothing was written"):
        writing.write(FILES, tmp_path)
    assert [it.name for it in tmp_path.rglob("*.py")] == ["two.py"]
    assert (tmp_path / "a" / "two.py").read_text() == "mine"


def test_what_was_written_goes_when_the_rest_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "c").write_text("a file where a folder is wanted")
    (tmp_path / "a").mkdir()
    with pytest.raises(ConfigurationError, match="nothing was written"):
        writing.write(FILES, tmp_path)
    assert sorted(it.name for it in tmp_path.rglob("*")) == ["a", "c"]


def test_contract_tests_tell_whether_they_pass(tmp_path: Path) -> None:
    passed, said = writing.check("shop", tmp_path)
    assert passed is None and said == writing.command("shop"), "there are none to run"
    (tmp_path / "tests" / "contracts").mkdir(parents=True)
    (tmp_path / "tests" / "contracts" / "test_it.py").write_text(
        "import pytest\n"
        "@pytest.mark.parametrize('name', ['shop', 'other'])\n"
        "def test_it(name): assert name == 'shop', 'say what it means'\n"
    )
    assert writing.check("shop", tmp_path)[0] is True
    passed, said = writing.check("other", tmp_path)
    assert passed is False and "say what it means" in said
