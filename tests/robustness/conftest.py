"""The fixture of a promise's trials."""

from collections.abc import Callable, Iterator

import pytest

from robustness.trials import Trials


@pytest.fixture
def trials(
    request: pytest.FixtureRequest, record_property: Callable[[str, object], None]
) -> Iterator[Trials]:
    """Yield the trials of the promise that the first line of the test's docstring states.

    At the end their figures are printed, recorded, and the test fails if a trial has.
    """
    function = request.function
    made = Trials(function.__name__.removeprefix("test_"), function.__doc__.strip().splitlines()[0])
    yield made
    record_property("trials", str(made))
    made.finish()
