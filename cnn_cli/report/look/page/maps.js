// Maps as images: all channels of a tensor in one canvas, in rows and columns.
import {css, mostOf, signColor} from "./colors.js";
import {imageShape} from "./tensor.js";

const SIDE = 56, TALLEST = 300, GAP = 4;

/** Return how the maps of a shape are laid out: cells in CSS pixels, maps in columns from the top down. */
export function layoutOf(shape, {side = SIDE, tallest = TALLEST} = {}) {
  const [channels, height, width] = imageShape(shape);
  const cell = height === 1 && width === 1 ? (channels > 200 ? 6 : 12) : Math.min(12, side / Math.max(height, width));
  const gap = height === 1 && width === 1 ? 1 : GAP;
  const fitting = Math.max(1, Math.floor((tallest + gap) / (height * cell + gap)));
  const columns = Math.ceil(channels / fitting), rows = Math.ceil(channels / columns);
  return {
    channels, height, width, cell, gap, rows, columns,
    wide: columns * (width * cell + gap) - gap,
    tall: rows * (height * cell + gap) - gap,
  };
}

/** Return the upper left corner of map c in CSS pixels. */
export function cornerOf({rows, height, width, cell, gap}, c) {
  return [Math.floor(c / rows) * (width * cell + gap), (c % rows) * (height * cell + gap)];
}

/** Return [c, y, x] at a point in CSS pixels, or null between the maps. */
export function placeAt(layout, left, top) {
  const {channels, height, width, cell, gap, rows} = layout;
  const column = Math.floor(left / (width * cell + gap)), row = Math.floor(top / (height * cell + gap));
  const c = column * rows + row;
  const x = Math.floor((left - column * (width * cell + gap)) / cell);
  const y = Math.floor((top - row * (height * cell + gap)) / cell);
  return row < rows && c >= 0 && c < channels && x >= 0 && x < width && y >= 0 && y < height ? [c, y, x] : null;
}

const atlas = document.createElement("canvas");

/** Paint the maps of a tensor; without one, empty maps. `colorOf(value)` gives [red, green, blue]. */
export function paintMaps(canvas, layout, data, colorOf = null) {
  const ratio = Math.max(1, devicePixelRatio);
  canvas.width = Math.ceil(layout.wide * ratio);
  canvas.height = Math.ceil(layout.tall * ratio);
  canvas.style.width = `${layout.wide}px`;
  canvas.style.height = `${layout.tall}px`;
  const most = data ? mostOf(data) : 0;
  fillAtlas(layout, data, colorOf || ((value) => signColor(value, most)));
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  context.imageSmoothingEnabled = false;
  const {channels, height, width, cell} = layout;
  for (let c = 0; c < channels; c++) {
    const [left, top] = cornerOf(layout, c);
    context.drawImage(atlas, 0, c * height, width, height, left, top, width * cell, height * cell);
  }
  return context;
}

/** Put the maps below each other, one pixel a number. */
function fillAtlas({channels, height, width}, data, colorOf) {
  atlas.width = width;
  atlas.height = channels * height;
  const image = new ImageData(width, channels * height);
  for (let i = 0; i < width * channels * height; i++) {
    const color = colorOf(data ? data[i] : 0);
    image.data.set([color[0], color[1], color[2], 255], 4 * i);
  }
  atlas.getContext("2d").putImageData(image, 0, 0);
}

/** Draw a frame around cells of map c, in CSS pixels, whatever the background. */
export function frame(context, layout, c, {top, left, height, width}, color) {
  const [x, y] = cornerOf(layout, c);
  const {cell} = layout;
  context.strokeStyle = css(color);
  context.lineWidth = 2;
  context.strokeRect(x + left * cell, y + top * cell, width * cell, height * cell);
}
