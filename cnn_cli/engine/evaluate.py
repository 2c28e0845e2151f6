"""Evaluation: the logits of every picture, none padded and none dropped."""

import torch
from torch import Tensor, nn

from cnn_cli.data.inputs import Preparation
from cnn_cli.data.sources import Pictures
from cnn_cli.engine.device import Compute

BATCH_NUMBERS = 2**20
"""Numbers in one batch of inputs, 4 MB of float32: its activations stay in the processor's cache."""


@torch.inference_mode()
def logits_of(network: nn.Module, pictures: Pictures, preparation: Preparation, compute: Compute) -> Tensor:
    """Logits float32 [N, C] on the CPU, in the order of the pictures.

    The network is put into evaluation mode and left in the mode that it was in.
    """
    was_training = network.training
    network.eval()
    batch = max(1, BATCH_NUMBERS // (preparation.channels * preparation.size**2))
    outputs = []
    for start in range(0, len(pictures), batch):
        images = pictures.take(slice(start, start + batch)).to(compute.device)
        inputs = preparation.inputs(images)
        with compute.autocast():
            outputs.append(network(inputs).float())
    network.train(was_training)
    return torch.cat(outputs).cpu()
