"""The rank of this process among those that torchrun started.

The environment variables `RANK`, `LOCAL_RANK` and `WORLD_SIZE` are the only source of these numbers, so no
torch is needed. Communication between the processes is in `cnn_cli.training.process_group`.
"""

import os


def rank() -> int:
    """Return the number of this process among all processes, from 0."""
    return int(os.environ.get("RANK", "0")) if world_size() > 1 else 0


def local_rank() -> int:
    """Return the number of this process among those of its machine, from 0: the number of its GPU."""
    return int(os.environ.get("LOCAL_RANK", "0")) if world_size() > 1 else 0


def world_size() -> int:
    """Return the number of processes that train together, which is 1 without torchrun."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_main() -> bool:
    """Return whether this is the process that writes the files and messages."""
    return rank() == 0
