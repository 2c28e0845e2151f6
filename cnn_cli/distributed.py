"""Which of several processes this is, where torchrun has started several of the same program.

The environment is the one source of these numbers (`RANK`, `LOCAL_RANK`, `WORLD_SIZE`); no torch is needed to
read it. What the processes exchange is in `cnn_cli.training.process_group`.
"""

import os


def rank() -> int:
    """Return the number of this process among all, from 0."""
    return int(os.environ.get("RANK", "0")) if world_size() > 1 else 0


def local_rank() -> int:
    """Return the number of this process among those of its machine, which is the number of its GPU."""
    return int(os.environ.get("LOCAL_RANK", "0")) if world_size() > 1 else 0


def world_size() -> int:
    """Return the number of processes that train together; 1 without torchrun."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_main() -> bool:
    """Return whether this process is the one that writes files and messages for all."""
    return rank() == 0
