"""Which hypothesis is taken."""

import pytest

from cnn_cli.image.hypotheses import Kind
from cnn_cli.reading.choice import TURNED, UNSURE, Candidate, choose

FOUND, WHOLE, TURNED_90 = Kind.FOUND, Kind.WHOLE_LIGHT, Kind.TURNED_90
TURNED_5 = Candidate(TURNED_90, "5", 0.99)


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


def test_a_hypothesis_that_leaves_ink_out_counts_by_the_share_that_it_takes() -> None:
    whole = Candidate(Kind.FOUND, "7", 0.8)
    assert choose([whole, Candidate(Kind.MAIN, "1", 0.999, 0.79)]) == 0  # the stem of a 7 with a broken bar
    assert choose([whole, Candidate(Kind.MAIN, "7", 0.99, 0.9)]) == 1
    assert choose([Candidate(Kind.FOUND, "i", 0.2), Candidate(Kind.MAIN, "1", 1, 0.5), TURNED_5]) == 2


def test_an_answer_is_confident_by_its_score_and_never_if_it_was_turned() -> None:
    assert Candidate(Kind.MAIN, "1", 1.0, 0.9).is_confident(0.9)
    assert not Candidate(Kind.MAIN, "1", 1.0, 0.89).is_confident(0.9)
    assert Candidate(Kind.WHOLE_DARK, "1", 0.9).is_confident(0.9)
    assert not TURNED_5.is_confident(0)
