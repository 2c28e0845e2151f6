// Colors of numbers: one hue for positive, one for negative, and the background's tone for zero.
import {element} from "./elements.js";

const NAMES = ["zero", "plus", "minus", "paper", "ink", "for", "against", "focus", "soft", "text", "card"];
let palette = null;

/** Return the theme's colors by name, each [red, green, blue]. */
export function colors() {
  if (!palette) {
    const style = getComputedStyle(document.documentElement);
    palette = Object.fromEntries(NAMES.map((name) => [name, rgb(style.getPropertyValue(`--${name}`).trim())]));
  }
  return palette;
}

/** Forget the colors when the theme changes, and call a function then. */
export function onThemeChange(action) {
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    palette = null;
    action();
  });
}

function rgb(hex) {
  return [1, 3, 5].map((start) => parseInt(hex.slice(start, start + 2), 16));
}

/** Return a color as CSS text. */
export function css(color) {
  return `rgb(${color.map(Math.round).join(" ")})`;
}

/** Mix two colors: share 0 gives the first, 1 the second. */
export function mixed(from, to, share) {
  return from.map((value, i) => value + (to[i] - value) * share);
}

/** Return the color of a number where the range is -most..most. */
export function signColor(value, most) {
  const {zero, plus, minus} = colors();
  return mixed(zero, value < 0 ? minus : plus, most > 0 ? Math.min(1, Math.abs(value) / most) : 0);
}

/** Return the color of ink of 0..1, on paper in either theme. */
export function inkColor(value) {
  const {paper, ink} = colors();
  return mixed(paper, ink, value);
}

/** Return black or white, whichever is easier to read on a color. */
export function textOn([red, green, blue]) {
  const light = [red, green, blue].map((level) => {
    const share = level / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * light[0] + 0.7152 * light[1] + 0.0722 * light[2] > 0.179 ? "#000" : "#fff";
}

/** Return the largest size of a number. */
export function mostOf(data) {
  let most = 0;
  for (const value of data) most = Math.max(most, Math.abs(value));
  return most;
}

/** Return the color of evidence on paper, from against (-1) to for (1). */
export function evidenceColor(share, background = colors().paper) {
  return mixed(background, colors()[share < 0 ? "against" : "for"], Math.abs(share));
}

/** Draw the range of colors with its ends into a legend. */
export function legendBar(low, high, colorOf = (share) => signColor(share, 1)) {
  const width = 120, height = 12;
  const canvas = element("canvas", {width, height, "aria-hidden": "true"});
  const context = canvas.getContext("2d");
  for (let x = 0; x < width; x++) {
    context.fillStyle = css(colorOf((2 * x) / (width - 1) - 1));
    context.fillRect(x, 0, 1, height);
  }
  return element("span", {class: "legend"}, low, canvas, high);
}
