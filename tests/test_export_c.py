"""C headers: the answers of `cnn predict` in floats, and of the definition in NumPy in 8 bits."""

import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.exports import NETWORKS, STRICT, compiler, network_of, run_header
from helpers.networks import random_checkpoint
from numpy.typing import NDArray

from cnn_cli.checkpoint.choose import shipped
from cnn_cli.checkpoint.file import Checkpoint, read
from cnn_cli.config.load import load_config
from cnn_cli.data.synthetic import draw
from cnn_cli.errors import BelowBarError, DataError
from cnn_cli.export import int8, quantize
from cnn_cli.export.c_code import FUNCTIONS, function_texts
from cnn_cli.export.c_float import float_code
from cnn_cli.export.c_header import header_text
from cnn_cli.export.c_int8 import int8_code
from cnn_cli.export.c_write import quantize_network, write_header
from cnn_cli.export.graph import INPUT, graph_of
from cnn_cli.export.lower import lower
from cnn_cli.export.memory_plan import IN_PLACE, plan_memory
from cnn_cli.export.samples import Samples, images_to_check
from cnn_cli.inference.activations import softmax
from cnn_cli.reading.reader import numpy_network

SANITIZED = ("-O0", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
SMALL: list[Any] = [
    {"conv": {"out": 3, "kernel": 3, "padding": "same"}},
    "relu",
    {"pool": 4},
    "flatten",
    {"linear": "classes"},
]


def samples_of(checkpoint: Checkpoint, count: int = 200) -> Samples:
    """Drawn digits; their labels are the answers of the network in floats."""
    images = draw(count, seed=1)[0][:, None]
    labels = network_of(checkpoint).probabilities(images).argmax(1)
    return Samples("synthetic", False, images, images, labels)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer_computes_the_same_in_floats(tmp_path: Path, name: str) -> None:
    network = network_of(random_checkpoint(NETWORKS[name]))
    write_header(tmp_path / "model.h", network, None)
    images = images_to_check(network.checkpoint.preprocessing)
    label, probabilities = run_header(tmp_path / "model.h", images, *SANITIZED)
    assert np.abs(probabilities - network.probabilities(images)).max() < 1e-4
    assert np.array_equal(label, probabilities.argmax(1))


@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer_computes_the_same_in_8_bits(tmp_path: Path, name: str) -> None:
    """Bit for bit the definition in NumPy, which is close to the floats."""
    network = network_of(random_checkpoint(NETWORKS[name]))
    checkpoint = network.checkpoint
    samples = samples_of(checkpoint)
    quantized = quantize_network(network, samples)
    code = int8_code(quantized, checkpoint.preprocessing)
    (tmp_path / "model.h").write_text(header_text(checkpoint, code, 0, 0.8, ""))
    images = images_to_check(checkpoint.preprocessing)
    label, probabilities = run_header(tmp_path / "model.h", images, *SANITIZED)
    expected = int8.probabilities(quantized(images), checkpoint.temperature)
    assert probabilities.tobytes() == expected.tobytes()
    assert np.array_equal(label, expected.argmax(1))
    floats = network.numpy(network.inputs(samples.test))
    assert np.abs(quantized(samples.test) - floats).mean() < 0.1 * floats.std()


@pytest.mark.parametrize("settings", [{"size": 32}, {"size": 33, "channels": 3}])
@pytest.mark.parametrize("eight_bits", [False, True])
def test_digits_lie_amid_background(tmp_path: Path, settings: dict[str, int], eight_bits: bool) -> None:
    network = network_of(random_checkpoint(SMALL, **settings))
    checkpoint, images = network.checkpoint, images_to_check(network.checkpoint.preprocessing)
    if eight_bits:
        quantized = quantize_network(network, samples_of(checkpoint))
        code = int8_code(quantized, checkpoint.preprocessing)
        expected = int8.probabilities(quantized(images), checkpoint.temperature)
    else:
        code = float_code(network.graph, checkpoint.preprocessing)
        expected = network.probabilities(images).astype(np.float32)
    (tmp_path / "model.h").write_text(header_text(checkpoint, code, 0, 0.8, ""))
    _, probabilities = run_header(tmp_path / "model.h", images, "-O1")
    assert np.abs(probabilities - expected).max() <= (0 if eight_bits else 1e-5)


def test_a_photo_has_a_name_of_its_own(tmp_path: Path) -> None:
    checkpoint = random_checkpoint(SMALL, size=12, channels=3, preprocessing="photo")
    network = network_of(checkpoint)
    write_header(tmp_path / "model.h", network, None)
    text = (tmp_path / "model.h").read_text()
    assert "photo_predict(const uint8_t image[432], float probabilities[10])" in text
    assert "digit" not in text
    images = images_to_check(checkpoint.preprocessing)
    _, probabilities = run_header(tmp_path / "model.h", images, "-O1", kind="photo")
    assert np.abs(probabilities - network.probabilities(images)).max() < 1e-5


def test_the_program_of_the_docs_reads_a_digit(tmp_path: Path) -> None:
    page = (Path(__file__).parent.parent / "docs" / "export.md").read_text()
    (tmp_path / "main.c").write_text(page.partition('```c title="main.c"\n')[2].partition("```")[0])
    command = re.search(r"Compile it with `gcc (.*)`", page)
    assert command is not None
    network = network_of(read(shipped("lenet")))
    write_header(tmp_path / "lenet.h", network, None)
    subprocess.run([compiler(), *command[1].split()], cwd=tmp_path, check=True)
    images, labels = draw(1, seed=3)
    done = subprocess.run([tmp_path / "digit"], input=images.tobytes(), capture_output=True, check=True)
    confidence = network.probabilities(images[:, None]).max()
    assert done.stdout.decode() == f"{labels[0]} {confidence:.3f}\n"


def test_digits_that_are_scaled_down_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="scaled down to 14 pixels"):
        write_header(tmp_path / "model.h", network_of(random_checkpoint(SMALL, size=14)), None)
    assert not list(tmp_path.iterdir())


def test_tiny_fits_16_kb_of_flash_and_of_ram(tmp_path: Path) -> None:
    """As compiled for size: code and constants, and static memory. Trained weights take the same space."""
    config = load_config("tiny", []).config
    layers = config.model.model_dump(mode="json", exclude_none=True)["layers"]
    network = network_of(random_checkpoint(layers))
    quantized = quantize_network(network, samples_of(network.checkpoint, 20))
    code = int8_code(quantized, network.checkpoint.preprocessing)
    text = header_text(network.checkpoint, code, 0, 0.8, "")
    (tmp_path / "model.h").write_text(text)
    (tmp_path / "model.c").write_text(
        '#include "model.h"\nint answer(const uint8_t *image, float *out);\n'
        "int answer(const uint8_t *image, float *out) { return digit_predict(image, out); }\n"
    )
    subprocess.run([compiler(), *STRICT, "-Os", "-c", "model.c"], cwd=tmp_path, check=True)
    sizes = subprocess.run(["size", "model.o"], cwd=tmp_path, check=True, capture_output=True, text=True)
    flash, data, ram, *_ = map(int, sizes.stdout.splitlines()[1].split()[:3])
    assert code.flash < flash + data <= 16 * 1024
    assert ram == code.ram <= 16 * 1024
    assert not re.search(r"malloc|<math.h>|<stdlib.h>", text)


def test_a_header_is_only_written_if_8_bits_lose_little(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = read(shipped("lenet"))
    network, samples = network_of(checkpoint), samples_of(checkpoint)
    exported = write_header(tmp_path / "model.h", network, samples)
    assert exported.accuracy is not None
    assert exported.accuracy.before == 200
    assert exported.accuracy.after >= 199
    before = (tmp_path / "model.h").read_text()
    assert "calibrated with 200 training images of synthetic" in " ".join(before.split()).replace("* ", "")
    exact = quantize.scale_of
    monkeypatch.setattr(quantize, "scale_of", lambda low, high: exact(12 * low, 12 * high))
    with pytest.raises(BelowBarError, match="8 bits lower the accuracy on synthetic from 100"):
        write_header(tmp_path / "model.h", network, samples)
    assert (tmp_path / "model.h").read_text() == before


def test_every_function_is_used_by_some_network() -> None:
    used: set[str] = set()
    for layers in NETWORKS.values():
        network = network_of(random_checkpoint(layers))
        preprocessing = network.checkpoint.preprocessing
        quantized = quantize_network(network, samples_of(network.checkpoint, 10))
        for code in (float_code(network.graph, preprocessing), int8_code(quantized, preprocessing)):
            text = header_text(network.checkpoint, code, 0, 0.8, "")
            used |= set(re.findall(r"^static (?:inline )?\w+ digit_(\w+)\(", text, re.MULTILINE))
    assert used - {"predict"} == {path.stem for path in FUNCTIONS.glob("*.c")} - {"window"}


# ---- the parts


@pytest.mark.parametrize("name", NETWORKS)
def test_values_that_are_needed_at_the_same_time_do_not_overlap(name: str) -> None:
    """Simulated on numbers: every operation finds what the operations before it wrote."""
    graph = lower(graph_of(numpy_network(random_checkpoint(NETWORKS[name]), fast=False)))
    plan = plan_memory(graph.input_shape, graph.operations)
    memory, sizes = np.full(plan.size, -1), {key: int(np.prod(shape)) for key, shape in graph.shapes.items()}

    def place(value: str) -> slice:
        return slice(plan.offsets[value], plan.offsets[value] + sizes[value])

    memory[place(INPUT)] = 0
    names = [INPUT, *(each.name for each in graph.operations)]
    for number, operation in enumerate(graph.operations, 1):
        for value in operation.inputs:
            assert (memory[place(value)] == names.index(value)).all()
        if operation is not graph.operations[-1]:
            memory[place(operation.name)] = number
            for value in operation.inputs:
                in_place = operation.kind in IN_PLACE and place(value) == place(operation.name)
                assert in_place or (memory[place(value)] == names.index(value)).all(), (
                    "overwritten while read"
                )
    assert plan.size < sum(sizes.values())


def test_rounding_is_half_away_from_zero() -> None:
    products = np.array([5, -5, 6, -6, 7, -7, 0, 2, -2], np.int64)
    assert int8.round_shift(products, 2).tolist() == [1, -1, 2, -2, 2, -2, 0, 1, -1]
    assert int8.round_quotient(products, 4).tolist() == [1, -1, 2, -2, 2, -2, 0, 1, -1]


ARITHMETIC = """\
#include <stdio.h>
#include <stdint.h>

{functions}

int main(void)
{{
    int64_t value;
    while (fread(&value, sizeof value, 1, stdin) == 1) {{
        const int64_t results[] = {{{results}}};
        fwrite(results, sizeof results, 1, stdout);
    }}
    return 0;
}}
"""


def test_the_arithmetic_in_c_is_that_of_numpy(tmp_path: Path) -> None:
    """Rounding of exact halves too, which no network meets; and the integer root."""
    random = np.random.default_rng(0)
    values = np.concatenate([np.arange(-300, 300), random.integers(-(2**60), 2**60, 1000)])
    size = "value < 0 ? -value : value"
    results = (
        f"digit_rounded(value, 1), digit_rounded(value, 3), digit_rounded(value, 40), digit_root({size})"
    )
    text = ARITHMETIC.format(functions="\n\n".join(function_texts(["rounded", "root"])), results=results)
    (tmp_path / "main.c").write_text(text)
    subprocess.run([compiler(), *STRICT, *SANITIZED, "main.c", "-o", "main"], cwd=tmp_path, check=True)
    done = subprocess.run([tmp_path / "main"], input=values.tobytes(), capture_output=True, check=True)
    found = np.frombuffer(done.stdout, np.int64).reshape(-1, 4).T
    for column, shift in zip(found, (1, 3, 40), strict=False):
        assert np.array_equal(column, int8.round_shift(values, shift))
    assert np.array_equal(found[3], int8.integer_root(np.abs(values)))


@pytest.mark.parametrize("factor", [0.0, 1e-9, 0.3, 0.5, 1.0, 1 - 2**-40, 7.0, 1e5])
def test_a_factor_is_a_multiplier_and_a_shift(factor: float) -> None:
    multiplier, shift = int8.scaled(factor)
    assert 0 <= multiplier < 2**31
    assert 1 <= shift <= 62
    assert multiplier / 2**shift == pytest.approx(factor, rel=1e-6)


def test_the_integer_root_is_exact() -> None:
    values = np.array([0, 1, 2, 3, 4, 8, 9, 10**12, 10**12 - 1, 2**52 + 1, (2**31 - 1) ** 2], np.int64)
    roots = int8.integer_root(values)
    assert (roots * roots <= values).all()
    assert ((roots + 1) * (roots + 1) > values).all()


def test_the_softmax_of_8_bits() -> None:
    logits = np.random.default_rng(0).normal(0, 20, (200, 10)).astype(np.float32)
    found: NDArray[np.float32] = int8.probabilities(logits, 1.7)
    assert np.abs(found - softmax(logits, 1.7)).max() < 1e-6
