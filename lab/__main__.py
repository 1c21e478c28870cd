"""`python -m lab` is the command `ikelab`."""

from lab.cli import main

main()
