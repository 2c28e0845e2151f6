"""The device, the number format and the threads of the computation."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

import torch

from cnn_cli import distributed
from cnn_cli.config.schema import Train
from cnn_cli.errors import CnnError, ConfigError, is_out_of_memory
from cnn_cli.training.process_group import SINGLE_PROCESS, ProcessGroup, from_environment

_OTHER_DEVICE = "use train.device=auto or train.device=cpu"


@dataclass(frozen=True)
class Compute:
    """A device with its number format and threads."""

    device: torch.device
    precision: str
    """Number format of the forward pass: `float32` or `bfloat16`."""
    threads: int
    """CPU threads of one operation."""
    processes: ProcessGroup = SINGLE_PROCESS
    """This process as one of those that train together."""

    def autocast(self) -> AbstractContextManager[object]:
        """Return the context of a forward pass."""
        if self.precision == "bfloat16":
            return torch.autocast(self.device.type, dtype=torch.bfloat16)
        return nullcontext()

    def describe(self) -> str:
        """Return device, number format and threads as text."""
        name = torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else str(self.device)
        count = f"{self.threads} thread{'s' * (self.threads != 1)}"
        threads = f", {count}" if self.device.type == "cpu" else ""
        processes = f", {self.processes.count} processes" if self.processes.is_distributed else ""
        return f"{name}, {self.precision}{threads}{processes}"


def compute_for(train: Train) -> Compute:
    """Return the device, number format and threads that the config asks for."""
    return choose(train.device, train.precision, train.threads, deterministic=train.deterministic)


def choose(device: str, precision: str = "auto", threads: int = 0, *, deterministic: bool = False) -> Compute:
    """Return the device and number format for these settings, and set torch's threads and determinism.

    Raises:
        ConfigError: the device is not available, or does not support the number format.
    """
    chosen = _device(device)
    if threads:
        torch.set_num_threads(threads)
    if deterministic:
        # cuBLAS reads this before its first use; torch needs it for deterministic matrix products.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    if deterministic != torch.are_deterministic_algorithms_enabled():  # importing the compiler takes 1.2 s
        torch.use_deterministic_algorithms(deterministic)
    processes = from_environment(chosen)
    return Compute(chosen, _precision(precision, chosen), torch.get_num_threads(), processes)


def out_of_memory(error: BaseException) -> CnnError | None:
    """Return an error for the user if torch ran out of memory, else None."""
    if not isinstance(error, torch.OutOfMemoryError) and not is_out_of_memory(error):
        return None
    return CnnError(
        "out of memory",
        hint="lower train.batch_size (train.accumulate keeps the effective batch), data.size or the layers",
    )


@contextmanager
def torch_errors() -> Iterator[None]:
    """Replace errors of torch that have a remedy by errors that name it."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        no_memory = out_of_memory(error)
        if no_memory:
            raise no_memory from error
        raise
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        raise ConfigError(
            "train.batch_size: batch normalization needs at least two images in a batch",
            hint="raise train.batch_size",
        ) from None


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    device = torch.device(f"cuda:{distributed.local_rank()}" if name == "cuda" else name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ConfigError(
            f"train.device: there is no {name} here; torch sees {torch.cuda.device_count()} CUDA devices",
            hint=_OTHER_DEVICE,
        )
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise ConfigError("train.device: there is no mps here", hint=_OTHER_DEVICE)
    return device


def _precision(name: str, device: torch.device) -> str:
    has_bfloat16 = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    if name == "auto":
        return "bfloat16" if has_bfloat16 else "float32"
    if name == "bfloat16" and not has_bfloat16 and device.type != "cpu":
        raise ConfigError(f"train.precision: {device} has no bfloat16", hint="use train.precision=float32")
    return name
