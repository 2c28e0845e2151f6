"""Add a checksum to checkpoints of an older version: python benchmarks/add_checksum.py FILE...

A file that has one is left as it is. Since the program does not read a file without a checksum, this script
reads it with safetensors.
"""

import json
import sys
from pathlib import Path

from safetensors import safe_open

from cnn_cli.checkpoint import tensorfile


def add_checksum(path: Path) -> bool:
    """Write the same arrays and header with a checksum; return whether there was none."""
    with safe_open(path, framework="np") as file:
        header = json.loads(file.metadata()[tensorfile.HEADER])
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no dict)
    if tensorfile.DIGEST in header:
        return False
    tensorfile.write(path, arrays, header)
    return True


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print(f"{name}: {'added' if add_checksum(Path(name)) else 'has one'}")
