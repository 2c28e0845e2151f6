"""Fit the weights of cnn_cli/reading/segments.py: maximize the probability of the texts of known strings.

    python benchmarks/segment_weights.py [--strings 800]

A semi-Markov conditional random field (Sarawagi & Cohen 2004): the objective is the probability of the
correct text, summed over all of its segmentations, among all texts. The digits are the validation digits of
the network that ships, which it was not trained on; in half of the strings digits touch. Prints how many
strings are read exactly with the weights in use, and with weights fitted to the other half of the strings;
then the weights fitted to all strings, to be copied by hand.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))  # for the strings

from helpers import rows  # noqa: E402

from cnn_cli.checkpoint.choose import shipped  # noqa: E402
from cnn_cli.data.sources import open_source  # noqa: E402
from cnn_cli.image.decode import decode  # noqa: E402
from cnn_cli.image.rows import find_rows  # noqa: E402
from cnn_cli.image.text_components import find_components  # noqa: E402
from cnn_cli.reading.reader import Reader, open_reader  # noqa: E402
from cnn_cli.reading.segments import WEIGHTS, Segment, best_path, features  # noqa: E402
from cnn_cli.reading.text import MAX_SIDE, segment_components  # noqa: E402
from cnn_cli.training.datasets import split_images  # noqa: E402

SEED = 7
REGULARIZATION = 1e-3
"""L2 penalty, which keeps a weight that decides nothing small."""


@dataclass(frozen=True)
class Chain:
    """The segments of a page with one row, from cut to cut."""

    text: list[int]
    labels: np.ndarray
    """int [N]."""
    starts: np.ndarray
    ends: np.ndarray
    """int [N], the cuts, numbered across components."""
    features: np.ndarray
    """float64 [N, F]."""
    components: list[tuple[list[Segment], list[str], slice]]
    """The segments of each component, their labels and their rows in `features`."""


def chain(reader: Reader, page: rows.Page) -> Chain | None:
    """Segment a page; return None if its components are not found in one row."""
    page_rows = find_rows(find_components(decode(page.png, name="string", max_side=MAX_SIDE).gray))
    if len(page_rows) != 1:
        return None
    segmented, typical_evidence = segment_components(reader, page_rows)
    starts, ends, labels, columns, components = [], [], [], [], []
    offset = 0
    for component in segmented:
        part = slice(len(starts), len(starts) + len(component.segments))
        components.append((component.segments, component.labels, part))
        columns.append(features(component.segments, component.logits, component.labels, typical_evidence))
        starts += [offset + segment.start for segment in component.segments]
        ends += [offset + segment.end for segment in component.segments]
        labels += [int(label) for label in component.labels]
        offset = max(ends)
    numbers = map(np.array, (labels, starts, ends))
    return Chain([int(digit) for digit in page.text], *numbers, np.concatenate(columns), components)


class Lattice:
    """Several chains as arrays: P pages of at most S segments, C cuts and K digits."""

    def __init__(self, chains: list[Chain]) -> None:
        pages, segments = len(chains), max(len(each.labels) for each in chains)
        digits = max(len(each.text) for each in chains)
        self.last = np.array([int(each.ends.max()) for each in chains])
        self.digits = np.array([len(each.text) for each in chains])
        self.starts = np.zeros((pages, segments), int)
        self.ends = np.full((pages, segments), self.last.max() + 1)  # padding: a cut that no text reaches
        self.features = np.zeros((pages, segments, len(WEIGHTS)))
        self.matches = np.full((pages, segments, digits), -np.inf)
        """0 where a segment's label is the text's digit at that position, else -inf."""
        for page, each in enumerate(chains):
            order = np.lexsort((each.starts, each.ends))
            place = page, slice(len(order))
            self.starts[place], self.ends[place] = each.starts[order], each.ends[order]
            self.features[place] = each.features[order]
            same = each.labels[order][:, None] == np.array(each.text)
            self.matches[page, : len(order), : len(each.text)] = np.where(same, 0.0, -np.inf)

    def cost(self, weights: np.ndarray) -> float:
        """Return the mean negative log-probability of the correct texts, over those that can be read."""
        scores, pages = self.features @ weights, np.arange(len(self.last))
        cuts, digits = self.ends.max() + 1, self.matches.shape[2]
        # Logarithms of sums over all paths to a cut, and over those with the text's first digits.
        every = np.full((len(pages), cuts), -np.inf)
        correct = np.full((len(pages), cuts, digits + 1), -np.inf)
        every[:, 0], correct[:, 0, 0] = 0.0, 0.0
        for number in range(scores.shape[1]):
            start, end, score = self.starts[:, number], self.ends[:, number], scores[:, number]
            every[pages, end] = np.logaddexp(every[pages, end], every[pages, start] + score)
            longer = correct[pages, start, :-1] + score[:, None] + self.matches[:, number]
            correct[pages, end, 1:] = np.logaddexp(correct[pages, end, 1:], longer)
        probability = correct[pages, self.last, self.digits] - every[pages, self.last]
        return float(-probability[probability > -np.inf].mean() + REGULARIZATION * weights @ weights)


def fit(chains: list[Chain]) -> np.ndarray:
    """Return the weights of least cost."""
    start = np.array(list(WEIGHTS.values()))
    weights: np.ndarray = minimize(Lattice(chains).cost, start, method="L-BFGS-B").x
    return weights


def count_correct(weights: np.ndarray, chains: list[Chain]) -> int:
    """Return how many texts are read exactly."""
    return sum(_text(each, weights) == each.text for each in chains)


def _text(each: Chain, weights: np.ndarray) -> list[int]:
    scores = each.features @ weights
    return [
        int(labels[index])
        for segments, labels, part in each.components
        for index in best_path(segments, scores[part].tolist(), labels)
    ]


def segment_strings(count: int) -> dict[str, list[Chain]]:
    """Segment `count` strings of each kind, of the validation digits of the network that ships."""
    reader = open_reader([shipped()])
    config = reader.checkpoints[0].config
    data = config.data.model_copy(update={"fallback": "none"})
    _, validation = split_images(config, open_source(data))
    images, labels = validation.take(slice(None)).numpy()[:, 0], validation.labels.numpy()
    chains = {}
    for seed, name in enumerate(("natural spacing", "boxes touch or overlap"), SEED):
        pages = rows.strings(images, labels, count, seed, touching=seed > SEED)
        chains[name] = [each for page in pages if (each := chain(reader, page))]
    return chains


def main() -> None:
    """Segment, fit, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--strings", type=int, default=800)
    kinds = segment_strings(parser.parse_args().strings // 2)
    used = np.array(list(WEIGHTS.values()))
    halves = [{name: chains[fold::2] for name, chains in kinds.items()} for fold in (0, 1)]
    weights = [fit([each for chains in half.values() for each in chains]) for half in halves]
    for name, chains in kinds.items():
        other = sum(count_correct(weights[1 - fold], half[name]) for fold, half in enumerate(halves))
        correct = count_correct(used, chains)
        print(f"{name}: {correct} correct, {other} with weights of the other half, of {len(chains)}")
    best = fit([each for chains in kinds.values() for each in chains])
    for name, weight in zip(WEIGHTS, best, strict=True):
        print(f'    "{name}": {weight:.2f},')


if __name__ == "__main__":
    main()
