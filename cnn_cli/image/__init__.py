"""From any picture file to the pixels that are kept of it. `prepare.prepare` does it all."""

from typing import Literal

Reading = Literal["ink", "whole"]
"""What counts in a picture: the `ink` on paper, as in MNIST, or the `whole` of it, as in a photograph."""
