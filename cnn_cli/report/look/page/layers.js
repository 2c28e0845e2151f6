// Every layer of the vocabulary that computes: a function of its input. cnn_cli/inference has the same in NumPy.
import {count, imageShape, tensor} from "./tensor.js";
import {adaptive, convWindow, covered, poolWindow} from "./windows.js";

/** Slide filters over an image. Each window becomes a row of numbers, and each output is a dot product. */
export function conv(input, layer) {
  const {weight, bias} = layer.tensors;
  const [outputs, channels, ...kernel] = weight.shape;
  const groups = layer.parameters.groups, each = outputs / groups;
  const window = convWindow(layer);
  const sides = window.positions(input.shape.slice(1));
  const places = sides[0] * sides[1], length = channels * kernel[0] * kernel[1];
  const output = tensor([outputs, ...sides]);
  for (let group = 0; group < groups; group++) {
    const rows = windowRows(input, window, sides, group * channels, channels);
    for (let o = group * each; o < (group + 1) * each; o++) {
      const shift = bias ? bias.data[o] : 0;
      for (let place = 0; place < places; place++) {
        output.data[o * places + place] = shift + dot(weight.data, o * length, rows, place * length, length);
      }
    }
  }
  return output;
}

/** Return the numbers of every window, zeros in the border: one row a place, [channel][row][column]. */
function windowRows(input, {kernel, stride, dilation, rim}, sides, first, channels) {
  const [, height, width] = input.shape;
  const rows = new Float32Array(sides[0] * sides[1] * channels * kernel[0] * kernel[1]);
  let next = 0;
  for (let y = 0; y < sides[0]; y++) {
    for (let x = 0; x < sides[1]; x++) {
      const top = y * stride[0] - rim[0][0], left = x * stride[1] - rim[1][0];
      for (let c = first; c < first + channels; c++) {
        for (let i = 0; i < kernel[0]; i++) {
          const row = top + i * dilation[0];
          if (row < 0 || row >= height) {
            next += kernel[1];
            continue;
          }
          const start = (c * height + row) * width;
          for (let j = 0; j < kernel[1]; j++, next++) {
            const column = left + j * dilation[1];
            if (column >= 0 && column < width) rows[next] = input.data[start + column];
          }
        }
      }
    }
  }
  return rows;
}

/** Sum of products; four sums at a time, which keeps the processor's units busy. */
function dot(a, i, b, j, length) {
  let s = 0, t = 0, u = 0, v = 0, k = 0;
  for (; k + 3 < length; k += 4) {
    s += a[i + k] * b[j + k];
    t += a[i + k + 1] * b[j + k + 1];
    u += a[i + k + 2] * b[j + k + 2];
    v += a[i + k + 3] * b[j + k + 3];
  }
  for (; k < length; k++) s += a[i + k] * b[j + k];
  return s + t + u + v;
}

export function linear(input, layer) {
  const {weight, bias} = layer.tensors;
  const [outputs, inputs] = weight.shape;
  const output = tensor([outputs]);
  for (let o = 0; o < outputs; o++) {
    output.data[o] = (bias ? bias.data[o] : 0) + dot(weight.data, o * inputs, input.data, 0, inputs);
  }
  return output;
}

export function flatten(input) {
  return tensor([count(input.shape)], input.data);
}

export function pool(input, layer) {
  const window = poolWindow(layer);
  const sides = window.positions(input.shape.slice(1));
  const isMax = layer.parameters.kind === "max";
  return eachWindow(input, sides, isMax, (y, x) => {
    const [top, left] = [y * window.stride[0] - window.rim[0][0], x * window.stride[1] - window.rim[1][0]];
    const area = covered(y, 0, window, input.shape[1]) * covered(x, 1, window, input.shape[2]);
    return {rows: [top, top + window.kernel[0]], columns: [left, left + window.kernel[1]], area};
  });
}

export function globalPool(input, layer) {
  const sides = layer.parameters.size;
  return eachWindow(input, sides, layer.parameters.kind === "max", (y, x) => {
    const rows = adaptive(y, sides[0], input.shape[1]), columns = adaptive(x, sides[1], input.shape[2]);
    return {rows, columns, area: (rows[1] - rows[0]) * (columns[1] - columns[0])};
  });
}

/** Put the maximum or the average of each window in its place, channel by channel. */
function eachWindow(input, sides, isMax, windowAt) {
  const [channels, height, width] = input.shape;
  const output = tensor([channels, ...sides]);
  for (let y = 0; y < sides[0]; y++) {
    for (let x = 0; x < sides[1]; x++) {
      const {rows, columns, area} = windowAt(y, x);
      const [top, bottom] = [Math.max(0, rows[0]), Math.min(height, rows[1])];
      const [left, right] = [Math.max(0, columns[0]), Math.min(width, columns[1])];
      for (let c = 0; c < channels; c++) {
        let most = -Infinity, sum = 0;
        for (let row = top; row < bottom; row++) {
          for (let column = left; column < right; column++) {
            const value = input.data[(c * height + row) * width + column];
            sum += value;
            if (value > most) most = value;
          }
        }
        output.data[(c * sides[0] + y) * sides[1] + x] = isMax ? most : sum / area;
      }
    }
  }
  return output;
}

export function norm(input, layer) {
  const {weight, bias, running_mean: mean, running_var: variance} = layer.tensors;
  const {kind, groups, eps} = layer.parameters;
  const [channels, ...sides] = imageShape(input.shape);
  const size = sides[0] * sides[1], output = tensor(input.shape);
  const each = kind === "batch" ? 1 : channels / (kind === "group" ? groups : 1);
  for (let first = 0; first < channels; first += each) {
    const moments = mean ? {mean: mean.data[first], variance: variance.data[first]}
      : momentsOf(input.data, first * size, (first + each) * size);
    const scale = 1 / Math.sqrt(moments.variance + eps);
    for (let c = first; c < first + each; c++) {
      for (let i = c * size; i < (c + 1) * size; i++) {
        output.data[i] = (input.data[i] - moments.mean) * scale * weight.data[c] + bias.data[c];
      }
    }
  }
  return output;
}

/** Return mean and variance of the numbers from one place to another. */
export function momentsOf(data, start, end) {
  let sum = 0, squares = 0;
  for (let i = start; i < end; i++) sum += data[i];
  const mean = sum / (end - start);
  for (let i = start; i < end; i++) squares += (data[i] - mean) ** 2;
  return {mean, variance: squares / (end - start)};
}

export function affine(input, layer) {
  const {coefficient, bias} = layer.tensors;
  const size = count(input.shape.slice(1));
  return mapped(input, (x, i) => {
    const c = Math.floor(i / size);
    return coefficient.data[c] * x + bias.data[c];
  });
}

export function lrn(input, layer) {
  const {alpha, beta, k} = layer.parameters;
  return mapped(input, (x, i) => x * (k + alpha * lrnMean(input, layer, i)) ** -beta);
}

/** Return the mean of squares over the channels around that of number i; those beyond the last are zeros. */
export function lrnMean(input, layer, i) {
  const [channels, height, width] = input.shape;
  const size = layer.parameters.size, area = height * width, c = Math.floor(i / area);
  let sum = 0;
  for (let d = c - Math.floor(size / 2); d <= c + Math.floor((size - 1) / 2); d++) {
    if (d >= 0 && d < channels) sum += input.data[i + (d - c) * area] ** 2;
  }
  return sum / size;
}

function mapped(input, change) {
  return tensor(input.shape, input.data.map(change));
}

/** The activations: y of one number x. */
export const ACTIVATIONS = {
  relu: (x) => Math.max(0, x),
  leaky_relu: (x, {slope}) => (x > 0 ? x : slope * x),
  gelu: (x) => (x * (1 + erf(x * Math.SQRT1_2))) / 2,
  silu: (x) => x / (1 + Math.exp(-x)),
  tanh: (x) => Math.tanh(x),
  scaled_tanh: (x) => 1.7159 * Math.tanh((2 * x) / 3),
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  dropout: (x) => x,
};

/** The error function, to 1.5e-7 (Abramowitz & Stegun 1964, formula 7.1.26). */
export function erf(x) {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const series = [1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592];
  const sum = series.reduce((total, coefficient) => (total + coefficient) * t, 0);
  return Math.sign(x) * (1 - sum * Math.exp(-x * x));
}

/** The function behind each name of the YAML that computes. */
export const LAYERS = {
  conv, linear, flatten, pool, global_pool: globalPool, norm, affine, lrn,
  ...Object.fromEntries(Object.entries(ACTIVATIONS).map(([name, function_]) => [
    name, (input, layer) => mapped(input, (x) => function_(x, layer.parameters)),
  ])),
};

/** Turn logits into probabilities: exp(logit / T), divided by the sum over the classes. */
export function softmax(logits, temperature) {
  const scaled = Array.from(logits, (logit) => logit / temperature);
  const largest = Math.max(...scaled);
  const powers = scaled.map((x) => Math.exp(x - largest));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}
