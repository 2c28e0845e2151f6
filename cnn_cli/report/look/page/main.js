// The page: it reads the data that the file carries, and passes each change of the drawing on to its parts.
import {buildBars, showAnswer, speak} from "./answer.js";
import {colors, legendBar, onThemeChange} from "./colors.js";
import {Detail, inputSteps} from "./detail.js";
import {byId, counted, delayed, element} from "./elements.js";
import {explain, explainProbability} from "./explain.js";
import {softmax} from "./layers.js";
import {parametersOf, receptiveFields, run, walk, withWeights} from "./network.js";
import {networkInput, preprocessed} from "./normalize.js";
import {drawImage, drawStrokes, Pad, READ_SIDE} from "./pad.js";
import {INPUT, Strip} from "./strip.js";
import {argmax, bytesOf, shapeText, tensor} from "./tensor.js";
import {Why} from "./why.js";

const REST = 120;  // milliseconds without a change before what is slow is computed

const data = JSON.parse(byId("data").textContent);
const {classes, preprocessing, temperature} = data;
const network = withWeights(data.network, new Float32Array(bytesOf(data.weights).buffer));
const images = data.images.map(({name, shape, pixels, attributions}) => ({
  name, shape, data: bytesOf(pixels),
  attributions: Object.fromEntries(Object.entries(attributions).map(([label, text]) => {
    return [label, new Float32Array(bytesOf(text).buffer)];
  })),
}));

const shapes = traceOf(tensor(data.inputShape));
const fields = receptiveFields(network, shapes);
let current = null;  // {image, trace, logits, probabilities} of what is on the canvas; null if it is blank

function traceOf(input) {
  const trace = new Map();
  run(network, input, trace);
  trace.set(INPUT, {input, output: input});
  return trace;
}

/** Compute what an image {data: 0..255, shape} gives. */
function computed(image) {
  const trace = traceOf(networkInput(image, preprocessing));
  const logits = trace.get(network).output.data;
  return {image, trace, logits, probabilities: softmax(logits, temperature)};
}

function answerOf({probabilities}) {
  const number = argmax(probabilities), confidence = probabilities[number];
  return {number, label: classes[number], confidence, isSure: confidence >= data.minConfidence};
}

// ---- the parts

const detail = new Detail({
  describeInput: ([c, y, x]) => {
    const input = current.trace.get(INPUT).input, i = (c * input.shape[1] + y) * input.shape[2] + x;
    const {mean, std} = preprocessing, result = input.data[i];
    return inputSteps((result * std[c] + mean[c]) * 255, mean[c], std[c], result);
  },
  moved: (selection) => strip.select(selection),
});
detail.shapes = shapes;
const strip = new Strip(byId("strip"), network, shapes, fields, (node, place) => detail.choose(node, place));
const why = new Why(network, preprocessing, classes);
const pad = new Pad(changed, speak);

/** The first convolution, or else the first layer. */
function firstLayer() {
  const layers = [];
  walk(network, (node) => node.type === "layer" && layers.push(node));
  return layers.find((layer) => layer.kind === "conv") ?? layers[0];
}

let frame = 0;
const afterwards = delayed(REST, () => {
  detail.update(current?.trace ?? null);
  const order = current && [...classes.keys()].sort((a, b) => current.probabilities[b] - current.probabilities[a]);
  why.update(current?.image ?? null, order, pad.image?.attributions);
});

/** Answer in the next frame; what takes longer waits until the pen rests. */
function changed() {
  if (frame) return;
  frame = requestAnimationFrame(() => {
    frame = 0;
    const image = pad.image ?? preprocessed(pad.gray(), READ_SIDE, READ_SIDE, preprocessing);
    current = image && computed(image);
    showAnswer(current && answerOf(current), current?.probabilities);
    showReads(current?.image);
    requestAnimationFrame(() => strip.update(current?.trace ?? null));
    afterwards();
  });
}

function showReads(image) {
  const canvas = byId("reads"), side = preprocessing.kind === "digit" ? 28 : preprocessing.size;
  canvas.width = canvas.height = side;
  drawImage(canvas.getContext("2d"), image ?? {data: new Uint8Array(side * side), shape: [1, side, side]}, side);
}

// ---- what stands still

function showFacts() {
  byId("name").textContent = data.name;
  const parts = [
    counted(parametersOf(network), "parameter"), `input ${shapeText(data.inputShape)}`,
    counted(classes.length, "class").replace("classs", "classes"), `trained on ${data.trainedOn}`,
  ];
  byId("facts").textContent = parts.join(" · ");
  byId("reads-note").textContent = preprocessing.kind === "digit"
    ? "The drawing is cropped, scaled to fit 20×20 pixels, and centered by its mass in 28×28."
    : `The drawing is scaled to ${preprocessing.size}×${preprocessing.size} pixels.`;
  byId("legend").replaceChildren(
    legendBar("negative", "positive"),
    element("span", {}, "Zero has the tone in the middle. Each layer has a range of its own."),
  );
  byId("about").replaceChildren(`Written by cnn ${data.version} from ${data.file || "a checkpoint"}. `
    + "Everything is computed in this page; nothing is sent anywhere.");
}

function offer(title, buttons) {
  return buttons.length ? [element("h3", {}, title), element("div", {class: "offers"}, ...buttons)] : [];
}

function showOffers() {
  const examples = data.examples.map(({label, strokes}) => offerButton(`Example ${label}`, null, (context, side) => {
    context.fillStyle = `rgb(${colors().paper.join(" ")})`;
    context.fillRect(0, 0, side, side);
    drawStrokes(context, strokes, side, `rgb(${colors().ink.join(" ")})`);
  }, () => pad.change(strokes)));
  const given = images.map((image) => offerButton(image.name, image.name.split("/").at(-1), (context, side) => {
    drawImage(context, image, side);
  }, () => pad.change([], image)));
  byId("offers").replaceChildren(...offer("Examples", examples), ...offer("Your images", given));
}

function offerButton(name, text, draw, choose) {
  const canvas = element("canvas", {width: 92, height: 92, "aria-hidden": "true"});
  draw(canvas.getContext("2d"), 92);
  const caption = text === null ? null : element("span", {}, text);
  return element("button", {type: "button", "aria-label": name, title: name, onclick: choose}, canvas, caption);
}

function showProbability(number) {
  if (!current) return;
  detail.showSteps(`Probability of ${classes[number]}`, explainProbability(current.logits, temperature, number));
  byId("number").scrollIntoView({block: "start"});
}

showFacts();
showOffers();
buildBars(classes, showProbability);
detail.choose(firstLayer());
if (images.length) pad.change([], images[0]);
else changed();
onThemeChange(() => {
  showFacts();
  showOffers();
  pad.paint();
  showReads(current?.image);
  strip.update(current?.trace ?? null);
  detail.render();
  why.repaint();
});

/** For the curious: open the browser's console and type `look`. */
globalThis.look = {
  network,
  pad,
  current: () => current,
  shapes: () => [...shapes].map(([node, {output}]) => ({name: node.name, shape: output.shape})),
  fields: () => [...fields].map(([node, field]) => ({name: node.name, field, parameters: parametersOf(node)})),
  compute: (image) => computed(image),
  preprocess: (gray, height, width) => preprocessed(gray, height, width, preprocessing),
  explain: (node, place, trace = current.trace) => explain(node, trace, place),
};
