"""The Python API: `import cnn_cli as cnn`, then `cnn.load`, `cnn.train` and `cnn.evaluate`."""

import logging

# Without a handler, Python itself writes warnings to stderr. A library leaves that to the program around it.
logging.getLogger("cnn_cli").addHandler(logging.NullHandler())
