// Where the windows of convolution and pooling lie: the rules of cnn_cli/inference/arrays.py and pooling.py.

/** Return [[above, below], [left, right]]: the zeros that `padding` adds around an image. */
export function border(kernel, dilation, padding) {
  if (padding === "valid") return [[0, 0], [0, 0]];
  return [0, 1].map((axis) => {
    if (padding !== "same") return [padding[axis], padding[axis]];
    const zeros = dilation[axis] * (kernel[axis] - 1);
    return [Math.floor(zeros / 2), zeros - Math.floor(zeros / 2)];
  });
}

/** Return the window of a convolution: its size, its steps, and the border around the input. */
export function convWindow(layer) {
  const {stride, padding, dilation} = layer.parameters;
  const kernel = layer.tensors.weight.shape.slice(2);
  const rim = border(kernel, dilation, padding);
  const positions = (sides) => sides.map((side, axis) => {
    const extent = dilation[axis] * (kernel[axis] - 1) + 1;
    return Math.floor((side + rim[axis][0] + rim[axis][1] - extent) / stride[axis]) + 1;
  });
  return {kernel, stride, dilation, rim, positions};
}

/** Return the window of a pooling, alike. */
export function poolWindow(layer) {
  const {window: kernel, padding, ceil} = layer.parameters;
  const stride = layer.parameters.stride || kernel;
  const positions = (sides) => sides.map((side, axis) => {
    const room = side + 2 * padding[axis] - kernel[axis];
    if (!ceil) return Math.floor(room / stride[axis]) + 1;
    const places = Math.ceil(room / stride[axis]) + 1;
    return (places - 1) * stride[axis] >= side + padding[axis] ? places - 1 : places;
  });
  return {kernel, stride, dilation: [1, 1], rim: padding.map((zeros) => [zeros, zeros]), positions};
}

/** Return [start, end) of adaptive window i of `places` over `side` pixels. */
export function adaptive(i, places, side) {
  return [Math.floor((i * side) / places), Math.ceil(((i + 1) * side) / places)];
}

/** Return how many pixels, the border among them, a pooling window covers along one axis. */
export function covered(place, axis, window, side) {
  const start = place * window.stride[axis];
  return Math.min(start + window.kernel[axis], side + 2 * window.rim[axis][0]) - start;
}
