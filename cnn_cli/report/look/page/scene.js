// The scene of one layer: its window on the input, with the border of zeros, and the number that it gives.
import {colors, css, mixed, mostOf, signColor} from "./colors.js";
import {element} from "./elements.js";
import {inputWindow} from "./explain.js";
import {windowOf} from "./network.js";
import {imageShape} from "./tensor.js";

const SIDE = 300, LARGEST_CELL = 26;

/** Two drawings side by side: one map of the input, one of the output. `choose([y, x])` selects a number. */
export class Scene {
  constructor(box, choose) {
    this.input = element("canvas", {role: "img"});
    this.output = element("canvas", {role: "img", onclick: (event) => {
      const {cell, width, height} = this.grid;
      const y = Math.floor(event.offsetY / cell), x = Math.floor(event.offsetX / cell);
      if (y < height && x < width) choose([y, x]);
    }});
    this.output.style.cursor = "pointer";
    this.captions = [element("figcaption"), element("figcaption")];
    box.replaceChildren(
      element("figure", {}, this.captions[0], this.input),
      element("figure", {}, this.captions[1], this.output),
    );
  }

  /**
   * Draw the scene of number (c, y, x) of a layer's output.
   *
   * `shown` is the map of the input that is drawn; of the output only the numbers before `until` are drawn.
   */
  draw(layer, {input, output}, [c, y, x], shown, until = Infinity) {
    const rim = windowOf(layer, input.shape)?.rim ?? [[0, 0], [0, 0]];
    const window = inputWindow(layer, input.shape, [y, x]);
    this.drawInput(layer, input, shown, reachedRim(rim, layer, input, output), window);
    this.drawOutput(output, c, [y, x], until);
    this.captions[0].textContent = `Input, map ${shown + 1}${rim.flat().some(Boolean) ? ", in its border of zeros" : ""}`;
    this.captions[1].textContent = `Output, map ${c + 1}`;
  }

  drawInput(layer, input, shown, [[above, below], [before, after]], window) {
    const [, height, width] = imageShape(input.shape);
    const rows = above + height + below, columns = before + width + after;
    const {context, cell} = this.sized(this.input, rows, columns);
    const map = planeOf(input, shown), most = mostOf(map);
    for (let y = 0; y < rows; y++) {
      for (let x = 0; x < columns; x++) {
        const row = y - above, column = x - before;
        const isInside = row >= 0 && row < height && column >= 0 && column < width;
        if (isInside) fill(context, cell, y, x, signColor(map[row * width + column], most));
        else drawZero(context, cell, y, x);
      }
    }
    outline(context, cell, window.top + above, window.left + before, window.height, window.width);
    this.drawTaps(context, cell, layer, window, above, before);
    this.input.setAttribute("aria-label", `The window covers rows ${window.top + 1} to ${window.top + window.height} and `
      + `columns ${window.left + 1} to ${window.left + window.width} of map ${shown + 1}`);
  }

  /** Mark the pixels that a dilated kernel reads. */
  drawTaps(context, cell, layer, window, above, before) {
    const dilation = layer.parameters?.dilation ?? [1, 1];
    if (dilation[0] === 1 && dilation[1] === 1) return;
    context.fillStyle = css(colors().focus);
    for (let i = 0; i < window.height; i += dilation[0]) {
      for (let j = 0; j < window.width; j += dilation[1]) {
        const size = cell / 4;
        context.fillRect((window.left + before + j + 0.5) * cell - size / 2, (window.top + above + i + 0.5) * cell - size / 2, size, size);
      }
    }
  }

  drawOutput(output, c, [y, x], until) {
    const [, height, width] = imageShape(output.shape);
    const {context, cell} = this.sized(this.output, height, width);
    const map = planeOf(output, c), most = mostOf(map);
    this.grid = {cell, height, width};
    for (let i = 0; i < map.length && i < until; i++) {
      fill(context, cell, Math.floor(i / width), i % width, signColor(map[i], most));
    }
    outline(context, cell, y, x, 1, 1);
    this.output.setAttribute("aria-label", `Map ${c + 1} of the output; row ${y + 1}, column ${x + 1} is framed`);
  }

  sized(canvas, rows, columns) {
    const room = Math.min(SIDE, canvas.closest(".scene").clientWidth || SIDE);
    const cell = Math.max(1, Math.min(LARGEST_CELL, Math.floor(room / Math.max(rows, columns))));
    const ratio = Math.max(1, devicePixelRatio), context = canvas.getContext("2d");
    canvas.width = columns * cell * ratio;
    canvas.height = rows * cell * ratio;
    canvas.style.width = `${columns * cell}px`;
    context.scale(ratio, ratio);
    context.fillStyle = css(colors().card);
    context.fillRect(0, 0, columns * cell, rows * cell);
    return {context, cell};
  }
}

/** Return the border as far as windows reach: a last window (`ceil`) may reach farther than the padding. */
function reachedRim(rim, layer, input, output) {
  const [, ...places] = imageShape(output.shape), sides = imageShape(input.shape).slice(1);
  const last = inputWindow(layer, input.shape, places.map((count) => count - 1));
  const ends = [last.top + last.height, last.left + last.width];
  return rim.map(([before, after], axis) => [before, Math.max(after, ends[axis] - sides[axis])]);
}

/** Return map c of a tensor. */
function planeOf({data, shape}, c) {
  const [, height, width] = imageShape(shape);
  return data.subarray(c * height * width, (c + 1) * height * width);
}

function fill(context, cell, y, x, color) {
  context.fillStyle = css(color);
  const gap = cell > 5 ? 1 : 0;
  context.fillRect(x * cell, y * cell, cell - gap, cell - gap);
}

/** Draw a pixel of the border: an empty square, with a 0 where there is room. */
function drawZero(context, cell, y, x) {
  const {soft, card} = colors();
  context.strokeStyle = css(mixed(card, soft, 0.45));
  context.lineWidth = 1;
  context.strokeRect(x * cell + 0.5, y * cell + 0.5, cell - 2, cell - 2);
  if (cell < 12) return;
  context.fillStyle = css(soft);
  context.font = `${Math.min(12, cell - 4)}px system-ui, sans-serif`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillText("0", (x + 0.5) * cell, (y + 0.5) * cell);
}

function outline(context, cell, y, x, height, width) {
  context.strokeStyle = css(colors().focus);
  context.lineWidth = Math.max(2, cell / 6);
  context.strokeRect(x * cell, y * cell, width * cell - 1, height * cell - 1);
}
