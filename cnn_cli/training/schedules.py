"""Learning-rate schedules: pure functions from the step to a factor of the peak learning rate."""

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence

Schedule = Callable[[int], float]
"""From a step of the optimizer, counted from 0, to a factor for the learning rate, mostly in 0..1."""

START_FACTOR = 1 / 25
"""First factor of one_cycle: the default of torch's OneCycleLR (div_factor)."""

FINAL_FACTOR = 1 / 250_000
"""Last factor of one_cycle: the same default (div_factor times final_div_factor)."""


def schedule(
    name: str,
    *,
    total_steps: int,
    warmup: float,
    steps_per_epoch: int,
    step_epochs: int,
    step_factor: float,
    restarts: Sequence[int] = (),
) -> Schedule:
    """Return the schedule of that name over `total_steps` steps, with warm restarts.

    A restart begins the whole schedule again, with its warm-up, over the steps up to the next one (Loshchilov
    & Hutter: SGDR, 2017, arXiv 1608.03983).

    Args:
        restarts: the first step of each cycle but the first, ascending. The other arguments are those of
            `single_cycle`.
    """
    starts, ends = (0, *restarts), (*restarts, total_steps)
    cycles = [
        single_cycle(
            name,
            total_steps=end - start,
            warmup=warmup,
            steps_per_epoch=steps_per_epoch,
            step_epochs=step_epochs,
            step_factor=step_factor,
        )
        for start, end in zip(starts, ends, strict=True)
    ]

    def factor(step: int) -> float:
        cycle = bisect_right(starts, step) - 1
        return cycles[cycle](step - starts[cycle])

    return factor


def single_cycle(
    name: str, *, total_steps: int, warmup: float, steps_per_epoch: int, step_epochs: int, step_factor: float
) -> Schedule:
    """Return the schedule of that name over `total_steps` steps.

    Args:
        name: `constant`, `step`, `cosine` or `one_cycle`.
        total_steps: steps of the optimizer in the cycle.
        warmup: share of `total_steps` in which the factor rises to 1.
        steps_per_epoch: steps of the optimizer in an epoch, for `step`.
        step_epochs: epochs between two drops, for `step`.
        step_factor: factor of the learning rate at each drop, for `step`.
    """
    rise = warmup * total_steps
    if name == "one_cycle":
        return lambda step: one_cycle(step, total_steps, rise)
    drop_every = step_epochs * steps_per_epoch
    after: dict[str, Schedule] = {
        "constant": lambda step: 1.0,
        "step": lambda step: step_factor ** (step // drop_every),
        "cosine": lambda step: cosine(1.0, 0.0, (step - rise) / max(1.0, total_steps - rise)),
    }
    return lambda step: linear_warmup(step, rise) if step < rise else after[name](step)


def linear_warmup(step: int, rise: float) -> float:
    """Return (step + 1) / (rise + 1), which is above 0 in the first step."""
    return (step + 1) / (rise + 1)


def cosine(start: float, end: float, share: float) -> float:
    """Return half a cosine wave from `start` (share 0) to `end` (share 1)."""
    return end + (start - end) / 2 * (1 + math.cos(math.pi * min(1.0, share)))


def one_cycle(step: int, total_steps: int, rise: float) -> float:
    """Rise to 1 and fall to almost 0 in half cosine waves (Smith & Topin 2017; as torch's OneCycleLR)."""
    peak, last = rise - 1, total_steps - 1
    if step < peak:
        return cosine(START_FACTOR, 1.0, step / peak)
    return cosine(1.0, FINAL_FACTOR, (step - peak) / max(1e-9, last - peak))
