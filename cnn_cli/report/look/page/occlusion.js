// Which parts of the image speak for a class: a patch is wiped out, and its logit falls or rises.
//
// Zeiler & Fergus 2014, Visualizing and understanding convolutional networks, section 4.2.
import {networkInput} from "./normalize.js";
import {run} from "./network.js";
import {tensor} from "./tensor.js";

export const PATCH = 5;
const STEP = 2;
const SLICE = 12;  // milliseconds at a time, so that the pen is never held up

/**
 * Yield {maps, done} as the patches are wiped: by class, the mean fall of its logit over the patches on a pixel.
 *
 * `image` is {data: 0..255, shape}; `classes` are the numbers of the classes; each map has the image's size.
 */
export async function* occlusion(network, image, preprocessing, classes) {
  const [, height, width] = image.shape;
  const logits = run(network, networkInput(image, preprocessing)).data;
  const maps = classes.map(() => tensor([1, height, width])), times = new Uint16Array(height * width);
  const places = patchPlaces(height, width);
  let resume = performance.now() + SLICE;
  for (const [number, [top, left]] of places.entries()) {
    const changed = wiped(image, top, left);
    if (changed) {
      const {data} = run(network, networkInput(changed, preprocessing));
      classes.forEach((label, k) => add(maps[k], top, left, logits[label] - data[label]));
    }
    for (const i of pixelsOf(image.shape, top, left)) times[i]++;
    if (performance.now() > resume) {
      yield {maps: averaged(maps, times), done: (number + 1) / places.length};
      await new Promise((resolve) => setTimeout(resolve));
      resume = performance.now() + SLICE;
    }
  }
  yield {maps: averaged(maps, times), done: 1};
}

function patchPlaces(height, width) {
  const places = [];
  for (let top = 1 - PATCH + STEP; top < height; top += STEP) {
    for (let left = 1 - PATCH + STEP; left < width; left += STEP) places.push([top, left]);
  }
  return places;
}

function* pixelsOf([, height, width], top, left) {
  for (let y = Math.max(0, top); y < Math.min(height, top + PATCH); y++) {
    for (let x = Math.max(0, left); x < Math.min(width, left + PATCH); x++) yield y * width + x;
  }
}

/** Return the image with background in place of a patch, or null if the patch is background already. */
function wiped({data, shape}, top, left) {
  const area = shape[1] * shape[2];
  let copy = null;
  for (const i of pixelsOf(shape, top, left)) {
    for (let c = 0; c < shape[0]; c++) {
      if (data[c * area + i] === 0) continue;
      copy = copy || data.slice();
      copy[c * area + i] = 0;
    }
  }
  return copy && {data: copy, shape};
}

function add({data, shape}, top, left, fall) {
  for (const i of pixelsOf(shape, top, left)) data[i] += fall;
}

function averaged(maps, times) {
  return maps.map(({data, shape}) => tensor(shape, data.map((value, i) => (times[i] ? value / times[i] : 0))));
}
