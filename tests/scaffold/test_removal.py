from __future__ import annotations

from pathlib import Path

import pytest

from include.scaffold import removal

NAME = "origin_hour_delay"
FOLDER = f"include/use_cases/{NAME}"


def test_a_removal_that_was_stopped_can_be_done_again(tmp_path: Path) -> None:
    for path in (f"dags/{NAME}.py", f"feature_repo/{NAME}.py", f"{FOLDER}/declaration.py"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()

    def stop(folder: Path) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(removal.shutil, "rmtree", stop)
        removal.carry_out(removal.outline(NAME, False, tmp_path), tmp_path)
    left = removal.outline(NAME, False, tmp_path)
    assert left.paths == (Path(FOLDER),), "by its declaration the rest would be found"
    removal.carry_out(left, tmp_path)
    assert removal.outline(NAME, False, tmp_path).paths == ()
