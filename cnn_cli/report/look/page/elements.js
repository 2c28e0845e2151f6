// Small helpers for what is on the page. Text from outside only ever becomes text: no markup is parsed.

/** Make an element: its properties (`class`, `on...`, attributes) and its children, elements or texts. */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (typeof value === "function") made.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

/** Return the element of the page with that id. */
export function byId(id) {
  return document.getElementById(id);
}

/** Return a number as text with a true minus sign. */
export function numberText(value, decimals = 3) {
  const text = value.toFixed(decimals);
  return Number(text) === 0 ? text.replace("-", "") : text.replace("-", "−");
}

/** Return a probability as text: `97.9 %`. */
export function percent(share) {
  return `${(100 * share).toFixed(1)} %`;
}

/** Return a count with its noun: `1 map`, `6 maps`. */
export function counted(number, noun) {
  return `${number.toLocaleString("en-US")} ${noun}${number === 1 ? "" : "s"}`;
}

/** Return a function that runs once, some milliseconds after its last call. */
export function delayed(milliseconds, action) {
  let timer = 0;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => action(...values), milliseconds);
  };
}

/** Show a short text beside the pointer, or hide it. */
export function tip(text, event) {
  const box = byId("tip");
  box.classList.toggle("on", Boolean(text));
  if (!text) return;
  box.textContent = text;
  const left = Math.min(event.clientX + 14, innerWidth - box.offsetWidth - 8);
  box.style.transform = `translate(${left}px, ${event.clientY + 16}px)`;
}
