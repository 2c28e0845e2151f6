"""The machine and the versions that a measurement ran on."""

import os
import platform
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cnn_cli.training.device import Compute
from cnn_cli.version import __version__


def describe(compute: Compute) -> dict[str, Any]:
    """Return device, number format, processor, system, and the versions that decide the numbers."""
    return {
        "device": compute.describe(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """Return the versions of the program and of the libraries that decide its numbers."""
    return {"cnn": __version__, "torch": torch.__version__, "numpy": np.__version__}


def processor() -> str:
    """Return the name of the processor; Linux has it only in a file."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
