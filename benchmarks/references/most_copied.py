"""The most-copied PyTorch MNIST script (pytorch/examples, mnist/main.py), reimplemented.

It does the same: conv 32@3x3, ReLU, conv 64@3x3, ReLU, max-pool 2, dropout 0.25, 128 units, ReLU, dropout
0.5, 10 units: 1,199,882 parameters; batches of 64; Adadelta with learning rate 1.0, times 0.7 after each
epoch; ToTensor and Normalize for every sample in a DataLoader without workers, which shuffles only with an
accelerator; the loss is read every 10 batches; the test set is evaluated after every epoch. It writes one
JSON object for each epoch.

    python most_copied.py ROOT [--epochs 4] [--threads 2] [--seed 1]

ROOT contains torchvision's MNIST/raw.
"""

import argparse
import json
import time

STARTED = time.perf_counter()

import torch  # noqa: E402 (the measured time includes the import)
import torch.nn.functional as F  # noqa: E402
from torch import Tensor, nn  # noqa: E402
from torchvision import datasets, transforms  # noqa: E402


class Net(nn.Module):
    """Two convolutions and two fully connected layers."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 32, 3), nn.Conv2d(32, 64, 3)
        self.dropout1, self.dropout2 = nn.Dropout(0.25), nn.Dropout(0.5)
        self.linear1, self.linear2 = nn.Linear(9216, 128), nn.Linear(128, 10)

    def forward(self, images: Tensor) -> Tensor:
        """[N, 1, 28, 28] to log-probabilities [N, 10]."""
        maps = F.max_pool2d(F.relu(self.conv2(F.relu(self.conv1(images)))), 2)
        units = F.relu(self.linear1(self.dropout1(maps).flatten(1)))
        return F.log_softmax(self.linear2(self.dropout2(units)), 1)


def train(net: Net, loader: torch.utils.data.DataLoader, optimizer: torch.optim.Optimizer) -> None:
    """Train for one epoch."""
    net.train()
    for index, (images, labels) in enumerate(loader):
        optimizer.zero_grad()
        loss = F.nll_loss(net(images), labels)
        loss.backward()
        optimizer.step()
        if index % 10 == 0:
            loss.item()


@torch.no_grad()
def accuracy(net: Net, loader: torch.utils.data.DataLoader) -> float:
    """Return the share of right answers."""
    net.eval()
    right = sum((net(images).argmax(1) == labels).sum().item() for images, labels in loader)
    return right / len(loader.dataset)


def main() -> None:
    """Train and test."""
    parser = argparse.ArgumentParser()
    parser.add_argument("root")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])
    parts = [datasets.MNIST(options.root, train=train, transform=transform) for train in (True, False)]
    loader = torch.utils.data.DataLoader(parts[0], batch_size=64)
    test_loader = torch.utils.data.DataLoader(parts[1], batch_size=1000)
    net = Net()
    optimizer = torch.optim.Adadelta(net.parameters(), lr=1.0)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.7)
    for epoch in range(1, options.epochs + 1):
        train(net, loader, optimizer)
        share = accuracy(net, test_loader)
        seconds = {"seconds": time.perf_counter() - STARTED, "cpu_seconds": time.process_time()}
        print(json.dumps({"epoch": epoch, "accuracy": share, **seconds}), flush=True)
        schedule.step()


if __name__ == "__main__":
    main()
