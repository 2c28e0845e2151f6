// Tensors: an image {data, shape: [channels, rows, columns]} or a vector {data, shape: [units]}.

/** Return a tensor of zeros. Numbers are float32, row by row, channel by channel. */
export function tensor(shape, data = new Float32Array(count(shape))) {
  return {data, shape};
}

/** Return how many numbers a shape has. */
export function count(shape) {
  return shape.reduce((product, side) => product * side, 1);
}

/** Return a shape as people write it: `16×5×5`, or `84` for a vector. */
export function shapeText(shape) {
  return shape.join("×");
}

/** Return channels, rows and columns; a vector is drawn as channels of one pixel. */
export function imageShape(shape) {
  return shape.length === 3 ? shape : [shape[0], 1, 1];
}

/** Return the bytes of a base64 text. */
export function bytesOf(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** Return the place of the largest number. */
export function argmax(numbers) {
  let best = 0;
  for (let i = 1; i < numbers.length; i++) if (numbers[i] > numbers[best]) best = i;
  return best;
}

/** Round half to even, as Python's `round` and NumPy's `rint` do. */
export function roundEven(x) {
  const below = Math.floor(x), rest = x - below;
  if (rest !== 0.5) return Math.round(x);
  return below % 2 === 0 ? below : below + 1;
}
