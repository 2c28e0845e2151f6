// The filters of a layer as images.
import {colors, legendBar, mostOf} from "./colors.js";
import {counted, element, numberText} from "./elements.js";
import {cornerOf, layoutOf, paintMaps} from "./maps.js";

const MOST_CELLS = 60_000;  // numbers of a fully connected layer that are drawn

/** Return the elements that show the filters of a layer, filter `c` framed; none for a layer without. */
export function filterElements(layer, c) {
  const weight = layer.tensors?.weight;
  if (layer.kind === "conv") return kernels(weight, c);
  if (layer.kind === "linear" && weight.data.length <= MOST_CELLS) return matrix(weight, c);
  return [];
}

/** Every filter is a column of kernels, one for each map of the input. */
function kernels({data, shape}, c) {
  const [outputs, inputs, height, width] = shape;
  const layout = {...layoutOf([outputs * inputs, height, width], {side: 36}), rows: inputs, columns: outputs};
  layout.wide = outputs * (width * layout.cell + layout.gap);
  layout.tall = inputs * (height * layout.cell + layout.gap);
  const canvas = element("canvas", {role: "img", "aria-label": `The filters; filter ${c + 1} is framed`});
  const context = paintMaps(canvas, layout, data);
  const [left] = cornerOf(layout, c * inputs);
  drawFrame(context, left, 0, width * layout.cell, layout.tall - layout.gap);
  const about = inputs > 1 ? `; below each other the kernels for the ${inputs} maps of its input` : "";
  return framed(`${counted(outputs, "filter")} of ${height}×${width}${about}`, canvas, data);
}

/** The weights of a fully connected layer: a row for each output, a column for each input. */
function matrix({data, shape: [outputs, inputs]}, c) {
  const cell = Math.max(2, Math.min(10, Math.floor(600 / inputs)));
  const layout = {channels: 1, height: outputs, width: inputs, cell, gap: 0, rows: 1, columns: 1};
  layout.wide = inputs * cell;
  layout.tall = outputs * cell;
  const canvas = element("canvas", {role: "img", "aria-label": `The weights; row ${c + 1} is framed`});
  const context = paintMaps(canvas, layout, data);
  drawFrame(context, 0, c * cell, layout.wide, cell);
  return framed(`${outputs}×${inputs} weights: a row for each output, a column for each input`, canvas, data);
}

function drawFrame(context, left, top, width, height) {
  context.strokeStyle = `rgb(${colors().focus.join(" ")})`;
  context.lineWidth = 2;
  context.strokeRect(left + 1, top + 1, width - 2, height - 2);
}

function framed(text, canvas, data) {
  const most = mostOf(data);
  return [
    element("h3", {class: "subtitle"}, "Filters"),
    element("p", {class: "note"}, text),
    element("div", {class: "filters", tabindex: "0", role: "region", "aria-label": "Filters"}, canvas),
    legendBar(numberText(-most), numberText(most)),
  ];
}
