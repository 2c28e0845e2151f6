// The answer: the likeliest class with its probability, or "unsure", and a bar for each class.
import {byId, delayed, element, percent} from "./elements.js";

const SPEAK_AFTER = 500;  // milliseconds of rest before the answer is spoken

/** Build the bars. `choose(number)` is called when a class is chosen. */
export function buildBars(classes, choose) {
  byId("probabilities").replaceChildren(...classes.map((label, number) => {
    const share = element("span", {class: "share"}, "–");
    return element("li", {}, element(
      "button",
      {type: "button", onclick: () => choose(number), disabled: true, "aria-describedby": "number-title"},
      element("span", {}, label), element("span", {class: "bar"}, element("i")), share,
    ));
  }));
}

const speakLater = delayed(SPEAK_AFTER, (text) => speak(text));

/** Say a text to people who listen to the page. */
export function speak(text) {
  byId("spoken").textContent = text;
}

/** Show the answer {label, confidence, isSure} with the probabilities of all classes; null on a blank canvas. */
export function showAnswer(answer, probabilities) {
  const text = answer ? (answer.isSure ? answer.label : "unsure") : "";
  const box = byId("answer");
  box.textContent = text;
  box.className = !answer || answer.isSure ? (text.length > 2 ? "long" : "") : "unsure";
  byId("confidence").textContent = confidenceText(answer);
  for (const [number, item] of [...byId("probabilities").children].entries()) {
    const share = answer ? probabilities[number] : 0;
    item.className = answer && number === answer.number ? "best" : "";
    item.querySelector("i").style.width = `${100 * share}%`;
    item.querySelector(".share").textContent = answer ? percent(share) : "–";
    item.firstChild.disabled = !answer;
  }
  speakLater(answer ? `${text}. ${confidenceText(answer)}` : "The canvas is blank.");
}

function confidenceText(answer) {
  if (!answer) return "";
  const {label, confidence, isSure} = answer;
  return isSure ? `with ${percent(confidence)}` : `most likely ${label}, with ${percent(confidence)}`;
}
