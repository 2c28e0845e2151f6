"""`python -m cnn_cli` and the script `cnn`."""

import io
import os
import sys

from cnn_cli import distributed as distributed
from cnn_cli.cli.app import run


def main() -> None:
    """Run the command line and leave with its exit code."""
    # Before torch is loaded: its threads shall spin only shortly, then sleep, while they wait for each other.
    # On two busy cores (three trainings at once) it gives 8,100 images/s and not 1,800. Alone it makes no
    # difference, where threads that never spin (OMP_WAIT_POLICY=PASSIVE) lose a third.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    if isinstance(sys.stdout, io.TextIOWrapper):  # None where a shell closed it
        sys.stdout.reconfigure(errors="backslashreplace")  # a file's name may hold what no encoding has
    code = run(sys.argv[1:])
    if distributed.world_size() > 1:
        # Everything is written. In about one run in fifty gloo's threads abort the process while Python takes
        # itself down ("terminate called without an active exception"), and torchrun reports a failure.
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.flush()
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    main()
