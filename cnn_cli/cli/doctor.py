"""`cnn doctor`."""

from dataclasses import asdict
from typing import TYPE_CHECKING

from cnn_cli.cli.help import examples
from cnn_cli.cli.options import Json
from cnn_cli.errors import CnnError

if TYPE_CHECKING:
    from cnn_cli.doctor.result import CheckResult

EXAMPLES = examples("cnn doctor", "cnn doctor --json")

WIDTH = 17
"""Of the column of names."""


def doctor(as_json: Json = False) -> None:
    """Check the installation, the machine and the files; the output belongs into a bug report.

    A self test reads ten drawn digits and trains for one step. With a problem, the exit code is 1; a warning
    costs time or space, but everything works.
    """
    from cnn_cli import console
    from cnn_cli.doctor.checkup import check_all

    problems = []
    for result in check_all():
        if as_json:
            console.json_line(asdict(result))
        else:
            _show(result)
        if result.status == "problem":
            problems.append(result)
    if problems:
        names = ", ".join(problem.name for problem in problems)
        raise CnnError(f"not everything works: {names}", hint=problems[0].hint)


def _show(result: "CheckResult") -> None:
    from cnn_cli import console

    console.line(f"{result.status:<7}  {result.name:<{WIDTH}}  {result.what}")
    if result.hint:
        console.line(f"{'':<7}  {'':<{WIDTH}}  hint: {result.hint}")
