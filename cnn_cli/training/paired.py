"""Two classifiers on the same images: McNemar's exact test, and the interval of the difference."""

import math
from dataclasses import dataclass

from cnn_cli.training.metrics import Z_95

SIGNIFICANT = 0.05
"""A difference with a smaller p-value is called significant."""


@dataclass(frozen=True)
class PairedCounts:
    """How many images both classifiers, only A, only B and none of them answer correctly."""

    both: int
    only_a: int
    only_b: int
    neither: int

    @property
    def n(self) -> int:
        """The number of images."""
        return self.both + self.only_a + self.only_b + self.neither

    @property
    def difference(self) -> float:
        """The accuracy of B minus that of A, in -1..1."""
        return (self.only_b - self.only_a) / self.n

    @property
    def difference_interval(self) -> tuple[float, float]:
        """The 95 % interval of the difference, by Bonett & Price 2012 (J. Educ. Behav. Stat. 37).

        It is Wald's interval after one more image that only A, and one that only B answers correctly. It
        nearly always agrees with McNemar's exact test on whether there is a difference.
        """
        n = self.n + 2
        difference = (self.only_b - self.only_a) / n
        variance = ((self.only_a + self.only_b + 2) / n - difference**2) / n
        half = Z_95 * math.sqrt(variance)
        return max(-1.0, difference - half), min(1.0, difference + half)

    @property
    def p_value(self) -> float:
        """The two-sided p-value of McNemar's exact test (McNemar 1947).

        If A and B are equally accurate, an image that only one of them answers correctly is a fair coin toss.
        This is the probability that the tosses are at least as uneven as they were.
        """
        tosses, fewer = self.only_a + self.only_b, min(self.only_a, self.only_b)
        ways = total = 1  # of `fewer` heads or less, from none upwards; whole numbers, hence exact
        for heads in range(1, fewer + 1):
            ways = ways * (tosses - heads + 1) // heads
            total += ways
        p: float = 2 * total / 2**tosses
        return min(1.0, p)

    @property
    def is_significant(self) -> bool:
        """Whether the accuracies differ by more than chance explains."""
        return self.p_value < SIGNIFICANT

    @property
    def b_is_worse(self) -> bool:
        """Whether B is significantly less accurate than A."""
        return self.is_significant and self.only_b < self.only_a
