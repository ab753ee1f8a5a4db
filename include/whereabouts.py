"""Where in the files that people write an error comes from: `include/…/declaration.py:12`."""

from __future__ import annotations

import ast
import traceback
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent


def shown(file: Path, line: int | None = None) -> str:
    """Return a file as people name it, relative to the repository, and the line in it."""
    path = file.resolve()
    name = str(path.relative_to(REPOSITORY) if path.is_relative_to(REPOSITORY) else path)
    return name if line is None else f"{name}:{line}"


def raised_in(error: BaseException, *folders: Path) -> str | None:
    """Return the file and line below the folders that an error comes from, the innermost.

    None when no file of theirs had a part in it.
    """
    places = [(it.filename, it.lineno) for it in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError) and error.filename:
        places.append((error.filename, error.lineno))
    roots = [folder.resolve() for folder in folders]
    for name, line in reversed(places):
        if any(Path(name).resolve().is_relative_to(root) for root in roots):
            return shown(Path(name), line)
    return None


def stands_in(file: Path, text: str) -> str:
    """Return the file, and the line on which it first has `text` as a literal of its own."""
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"))
    except (OSError, SyntaxError):
        return shown(file)
    lines = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and node.value == text
    ]
    return shown(file, min(lines) if lines else None)
