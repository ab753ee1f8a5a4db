"""`python -m include`: the Nightshift command."""

from include.cli import run

run()
