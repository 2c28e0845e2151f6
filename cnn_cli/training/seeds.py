"""Seeds of random draws. Each purpose has its own stream, and no draw depends on an earlier one."""

import hashlib

import torch


def derive(seed: int, purpose: str, *indices: int) -> int:
    """Return a seed in 0..2**63-1 for one purpose at one place, such as `derive(7, "order", epoch)`.

    Hashing makes the streams of similar seeds, epochs and purposes independent. A resumed run calls this with
    the same arguments and draws the same numbers, so no generator state is stored.
    """
    text = "/".join([str(seed), purpose, *map(str, indices)])
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def seed_layers(device: torch.device, seed: int) -> None:
    """Seed the generator that layers such as dropout draw from on the device.

    `torch.manual_seed` would also seed the devices that are not used. For each of them it records the call
    stack for a later first use, which takes longer than a small step.
    """
    if device.type == "cuda":
        torch.cuda.default_generators[device.index or 0].manual_seed(seed)
    elif device.type == "mps":
        torch.mps.manual_seed(seed)
    else:
        torch.default_generator.manual_seed(seed)


def generator(seed: int, purpose: str, *indices: int) -> torch.Generator:
    """Return a CPU generator with the seed of `derive`: draws are the same for every device."""
    return torch.Generator().manual_seed(derive(seed, purpose, *indices))
