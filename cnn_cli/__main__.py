"""The entry point of `python -m cnn_cli` and of the script `cnn`."""

import os
import signal
import sys


def main() -> None:
    """Run the command line and exit with its exit code."""
    # Until signals are handled, Ctrl-C ends the program as the system does it: without a traceback of Python.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from cnn_cli import distributed
    from cnn_cli.cli import signals, streams
    from cnn_cli.errors import Interruption

    streams.set_up()
    try:
        signals.handle_signals()  # before the imports, which take a while
        code = _run()
    except Interruption as interruption:
        code = interruption.code
    streams.leave_stderr()
    if distributed.world_size() > 1:
        # All files are written. In about one run in fifty, gloo's threads abort the process while Python
        # shuts down ("terminate called without an active exception"), and torchrun reports a failure.
        sys.stdout.flush()
        os._exit(code)
    signals.leave_to_system()
    sys.exit(code)


def _run() -> int:
    """Prepare the process and run the command line."""
    # This must be set before torch is loaded. It makes torch's threads spin only briefly before they sleep
    # while they wait for each other. On two busy cores (three trainings at once) that gives 8,100 images/s
    # instead of 1,800. On an idle machine it makes no difference, but OMP_WAIT_POLICY=PASSIVE (no spinning)
    # costs a third.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    # NumPy, which reads images, computes on one thread: its matrix products are small, and idle threads spin.
    # With two threads on two busy cores an image took 95 ms of CPU time instead of 1.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from cnn_cli.cli.app import run

    return run(sys.argv[1:])


if __name__ == "__main__":
    main()
