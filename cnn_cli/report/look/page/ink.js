// From a drawing to ink: cnn_cli/image/ink.py for dark strokes on a plain white canvas, which has no noise.
//
// Plain loops, since they run at each move of the pen: `map` and `filter` with a function take ten times as long.
import {digitComponents} from "./components.js";

const MIN_CONTRAST = 4;
const THRESHOLD_SHARE = 0.12;
const CERTAIN = 0.35;
const STRONGEST_SHARE = 1 / 2000, STRONGEST_PIXELS = 4;
const WHITE = 255;

/** Return the ink of the digit, 0..1, in an image of gray levels (255 = white), or null on a blank canvas. */
export function findInk(gray, height, width) {
  const contrast = new Float32Array(gray.length);
  for (let i = 0; i < gray.length; i++) contrast[i] = WHITE - gray[i];
  if (largest(contrast) < MIN_CONTRAST) return null;
  const threshold = Math.max(MIN_CONTRAST, THRESHOLD_SHARE * strokeContrast(contrast));
  const {above, components} = withoutPaleLines(aboveThreshold(contrast, threshold), height, width);
  const ink = toInk(contrast, masked(above, components.mask), height, width);
  const digit = masked(ink, digitComponents(ink, height, width).mask);
  return largest(digit) > 0 ? digit : null;
}

function largest(values) {
  let most = -Infinity;
  for (let i = 0; i < values.length; i++) if (values[i] > most) most = values[i];
  return most;
}

/** Set to 0 what the mask does not hold. */
function masked(values, mask) {
  const kept = new Float32Array(values.length);
  for (let i = 0; i < values.length; i++) if (values[i] > 0 && mask(i)) kept[i] = values[i];
  return kept;
}

function aboveThreshold(contrast, threshold) {
  const above = new Float32Array(contrast.length);
  for (let i = 0; i < contrast.length; i++) if (contrast[i] >= threshold) above[i] = contrast[i];
  return above;
}

/** Raise the threshold if that separates more ink from what touches the border. */
function withoutPaleLines(above, height, width) {
  const components = digitComponents(above, height, width);
  if (!components.mayHideDigit) return {above, components};
  const higher = aboveThreshold(above, CERTAIN * strokeContrast(above));
  const separated = digitComponents(higher, height, width);
  return separated.ink > components.ink ? {above: higher, components: separated} : {above, components};
}

/** Scale contrast to ink, and leave out what is not beside a certain pixel of a stroke. */
function toInk(contrast, strokes, height, width) {
  const ink = new Float32Array(contrast.length), certain = new Uint8Array(contrast.length);
  if (largest(strokes) <= 0) return ink;
  const full = strokeContrast(strokes);
  for (let i = 0; i < ink.length; i++) {
    ink[i] = Math.min(1, contrast[i] / full);
    certain[i] = ink[i] > CERTAIN && strokes[i] > 0 ? 1 : 0;
  }
  return masked(ink, (i) => hasNeighbor(certain, i, height, width));
}

/** Whether a pixel, or one of the eight around it, is set. */
function hasNeighbor(mask, i, height, width) {
  if (mask[i]) return true;
  const y = Math.floor(i / width), x = i % width;
  for (let v = Math.max(0, y - 1); v <= Math.min(height - 1, y + 1); v++) {
    for (let u = Math.max(0, x - 1); u <= Math.min(width - 1, x + 1); u++) {
      if (mask[v * width + u]) return true;
    }
  }
  return false;
}

/** Return the contrast in the middle of a stroke: the upper quartile of all above half the strongest. */
function strokeContrast(contrast) {
  const half = largest(contrast) / 2;
  const strokes = valuesAbove(contrast, half / 2), strong = valuesAbove(strokes, half).sort();
  const rank = Math.max(STRONGEST_PIXELS, Math.floor(contrast.length * STRONGEST_SHARE));
  const peak = strong.length < rank ? half : strong[strong.length - rank];
  return quantile(valuesAbove(strokes, peak / 2), 0.75);
}

/** Return the values above a limit. */
function valuesAbove(values, limit) {
  const found = new Float32Array(values.length);
  let count = 0;
  for (let i = 0; i < values.length; i++) if (values[i] > limit) found[count++] = values[i];
  return found.slice(0, count);
}

/** Return the value below which a share of all values (a typed array) lies, interpolated linearly. */
export function quantile(values, fraction) {
  const ordered = values.slice().sort();
  const position = fraction * (ordered.length - 1), low = Math.floor(position);
  const high = Math.min(low + 1, ordered.length - 1);
  return ordered[low] + (ordered[high] - ordered[low]) * (position - low);
}
