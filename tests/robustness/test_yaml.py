"""Any YAML: a config whose network is built, or errors that name file, line and column."""

import json
import random
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from cnn_cli.config.load import load_config
from cnn_cli.errors import ConfigError
from cnn_cli.training.start import build_network_of
from robustness.fuzz import LONGEST, NASTY, alarm, change_bytes, change_tree, generator
from robustness.trials import Trials, scaled

pytestmark = [pytest.mark.robust, pytest.mark.timeout(3600)]

CONFIG = """\
name: fuzzed
data:
  name: synthetic
  root: cache
  validation: 50
  augment: {rotate: 10, elastic: 34, elastic_sigma: 4}
  synthetic: {train: 300, test: 100}
model:
  blocks:
    unit:
      parameters: [out, {kernel: 3}]
      layers: [{conv: {out: $out, kernel: $kernel, padding: same}}, relu]
  layers:
    - conv: {out: 4, kernel: 5, stride: 2}
    - norm: batch
    - unit: {out: 4}
    - residual: [unit: 4]
    - repeat: {times: 2, layers: [relu]}
    - parallel: [[relu], [{conv: {out: 2, kernel: 1}}]]
    - global_pool: {kind: avg, size: 2}
    - flatten
    - dropout: 0.2
    - linear: classes
train: {epochs: 2, batch_size: 50, optimizer: sgd, momentum: 0.9, schedule: step, step_epochs: 3}
output: {plot: false}
"""

PIECES = (
    *(
        b"\t",
        b"\0",
        b"\r",
        b"\xff",
        b"\xef\xbb\xbf",
        b": ",
        b"- ",
        b"\n",
        b"{",
        b"}",
        b"[",
        b"]",
        b"'",
        b'"',
        b"#",
    ),
    *(
        b"&a ",
        b"*a ",
        b"!x ",
        b"!!python/object/apply:os.system [touch canary]",
        b"|",
        b">",
        b"%",
        b"@",
        b"`",
    ),
    *(
        b"\x85",
        "\u2028".encode(),
        b"<<: *a\n",
        "\U0001f600".encode(),
        b"\xed\xa0\x80",
        b"[" * 70,
        b"[" * 5000,
    ),
    *(
        b"{a: " * 80,
        b"9" * 5000,
        b"0x",
        b"1e999",
        b".inf",
        b".nan",
        b"~",
        b"? ",
        b"---\n",
        b"...\n",
        b'"\\e[31m"',
    ),
)

PLACE = re.compile(
    r"(fuzzed\.yaml|/[^:]+):\d+:\d+\b|argument ['\"]|\.\.\. and \d+ more|fuzzed\.yaml: (longer|cannot)"
)
"""The start of an error: a place in the file or in another that its `base:` names, or an argument."""


def changed_tree(rng: random.Random) -> bytes:
    """Another value, key or structure."""
    tree = change_tree(rng, yaml.safe_load(CONFIG))
    if rng.random() < 0.5:
        return json.dumps(tree).encode()
    try:
        return yaml.safe_dump(tree, allow_unicode=rng.random() < 0.5).encode("utf-8", "surrogatepass")
    except RecursionError:  # PyYAML cannot write what is nested 200 times; JSON is YAML, too
        return json.dumps(tree).encode()


def changed_text(rng: random.Random) -> bytes:
    """Other bytes, or pieces that mean something in YAML."""
    text = CONFIG.encode()
    for _ in range(rng.choice((1, 1, 2, 5))):
        place = rng.randrange(len(text) + 1)
        if rng.random() < 0.3:
            text = change_bytes(rng, text)
        else:
            text = text[:place] + rng.choice(PIECES) + text[place + rng.choice((0, 0, 1, 10)) :]
    return text


def special(rng: random.Random) -> bytes:
    """Other encodings, bombs, and texts of great length or depth."""
    bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{'bcdefgh'[i]}: &{'bcdefgh'[i]} [{', '.join(['*' + 'abcdefgh'[i]] * 9)}]\n" for i in range(7)
    )
    blocks = ", ".join(f"b{i}: [{', '.join([f'b{i + 1}'] * 4)}]" for i in range(12))
    depth = rng.choice((10, 25, 40, 500))
    texts = (
        CONFIG.encode(rng.choice(("utf-16", "utf-32", "utf-8-sig"))),
        CONFIG.replace("\n", rng.choice(("\r\n", "\r", "\x85"))).encode(),
        rng.randbytes(rng.randrange(2000)),
        b"- a\n" * rng.choice((1, 19_990, 90_000)),
        bomb.encode(),
        f"model: {{blocks: {{{blocks}, b12: [relu]}}, layers: [b0]}}".encode(),
        b"model: {layers: [" + b"{residual: [" * depth + b"relu" + b"]}" * depth + b"]}",
        b"model: {layers: [" + b",".join(b"{x%d: 1}" % i for i in range(rng.choice((100, 5000)))) + b"]}",
        b"train: {" + b",".join(b"learning_rate_%d: 1" % i for i in range(rng.choice((100, 6000)))) + b"}",
        (CONFIG + "---\n" + CONFIG).encode(),
        b"",
    )
    return rng.choice(texts)


def argument(rng: random.Random) -> str:
    """A setting as an argument: any key, any value."""
    keys = [
        "train.lr",
        "model.layers[0].conv.out",
        "model.layers[99]",
        "name",
        "data.augment.rotate",
        "data.root",
    ]
    odd = [
        "",
        ".",
        "a..b",
        "base",
        "a" * 5000,
        ".".join("a" * 2000),
        "model.layers" + "[0]" * 300,
        "tr\nain.lr",
        "é.x",
    ]
    value = rng.choice(NASTY) if rng.random() < 0.5 else rng.choice(PIECES).decode("utf-8", "surrogateescape")
    text = value if isinstance(value, str) else json.dumps(value)
    return rng.choice((f"{rng.choice(keys + odd)}={text}", text))


KINDS: tuple[Callable[[random.Random], bytes], ...] = (changed_tree,) * 9 + (changed_text,) * 8 + (special,)


def load_and_build(path: Path, arguments: list[str]) -> None:
    """Load a config and build its network; errors with places are the only way to fail."""
    try:
        build_network_of(load_config(str(path), arguments), of_data=True)
    except ConfigError as error:
        for line in error.message.split("\n"):
            assert line.isprintable(), repr(line[:200])
            assert len(line) <= LONGEST, f"{len(line):,} characters"
            assert PLACE.match(line), f"names no place: {line[:200]}"


@pytest.mark.usefixtures("one_thread")
def test_yaml(trials: Trials, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any YAML text gives a network or errors with places, and runs no code."""
    monkeypatch.chdir(tmp_path)
    rng, path = generator("yaml"), Path("fuzzed.yaml")
    for number in range(scaled(5_000)):
        kind = rng.choice(KINDS)
        arguments = [argument(rng) for _ in range(rng.choice((1, 2)))] if number % 5 == 0 else []
        path.write_bytes(CONFIG.encode() if arguments else kind(rng))
        with trials.trial(f"{number}, {'argument' if arguments else kind.__name__}"), alarm():
            load_and_build(path, arguments)
            assert not Path("canary").exists(), "code was run"
