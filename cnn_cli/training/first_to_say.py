"""Which of the processes that train together reports an error: of equal errors only the first."""

import os
from datetime import timedelta
from hashlib import sha256

import torch.distributed as dist

from cnn_cli import distributed

PATIENCE = timedelta(seconds=2)
"""How long the store of torchrun may take to answer."""


def first_to_say(text: str) -> bool:
    """Return whether no other process has asked for this text: an error that all have is reported once.

    The processes count in the store of torchrun, which also lives when their own connection is broken.
    Without an answer each process reports its error.
    """
    if distributed.world_size() == 1 or os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True":
        return True
    try:
        address = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
        store = dist.TCPStore(*address, is_master=False, timeout=PATIENCE)  # type: ignore[attr-defined]
        attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
        return int(store.add(f"cnn/{attempt}/{sha256(text.encode()).hexdigest()}", 1)) == 1
    except (RuntimeError, OSError, KeyError, ValueError):
        return True
