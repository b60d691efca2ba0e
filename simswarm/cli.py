"""The command line."""


def main() -> None:
    """Entry point of `simswarm`."""
    raise SystemExit("nothing here yet")
