"""Evaluation: the logits of every picture, none padded and none dropped."""

import torch
from torch import Tensor, nn

from cnn_cli.data.inputs import Preparation
from cnn_cli.data.sources import Pictures
from cnn_cli.engine.device import Compute
from cnn_cli.engine.processes import ALONE

BATCH_NUMBERS = 2**16
"""Numbers in one batch of inputs on a processor: the activations, up to a hundred times as many, then lie
in memory that is used again and again. With 2**20 it is mapped anew each time, and half the speed is lost."""

GPU_FACTOR = 16
"""How many times as large a batch is on a GPU, which waits for its orders where batches are small."""

LEAST = 4
"""Pictures in a batch, however large they are: the weights are read once for all of them."""


@torch.inference_mode()
def logits_of(network: nn.Module, pictures: Pictures, preparation: Preparation, compute: Compute) -> Tensor:
    """Logits float32 [N, C] on the CPU, in the order of the pictures; several processes share the work.

    The network is put into evaluation mode and left in the mode that it was in.
    """
    was_training = network.training
    network.eval()
    numbers = BATCH_NUMBERS * (1 if compute.device.type == "cpu" else GPU_FACTOR)
    batch = max(LEAST, numbers // (preparation.channels * preparation.size**2))
    enough = len(pictures) >= compute.processes.count
    processes = compute.processes if enough else ALONE
    mine = processes.share(torch.arange(len(pictures)))
    outputs = []
    for rows in torch.split(mine, batch):
        images = pictures.take(slice(int(rows[0]), int(rows[-1]) + 1)).to(compute.device)
        inputs = preparation.inputs(images)
        with compute.autocast():
            outputs.append(network(inputs).float())
    network.train(was_training)
    return processes.gathered(torch.cat(outputs).cpu(), len(pictures))
