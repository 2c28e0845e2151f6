// One number of a layer's output, explained: what it is computed from, in numbers that add up.
//
// An explanation is one of
//   {kind: "sum", channels: [{name, rows, columns, inputs, weights, products, sum}], bias, result}
//   {kind: "window", rows, columns, inputs, inside, how, area, result}          pooling
//   {kind: "steps", steps: [{text, value}], result}                             everything else
import {ACTIVATIONS, lrnMean, momentsOf} from "./layers.js";
import {imageShape} from "./tensor.js";
import {windowOf} from "./network.js";
import {adaptive, covered} from "./windows.js";

/** Explain number (c, y, x) of a layer's output; `node` may also be a residual or a parallel. */
export function explain(node, trace, [c, y, x]) {
  const {input, output} = trace.get(node);
  const [, height, width] = imageShape(output.shape);
  const place = {c, y, x, i: (c * height + y) * width + x};
  const explainer = EXPLAINERS[node.kind || node.type] || activation;
  return {...explainer(node, input, place, trace), result: output.data[place.i]};
}

/** Return the pixels of the layer's input that one output depends on: rows and columns, outside ones too. */
export function inputWindow(node, shape, [y, x]) {
  if (node.kind === "global_pool") {
    const [rows, columns] = [y, x].map((place, axis) => {
      return adaptive(place, node.parameters.size[axis], shape[axis + 1]);
    });
    return {top: rows[0], left: columns[0], height: rows[1] - rows[0], width: columns[1] - columns[0]};
  }
  const window = windowOf(node, shape);
  if (!window) return {top: y, left: x, height: 1, width: 1};
  const {kernel, stride, dilation, rim} = window;
  const [height, width] = kernel.map((side, axis) => dilation[axis] * (side - 1) + 1);
  return {top: y * stride[0] - rim[0][0], left: x * stride[1] - rim[1][0], height, width};
}

function conv(layer, input, {c, y, x}) {
  const {weight, bias} = layer.tensors;
  const [outputs, channels, rows, columns] = weight.shape;
  const {dilation, groups} = layer.parameters;
  const {top, left} = inputWindow(layer, input.shape, [y, x]);
  const first = Math.floor(c / (outputs / groups)) * channels;
  const size = rows * columns;
  const each = Array.from({length: channels}, (_, d) => {
    const inputs = Array.from({length: size}, (_, k) => {
      const row = top + Math.floor(k / columns) * dilation[0], column = left + (k % columns) * dilation[1];
      return pixel(input, first + d, row, column);
    });
    const start = (c * channels + d) * size;
    const weights = Array.from(weight.data.subarray(start, start + size));
    return channelSum(`map ${first + d + 1}`, rows, columns, inputs, weights);
  });
  return {kind: "sum", channels: each, bias: bias ? bias.data[c] : null};
}

/** Return the number at a pixel; 0 in the border. */
function pixel({data, shape: [, height, width]}, c, row, column) {
  const outside = row < 0 || column < 0 || row >= height || column >= width;
  return outside ? 0 : data[(c * height + row) * width + column];
}

function channelSum(name, rows, columns, inputs, weights) {
  const products = inputs.map((value, i) => value * weights[i]);
  return {name, rows, columns, inputs, weights, products, sum: total(products)};
}

function linear(layer, input, {c}) {
  const {weight, bias} = layer.tensors;
  const inputs = Array.from(input.data), length = inputs.length;
  const weights = Array.from(weight.data.subarray(c * length, (c + 1) * length));
  const columns = Math.ceil(Math.sqrt(length));
  const all = channelSum("all inputs", Math.ceil(length / columns), columns, inputs, weights);
  return {kind: "sum", channels: [all], bias: bias ? bias.data[c] : null, isVector: true};
}

function pooling(layer, input, {c, y, x}) {
  const {top, left, height, width} = inputWindow(layer, input.shape, [y, x]);
  const inputs = [], inside = [];
  for (let row = top; row < top + height; row++) {
    for (let column = left; column < left + width; column++) {
      inside.push(row >= 0 && column >= 0 && row < input.shape[1] && column < input.shape[2]);
      inputs.push(pixel(input, c, row, column));
    }
  }
  const window = windowOf(layer, input.shape);
  const area = layer.kind === "pool" ? covered(y, 0, window, input.shape[1]) * covered(x, 1, window, input.shape[2])
    : height * width;
  return {kind: "window", rows: height, columns: width, inputs, inside, how: layer.parameters.kind, area};
}

function norm(layer, input, {c, i}) {
  const {weight, bias, running_mean: mean, running_var: variance} = layer.tensors;
  const {kind, groups, eps} = layer.parameters;
  const [channels, height, width] = imageShape(input.shape);
  const each = channels / (kind === "group" ? groups : 1), first = Math.floor(c / each) * each;
  const area = height * width;
  const moments = mean ? {mean: mean.data[c], variance: variance.data[c]}
    : momentsOf(input.data, first * area, (first + each) * area);
  const over = {batch: "of this channel in training", group: "of this group of channels", layer: "of all numbers"};
  const centered = input.data[i] - moments.mean;
  const normalized = centered / Math.sqrt(moments.variance + eps);
  return steps([
    ["input", input.data[i]],
    [`mean ${over[kind]}`, moments.mean],
    [`variance ${over[kind]}`, moments.variance],
    ["input − mean", centered],
    [`divided by √(variance + ${eps})`, normalized],
    ["times the learned scale", weight.data[c]],
    ["plus the learned shift", bias.data[c]],
  ]);
}

function affine(layer, input, {c, i}) {
  const {coefficient, bias} = layer.tensors;
  return steps([
    ["input", input.data[i]],
    ["times the learned coefficient", coefficient.data[c]],
    ["plus the learned bias", bias.data[c]],
  ]);
}

function lrn(layer, input, {i}) {
  const {size, alpha, beta, k} = layer.parameters;
  const mean = lrnMean(input, layer, i);
  return steps([
    ["input", input.data[i]],
    [`mean of squares over ${size} channels around it`, mean],
    [`divisor (${k} + ${alpha} × mean)^${beta}`, (k + alpha * mean) ** beta],
  ]);
}

const FORMULAS = {
  relu: "max(0, input)",
  leaky_relu: "input if it is positive, else slope × input",
  gelu: "input × (1 + erf(input / √2)) / 2",
  silu: "input / (1 + exp(−input))",
  tanh: "tanh(input)",
  scaled_tanh: "1.7159 × tanh(2/3 × input)",
  sigmoid: "1 / (1 + exp(−input))",
  dropout: "the input: only training drops numbers",
};

function activation(layer, input, {i}) {
  const x = input.data[i];
  return steps([["input", x], [FORMULAS[layer.kind], ACTIVATIONS[layer.kind](x, layer.parameters)]]);
}

function flatten(layer, input, {c}) {
  const [, height, width] = input.shape;
  const map = Math.floor(c / (height * width)), row = Math.floor((c % (height * width)) / width);
  return steps([[`the number of map ${map + 1}, row ${row + 1}, column ${(c % width) + 1}`, input.data[c]]]);
}

function residual(node, input, {i}, trace) {
  return steps([
    ["output of the layers", trace.get(node.layers).output.data[i]],
    ["plus output of the shortcut", trace.get(node.shortcut).output.data[i]],
  ]);
}

function parallel(node, input, {c, i}, trace) {
  let first = 0;
  for (const [number, branch] of node.branches.entries()) {
    const {output} = trace.get(branch);
    if (c < first + output.shape[0]) {
      const start = first * (output.data.length / output.shape[0]);
      return steps([[`map ${c - first + 1} of branch ${number + 1}`, output.data[i - start]]]);
    }
    first += output.shape[0];
  }
  throw new RangeError(`there is no channel ${c}`);
}

function chain(node, input, {i}, trace) {
  return steps([["output of its last layer", trace.get(node).output.data[i]]]);
}

function steps(rows) {
  return {kind: "steps", steps: rows.map(([text, value]) => ({text, value}))};
}

function total(numbers) {
  return numbers.reduce((sum, number) => sum + number, 0);
}

/** Explain the probability of one class: softmax in steps. */
export function explainProbability(logits, temperature, number) {
  const powers = Array.from(logits, (logit) => Math.exp(logit / temperature));
  const sum = total(powers);
  return {
    ...steps([
      ["logit", logits[number]],
      [`divided by the temperature ${temperature.toFixed(3)}`, logits[number] / temperature],
      ["exp of that", powers[number]],
      ["divided by the sum of exp over all classes", sum],
    ]),
    result: powers[number] / sum,
  };
}

const EXPLAINERS = {
  conv, linear, pool: pooling, global_pool: pooling, norm, affine, lrn, flatten, residual, parallel, chain,
};
