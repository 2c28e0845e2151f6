// The network from left to right: a card with maps for each layer, boxes for blocks, lanes for branches.
import {colors, inkColor} from "./colors.js";
import {counted, element, numberText, tip} from "./elements.js";
import {frame, layoutOf, paintMaps, placeAt} from "./maps.js";
import {branchesOf, parametersOf} from "./network.js";
import {shapeText} from "./tensor.js";

/** The strip. `shapes` is a trace of any input, `fields` the receptive fields; `choose(node, place)` selects. */
export class Strip {
  constructor(box, network, shapes, fields, choose) {
    Object.assign(this, {box, network, shapes, fields, choose, trace: null});
    this.cards = new Map();  // node -> {card, canvas, layout}
    const input = this.inputCard();
    const layers = network.layers.flatMap((layer) => [arrow(), this.made(layer)]);
    box.replaceChildren(element("div", {class: "chain"}, input, ...layers));
  }

  made(node) {
    if (node.type === "layer") return this.card(node, shortName(node), this.facts(node));
    if (node.type === "chain") return this.block(node);
    return this.branches(node);
  }

  inputCard() {
    const shape = this.shapes.get(this.network).input.shape;
    return this.card(INPUT, "input", [shapeText(shape), "what the network reads"]);
  }

  facts(node) {
    const field = this.fields.get(node), parameters = parametersOf(node);
    return [
      shapeText(this.shapes.get(node).output.shape),
      parameters ? counted(parameters, "parameter") : "no parameters",
      `sees ${field === "all" ? "the whole image" : `${shapeText(field)} pixels`}`,
    ];
  }

  card(node, title, facts) {
    const {output} = node === INPUT ? {output: this.shapes.get(this.network).input} : this.shapes.get(node);
    const layout = layoutOf(output.shape);
    const canvas = element("canvas", {
      role: "img",
      "aria-label": `Maps of ${title}`,
      onclick: (event) => this.choose(node, placeOf(event, layout)),
      onpointermove: (event) => this.point(node, event, layout),
      onpointerleave: () => tip(null),
    });
    const button = element("button", {type: "button", onclick: () => this.choose(node, null)}, title);
    const card = element(
      "div", {class: node === INPUT ? "layer paper-card" : "layer"}, button, ...facts.map((fact) => element("p", {}, fact)), canvas,
    );
    this.cards.set(node, {card, canvas, layout, button});
    return card;
  }

  point(node, event, layout) {
    const place = placeOf(event, layout);
    if (!place || !this.trace) return tip(null);
    const {data} = this.outputOf(node);
    const [c, y, x] = place;
    const value = data[(c * layout.height + y) * layout.width + x];
    return tip(`map ${c + 1}, row ${y + 1}, column ${x + 1}: ${numberText(value)}`, event);
  }

  outputOf(node) {
    return node === INPUT ? this.trace.get(this.network).input : this.trace.get(node).output;
  }

  block(node) {
    if (node.layers.length === 0) {
      return element("div", {class: "box"}, title(node, "", "only training uses it"));
    }
    const inner = node.layers.flatMap((layer, i) => (i ? [arrow(), this.made(layer)] : [this.made(layer)]));
    return element(
      "div", {class: "box"}, title(node, "", counted(parametersOf(node), "parameter")),
      element("div", {class: "chain"}, ...inner),
    );
  }

  /** Draw branches below each other, then the card of what they give together. */
  branches(node) {
    const isResidual = node.type === "residual";
    const lanes = branchesOf(node).map((chain) => {
      if (chain.layers.length === 0) return element("div", {class: "identity"}, isResidual ? "shortcut" : "identity");
      const inner = chain.layers.flatMap((layer, i) => (i ? [arrow(), this.made(layer)] : [this.made(layer)]));
      return element("div", {class: "chain"}, ...inner);
    });
    const joined = this.card(node, isResidual ? "+ sum" : "joined", this.facts(node));
    return element(
      "div", {class: `box ${node.type}`},
      title(node, isResidual ? "the layers' output plus the shortcut's" : "branches, joined along the channels", ""),
      element("div", {class: "lanes"}, element("div", {class: "paths"}, ...lanes), joined),
    );
  }

  /** Paint all maps of a trace; null paints them empty. */
  update(trace) {
    this.trace = trace;
    for (const [node, {canvas, layout}] of this.cards) {
      this.paint(node, canvas, layout);
    }
    this.select(this.selected);
  }

  /** Paint a node's maps: the input like ink on paper, and every other layer by the sign of its numbers. */
  paint(node, canvas, layout) {
    const data = this.trace ? this.outputOf(node).data : null;
    return paintMaps(canvas, layout, data, node === INPUT ? inkScale(data ?? [0, 0]) : null);
  }

  /** Mark the chosen layer, and frame the chosen number and what it is computed from. */
  select(selected) {
    const before = this.cards.get(this.selected?.node);
    if (before && this.selected.node !== selected.node) this.paint(this.selected.node, before.canvas, before.layout);
    this.selected = selected;
    for (const [node, {card, button}] of this.cards) {
      card.classList.toggle("chosen", node === selected?.node);
      button.setAttribute("aria-pressed", node === selected?.node);
    }
    const card = selected && this.cards.get(selected.node);
    if (!card || !this.trace) return;
    const {canvas, layout} = card, [c, y, x] = selected.place;
    const context = this.paint(selected.node, canvas, layout);
    frame(context, layout, c, {top: y, left: x, height: 1, width: 1}, colors().focus);
  }
}

/** The input as if it were a layer. */
export const INPUT = {type: "input", name: "input"};

/** Return the last part of a layer's name: `conv1` of `part1.unit1.conv1`. */
export function shortName(node) {
  return node.name.split(".").at(-1);
}

/** Return the color of a number between the least and the largest: paper to ink. */
function inkScale(data) {
  let least = Infinity, most = -Infinity;
  for (const value of data) [least, most] = [Math.min(least, value), Math.max(most, value)];
  return (value) => inkColor(most > least ? (value - least) / (most - least) : 0);
}

function title(node, about, facts) {
  return element("div", {class: "title"}, element("b", {}, shortName(node)), about, facts);
}

function arrow() {
  return element("span", {class: "arrow", "aria-hidden": "true"}, "→");
}

function placeOf(event, layout) {
  return placeAt(layout, event.offsetX, event.offsetY);
}
