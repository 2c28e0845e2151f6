"""A step of training as one CUDA graph: the GPU gets all kernels of a step at once.

The kernels of a small network take microseconds, less than Python takes to start each of them. A graph is
recorded once and then started as a whole ("Getting started with CUDA graphs", NVIDIA 2019; torch.cuda.graph).
"""

from collections.abc import Callable

import torch
from torch import Tensor

WARM_UP = 3
"""Calls before the first recording, in which the libraries of CUDA choose kernels and take their memory."""

Kind = tuple[tuple[torch.Size, torch.dtype], ...]
"""Shapes and types of arguments: each kind has a recording of its own."""


class Recorded:
    """A function of tensors on a GPU. After its first calls it is recorded, and then only replayed.

    A replay repeats the kernels, not the Python code. So the function must do the same work for all arguments
    of the same shapes, put its results into tensors that exist before it is called, and never wait for the
    GPU.

    Args:
        function: takes tensors on the GPU and returns nothing.
    """

    def __init__(self, function: Callable[..., None]) -> None:
        self.function = function
        self.stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        self.calls = 0
        self.recordings: dict[Kind, _Recording] = {}

    def __call__(self, *tensors: Tensor) -> None:
        """Call the function, or do its work again."""
        kind = tuple((tensor.shape, tensor.dtype) for tensor in tensors)
        if kind not in self.recordings:
            if self.calls < WARM_UP:
                self._warm_up(tensors)
                return
            self.recordings[kind] = _Recording(self.function, tensors, self.stream)
        self.recordings[kind].replay(tensors)

    def _warm_up(self, tensors: tuple[Tensor, ...]) -> None:
        """Call the function on the stream on which it will be recorded: memory belongs to a stream."""
        self.calls += 1
        before = torch.cuda.current_stream()
        self.stream.wait_stream(before)
        with torch.cuda.stream(self.stream):
            self.function(*tensors)
        before.wait_stream(self.stream)


class _Recording:
    """The kernels of one call, and the memory of its arguments."""

    def __init__(
        self, function: Callable[..., None], tensors: tuple[Tensor, ...], stream: torch.cuda.Stream
    ) -> None:
        self.arguments = [tensor.clone() for tensor in tensors]
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph, stream=stream):  # records, and computes nothing
            function(*self.arguments)

    def replay(self, tensors: tuple[Tensor, ...]) -> None:
        """Do the work for these arguments, of the shapes and types of the recorded ones."""
        for argument, tensor in zip(self.arguments, tensors, strict=True):
            argument.copy_(tensor)
        self.graph.replay()
