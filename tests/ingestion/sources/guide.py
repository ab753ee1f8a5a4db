"""The examples of the guide to sources, so that tests run what people copy."""

from __future__ import annotations

import re

from include.settings import REPOSITORY


def blocks(page: str, language: str) -> list[str]:
    """Return the code of a page in one language, block by block."""
    text = (REPOSITORY / "docs" / page).read_text(encoding="utf-8")
    fences = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [code for found, code in fences if found == language]
