// One number of one layer: controls to choose it, the scene, the explanation, the filters, and the play button.
import {byId, element, numberText} from "./elements.js";
import {explain} from "./explain.js";
import {filterElements} from "./filters.js";
import {parametersOf, windowOf} from "./network.js";
import {explanationElements} from "./numbers.js";
import {Scene} from "./scene.js";
import {INPUT} from "./strip.js";
import {imageShape, shapeText} from "./tensor.js";

const DECIMALS = 3, EXACT = 6;
const PER_SECOND = [1, 2, 4, 8, 15, 30, 60];

const ABOUT = {
  input: "The pixels, normalized: this is what the first layer reads.",
  conv: "Convolution: each filter slides over the maps and sums weighted inputs in its window.",
  linear: "Fully connected: each output is a weighted sum of all inputs.",
  flatten: "The maps, written one after the other as one vector.",
  pool: "Pooling: one number stands for each window.",
  global_pool: "Global pooling: one number stands for a whole map, or for a cell of it.",
  norm: "Normalization: brings numbers to mean 0 and variance 1, then scales and shifts them.",
  affine: "A trained factor and offset for each map.",
  lrn: "Local response normalization: large numbers in adjacent maps make a number smaller.",
  dropout: "Dropout: only training drops numbers.",
  residual: "Residual: the layers' output plus what the shortcut brings along.",
  parallel: "Branches: their maps, joined.",
};

/** The section. `describeInput(place)` explains a number of the input; `moved(selection)` is told what is chosen. */
export class Detail {
  constructor({describeInput, moved}) {
    Object.assign(this, {describeInput, moved, trace: null, node: null, place: [0, 0, 0], timer: 0, until: Infinity});
    this.build();
  }

  build() {
    this.title = element("div", {class: "title-row", "aria-live": "polite"});
    this.inputs = ["map", "row", "column"].map((name) => element("input", {
      type: "number", min: 1, value: 1, id: `choose-${name}`, onchange: () => this.fromInputs(),
    }));
    this.shown = element("input", {type: "number", min: 1, value: 1, id: "choose-shown", onchange: () => this.render()});
    this.playButton = element("button", {type: "button", class: "main", id: "play", onclick: () => this.toggle()}, "Play");
    this.stepButton = element("button", {type: "button", id: "step", onclick: () => this.step()}, "Step");
    this.speed = element("input", {type: "range", min: 0, max: PER_SECOND.length - 1, value: 3, id: "speed"});
    this.exact = element("input", {type: "checkbox", id: "exact", onchange: () => this.render()});
    this.sceneBox = element("div", {class: "scene"});
    this.numbers = element("div", {id: "numbers"});
    this.filters = element("div", {id: "filters"});
    const [map, row, column] = this.inputs;
    this.playControls = element("div", {class: "controls"},
      this.playButton, this.stepButton, labeled("Speed", this.speed), labeled("Input map", this.shown));
    byId("detail").replaceChildren(
      this.title,
      element("div", {class: "controls"}, labeled("Map", map), labeled("Row", row), labeled("Column", column),
        element("label", {class: "check"}, this.exact, "six decimals")),
      this.playControls, this.sceneBox, this.numbers, this.filters,
    );
    this.scene = new Scene(this.sceneBox, ([y, x]) => this.choose(this.node, [this.place[0], y, x]));
  }

  /** Choose a number of a layer; without a place, the middle of its first map. */
  choose(node, place = null) {
    this.pause();
    this.until = Infinity;
    if (node !== this.node) this.shown.value = 1;
    this.node = node;
    this.place = place ?? this.sides().map((side, axis) => (axis ? Math.floor(side / 2) : 0));
    this.render();
  }

  /** Return maps, rows and columns of the chosen layer's output. */
  sides() {
    return imageShape((this.trace ?? this.shapes).get(this.node).output.shape);
  }

  fromInputs() {
    const sides = this.sides();
    this.choose(this.node, this.inputs.map((input, axis) => {
      return Math.min(Math.max(1, Math.round(Number(input.value)) || 1), sides[axis]) - 1;
    }));
  }

  /** Take the trace of a new drawing; null on a blank canvas. */
  update(trace) {
    this.trace = trace;
    this.render();
  }

  get canSlide() {
    return this.trace !== null && windowOf(this.node, this.trace.get(this.node).input.shape) !== null;
  }

  render() {
    const {node, place} = this, sides = this.sides();
    this.inputs.forEach((input, axis) => {
      input.max = sides[axis];
      input.value = place[axis] + 1;
      input.disabled = sides[axis] === 1;
    });
    this.showTitle(node.name, this.describe());
    this.playControls.hidden = this.sceneBox.hidden = !this.canSlide;
    if (this.canSlide) this.renderScene();
    this.numbers.replaceChildren(...this.explanation());
    this.filters.replaceChildren(...filterElements(node, place[0]));
    document.body.dataset.position = `${place[1]},${place[2]}`;
    this.moved({node, place});
  }

  /** Write the title, unless it stays the same: it is spoken when it changes. */
  showTitle(name, about) {
    if (this.title.dataset.text === name + about) return;
    this.title.dataset.text = name + about;
    this.title.replaceChildren(element("b", {}, name), element("span", {class: "note"}, about));
  }

  describe() {
    const {node} = this, parameters = node === INPUT ? 0 : parametersOf(node);
    const settings = Object.entries(node.parameters ?? {}).filter(([name, value]) => !isPlain(name, value));
    const text = settings.map(([name, value]) => `${name} ${Array.isArray(value) ? value.join("×") : value}`).join(", ");
    const kind = node.kind ?? node.type;
    return [
      ABOUT[kind] ?? `Activation ${kind}: changes every number by itself.`,
      `Output ${shapeText((this.trace ?? this.shapes).get(node).output.shape)}.`,
      parameters ? `${parameters.toLocaleString("en-US")} parameters.` : null,
      text ? `Settings: ${text}.` : null,
    ].filter(Boolean).join(" ");
  }

  renderScene() {
    const {node, place} = this, values = this.trace.get(node);
    const maps = imageShape(values.input.shape)[0];
    const isShared = node.kind === "conv";
    this.shown.max = maps;
    this.shown.disabled = !isShared || maps === 1;
    const shown = isShared ? Math.min(maps, Math.max(1, Number(this.shown.value) || 1)) - 1 : place[0];
    this.shown.value = shown + 1;
    this.scene.draw(node, values, place, shown, this.until);
  }

  explanation() {
    if (!this.trace) return [element("p", {class: "note"}, "Draw a digit, and the numbers appear here.")];
    const {node, place} = this;
    const explanation = node === INPUT ? this.describeInput(place) : explain(node, this.trace, place);
    return explanationElements(explanation, this.exact.checked ? EXACT : DECIMALS);
  }

  /** Show another explanation in place of a layer's: that of a probability. */
  showSteps(title, explanation) {
    this.pause();
    this.showTitle(title, "Softmax turns the logits of all classes into probabilities.");
    this.playControls.hidden = this.sceneBox.hidden = true;
    this.numbers.replaceChildren(...explanationElements(explanation, this.exact.checked ? EXACT : DECIMALS));
    this.filters.replaceChildren();
  }

  // ---- play: every position once, row by row

  toggle() {
    if (this.timer) this.pause();
    else this.play();
  }

  play() {
    const [, height, width] = this.sides(), index = this.place[1] * width + this.place[2];
    if (this.until === Infinity || index === height * width - 1) {
      this.place = [this.place[0], 0, 0];
      this.until = 1;
      this.render();
    }
    this.playButton.textContent = "Pause";
    this.timer = setTimeout(() => this.tick(), this.pauseTime());
  }

  tick() {
    if (!this.step()) return this.pause();
    this.timer = setTimeout(() => this.tick(), this.pauseTime());
    return undefined;
  }

  pauseTime() {
    return 1000 / PER_SECOND[this.speed.value];
  }

  /** Move to the next position; return whether there was one. */
  step() {
    const [, height, width] = this.sides(), index = this.place[1] * width + this.place[2] + 1;
    if (index >= height * width) return false;
    this.place = [this.place[0], Math.floor(index / width), index % width];
    this.until = index + 1;
    this.render();
    return true;
  }

  pause() {
    clearTimeout(this.timer);
    this.timer = 0;
    this.playButton.textContent = "Play";
  }
}

/** Whether a setting changes nothing, so that it need not be named. */
function isPlain(name, value) {
  const isOne = String(value) === "1" || String(value) === "1,1";
  return value === null || value === false || value === "valid" || String(value) === "0,0"
    || (isOne && ["stride", "dilation", "groups"].includes(name));
}

function labeled(text, input) {
  return element("label", {for: input.id}, text, input);
}

/** Explain a number of the input: how it comes from a pixel. */
export function inputSteps(level, mean, std, result) {
  const steps = [
    {text: "pixel, 0 = background, 255 = ink", value: level},
    {text: "divided by 255", value: level / 255},
    {text: `minus the mean ${numberText(mean, 4)}, divided by the deviation ${numberText(std, 4)}`, value: (level / 255 - mean) / std},
  ];
  return {kind: "steps", steps, result};
}
