"""Closed, full and unread streams: stdout has JSON alone, and no combination gives a traceback."""

from itertools import product
from pathlib import Path

import pytest
from helpers.streams import REDIRECTIONS, assert_streams_hold, with_streams

from cnn_cli.errors import ExitCode
from robustness.trials import Trials

pytestmark = [pytest.mark.robust, pytest.mark.timeout(3600)]

COMMANDS = (
    ("config list --json", ExitCode.OK),
    ("predict --json one.png nowhere.png", ExitCode.DATA),
)


def test_streams(trials: Trials, workplace: Path) -> None:
    """With closed, full or unread streams, stdout has JSON alone, and there is no traceback."""
    for (command, code), out, err in product(COMMANDS, REDIRECTIONS, REDIRECTIONS):
        with trials.trial(f"{command}: stdout {out}, stderr {err}"):
            assert_streams_hold(with_streams(command.split(), out, err), out, err, code)
