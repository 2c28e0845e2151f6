"""`python -m cnn_cli` and the script `cnn`."""

import sys

from cnn_cli.cli.app import run


def main() -> None:
    """Run the command line and leave with its exit code."""
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
