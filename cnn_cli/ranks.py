"""Which of several processes this is, when torchrun has started several of the same program."""

import os


def rank() -> int:
    """Number of this process among all, from 0; the process of rank 0 leads: it alone writes and speaks."""
    return int(os.environ.get("RANK", "0")) if count() > 1 else 0


def local_rank() -> int:
    """Number of this process among those of its machine: that of its GPU."""
    return int(os.environ.get("LOCAL_RANK", "0")) if count() > 1 else 0


def count() -> int:
    """How many processes train together; 1 without torchrun."""
    return int(os.environ.get("WORLD_SIZE", "1"))
