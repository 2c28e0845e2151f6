"""The settings of the augmentation: random changes of the training images."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from cnn_cli.config.fields import MAX_SIDE
from cnn_cli.config.section import Section


class Augmentation(Section):
    """Random changes of every training image, different in every epoch. Zero switches a change off."""

    rotate: Annotated[float, Field(ge=0, le=180)] = 0.0
    """Maximum rotation in either direction, in degrees."""
    scale: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Maximum change of size: 0.1 draws factors from 0.9 to 1.1, separately for height and width."""
    shear: Annotated[float, Field(ge=0, le=2)] = 0.0
    """Maximum slant: horizontal pixels per pixel of height."""
    translate: Annotated[float, Field(ge=0, le=64)] = 0.0
    """Maximum shift in each direction, in pixels."""
    elastic: Annotated[float, Field(ge=0, le=1000)] = 0.0
    """Strength of the elastic distortion (Simard, Steinkraus, Platt 2003): random displacements from -1 to 1
    are smoothed, then multiplied by this. The paper uses 34, with a sigma of 4, for 29x29 pixels."""
    elastic_sigma: Annotated[float, Field(gt=0, le=100)] = 4.0
    """Standard deviation, in pixels, of the Gaussian that smooths the displacements: small values make
    strokes shaky, large ones bend the whole digit."""
    thickness: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Maximum change of stroke thickness, in pixels on each side: strokes become thicker or thinner."""
    blur: Annotated[float, Field(ge=0, le=16)] = 0.0
    """Maximum standard deviation of a Gaussian blur, in pixels."""
    noise: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Maximum standard deviation of Gaussian noise, where 1 is the difference between background and ink."""
    cutout: Annotated[int, Field(ge=0, le=MAX_SIDE, strict=True)] = 0
    """Side, in pixels, of a random square that is set to the background (DeVries & Taylor 2017)."""
    mixup: Annotated[float, Field(ge=0, le=100)] = 0.0
    """Mix pairs of images of a batch, and their labels, with a weight from the distribution Beta(mixup,
    mixup) (Zhang et al. 2017, who use 0.1 to 0.4)."""

    @model_validator(mode="after")
    def _sigma_is_used(self) -> Self:
        if not self.elastic and self.elastic_sigma != type(self).model_fields["elastic_sigma"].default:
            raise ValueError("elastic_sigma is a setting of the elastic distortion, but elastic is 0")
        return self
