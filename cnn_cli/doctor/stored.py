"""Checks of the files: the folder of data and caches, the data sets, the networks that ship, the runs."""

import os
import tempfile

from cnn_cli.checkpoint import file
from cnn_cli.checkpoint.choose import RUNS, choose_checkpoint, run_folders, shipped, shipped_names
from cnn_cli.checkpoint.run_folder import RunFolder
from cnn_cli.doctor.machine import existing, space
from cnn_cli.doctor.result import REINSTALL, CheckResult, Status
from cnn_cli.errors import CnnError
from cnn_cli.reading.reader import network_of

PROBE = bytes(2**16)
"""What is written to find out whether a folder can be written."""


def data_folder() -> CheckResult:
    """Check that the folder of data and caches can be written, and that there is space in it."""
    from cnn_cli.data.source import default_root

    root = default_root()
    try:
        with tempfile.TemporaryFile(dir=existing(root)) as probe:
            probe.write(PROBE)
    except OSError as error:
        return CheckResult(
            "data folder",
            "problem",
            f"{root} cannot be written: {error.strerror}",
            hint="name another folder: CNN_DATA=FOLDER",
        )
    origin = "from CNN_DATA" if os.environ.get("CNN_DATA") else "the user's cache"
    return space("data folder", root, f"writable; {origin}")


def data_sets() -> CheckResult:
    """Verify the published data sets that are in the data folder."""
    from cnn_cli.config.schema import Data
    from cnn_cli.data.source import may_download
    from cnn_cli.data.sources import check_stored

    try:
        there = check_stored()
    except CnnError as error:
        return CheckResult("data", "problem", error.message, error.hint or REINSTALL)
    found: tuple[tuple[str, Status], ...] = (("damaged", "problem"), ("missing", "warning"))
    for state, status in found:
        for name, parts in there.items():
            broken = [part for part in parts if part.state == state]
            if broken:
                what = f"{name}: {broken[0].part} is {state}: {broken[0].detail}"
                return CheckResult("data", status, what, f"cnn data get {name}")
    if there:
        return CheckResult("data", "ok", f"{', '.join(there)}: verified by checksum")
    if may_download(Data()):
        return CheckResult("data", "ok", "none yet: a data set is downloaded when it is first used")
    return CheckResult(
        "data", "warning", "none, and CNN_OFFLINE forbids downloads", "CNN_OFFLINE=0 cnn data get"
    )


def included_networks() -> CheckResult:
    """Read every network that ships, and build it."""
    names = shipped_names()
    if not names:
        return CheckResult("included networks", "problem", f"none in {shipped().parent}", REINSTALL)
    for name in names:
        try:
            network_of(file.read(shipped(name)))
        except CnnError as error:
            return CheckResult("included networks", "problem", error.message, REINSTALL)
    return CheckResult("included networks", "ok", f"{', '.join(names)} in {shipped().parent}")


def runs() -> CheckResult:
    """Read the checkpoint of every run in ./checkpoints."""
    folders = run_folders(RUNS)
    for folder in folders:
        try:
            network_of(file.read(RunFolder(folder).checkpoint))
        except CnnError as error:
            return CheckResult("runs", "problem", error.message, f"remove {folder}, or train it again")
    unfinished = sum(not RunFolder(folder).finished for folder in folders)
    rest = f", {unfinished} of them unfinished: cnn train --resume FOLDER" if unfinished else ""
    return CheckResult("runs", "ok", f"{len(folders)} in {RUNS}{rest}")


def default_checkpoint() -> CheckResult:
    """Check the checkpoints that commands use which are given none: for single images and for lines."""
    files = list(dict.fromkeys(choose_checkpoint(None, lines=lines) for lines in (False, True)))
    try:
        for path in files:
            network_of(file.read(path))
    except CnnError as error:
        named = os.environ.get("CNN_CHECKPOINT")
        hint = "unset CNN_CHECKPOINT, or name a checkpoint" if named else error.hint or REINSTALL
        return CheckResult("checkpoint", "problem", error.message, hint)
    names = " and ".join(f"{path.parent.name}/{path.name}" for path in files)
    return CheckResult("checkpoint", "ok", f"used if none is named: {names}")
