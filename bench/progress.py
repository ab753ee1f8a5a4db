"""Tells on the terminal what is running and what it came to."""

from __future__ import annotations

import time
from dataclasses import dataclass, field


@dataclass
class Progress:
    """Prints a line per piece of work: what it is before it starts, the outcome after."""

    started: float = field(default_factory=time.monotonic)

    def say(self, text: str) -> None:
        """Print a line."""
        print(text, flush=True)

    def start(self, text: str) -> None:
        """Print what is starting, with the time since the beginning, and leave the line open."""
        seconds = int(time.monotonic() - self.started)
        print(f"{seconds // 60:>4}:{seconds % 60:02d}  {text} … ", end="", flush=True)

    def end(self, text: str) -> None:
        """Print the outcome on the open line."""
        print(text, flush=True)
