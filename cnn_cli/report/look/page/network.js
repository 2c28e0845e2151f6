// The network: it runs, and says of each layer its name, parameters and receptive field.
import {LAYERS} from "./layers.js";
import {count, tensor} from "./tensor.js";
import {adaptive, convWindow, poolWindow} from "./windows.js";

/** Put the weights into the layers that the file describes; every layer also gets a number. */
export function withWeights(chain, weights) {
  let number = 0;
  walk(chain, (node) => {
    node.number = number++;
    for (const [name, {start, shape}] of Object.entries(node.tensors || {})) {
      node.tensors[name] = {shape, data: weights.subarray(start, start + count(shape))};
    }
  });
  return chain;
}

/** Return the chains inside a residual or parallel; none for a layer. */
export function branchesOf(node) {
  if (node.type === "residual") return [node.layers, node.shortcut];
  return node.type === "parallel" ? node.branches : [];
}

/** Call a function with the node and with all that are inside it, in the order of the YAML. */
export function walk(node, visit) {
  visit(node);
  for (const inner of node.type === "chain" ? node.layers : branchesOf(node)) walk(inner, visit);
}

/** Return a node's output. `trace`, a Map, gets {input, output} of this node and of all inside it. */
export function run(node, input, trace = null) {
  const output = compute(node, input, trace);
  if (trace) trace.set(node, {input, output});
  return output;
}

function compute(node, input, trace) {
  switch (node.type) {
    case "chain":
      return node.layers.reduce((value, layer) => run(layer, value, trace), input);
    case "residual":
      return sum(run(node.layers, input, trace), run(node.shortcut, input, trace));
    case "parallel":
      return joined(node.branches.map((branch) => run(branch, input, trace)));
    default:
      return LAYERS[node.kind](input, node);
  }
}

function sum(a, b) {
  return tensor(a.shape, a.data.map((x, i) => x + b.data[i]));
}

/** Join the branches' outputs along the channels. */
function joined(outputs) {
  const channels = outputs.reduce((total, output) => total + output.shape[0], 0);
  const whole = tensor([channels, ...outputs[0].shape.slice(1)]);
  let start = 0;
  for (const {data} of outputs) {
    whole.data.set(data, start);
    start += data.length;
  }
  return whole;
}

const STATISTICS = ["running_mean", "running_var"];

/** Return how many trainable numbers a node has. */
export function parametersOf(node) {
  let total = 0;
  walk(node, ({tensors}) => {
    for (const [name, {shape}] of Object.entries(tensors || {})) {
      if (!STATISTICS.includes(name)) total += count(shape);
    }
  });
  return total;
}

/**
 * Return for every node the region of the image that one of its outputs depends on, [height, width] or "all".
 * A window of k pixels makes it (k - 1) steps larger (Araujo et al. 2019, equation 2).
 */
export function receptiveFields(network, trace) {
  const fields = new Map();
  const image = trace.get(network).input.shape.slice(1);
  fieldAfter(network, {size: [1, 1], jump: [1, 1], whole: false}, trace, (node, field) => {
    const clipped = field.size.map((side, axis) => Math.min(side, image[axis]));
    fields.set(node, field.whole ? "all" : clipped);
  });
  return fields;
}

function fieldAfter(node, field, trace, keep) {
  let after;
  if (node.type === "chain") {
    after = node.layers.reduce((before, layer) => fieldAfter(layer, before, trace, keep), field);
  } else if (node.type === "layer") {
    after = throughLayer(node, field, trace);
  } else {
    const ends = branchesOf(node).map((branch) => fieldAfter(branch, field, trace, keep));
    const largest = (name) => [0, 1].map((axis) => Math.max(...ends.map((end) => end[name][axis])));
    after = {size: largest("size"), jump: largest("jump"), whole: ends.some((end) => end.whole)};
  }
  keep(node, after);
  return after;
}

function throughLayer(layer, field, trace) {
  if (layer.kind === "linear") return {...field, whole: true};
  const window = windowOf(layer, trace.get(layer).input.shape);
  if (!window) return field;
  const {kernel, stride, dilation} = window;
  return {
    ...field,
    size: field.size.map((side, axis) => side + (kernel[axis] - 1) * dilation[axis] * field.jump[axis]),
    jump: field.jump.map((step, axis) => step * stride[axis]),
  };
}

/** Return the window that a layer moves over its input, or null. */
export function windowOf(layer, shape) {
  if (layer.kind === "conv") return convWindow(layer);
  if (layer.kind === "pool") return poolWindow(layer);
  if (layer.kind !== "global_pool") return null;
  const places = layer.parameters.size, sides = shape.slice(1);
  const largest = (axis) => Math.max(...Array.from({length: places[axis]}, (_, i) => {
    const [start, end] = adaptive(i, places[axis], sides[axis]);
    return end - start;
  }));
  const stride = sides.map((side, axis) => Math.max(1, Math.floor(side / places[axis])));
  return {kernel: [largest(0), largest(1)], stride, dilation: [1, 1], rim: [[0, 0], [0, 0]], positions: () => places};
}
