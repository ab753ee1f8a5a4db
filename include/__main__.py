"""`python -m include`: the Nightshift command."""

from include.commands.app import run

run()
