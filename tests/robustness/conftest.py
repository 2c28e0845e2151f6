"""The fixture of a promise's trials."""

import re
from collections.abc import Callable, Iterator

import pytest

from robustness.trials import Trials


@pytest.fixture
def trials(
    request: pytest.FixtureRequest, record_property: Callable[[str, object], None]
) -> Iterator[Trials]:
    """Yield the trials of the promise that the first line of the test's docstring states.

    A test with a parameter `command` makes a promise for each command. At the end the figures are printed and
    recorded, and the test fails if a trial has.
    """
    function = request.function
    name, promise = function.__name__.removeprefix("test_"), function.__doc__.strip().splitlines()[0]
    if hasattr(request.node, "callspec"):
        command = request.node.callspec.params["command"]
        name, promise = f"{name}-{'-'.join(re.findall('[a-z]+', command))}", f"`{command}`: {promise}"
    made = Trials(name, promise)
    yield made
    record_property("trials", str(made))
    made.finish()
