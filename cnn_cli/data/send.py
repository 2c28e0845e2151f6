"""Tensors on their way to a device."""

import torch
from torch import Tensor


def send(tensor: Tensor, device: torch.device) -> Tensor:
    """Return the tensor on the device; Python does not wait until a GPU has it.

    A GPU fetches from page-locked memory on its own. From other memory the processor would have to copy, once
    the GPU has done all its work.
    """
    if device.type != "cuda" or tensor.device.type != "cpu":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)
