"""Fit the weights of tools/segments.py: by how probable they make what rows of digits say.

    python benchmarks/segment_weights.py [--strings 800]

A semi-Markov conditional random field (Sarawagi & Cohen 2004): what counts is the probability of the right
text by all of its segmentations together, among all texts. The digits are those that the network that ships
was validated with, so it has not learned them; half of the strings touch. Prints how many strings are read
exactly right with the weights in use, and with weights fitted to the other half of the strings; then those
that are fitted to all, which are copied by hand.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.optimize import minimize

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))  # where the strings are composed

from helpers import rows  # noqa: E402

from cnn_cli.training import build  # noqa: E402
from cnn_cli.checkpoint import file as checkpoints  # noqa: E402
from cnn_cli.image.decode import view  # noqa: E402
from cnn_cli.image.rows import find_rows  # noqa: E402
from cnn_cli.image.text_components import find_components  # noqa: E402
from cnn_cli.checkpoint.choose import shipped  # noqa: E402
from cnn_cli.reading.text import MAX_SIDE, candidates  # noqa: E402
from cnn_cli.reading.segments import WEIGHTS, Segment, best_path, features  # noqa: E402

SEED = 7
PULL = 1e-3
"""Of each weight towards zero, so that one which decides nothing stays small."""


@dataclass(frozen=True)
class Chain:
    """A page's segments, from cut to cut, its components in a row."""

    text: list[int]
    labels: np.ndarray
    """int [N]."""
    starts: np.ndarray
    ends: np.ndarray
    """int [N], the cuts, which go on counting from component to component."""
    features: np.ndarray
    """float64 [N, F]."""
    components: list[tuple[list[Segment], list[str], slice]]
    """For each component its segments, their labels and their rows in `features`."""


def chain(network: checkpoints.Checkpoint, module: torch.nn.Module, page: rows.Written) -> Chain | None:
    """Read a page; None where its components are not found in one row."""
    found = find_rows(find_components(view(page.png, name="string", side=MAX_SIDE).gray))
    if len(found) != 1:
        return None
    read, usual = candidates(network, module, found)
    starts, ends, labels, columns, components = [], [], [], [], []
    offset = 0
    for component in read:
        here = slice(len(starts), len(starts) + len(component.segments))
        components.append((component.segments, component.labels, here))
        columns.append(features(component.segments, component.logits, component.labels, usual))
        starts += [offset + segment.start for segment in component.segments]
        ends += [offset + segment.end for segment in component.segments]
        labels += [int(label) for label in component.labels]
        offset = max(ends)
    numbers = map(np.array, (labels, starts, ends))
    return Chain([int(digit) for digit in page.text], *numbers, np.concatenate(columns), components)


class Lattice:
    """Many chains at once: P pages of at most S segments, C cuts and K digits."""

    def __init__(self, chains: list[Chain]) -> None:
        pages, segments = len(chains), max(len(each.labels) for each in chains)
        digits = max(len(each.text) for each in chains)
        self.last = np.array([int(each.ends.max()) for each in chains])
        self.digits = np.array([len(each.text) for each in chains])
        self.starts = np.zeros((pages, segments), int)
        self.ends = np.full((pages, segments), self.last.max() + 1)  # of padding: a cut that no text reaches
        self.features = np.zeros((pages, segments, len(WEIGHTS)))
        self.says = np.full((pages, segments, digits), -np.inf)
        """0 where a segment says the text's digit at that place."""
        for page, each in enumerate(chains):
            order = np.lexsort((each.starts, each.ends))
            place = page, slice(len(order))
            self.starts[place], self.ends[place] = each.starts[order], each.ends[order]
            self.features[place] = each.features[order]
            same = each.labels[order][:, None] == np.array(each.text)
            self.says[page, : len(order), : len(each.text)] = np.where(same, 0.0, -np.inf)

    def cost(self, weights: np.ndarray) -> float:
        """Mean negative logarithm of the right texts' probability, over those that can be read at all."""
        scores, pages = self.features @ weights, np.arange(len(self.last))
        cuts, digits = self.ends.max() + 1, self.says.shape[2]
        every = np.full((len(pages), cuts), -np.inf)  # logarithms of sums over all ways to a cut,
        right = np.full((len(pages), cuts, digits + 1), -np.inf)  # and over those that say the first digits
        every[:, 0], right[:, 0, 0] = 0.0, 0.0
        for number in range(scores.shape[1]):
            start, end, score = self.starts[:, number], self.ends[:, number], scores[:, number]
            every[pages, end] = np.logaddexp(every[pages, end], every[pages, start] + score)
            longer = right[pages, start, :-1] + score[:, None] + self.says[:, number]
            right[pages, end, 1:] = np.logaddexp(right[pages, end, 1:], longer)
        probability = right[pages, self.last, self.digits] - every[pages, self.last]
        return float(-probability[probability > -np.inf].mean() + PULL * weights @ weights)


def fitted(chains: list[Chain]) -> np.ndarray:
    """The weights of least cost."""
    start = np.array(list(WEIGHTS.values()))
    found: np.ndarray = minimize(Lattice(chains).cost, start, method="L-BFGS-B").x
    return found


def right(weights: np.ndarray, chains: list[Chain]) -> int:
    """How many texts come out as they were written."""
    return sum(_read(each, weights) == each.text for each in chains)


def _read(each: Chain, weights: np.ndarray) -> list[int]:
    scores = each.features @ weights
    return [
        int(labels[index])
        for segments, labels, here in each.components
        for index in best_path(segments, scores[here].tolist(), labels)
    ]


def read_strings(count: int) -> dict[str, list[Chain]]:
    """So many strings of each kind, of digits that the network that ships was validated with."""
    network = checkpoints.read(shipped())
    module, config = network.network(), network.config
    data = config.data.model_copy(update={"fallback": "none"})
    _, kept = build.training_images(config, build.source(data))
    images, labels = kept.take(slice(None)).numpy()[:, 0], kept.labels.numpy()
    found = {}
    for seed, name in enumerate(("natural spacing", "boxes touch or overlap"), SEED):
        pages = rows.strings(images, labels, count, seed, touching=seed > SEED)
        found[name] = [each for page in pages if (each := chain(network, module, page))]
    return found


def main() -> None:
    """Read, fit, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--strings", type=int, default=800)
    torch.set_num_threads(1)
    kinds = read_strings(parser.parse_args().strings // 2)
    used = np.array(list(WEIGHTS.values()))
    halves = [{name: chains[fold::2] for name, chains in kinds.items()} for fold in (0, 1)]
    weights = [fitted([each for chains in half.values() for each in chains]) for half in halves]
    for name, chains in kinds.items():
        other = sum(right(weights[1 - fold], half[name]) for fold, half in enumerate(halves))
        print(
            f"{name}: {right(used, chains)} right, {other} with weights of the other half, of {len(chains)}"
        )
    best = fitted([each for chains in kinds.values() for each in chains])
    for name, weight in zip(WEIGHTS, best, strict=True):
        print(f'    "{name}": {weight:.2f},')


if __name__ == "__main__":
    main()
