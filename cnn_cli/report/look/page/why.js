// Why: what speaks for the answer and for the second answer, over the image that the network reads.
import {evidenceColor, inkColor, legendBar, mostOf} from "./colors.js";
import {byId, element, numberText} from "./elements.js";
import {occlusion} from "./occlusion.js";
import {drawImage} from "./pad.js";

const SIDE = 196, STRONGEST = 0.9, PALE = 0.3;

/** The section. It is computed in slices while nothing is drawn; a new drawing stops it. */
export class Why {
  constructor(network, preprocessing, classes) {
    Object.assign(this, {network, preprocessing, classes, run: 0, last: null});
    byId("reasons").replaceChildren(element("p", {class: "note"}, "Draw a digit, and the reasons appear here."));
  }

  /** Explain the two likeliest classes of an image {data, shape}; null on a blank canvas. */
  async update(image, order, attributions) {
    const run = ++this.run;
    this.last = {image, order, attributions};
    if (!image) {
      byId("reasons").replaceChildren(element("p", {class: "note"}, "Draw a digit, and the reasons appear here."));
      return;
    }
    const pair = order.slice(0, 2);
    const titles = pair.map((number, rank) => `${rank ? "Second answer" : "Answer"}: ${this.classes[number]}`);
    const figures = titles.map((title) => reason(title));
    const progress = element("p", {class: "note", "aria-hidden": "true"});
    byId("reasons").replaceChildren(
      ...figures.map(({figure}) => figure), ...this.gradientFigures(image, pair, attributions), legend(), progress,
    );
    for await (const {maps, done} of occlusion(this.network, image, this.preprocessing, pair)) {
      if (run !== this.run) return;
      const most = Math.max(...maps.map(({data}) => mostOf(data)));
      figures.forEach((each, k) => paint(each, image, maps[k].data, most, `Occlusion: on average the patches over the strongest pixel change the logit by ${numberText(mostOf(maps[k].data), 2)}.`));
      progress.textContent = done < 1 ? `${Math.round(100 * done)} % of the patches` : "";
    }
    byId("reasons").dataset.done = String(run);
  }

  /** What PyTorch computed when the file was written, for an image that was given then. */
  gradientFigures(image, pair, attributions) {
    const known = pair.filter((number) => attributions?.[this.classes[number]]);
    const maps = known.map((number) => attributions[this.classes[number]]);
    const most = Math.max(...maps.map(mostOf));
    return known.map((number, k) => {
      const made = reason(`${this.classes[number]}, by gradients`);
      paint(made, image, maps[k], most, "Integrated gradients, computed when this file was written: they add up to the logit minus that of a blank image.");
      return made.figure;
    });
  }

  /** Paint again in the colors of another theme. */
  repaint() {
    if (this.last) this.update(this.last.image, this.last.order, this.last.attributions);
  }
}

function reason(title) {
  const canvas = element("canvas", {width: 2 * SIDE, height: 2 * SIDE, role: "img", "aria-label": title});
  const text = element("span");
  return {canvas, text, figure: element("figure", {}, canvas, element("figcaption", {}, element("b", {}, title), text))};
}

function paint({canvas, text}, image, values, most, caption) {
  const gray = {data: image.data.subarray(0, values.length), shape: [1, ...image.shape.slice(1)]};
  drawImage(canvas.getContext("2d"), gray, canvas.width, (level, i) => {
    return evidenceColor(most > 0 ? (STRONGEST * values[i]) / most : 0, inkColor(level * PALE));
  });
  text.textContent = caption;
}

function legend() {
  return legendBar("speaks against it", "speaks for it", evidenceColor);
}
