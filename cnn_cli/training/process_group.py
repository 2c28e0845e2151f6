"""Several processes that train one network together, as torchrun starts them; one alone is the simplest case.

Every process walks through the same steps and takes its share of each step's images. torch's
DistributedDataParallel brings their gradients together, so the weights are the same everywhere. The first
process is the main one: it alone writes files and messages.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn

from cnn_cli import distributed as distributed


@dataclass(frozen=True)
class ProcessGroup:
    """This process among those that train together."""

    rank: int = 0
    count: int = 1
    device: torch.device = torch.device("cpu")  # noqa: RUF009 (a value like a number)
    """Where its tensors are when they are exchanged."""

    @property
    def is_main(self) -> bool:
        """Whether this process writes and speaks for all."""
        return self.rank == 0

    @property
    def is_distributed(self) -> bool:
        """Whether there are others."""
        return self.count > 1

    @contextmanager
    def joined(self) -> Iterator[None]:
        """While the context lasts, the processes can exchange tensors: by NCCL on GPUs, else by gloo."""
        if not self.is_distributed:
            yield
            return
        dist.init_process_group("nccl" if self.device.type == "cuda" else "gloo")
        try:
            yield
            dist.barrier()  # none closes its connections while the leader still writes
        finally:
            dist.destroy_process_group()

    @contextmanager
    def main_process_first(self) -> Iterator[None]:
        """The leader goes through the context first, so that the others find what it downloaded."""
        if self.is_distributed and not self.is_main:
            dist.barrier()
        yield
        if self.is_distributed and self.is_main:
            dist.barrier()

    def share(self, items: Tensor) -> Tensor:
        """This process's part of a tensor [N, ...]: all parts together are the whole, none overlap."""
        return items.tensor_split(self.count)[self.rank]

    def sum(self, values: Tensor) -> Tensor:
        """The sum over all processes, number by number."""
        return self._reduced(values, dist.ReduceOp.SUM)

    def most(self, value: int) -> int:
        """The largest value of all processes. Asked after every step: alone it costs nothing."""
        if not self.is_distributed:
            return value
        return int(self._reduced(torch.tensor(value), dist.ReduceOp.MAX).item())

    def least(self, values: Tensor) -> Tensor:
        """The smallest value of all processes, number by number."""
        return self._reduced(values, dist.ReduceOp.MIN)

    def gathered(self, part: Tensor, rows: int) -> Tensor:
        """The whole [rows, ...] of which each process has its `share`, in order."""
        if not self.is_distributed:
            return part
        whole = part.new_zeros(rows, *part.shape[1:])
        self.share(whole).copy_(part)
        return self.sum(whole)

    def shared(self, network: nn.Module) -> nn.Module:
        """The network as all processes train it: a backward pass leaves the mean of their gradients."""
        if not self.is_distributed:
            return network
        return nn.parallel.DistributedDataParallel(network)

    def broadcast_buffers(self, network: nn.Module) -> None:
        """Take over the leader's running statistics: each process has counted its own images."""
        if self.is_distributed:
            for buffer in network.buffers():
                dist.broadcast(buffer, src=0)

    def _reduced(self, values: Tensor, operation: "dist.ReduceOp.RedOpType") -> Tensor:
        if not self.is_distributed:
            return values
        moved = values.to(self.device, copy=True)
        dist.all_reduce(moved, operation)
        return moved.to(values.device)


SINGLE_PROCESS = ProcessGroup()


def from_environment(device: torch.device) -> ProcessGroup:
    """The processes that torchrun started; without it, this one alone."""
    return ProcessGroup(distributed.rank(), distributed.world_size(), device)
