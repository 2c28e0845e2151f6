"""Which hypothesis is taken."""

import pytest

from cnn_cli.image.hypotheses import Kind
from cnn_cli.reading.choice import TURNED, UNSURE, Candidate, choose

FOUND, WHOLE, TURNED_90 = Kind.FOUND, Kind.WHOLE_LIGHT, Kind.TURNED_90


@pytest.mark.parametrize(
    ("confidences", "expected"),
    [
        ([(FOUND, 0.9)], 0),
        ([(FOUND, 0.7), (WHOLE, 0.9)], 1),
        ([(FOUND, 0.9), (WHOLE, 0.9)], 0),  # as confident: the first
        ([(FOUND, 0.9), (WHOLE, 0.901)], 1),
        ([(FOUND, 0.3), (WHOLE, 0.7), (Kind.AS_IS, 0.8)], 2),
        ([(FOUND, UNSURE), (TURNED_90, 1.0)], 0),  # a turned digit only if nothing upright is likely
        ([(FOUND, UNSURE - 0.01), (TURNED_90, TURNED)], 1),
        ([(FOUND, UNSURE - 0.01), (TURNED_90, TURNED - 0.01)], 0),
        ([(FOUND, 0.2), (WHOLE, 0.4), (TURNED_90, 0.5)], 1),
        ([(FOUND, 0.2), (TURNED_90, 0.98), (Kind.TURNED_180, 0.99)], 2),
        ([(WHOLE, 0.2), (Kind.AS_IS, 0.1)], 0),
    ],
)
def test_the_hypothesis_that_is_taken(confidences: list[tuple[Kind, float]], expected: int) -> None:
    assert choose([Candidate(kind, "7", confidence) for kind, confidence in confidences]) == expected


def test_a_hypothesis_that_leaves_ink_out_must_be_clearly_surer() -> None:
    whole = Candidate(Kind.FOUND, "7", 0.98)
    assert choose([whole, Candidate(Kind.MAIN, "1", 0.999)]) == 0  # the stem of a 7 with a broken bar
    assert choose([Candidate(Kind.FOUND, "8", 0.7), Candidate(Kind.MAIN, "3", 0.99)]) == 1
