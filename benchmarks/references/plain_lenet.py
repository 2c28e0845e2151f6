"""lenet.yaml as a plain script: the same network, augmentation and steps, with the loop of most tutorials.

torchvision's MNIST, with RandomAffine, ToTensor and Normalize for every sample in a DataLoader; AdamW and
torch's OneCycleLR, stepped after every batch; the loss is read after every batch with `.item()`. torchvision
draws one scale for height and width, lenet.yaml draws two. It trains one epoch, evaluates the test
set, and writes one JSON object.

    python plain_lenet.py ROOT [--threads 2] [--workers 0] [--images 60000] [--seed 1] [--device cpu]

ROOT contains torchvision's MNIST/raw.
"""

import argparse
import json
import time
from math import atan, degrees

import torch
from torch import nn
from torch.utils.data import DataLoader, Subset
from torchvision import datasets, transforms

BATCH = 128
SHEAR = degrees(atan(0.15))

TO_INPUT = (transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,)))
AUGMENTATION = transforms.RandomAffine(
    degrees=10,
    translate=(1.5 / 28, 1.5 / 28),
    scale=(0.9, 1.1),
    shear=(-SHEAR, SHEAR),
    interpolation=transforms.InterpolationMode.BILINEAR,
)


def network() -> nn.Sequential:
    """Return the layers of lenet.yaml: 62,158 parameters."""
    return nn.Sequential(
        *(nn.Conv2d(1, 6, 5, padding=2), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(6, 16, 5), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2)),
        nn.Flatten(),
        *(nn.Linear(400, 120), nn.BatchNorm1d(120), nn.ReLU()),
        *(nn.Linear(120, 84), nn.BatchNorm1d(84), nn.ReLU()),
        nn.Linear(84, 10),
    )


def train(model: nn.Module, loader: DataLoader, device: str) -> float:
    """Train for one epoch; return the mean loss."""
    model.train()
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.005, weight_decay=0.01)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.005, total_steps=len(loader))
    running_loss = 0.0
    for images, labels in loader:
        optimizer.zero_grad()
        loss = criterion(model(images.to(device)), labels.to(device))
        loss.backward()
        optimizer.step()
        scheduler.step()
        running_loss += loss.item()
    return running_loss / len(loader)


@torch.no_grad()
def accuracy(model: nn.Module, loader: DataLoader, device: str) -> float:
    """Return the share of right answers."""
    model.eval()
    correct = 0
    for images, labels in loader:
        correct += (model(images.to(device)).argmax(1) == labels.to(device)).sum().item()
    return correct / len(loader.dataset)


def main() -> None:
    """Train for an epoch, test, and print the rates."""
    parser = argparse.ArgumentParser()
    parser.add_argument("root")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--images", type=int, default=60_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    train_data = datasets.MNIST(options.root, transform=transforms.Compose([AUGMENTATION, *TO_INPUT]))
    test_data = datasets.MNIST(options.root, train=False, transform=transforms.Compose(TO_INPUT))
    some = Subset(train_data, range(options.images))
    loader = DataLoader(some, batch_size=BATCH, shuffle=True, num_workers=options.workers)
    test_loader = DataLoader(test_data, batch_size=1000, num_workers=options.workers)
    model = network().to(options.device)
    started = time.perf_counter()
    loss = train(model, loader, options.device)
    trained = time.perf_counter()
    share = accuracy(model, test_loader, options.device)
    tested = time.perf_counter()
    figures = {
        "train_images_per_second": len(some) / (trained - started),
        "evaluation_images_per_second": len(test_data) / (tested - trained),
        "train_loss": loss,
        "accuracy": share,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
