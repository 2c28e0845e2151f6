// Connected components of ink, and which of them are the digit: cnn_cli/image/components.py in JavaScript.

const GRID = 96;
const MIN_EXTENT = 0.15;
const BORDER_CONTACT = 0.5, ACROSS = 0.9, OUTER_WEIGHT = 1e-3;
const BORDER_WEIGHT = 0.25;
const PART_INK = 0.03;
const PART_GAP = 0.25, PART_GAP_AT_BORDER = 0.1;

/**
 * Find the digit among the components of an image.
 *
 * Returns {mask, ink, mayHideDigit}: `mask(i)` says whether pixel i lies in a cell of the digit.
 */
export function digitComponents(ink, height, width) {
  const cell = Math.ceil(Math.max(height, width) / GRID);
  const rows = Math.ceil(height / cell), columns = Math.ceil(width / cell);
  const cellOf = (i) => Math.floor(Math.floor(i / width) / cell) * columns + Math.floor((i % width) / cell);
  const cells = new Float64Array(rows * columns);
  for (let i = 0; i < ink.length; i++) if (ink[i] > 0) cells[cellOf(i)] += ink[i];
  const {labels, components} = labeled(cells, rows, columns);
  const main = classify(components, rows, columns);
  const kept = components.map((component) => component.kept);
  const total = (list) => list.reduce((sum, component) => sum + component.mass, 0);
  const mainIsOuter = main !== null && main.outer;
  const digitInk = mainIsOuter ? 0 : total(components.filter((component) => component.kept));
  const outerInk = total(components.filter((component) => component.outer && !component.kept));
  return {
    mask: (i) => labels[cellOf(i)] > 0 && kept[labels[cellOf(i)] - 1],
    ink: digitInk,
    mayHideDigit: mainIsOuter || outerInk > digitInk,
  };
}

/** Label the 8-connected components of cells that are not 0, numbered from 1. */
function labeled(cells, rows, columns) {
  const labels = new Int32Array(cells.length), components = [];
  for (let start = 0; start < cells.length; start++) {
    if (cells[start] === 0 || labels[start]) continue;
    const component = {mass: 0, contact: 0, top: rows, bottom: 0, left: columns, right: 0, kept: false};
    components.push(component);
    labels[start] = components.length;
    const waiting = [start];
    while (waiting.length) {
      const i = waiting.pop(), y = Math.floor(i / columns), x = i % columns;
      include(component, cells[i], y, x, rows, columns);
      for (let v = Math.max(0, y - 1); v <= Math.min(rows - 1, y + 1); v++) {
        for (let u = Math.max(0, x - 1); u <= Math.min(columns - 1, x + 1); u++) {
          const next = v * columns + u;
          if (cells[next] === 0 || labels[next]) continue;
          labels[next] = components.length;
          waiting.push(next);
        }
      }
    }
  }
  return {labels, components};
}

/** Add a cell to a component: its ink, its sides on the image's border, its place. */
function include(component, mass, y, x, rows, columns) {
  component.mass += mass;
  component.contact += (y === 0) + (y === rows - 1) + (x === 0) + (x === columns - 1);
  component.top = Math.min(component.top, y);
  component.bottom = Math.max(component.bottom, y + 1);
  component.left = Math.min(component.left, x);
  component.right = Math.max(component.right, x + 1);
}

/** Set `outer` and `kept` of each component; return the main one, or null without components. */
function classify(components, rows, columns) {
  for (const c of components) {
    c.extent = Math.max(c.bottom - c.top, c.right - c.left);
    const across = c.bottom - c.top > ACROSS * rows && c.right - c.left > ACROSS * columns;
    c.outer = c.contact / c.extent > BORDER_CONTACT || across;
    const unlikely = c.outer || c.extent < MIN_EXTENT * Math.max(rows, columns);
    c.weight = c.mass * (unlikely ? OUTER_WEIGHT : 1) * (c.contact > 0 ? BORDER_WEIGHT : 1);
  }
  const main = components.reduce((best, c) => (best && best.weight >= c.weight ? best : c), null);
  if (main) keepDigit(components, main);
  return main;
}

/** Set `kept` of the main component and of its parts: a dot of a broken stroke is close to the dot before it. */
function keepDigit(components, main) {
  const digit = {...main};
  const isPart = (c) => !(c.kept || c.outer || isSpeck(c, main) || isFar(c, digit));
  for (let added = [main]; added.length; added = components.filter(isPart)) {
    for (const part of added) {
      part.kept = true;
      digit.top = Math.min(digit.top, part.top);
      digit.bottom = Math.max(digit.bottom, part.bottom);
      digit.left = Math.min(digit.left, part.left);
      digit.right = Math.max(digit.right, part.right);
    }
  }
}

function isSpeck(component, main) {
  return component.mass <= PART_INK * main.mass;
}

/** `digit` has the place of the digit so far, and the extent of its main component. */
function isFar(c, digit) {
  const down = Math.max(c.top - digit.bottom, digit.top - c.bottom);
  const across = Math.max(c.left - digit.right, digit.left - c.right);
  return Math.max(down, across) / digit.extent > (c.contact > 0 ? PART_GAP_AT_BORDER : PART_GAP);
}
