"""All checks, in the order in which a report shows them."""

from collections.abc import Callable, Iterator

from cnn_cli.doctor import installation, machine, selftest, stored
from cnn_cli.doctor.result import CheckResult
from cnn_cli.text import one_line

Check = Callable[[], CheckResult]

FOR_READING: tuple[Check, ...] = (
    *(installation.versions, machine.threads, machine.memory, machine.disk),
    *(stored.included_networks, stored.runs, stored.default_checkpoint, selftest.read_digits),
)
FOR_TRAINING: tuple[Check, ...] = (
    *(installation.torch, installation.torchvision, machine.device),
    *(stored.data_folder, stored.data_sets, selftest.train_step),
)


def check_all() -> Iterator[CheckResult]:
    """Yield the result of each check as soon as there is one.

    What training needs is checked where torch is installed.
    """
    yield from map(_run, FOR_READING)
    if installation.has_torch():
        yield from map(_run, FOR_TRAINING)
    else:
        yield CheckResult("torch", "ok", "not installed: this installation reads images, but does not train")


def _run(check: Check) -> CheckResult:
    """Run a check. What it did not expect is a problem as well, and must not hide the results of others."""
    try:
        return check()
    except Exception as error:
        return CheckResult(check.__name__, "problem", f"{type(error).__name__}: {one_line(error)}")
