"""Run `cnn` with streams that are closed, full, or read by nobody."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence

from helpers.cli import PATIENCE, environment

REDIRECTIONS = {"ok": "", "closed": "{}>&-", "full": "{}>/dev/full", "unread": "{}>&9"}
"""What a stream is -> how a shell says it; a pipe without a reader has number 9."""


def with_streams(arguments: Sequence[object], out: str, err: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a new process, each stream in a state of `REDIRECTIONS`."""
    command = shlex.join([sys.executable, "-m", "cnn_cli", *map(str, arguments)])
    line = f"{command} {REDIRECTIONS[out].format(1)} {REDIRECTIONS[err].format(2)}"
    reader, writer = os.pipe()
    os.close(reader)
    try:
        return subprocess.run(
            ["bash", "-c", f"exec 9>&{writer}; {line}"],
            capture_output=True,
            text=True,
            timeout=2 * PATIENCE,
            env=environment(),
            stdin=subprocess.DEVNULL,
            pass_fds=[writer],
            check=False,
        )
    finally:
        os.close(writer)


def assert_streams_hold(result: subprocess.CompletedProcess[str], out: str, err: str, code: int) -> None:
    """Assert that stdout has JSON alone, that stderr has no traceback, and the exit code.

    Args:
        result: of a command with --json.
        out: the state of stdout. What cannot be written is a failure; a closed or unread stream is not.
        err: the state of stderr, which never decides anything.
        code: the command's exit code where stdout works.
    """
    assert result.returncode == {"full": 1, "unread": 0}.get(out, code), result.stderr
    for line in result.stdout.splitlines():
        json.loads(line)
    assert bool(result.stdout) == (out == "ok")
    assert "Traceback" not in result.stderr
    assert "Exception ignored" not in result.stderr
    if out == "full" and err == "ok":
        assert "error: stdout: No space left on device" in result.stderr
