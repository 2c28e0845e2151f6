"""Checks of the machine: the device, threads, memory and disk space."""

import math
import os
import shutil
from pathlib import Path

from cnn_cli.doctor.result import CheckResult, Status, size
from cnn_cli.errors import CnnError
from cnn_cli.workers import cores

MEMINFO = Path("/proc/meminfo")
CPU_LIMIT = Path("/sys/fs/cgroup/cpu.max")
"""The limit of a container: microseconds of CPU time in a period, both in one line; `max` for none."""

LITTLE_MEMORY = 1e9
"""Bytes that training on MNIST may need: 0.4 GB for PyTorch, the images, and the activations."""

LITTLE_SPACE, NO_SPACE = 1e9, 50e6
"""Bytes below which a disk is nearly full, and below which MNIST and a run no longer fit."""

FREE_SPACE = "free some space, or name a folder on another disk"


def device() -> CheckResult:
    """Report the device that training uses, and what it can do."""
    import torch

    from cnn_cli.training.device import choose

    try:
        compute = choose("auto")
    except CnnError as error:
        return CheckResult("device", "problem", error.message, error.hint)
    others = {"CUDA": torch.cuda.is_available(), "MPS": torch.backends.mps.is_available()}
    missing = [f"no {name}" for name, available in others.items() if not available]
    return CheckResult(
        "device", "ok", "; ".join([compute.describe(), *_memory_of(compute.device.type), *missing])
    )


def _memory_of(kind: str) -> list[str]:
    """Return the memory of the GPU in words, and whether it computes with bfloat16."""
    import torch

    if kind != "cuda":
        return []
    free, total = torch.cuda.mem_get_info()
    bfloat16 = torch.cuda.is_bf16_supported(including_emulation=False)
    return [f"{size(free)} of {size(total)} free", "bfloat16" if bfloat16 else "no bfloat16"]


def threads() -> CheckResult:
    """Compare the number of threads with that of the cores that this process may use."""
    available, limit = cores(), cpu_limit()
    what = f"{available} of {os.cpu_count()} cores"
    if limit is not None and limit < available:
        count = max(1, math.floor(limit))
        return CheckResult(
            "threads",
            "warning",
            f"{what}, but a limit of {limit:g} cores: more threads than that wait for each other",
            hint=f"OMP_NUM_THREADS={count}, or train.threads={count}",
        )
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isdigit() and int(asked) > available:
        return CheckResult(
            "threads",
            "warning",
            f"{what}, but OMP_NUM_THREADS={asked}: more threads than cores wait for each other",
            hint=f"OMP_NUM_THREADS={available}",
        )
    return CheckResult("threads", "ok", what)


def cpu_limit() -> float | None:
    """Return the cores that the container may use at a time, or None without a limit."""
    try:
        quota, period = CPU_LIMIT.read_text().split()
        return int(quota) / int(period)
    except (OSError, ValueError):
        return None


def memory() -> CheckResult:
    """Report the memory that is available; only Linux tells it without further packages."""
    try:
        lines = dict(line.split(":", 1) for line in MEMINFO.read_text().splitlines())
        total, free = (int(lines[key].split()[0]) * 1024 for key in ("MemTotal", "MemAvailable"))
    except (OSError, KeyError, ValueError):
        return CheckResult("memory", "ok", "unknown on this system")
    what = f"{size(free)} of {size(total)} available"
    if free < LITTLE_MEMORY:
        return CheckResult("memory", "warning", what, "close other programs before you train")
    return CheckResult("memory", "ok", what)


def disk() -> CheckResult:
    """Check that there is space where runs are written."""
    return space("disk", Path.cwd(), "runs go into checkpoints/ below it")


def space(name: str, folder: Path, remark: str) -> CheckResult:
    """Check the free space of the disk that a folder is on; the folder need not exist yet."""
    free = shutil.disk_usage(existing(folder)).free
    what = f"{folder}: {size(free)} free; {remark}"
    status: Status = "problem" if free < NO_SPACE else "warning" if free < LITTLE_SPACE else "ok"
    return CheckResult(name, status, what, None if status == "ok" else FREE_SPACE)


def existing(path: Path) -> Path:
    """Return the path, or the nearest folder above it that exists."""
    return next(folder for folder in (path, *path.absolute().parents) if folder.exists())
