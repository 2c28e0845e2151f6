"""An error that all processes of a training have is reported once: by the first; the others wait for it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from hashlib import sha256
from typing import Any

import torch.distributed as dist

from cnn_cli import distributed

PATIENCE = timedelta(seconds=2)
"""How long the store of torchrun may take to answer, and another process to report an error."""

FAILURES = (RuntimeError, OSError, KeyError, ValueError)
"""What a store raises that is not there, or does not answer."""


@contextmanager
def reported_once(text: str) -> Iterator[bool]:
    """Yield whether this process is the first with a text, which reports it in the context.

    The processes ask the store of torchrun, which also lives when their own connection is broken. Torchrun
    stops all processes as soon as one has ended, so the others wait at the end of the context until it is
    reported. Without an answer each process reports it.
    """
    if distributed.world_size() == 1 or os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True":
        yield True
        return
    try:
        store, first = _store(), f"cnn/{_attempt()}/{sha256(text.encode(errors='replace')).hexdigest()}"
        is_first = int(store.add(first, 1)) == 1
    except FAILURES:
        yield True
        return
    yield is_first
    done = f"{first}/reported"
    with suppress(*FAILURES):
        if is_first:
            store.set(done, "")
        else:
            store.wait([done], PATIENCE)


def _store() -> Any:
    address = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    return dist.TCPStore(*address, is_master=False, timeout=PATIENCE)  # type: ignore[attr-defined]


def _attempt() -> str:
    """Return the number of the attempt: torchrun may start all processes again."""
    return os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
