"""Named random draws: each purpose has its own stream, and no draw depends on what was drawn before it."""

import hashlib

import torch


def derive(seed: int, purpose: str, *indices: int) -> int:
    """A seed in 0..2**63-1 for one purpose at one place, such as `derive(7, "order", epoch)`.

    Hashing keeps the streams of neighboring seeds, epochs and purposes apart. A resumed run calls this with
    the same arguments and so draws the same numbers: no generator's state is ever stored.
    """
    text = "/".join([str(seed), purpose, *map(str, indices)])
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def seed_layers(device: torch.device, seed: int) -> None:
    """Seed what layers such as dropout draw from on the device.

    `torch.manual_seed` would seed the devices that are not used as well: for each it notes the whole call
    stack, in case that one is ever used, and that takes longer than a small step.
    """
    if device.type == "cuda":
        torch.cuda.default_generators[device.index or 0].manual_seed(seed)
    elif device.type == "mps":
        torch.mps.manual_seed(seed)
    else:
        torch.default_generator.manual_seed(seed)


def generator(seed: int, purpose: str, *indices: int) -> torch.Generator:
    """A CPU generator of `derive`'s seed: draws are the same on every device."""
    return torch.Generator().manual_seed(derive(seed, purpose, *indices))
