"""Small runs that are attacked: their config, and what their files hold."""

import hashlib
import json
from pathlib import Path
from typing import Any

CONFIG = """\
name: small
data:
  {name: synthetic, validation: 50, synthetic: {train: 300, test: 100}, augment: {rotate: 10, translate: 2}}
model:
  layers: [conv: {out: 4, kernel: 5, stride: 2}, norm: batch, relu, flatten, dropout: 0.2, linear: classes]
train: {epochs: 2, batch_size: 50, threads: 1, ema: 0.5, lr: 0.003}
output: {plot: false}
"""


def write_config(folder: Path, text: str = CONFIG) -> tuple[str, ...]:
    """Write the config, and return the command that trains it with the digits that are kept in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "small.yaml").write_text(text)
    return ("train", "--config", str(folder / "small.yaml"), f"data.root={folder / 'data'}")


def weights(run: Path) -> str | None:
    """Return the digest of a run's checkpoint; None without one."""
    path = run / "model.safetensors"
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else None


def figures(run: Path) -> tuple[Any, ...]:
    """Return a finished run's figures and history without their times, which differ."""
    metrics = json.loads((run / "metrics.json").read_text())
    return _without_times(metrics), [_without_times(json.loads(line)) for line in _lines(run)]


def check_readable(run: Path) -> None:
    """Check that no file for people is half written."""
    for line in _lines(run):
        json.loads(line)
    if (run / "metrics.json").exists():
        json.loads((run / "metrics.json").read_text())


def leftovers(folder: Path) -> list[str]:
    """Return the temporary files in a folder and below it."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob(".*.tmp"))


def _lines(run: Path) -> list[str]:
    path = run / "history.jsonl"
    return path.read_text().splitlines() if path.exists() else []


def _without_times(value: Any) -> Any:
    if isinstance(value, dict):
        times = ("seconds", "images_per_second")
        return {key: _without_times(part) for key, part in value.items() if key not in times}
    return value
