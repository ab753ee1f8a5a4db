from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from include.scaffold.layout import (
    WIDTH,
    Code,
    call,
    laid_out,
    listed,
    mapping,
    prose,
    quoted,
    several,
    spread,
)
from include.settings import REPOSITORY

LONG = "a sentence that is written in words and goes on " * 4


def samples() -> list[Code]:
    """Return code of every shape, as long as a line and one character longer too."""
    texts = ["plain", "it's", 'say "so"', "ä € …", "back\\slash"]
    fits = WIDTH - len("value = called()") - 2
    return [
        "1",
        call("called", quoted("x" * fits)),
        call("called", quoted("x" * (fits + 1))),
        several([quoted(it) for it in texts]),
        several([quoted("alone")]),
        spread(several([quoted("alone")])),
        several([]),
        spread(several(["1", "2"])),
        several([call("called", *(quoted(LONG[:30]) for _ in range(4)))]),
        mapping({it: listed([quoted(it)]) for it in texts}),
        call("called", quoted("x"), key=mapping({"a": "1"}), text=prose(LONG.strip())),
        call("called", text=prose("short")),
        spread(call("called", first=several(["1"]), second=call("other"))),
    ]


def test_it_is_what_ruff_makes_of_it_and_means_the_same(tmp_path: Path) -> None:
    lines = [laid_out(it, f"value_{n} = ") for n, it in enumerate(samples())]
    (tmp_path / "code.py").write_text("\n".join(lines) + "\n", encoding="utf-8")
    config = str(REPOSITORY / "pyproject.toml")
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "format", "--diff", "--config", config, "code.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert all(len(line) <= WIDTH + 1 for it in lines for line in it.splitlines())


@pytest.mark.parametrize("text", ["plain", "it's", 'say "so"', "both ' and \"", "back\\slash", "é"])
def test_quoted_text_is_read_as_it_was(text: str) -> None:
    assert eval(quoted(text)) == text


def test_prose_says_the_same_on_several_lines() -> None:
    code = laid_out(prose(LONG.strip()), "text = ")
    assert len(code.splitlines()) > 3
    assert eval(code.removeprefix("text = ")) == LONG.strip()
