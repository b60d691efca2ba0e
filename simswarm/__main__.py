"""`python -m simswarm`: the same program as `simswarm`."""

from simswarm.cli import main

main()
