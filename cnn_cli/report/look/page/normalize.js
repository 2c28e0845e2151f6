// From ink to the network's input: cnn_cli/image/normalize.py and cnn_cli/inference/preprocess.py in JavaScript.
import {findInk, quantile} from "./ink.js";
import {roundEven, tensor} from "./tensor.js";

const DIGIT_SIDE = 28, BOX = 20;
const MIN_STROKE = 1.4, STROKE = 2;
const FINE = 4;

/** Turn a drawing, gray levels with 255 = white, into what the network reads, {data: 0..255, shape}, or null. */
export function preprocessed(gray, height, width, {kind, size}) {
  const ink = findInk(gray, height, width);
  if (!ink) return null;
  if (kind === "digit") return {data: normalizedDigit(ink, height, width), shape: [1, DIGIT_SIDE, DIGIT_SIDE]};
  const small = resample({data: gray, height, width}, size, size, TRIANGLE);
  return {data: new Uint8Array(small.data.map(roundEven)), shape: [1, size, size]};
}

/** Normalize a digit as MNIST does: into a box of 20x20, its center of mass in the center of 28x28. */
export function normalizedDigit(ink, height, width) {
  const cropped = crop(ink, height, width);
  let digit = scaled(cropped, BOX);
  if (strokeWidth(digit) < MIN_STROKE) digit = thickened(cropped);
  const levels = digit.data.map((value) => roundEven(value * 255));
  const [top, left] = placeByMass({...digit, data: levels});
  const pixels = new Uint8Array(DIGIT_SIDE * DIGIT_SIDE);
  levels.forEach((level, i) => {
    const y = top + Math.floor(i / digit.width), x = left + (i % digit.width);
    pixels[y * DIGIT_SIDE + x] = level;
  });
  return pixels;
}

function crop(ink, height, width) {
  let [top, bottom, left, right] = [height, 0, width, 0];
  for (let i = 0; i < ink.length; i++) {
    if (ink[i] === 0) continue;
    const y = Math.floor(i / width), x = i % width;
    [top, bottom] = [Math.min(top, y), Math.max(bottom, y + 1)];
    [left, right] = [Math.min(left, x), Math.max(right, x + 1)];
  }
  const image = {height: bottom - top, width: right - left};
  image.data = new Float32Array(image.height * image.width);
  for (let y = 0; y < image.height; y++) {
    const start = (top + y) * width + left;
    image.data.set(ink.subarray(start, start + image.width), y * image.width);
  }
  return image;
}

/** Return the mean stroke width in pixels: twice the area divided by the length of the outline. */
export function strokeWidth({data, height, width}) {
  const at = (y, x) => (y < 0 || x < 0 || y >= height || x >= width ? 0 : data[y * width + x]);
  let area = 0, outline = 0;
  for (let y = 0; y <= height; y++) {
    for (let x = 0; x <= width; x++) {
      area += at(y, x);
      outline += Math.hypot(at(y, x) - at(y - 1, x), at(y, x) - at(y, x - 1));
    }
  }
  return (2 * area) / outline;
}

/** Return the row and column at which the center of mass is the middle of the image. */
function placeByMass({data, height, width}) {
  let total = 0, down = 0, across = 0;
  data.forEach((value, i) => {
    total += value;
    down += value * Math.floor(i / width);
    across += value * (i % width);
  });
  total = total || 1;
  const place = (moment, side) => {
    return Math.min(Math.max(roundEven(DIGIT_SIDE / 2 - moment / total), 0), DIGIT_SIDE - side);
  };
  return [place(down, height), place(across, width)];
}

/** Scale so that the longer side has `side` pixels. */
function scaled(image, side) {
  const scale = side / Math.max(image.height, image.width);
  const sideOf = (length) => Math.max(1, roundEven(length * scale));
  const result = resample(image, sideOf(image.height), sideOf(image.width), CUBIC);
  return {...result, data: result.data.map((value) => Math.min(1, Math.max(0, value)))};
}

/** Scale so that the longer side has 20 pixels and strokes are as wide as MNIST's. */
function thickened(image) {
  let fine = scaled(image, BOX * FINE);
  const radius = roundEven((STROKE * FINE - strokeWidth(fine)) / 2);
  if (radius > 0) fine = dilated(padded(scaled(image, BOX * FINE - 2 * radius), radius), radius);
  const full = quantile(fine.data.filter((value) => value > 0), 0.75);
  return scaled({...fine, data: fine.data.map((value) => Math.min(1, value / full))}, BOX);
}

function padded({data, height, width}, rim) {
  const image = {height: height + 2 * rim, width: width + 2 * rim};
  image.data = new Float32Array(image.height * image.width);
  data.forEach((value, i) => {
    image.data[(rim + Math.floor(i / width)) * image.width + rim + (i % width)] = value;
  });
  return image;
}

/** Return the largest value within a disk around each pixel. */
function dilated({data, height, width}, radius) {
  const result = new Float32Array(data.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let most = 0;
      for (let v = Math.max(0, y - radius); v <= Math.min(height - 1, y + radius); v++) {
        const reach = Math.floor(Math.sqrt(radius ** 2 - (v - y) ** 2));
        for (let u = Math.max(0, x - reach); u <= Math.min(width - 1, x + reach); u++) {
          most = Math.max(most, data[v * width + u]);
        }
      }
      result[y * width + x] = most;
    }
  }
  return {data: result, height, width};
}

// ---- scaling, as Pillow does it: each new pixel is a weighted mean of the old ones around its center

const TRIANGLE = {reach: 1, weight: (x) => Math.max(0, 1 - Math.abs(x))};
const CUBIC = {reach: 2, weight: cubic};

/** Keys' cubic kernel with a = -1/2 (Keys 1981). */
function cubic(distance) {
  const x = Math.abs(distance);
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
}

/** Scale an image {data, height, width}. Where it shrinks, the kernel is as much wider. */
function resample({data, height, width}, newHeight, newWidth, kernel) {
  const across = shares(width, newWidth, kernel), down = shares(height, newHeight, kernel);
  const narrow = new Float32Array(height * newWidth);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < newWidth; x++) {
      const {start, weights} = across[x];
      let sum = 0;
      for (let k = 0; k < weights.length; k++) sum += weights[k] * data[y * width + start + k];
      narrow[y * newWidth + x] = sum;
    }
  }
  const result = new Float32Array(newHeight * newWidth);
  for (let y = 0; y < newHeight; y++) {
    const {start, weights} = down[y];
    for (let x = 0; x < newWidth; x++) {
      let sum = 0;
      for (let k = 0; k < weights.length; k++) sum += weights[k] * narrow[(start + k) * newWidth + x];
      result[y * newWidth + x] = sum;
    }
  }
  return {data: result, height: newHeight, width: newWidth};
}

/** Return for each new pixel along one side the first old pixel and the weights from there on. */
function shares(before, after, kernel) {
  const scale = before / after, wider = Math.max(scale, 1), reach = kernel.reach * wider;
  return Array.from({length: after}, (_, i) => {
    const center = (i + 0.5) * scale;
    const start = Math.max(0, Math.floor(center - reach + 0.5));
    const end = Math.min(before, Math.floor(center + reach + 0.5));
    const weights = Array.from({length: end - start}, (_, k) => {
      return kernel.weight((start + k - center + 0.5) / wider);
    });
    const sum = weights.reduce((total, weight) => total + weight, 0);
    return {start, weights: weights.map((weight) => weight / sum)};
  });
}

// ---- the network's input

/** Turn pixels 0..255 into the network's input: its size, its channels, (pixel / 255 - mean) / std. */
export function networkInput({data, shape}, {size, mean, std, kind}) {
  const image = kind === "digit" ? onBackground(data, shape, size) : {data, shape};
  const [channels, height, width] = image.shape;
  const input = tensor([mean.length, size, size]);
  for (let c = 0; c < mean.length; c++) {
    const plane = image.data.slice(c % channels * height * width, (c % channels + 1) * height * width);
    const fitted = height === size ? plane
      : resample({data: plane, height, width}, size, size, TRIANGLE).data;
    fitted.forEach((value, i) => {
      input.data[c * size * size + i] = (value / 255 - mean[c]) / std[c];
    });
  }
  return input;
}

/** Put an image into the middle of a square of background that is no smaller than `size`. */
function onBackground(data, [channels, height, width], size) {
  const side = Math.max(size, height, width);
  const top = Math.floor((side - height) / 2), left = Math.floor((side - width) / 2);
  const square = new Uint8Array(channels * side * side);
  data.forEach((value, i) => {
    const x = i % width, y = Math.floor(i / width) % height, c = Math.floor(i / (width * height));
    square[(c * side + top + y) * side + left + x] = value;
  });
  return {data: square, shape: [channels, side, side]};
}
