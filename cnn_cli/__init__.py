"""cnn: train, evaluate and use convolutional networks that are described in YAML."""

__version__ = "0.1.0"
