"""`python -m dramafeed`."""

from dramafeed.cli import main

main()
