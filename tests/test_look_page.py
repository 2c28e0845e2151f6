"""The page of `cnn look` in a real browser: drawing, numbers, play, keyboard, touch, and speed."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.look import written_page

from cnn_cli.checkpoint import file
from cnn_cli.checkpoint.choose import shipped
from cnn_cli.model.network import load_network
from cnn_cli.model.summary import LayerSummary, summarize
from cnn_cli.report.look.page import PageImage

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("one_thread")]

MINUS = "\N{MINUS SIGN}"

QUICK = {"lenet": 50, "reader": 300}
"""Milliseconds from a move of the pen to the answer."""

TRIES = 12  # the best of as many moves counts: other work on the machine delays most of them


@pytest.fixture(scope="module")
def lenet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written_page(tmp_path_factory.mktemp("look") / "lenet.html")


@pytest.fixture
def page(browser: Any, lenet: Path) -> Iterator[Any]:
    """The page of lenet, which fails the test on any error of the console and on any request."""
    from helpers.browser import opened

    with opened(browser, lenet) as page:
        yield page


def draw(page: Any, *points: tuple[float, float]) -> None:
    """Draw a stroke with the mouse; points are shares of the canvas."""
    box = page.locator("#pad").bounding_box()
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=8)
    page.mouse.up()


def explained(page: Any) -> None:
    """Wait until the reasons are computed. The page forbids `wait_for_function`, which evaluates text."""
    page.locator("#reasons[data-done]").wait_for(state="attached")


ONE = ((0.5, 0.2), (0.48, 0.8))
SEVEN = ((0.3, 0.22), (0.7, 0.22), (0.45, 0.8))


def answer(page: Any) -> str:
    return page.locator("#answer").inner_text()


def numbers(text: str) -> list[float]:
    return [float(part) for part in re.findall(r"-?\d+\.\d+", text.replace(MINUS, "-"))]


# --- drawing ------------------------------------------------------------------------------------------------


def test_a_blank_canvas_has_no_answer(page: Any) -> None:
    page.wait_for_timeout(300)
    assert answer(page) == page.locator("#confidence").inner_text() == ""
    assert page.locator("#probabilities .best").count() == 0
    assert page.evaluate("look.current()") is None


def test_a_stroke_changes_the_answer_and_undo_takes_it_back(page: Any) -> None:
    from playwright.sync_api import expect

    draw(page, *ONE)
    expect(page.locator("#answer")).to_have_text("1")
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("#answer")).to_have_text("")
    draw(page, *SEVEN)
    expect(page.locator("#answer")).to_have_text("7")
    assert abs(sum(numbers(page.locator("#probabilities").inner_text())) - 100) < 1
    for expected in ("", "1", ""):
        page.get_by_role("button", name="Undo").click()
        expect(page.locator("#answer")).to_have_text(expected)


def test_every_example_is_read_right(page: Any) -> None:
    from playwright.sync_api import expect

    for label in "0123456789":
        page.get_by_role("button", name=f"Example {label}").click()
        expect(page.locator("#answer")).to_have_text(label)


def test_an_answer_below_the_limit_is_unsure(browser: Any, tmp_path: Path) -> None:
    from helpers.browser import opened
    from playwright.sync_api import expect

    with opened(browser, written_page(tmp_path / "look.html", min_confidence=1)) as page:
        draw(page, *SEVEN)
        expect(page.locator("#answer")).to_have_text("unsure")
        expect(page.locator("#confidence")).to_contain_text("most likely 7, with")


def test_the_occlusion_map_is_the_fall_of_the_logit(page: Any) -> None:
    """The pixel of the map that no neighbor patch can explain: the test wipes patches itself."""
    page.get_by_role("button", name="Example 3").click()
    explained(page)
    found, expected = page.evaluate(
        """async () => {
        const {image, logits} = look.current(), label = modules.tensor.argmax(logits);
        let last;
        const steps = modules.occlusion.occlusion(look.network, image, PREPROCESSING, [label]);
        for await (const step of steps) last = step;
        const i = modules.tensor.argmax(last.maps[0].data), y = Math.floor(i / 28), x = i % 28, falls = [];
        for (let top = -2; top < 28; top += 2) for (let left = -2; left < 28; left += 2) {
          if (y < top || y >= top + 5 || x < left || x >= left + 5) continue;
          const data = image.data.slice();
          for (let v = Math.max(0, top); v < Math.min(28, top + 5); v++) {
            for (let u = Math.max(0, left); u < Math.min(28, left + 5); u++) data[28 * v + u] = 0;
          }
          falls.push(logits[label] - look.compute({data, shape: [1, 28, 28]}).logits[label]);
        }
        return [last.maps[0].data[i], falls.reduce((a, b) => a + b, 0) / falls.length];
      }""".replace("PREPROCESSING", "JSON.parse(document.getElementById('data').textContent).preprocessing")
    )
    assert expected > 0.1
    assert abs(found - expected) < 1e-4


# --- the numbers --------------------------------------------------------------------------------------------


def torch_outputs(page: Any) -> dict[str, np.ndarray]:
    """Return the output of every layer for the image on the canvas, by torch."""
    checkpoint = file.read(shipped("lenet"))
    pixels = np.array(page.evaluate("[...look.current().image.data]"), np.float32).reshape(1, 1, 28, 28)
    settings = checkpoint.preprocessing
    value, outputs = torch.from_numpy((pixels / 255 - settings.mean[0]) / settings.std[0]).float(), {}
    with torch.inference_mode():
        for name, module in load_network(checkpoint).named_children():
            value = module(value)
            outputs[name] = value[0].numpy()
    return outputs


def choose(page: Any, layer: str, *place: int) -> None:
    """Choose a number by the controls, counted from 1, with six decimals."""
    page.locator("#strip").get_by_role("button", name=layer, exact=True).click()
    page.get_by_label("six decimals").check()
    for name, value in zip(("map", "row", "column"), place, strict=False):
        page.locator(f"#choose-{name}").fill(str(value))
        page.locator(f"#choose-{name}").blur()


@pytest.mark.parametrize(
    ("layer", "place"),
    [("conv1", (2, 1, 1)), ("conv1", (6, 15, 14)), ("conv2", (1, 1, 1)), ("conv2", (16, 6, 7))],
)
def test_the_window_times_the_kernel_gives_the_value(
    page: Any, layer: str, place: tuple[int, int, int]
) -> None:
    page.get_by_role("button", name="Example 4").click()
    page.wait_for_timeout(500)
    choose(page, layer, *place)
    total = 0.0
    for row in page.locator("#numbers .sum").all():
        window, kernel, products = (numbers(table.inner_text()) for table in row.locator("table").all())
        assert len(window) == len(kernel) == len(products) == 25
        np.testing.assert_allclose(np.multiply(window, kernel), products, atol=1e-5)
        assert abs(numbers(row.locator(".value").inner_text())[0] - sum(products)) < 1e-4
        total += float(np.dot(window, kernel))
    line = page.locator("#numbers .result").inner_text()
    bias, result = numbers(line)[-2:]
    if f"{MINUS} {abs(bias):.6f} (bias)" in line:
        bias = -bias
    assert page.locator("#numbers .sum").count() == (1 if layer == "conv1" else 6)
    assert abs(total + bias - result) < 1e-4
    c, y, x = (number - 1 for number in place)
    assert abs(result - torch_outputs(page)[layer][c, y, x]) < 1e-4


def test_every_layer_explains_torchs_number(page: Any) -> None:
    page.get_by_role("button", name="Example 8").click()
    page.wait_for_timeout(500)
    outputs = torch_outputs(page)
    for layer, values in outputs.items():
        place = [side // 2 for side in values.shape]
        choose(page, layer, *(index + 1 for index in place))
        result = numbers(page.locator("#numbers .result b").inner_text())[0]
        assert abs(result - values[tuple(place)]) < 1e-4, layer
    assert {"norm1", "relu1", "pool1", "flatten1", "linear3"} <= set(outputs)


def test_the_steps_of_a_norm_and_of_softmax_add_up(page: Any) -> None:
    page.get_by_role("button", name="Example 8").click()
    page.wait_for_timeout(500)
    choose(page, "norm1", 3, 14, 14)
    values = " ".join(page.locator("#numbers tbody td:last-child").all_inner_texts())
    value, mean, variance, centered, normalized, scale, shift = numbers(values)
    assert abs(value - mean - centered) < 2e-6
    assert abs(centered / np.sqrt(variance + 1e-5) - normalized) < 1e-4
    assert abs(normalized * scale + shift - numbers(page.locator("#numbers .result").inner_text())[0]) < 1e-4
    page.locator("#probabilities button").nth(8).click()
    *_, power, total = numbers(page.locator("#numbers tbody").inner_text())
    assert abs(power / total - numbers(page.locator("#numbers .result").inner_text())[0]) < 1e-5


def test_the_winner_of_a_pooling_is_the_largest_number(page: Any) -> None:
    page.get_by_role("button", name="Example 2").click()
    page.wait_for_timeout(500)
    choose(page, "pool1", 2, 5, 8)
    window = numbers(page.locator("#numbers table").inner_text())
    assert len(window) == 4
    assert numbers(page.locator("#numbers td.won").inner_text()) == [max(window)]
    assert numbers(page.locator("#numbers .result").inner_text()) == [max(window)]


def test_a_fully_connected_layer_lists_all_its_products(page: Any) -> None:
    page.get_by_role("button", name="Example 2").click()
    page.wait_for_timeout(500)
    choose(page, "linear1", 7)
    page.locator("#numbers summary").click()
    rows = page.locator("#numbers details tbody tr").all_inner_texts()
    assert len(rows) == 400
    products = [numbers(row)[-1] for row in rows]
    total, bias, result = numbers(page.locator("#numbers .result").inner_text())
    assert abs(sum(products) - total) < 1e-3
    assert min(abs(total + bias - result), abs(total - bias - result)) < 1e-4


def flattened(layers: tuple[LayerSummary, ...], prefix: str = "") -> Iterator[tuple[str, LayerSummary]]:
    for layer in layers:
        yield prefix + layer.name, layer
        yield from flattened(layer.layers, f"{prefix}{layer.name}.")


def test_shapes_parameters_and_receptive_fields_are_those_of_the_summary(
    browser: Any, tmp_path: Path
) -> None:
    from helpers.browser import opened

    checkpoint = file.read(shipped("best"))
    summary = summarize(load_network(checkpoint), (1, 28, 28))
    with opened(browser, written_page(tmp_path / "best.html", "best")) as page:
        fields = {item["name"]: item for item in page.evaluate("look.fields()")}
        shapes = {item["name"]: item["shape"] for item in page.evaluate("look.shapes()")}
    compared = 0
    for name, layer in flattened(summary.layers):
        if name not in fields:
            continue
        expected = list(layer.receptive_field) if layer.receptive_field else "all"
        assert (shapes[name], fields[name]["parameters"]) == (list(layer.output_shape), layer.parameters), (
            name
        )
        assert fields[name]["field"] == expected, name
        compared += 1
    assert compared > 40


# --- play ---------------------------------------------------------------------------------------------------


def test_play_visits_every_position_once_and_pause_stops_it(page: Any) -> None:
    from playwright.sync_api import expect

    page.get_by_role("button", name="Example 0").click()
    page.wait_for_timeout(500)
    choose(page, "pool2")
    page.get_by_label("Speed").fill("6")
    page.evaluate(
        """() => { window.visited = [];
        new MutationObserver(() => visited.push(document.body.dataset.position))
          .observe(document.body, {attributeFilter: ["data-position"]}); }"""
    )
    page.get_by_role("button", name="Play").click()
    expect(page.locator("#play")).to_have_text("Pause")
    expect(page.locator("#play")).to_have_text("Play", timeout=60_000)
    assert page.evaluate("visited") == [f"{y},{x}" for y in range(5) for x in range(5)]
    choose(page, "conv1")
    page.get_by_role("button", name="Play").click()
    page.get_by_role("button", name="Pause").click()
    stopped = page.evaluate("document.body.dataset.position")
    page.wait_for_timeout(300)
    assert page.evaluate("document.body.dataset.position") == stopped != "27,27"


# --- keyboard, touch, accessibility -------------------------------------------------------------------------


def press_until(page: Any, selector: str) -> None:
    """Press Tab until the element has the focus."""
    for _ in range(120):
        page.keyboard.press("Tab")
        if page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
            return
    pytest.fail(f"{selector} is not reached by Tab")


def test_the_keyboard_alone_can_do_all(page: Any) -> None:
    from playwright.sync_api import expect

    press_until(page, "#pad")
    page.keyboard.press("Space")
    for _ in range(14):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    expect(page.locator("#answer")).to_have_text("1")
    page.wait_for_timeout(300)
    press_until(page, "#clear")
    press_until(page, "[aria-label='Example 6']")
    page.keyboard.press("Enter")
    expect(page.locator("#answer")).to_have_text("6")
    page.wait_for_timeout(300)
    press_until(page, ".layer:nth-of-type(5) button")
    page.keyboard.press("Enter")
    press_until(page, "#choose-row")
    page.keyboard.press("ArrowUp")
    press_until(page, "#step")
    before = page.evaluate("document.body.dataset.position")
    page.keyboard.press("Space")
    assert page.evaluate("document.body.dataset.position") != before
    page.keyboard.press("Shift+Tab")
    assert page.evaluate("document.activeElement.id") == "play"
    page.keyboard.press("Enter")
    expect(page.locator("#play")).to_have_text("Pause")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_axe_finds_nothing_serious(browser: Any, lenet: Path, scheme: str, width: int) -> None:
    from helpers.browser import accessibility_problems, opened

    with opened(browser, lenet, viewport={"width": width, "height": 800}, color_scheme=scheme) as page:
        assert accessibility_problems(page) == []
        page.get_by_role("button", name="Example 5").click()
        explained(page)
        for layer in ("conv2", "linear1", "norm1"):
            choose(page, layer)
            assert accessibility_problems(page) == []


def test_a_phone_draws_by_touch_and_nothing_is_wider_than_its_screen(browser: Any, lenet: Path) -> None:
    from helpers.browser import opened
    from playwright.sync_api import expect

    with opened(
        browser, lenet, viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True
    ) as page:
        box = page.locator("#pad").bounding_box()
        touch = page.context.new_cdp_session(page)

        def send(kind: str, *points: tuple[float, float]) -> None:
            places = [
                {"x": box["x"] + x * box["width"], "y": box["y"] + y * box["height"]} for x, y in points
            ]
            touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": places})

        send("touchStart", (0.5, 0.2))
        for step in range(1, 13):
            send("touchMove", (0.5, 0.2 + 0.05 * step))
        send("touchEnd")
        expect(page.locator("#answer")).to_have_text("1")
        assert page.evaluate("look.pad.canvas.width === look.pad.canvas.height")
        page.wait_for_timeout(500)
        for layer in ("conv2", "linear1", "pool1"):
            choose(page, layer)
            assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_names_from_outside_are_text(browser: Any, tmp_path: Path) -> None:
    from helpers.browser import opened

    name = "<img src=x onerror=alert(1)></script><script>window.bad = 1</script>.png"
    image = PageImage(name, np.eye(28, dtype=np.uint8)[None] * 255, {})
    with opened(browser, written_page(tmp_path / "look.html", images=(image,))) as page:
        assert page.evaluate("window.bad") is None
        assert page.get_by_role("button", name=name, exact=True).count() == 1


@pytest.mark.parametrize("name", QUICK)
def test_the_answer_follows_the_pen(browser: Any, tmp_path: Path, name: str) -> None:
    """The time from a move of the pen to the changed answer on the page, with the wait for the next frame."""
    from helpers.browser import opened

    with opened(browser, written_page(tmp_path / "look.html", name)) as page:
        page.evaluate(
            """() => { window.times = []; let moved = 0;
            document.addEventListener("pointermove", () => { moved = moved || performance.now(); }, true);
            new MutationObserver(() => { if (moved) times.push(performance.now() - moved); moved = 0; })
              .observe(document.getElementById("confidence"), {childList: true, subtree: true});
            }"""
        )
        box = page.locator("#pad").bounding_box()
        page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.2 * box["height"])
        page.mouse.down()
        for step in range(TRIES):
            page.mouse.move(
                box["x"] + (0.3 + 0.03 * step) * box["width"], box["y"] + (0.2 + 0.05 * step) * box["height"]
            )
            page.wait_for_timeout(250)
        times = page.evaluate("times")
        page.mouse.up()
    print(f"{name}: {min(times):.0f} ms at best, {np.median(times):.0f} in the median of {len(times)} moves")
    assert len(times) >= TRIES // 2
    assert min(times) < QUICK[name]
