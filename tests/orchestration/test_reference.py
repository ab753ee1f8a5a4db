from __future__ import annotations

from include.orchestration import reference


def test_the_page_of_the_dags_is_up_to_date() -> None:
    assert reference.PAGE.read_text(encoding="utf-8") == reference.page(), "run make docs"
