"""The processes that train one network together, as torchrun starts them; often there is only one.

Every process takes the same steps, each on its own share of a step's images. torch's DistributedDataParallel
averages the gradients, so the weights stay equal in all processes. The first process is the main process:
only this one writes files and messages.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn

from cnn_cli import distributed
from cnn_cli.errors import CnnError

LIBRARIES = ("gloo", "NCCL")
"""One of these is in the text of every error about a connection: its source file, or its own name."""


@dataclass(frozen=True)
class ProcessGroup:
    """This process as one of those that train together."""

    rank: int = 0
    count: int = 1
    device: torch.device = torch.device("cpu")  # noqa: RUF009 (a value like a number)
    """The device of the tensors that the processes exchange."""

    @property
    def is_main(self) -> bool:
        """Whether this process writes files and messages for all."""
        return self.rank == 0

    @property
    def is_distributed(self) -> bool:
        """Whether there are other processes."""
        return self.count > 1

    @contextmanager
    def joined(self) -> Iterator[None]:
        """Connect the processes so that they can exchange tensors: with NCCL on GPUs, with gloo on CPUs.

        Raises:
            CnnError: another process has failed or was killed.
        """
        if not self.is_distributed:
            yield
            return
        with self._told_of_lost_processes():
            dist.init_process_group("nccl" if self.device.type == "cuda" else "gloo")
            try:
                yield
                dist.barrier()  # no process disconnects while the main process still writes
            finally:
                dist.destroy_process_group()

    @contextmanager
    def _told_of_lost_processes(self) -> Iterator[None]:
        """Replace what the library says when a connection breaks, which happens when its process ends."""
        try:
            yield
        except RuntimeError as error:
            if not isinstance(error, dist.DistError) and not any(name in str(error) for name in LIBRARIES):
                raise
            for number in (signal.SIGINT, signal.SIGTERM):  # torchrun is about to stop this process too
                signal.signal(number, signal.SIG_IGN)
            raise CnnError(
                f"process {self.rank} of {self.count}: another process has failed or was killed",
                hint="what the run has saved stays; to continue: torchrun ... cnn train --resume FOLDER",
            ) from None

    @contextmanager
    def main_process_first(self) -> Iterator[None]:
        """Run the context in the main process first, so that the others find the files it downloaded.

        The others go on after an error in it, too: they find the same one, which is then reported once.
        """
        if self.is_distributed and not self.is_main:
            dist.barrier()
        try:
            yield
        except CnnError:
            self._let_the_others_go_on()
            raise
        self._let_the_others_go_on()

    def _let_the_others_go_on(self) -> None:
        if self.is_distributed and self.is_main:
            dist.barrier()

    def share(self, items: Tensor) -> Tensor:
        """Return this process's part of a tensor [N, ...]. The parts of all processes make up the tensor."""
        return items.tensor_split(self.count)[self.rank]

    def sum(self, values: Tensor) -> Tensor:
        """Return the elementwise sum over all processes."""
        return self._all_reduce(values, dist.ReduceOp.SUM)

    def max(self, value: int) -> int:
        """Return the largest value of all processes."""
        if not self.is_distributed:
            return value
        return int(self._all_reduce(torch.tensor(value), dist.ReduceOp.MAX).item())

    def min(self, values: Tensor) -> Tensor:
        """Return the elementwise minimum over all processes."""
        return self._all_reduce(values, dist.ReduceOp.MIN)

    def gather(self, part: Tensor, rows: int) -> Tensor:
        """Return the tensor [rows, ...] of which each process has its `share`, in order."""
        if not self.is_distributed:
            return part
        gathered = part.new_zeros(rows, *part.shape[1:])
        self.share(gathered).copy_(part)
        return self.sum(gathered)

    def data_parallel(self, network: nn.Module) -> nn.Module:
        """Return the network such that a backward pass averages the gradients of all processes."""
        if not self.is_distributed:
            return network
        return nn.parallel.DistributedDataParallel(network)

    def broadcast_buffers(self, network: nn.Module) -> None:
        """Copy the main process's running statistics: each process has computed them from its own images."""
        if self.is_distributed:
            for buffer in network.buffers():
                dist.broadcast(buffer, src=0)

    def _all_reduce(self, values: Tensor, operation: "dist.ReduceOp.RedOpType") -> Tensor:
        if not self.is_distributed:
            return values
        moved = values.to(self.device, copy=True)
        dist.all_reduce(moved, operation)
        return moved.to(values.device)


SINGLE_PROCESS = ProcessGroup()


def from_environment(device: torch.device) -> ProcessGroup:
    """Return the group of processes that torchrun started; without torchrun, this process only."""
    return ProcessGroup(distributed.rank(), distributed.world_size(), device)
