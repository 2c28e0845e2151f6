// An explanation in numbers: windows, kernels and products as tables, sums as sentences.
import {css, mostOf, signColor, textOn} from "./colors.js";
import {counted, element, numberText} from "./elements.js";

const LARGEST = 10;  // products of a fully connected layer that are listed
const FEW = 8;  // sums that fit into one line

/** Return the elements that show an explanation with that many decimals. */
export function explanationElements(explanation, decimals) {
  const show = (value) => numberText(value, decimals);
  const shown = {sum: explanation.isVector ? vectorSum : windowSum, window: pooled, steps: stepRows};
  return shown[explanation.kind](explanation, show);
}

/** A convolution: for each input map the window, the kernel and their products. */
function windowSum(explanation, show) {
  const most = rangeOf(explanation.channels);
  const rows = explanation.channels.map((channel) => element(
    "div", {class: "sum", "data-channel": channel.name},
    element("span", {class: "name"}, channel.name),
    grid(channel, channel.inputs, "window", most.inputs, show), operator("×"),
    grid(channel, channel.weights, "kernel", most.weights, show), operator("="),
    grid(channel, channel.products, "products", most.products, show), operator("Σ"),
    element("span", {class: "value", title: String(channel.sum)}, show(channel.sum)),
  ));
  return [region("Windows, kernels and products", ...rows), total(explanation, show)];
}

/** A box that scrolls where its content is larger, also with the keyboard. */
function region(name, ...content) {
  return element("div", {class: "numbers", tabindex: "0", role: "region", "aria-label": name}, ...content);
}

function rangeOf(channels) {
  const most = (name) => Math.max(...channels.map((channel) => mostOf(channel[name])));
  return {inputs: most("inputs"), weights: most("weights"), products: most("products")};
}

function operator(sign) {
  return element("span", {class: "operator"}, sign);
}

function grid({rows, columns}, values, caption, most, show, classOf = () => null) {
  const body = Array.from({length: rows}, (_, y) => element("tr", {}, ...Array.from({length: columns}, (_, x) => {
    const i = y * columns + x;
    return i < values.length ? cell(values[i], most, show, classOf(i)) : element("td");
  })));
  return element("table", {class: "grid"}, element("caption", {}, caption), element("tbody", {}, ...body));
}

function cell(value, most, show, name) {
  const made = element("td", {class: name}, show(value)), color = signColor(value, most);
  made.style.background = css(color);
  made.style.color = textOn(color);
  return made;
}

/** The sum of all channels, plus the bias. */
function total({channels, bias, result}, show) {
  const sums = channels.map((channel) => channel.sum), sum = sums.reduce((all, each) => all + each, 0);
  const parts = channels.length === 1 ? `sum of products ${show(sum)}`
    : channels.length <= FEW ? sums.map((each) => (each < 0 ? `(${show(each)})` : show(each))).join(" + ")
      : `sum over ${channels.length} maps ${show(sum)}`;
  const shift = bias === null ? "" : bias < 0 ? ` − ${show(-bias)} (bias)` : ` + ${show(bias)} (bias)`;
  return resultLine(`${parts}${shift} = `, result, show);
}

function resultLine(text, result, show) {
  return element("p", {class: "result"}, text, element("b", {"data-result": String(result)}, show(result)));
}

/** A fully connected layer: its largest products, and all of them on request. */
function vectorSum(explanation, show) {
  const [{inputs, weights, products, sum}] = explanation.channels;
  const order = products.map((_, i) => i).sort((a, b) => Math.abs(products[b]) - Math.abs(products[a]));
  const first = order.slice(0, LARGEST);
  const rest = sum - first.reduce((all, i) => all + products[i], 0);
  const row = (i) => [`input ${i + 1}`, show(inputs[i]), show(weights[i]), show(products[i])];
  const rows = first.map(row);
  if (order.length > LARGEST) rows.push([`the other ${order.length - LARGEST}`, "", "", show(rest)]);
  const heads = ["", "input", "weight", "product"];
  return [
    region("Largest products", table(heads, rows)), total(explanation, show),
    element("details", {ontoggle: (event) => {
      const box = event.target;
      if (box.open && box.children.length === 1) box.append(region("All products", table(heads, products.map((_, i) => row(i)))));
    }}, element("summary", {}, `All ${counted(products.length, "product")}`)),
  ];
}

function table(heads, rows) {
  return element(
    "table", {class: "rows"},
    element("thead", {}, element("tr", {}, ...heads.map((text) => element("th", {scope: "col"}, text || "what")))),
    element("tbody", {}, ...rows.map((row) => element("tr", {}, ...row.map((text) => element("td", {}, text))))),
  );
}

/** A pooling: its window, and what won or the average. */
function pooled(explanation, show) {
  const {inputs, inside, how, area, result} = explanation;
  const best = how === "max" ? inputs.findIndex((value, i) => inside[i] && value === result) : -1;
  const sum = inputs.reduce((all, value) => all + value, 0);
  const names = (i) => (i === best ? "won" : inside[i] ? null : "outside");
  const window = grid(explanation, inputs, "window", mostOf(inputs), show, names);
  const text = how === "max" ? "the largest number of the window wins: "
    : `sum ${show(sum)} ÷ ${counted(area, "number")} = `;
  return [region("Window", window), resultLine(text, result, show)];
}

function stepRows({steps, result}, show) {
  const rows = steps.map(({text, value}) => [text, show(value)]);
  return [region("Steps", table(["step", "value"], rows)), resultLine("result ", result, show)];
}
