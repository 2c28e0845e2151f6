// The canvas to draw on: strokes of a pen by mouse, finger, stylus or keyboard; or an image that was given.
import {colors, css, inkColor} from "./colors.js";
import {byId} from "./elements.js";

export const READ_SIDE = 224;  // pixels of the drawing that is preprocessed, as large as the program reads a file
const PEN = 0.07;  // width of the pen as a share of the canvas
const KEY_STEP = 0.04, SMALL_STEP = 0.01;
const KEYS = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};

/** The canvas. `changed` is called after every change, `speak` with what a keyboard user should hear. */
export class Pad {
  constructor(changed, speak) {
    this.canvas = byId("pad");
    this.changed = changed;
    this.speak = speak;
    this.strokes = [];  // lists of points [x, y], 0..1 of the canvas's side
    this.image = null;  // {data: 0..255, shape}
    this.history = [];
    this.pen = {x: 0.5, y: 0.3, down: false};
    this.hidden = document.createElement("canvas");
    this.hidden.width = this.hidden.height = READ_SIDE;
    this.hiddenContext = this.hidden.getContext("2d", {willReadFrequently: true, alpha: false});
    this.listen();
    new ResizeObserver(() => this.paint()).observe(this.canvas);
  }

  listen() {
    const {canvas} = this;
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      canvas.setPointerCapture(event.pointerId);
      this.begin(this.pointOf(event));
      this.pointer = event.pointerId;
    });
    canvas.addEventListener("pointermove", (event) => {
      if (event.pointerId !== this.pointer) return;
      for (const each of event.getCoalescedEvents?.() ?? []) this.extend(this.pointOf(each));
      this.extend(this.pointOf(event));
    });
    for (const end of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(end, (event) => {
        if (event.pointerId === this.pointer) this.pointer = null;
      });
    }
    canvas.addEventListener("keydown", (event) => this.key(event));
    for (const change of ["focus", "blur"]) {
      canvas.addEventListener(change, () => {
        this.pen.down = false;
        this.paint();
      });
    }
    byId("undo").addEventListener("click", () => this.undo());
    byId("clear").addEventListener("click", () => this.clear());
  }

  pointOf(event) {
    const box = this.canvas.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  }

  key(event) {
    const {pen} = this, step = event.shiftKey ? SMALL_STEP : KEY_STEP;
    if (event.key in KEYS) {
      const [right, down] = KEYS[event.key];
      pen.x = Math.min(0.97, Math.max(0.03, pen.x + right * step));
      pen.y = Math.min(0.97, Math.max(0.03, pen.y + down * step));
      if (pen.down) this.extend([pen.x, pen.y]);
      this.paint();
    } else if (event.key === " " || event.key === "Enter") {
      pen.down = !pen.down;
      if (pen.down) this.begin([pen.x, pen.y]);
      this.speak(pen.down ? "pen down" : "pen up");
      this.paint();
    } else if (event.key === "Backspace") {
      this.undo();
    } else if (event.key === "Delete") {
      this.clear();
    } else {
      return;
    }
    event.preventDefault();
  }

  begin(point) {
    this.change(this.image ? [[point]] : [...this.strokes, [point]]);
  }

  extend(point) {
    this.strokes.at(-1).push(point);
    this.paint();
    this.changed();
  }

  /** Replace what is on the canvas, and keep what was there for undo. */
  change(strokes, image = null) {
    this.history.push({strokes: this.strokes, image: this.image});
    this.show({strokes, image});
  }

  show({strokes, image}) {
    this.strokes = strokes;
    this.image = image;
    this.paint();
    this.changed();
  }

  undo() {
    this.pen.down = false;
    if (this.history.length) this.show(this.history.pop());
  }

  clear() {
    this.pen.down = false;
    if (!this.isBlank) this.change([]);
  }

  get isBlank() {
    return !this.image && this.strokes.length === 0;
  }

  /** Return the drawing as gray levels, 255 = white, row by row. */
  gray() {
    const context = this.hiddenContext;
    context.fillStyle = "#fff";
    context.fillRect(0, 0, READ_SIDE, READ_SIDE);
    drawStrokes(context, this.strokes, READ_SIDE, "#000");
    const {data} = context.getImageData(0, 0, READ_SIDE, READ_SIDE);  // red, green, blue, opacity
    const gray = new Uint8Array(READ_SIDE * READ_SIDE);
    for (let i = 0; i < gray.length; i++) gray[i] = data[4 * i];
    return gray;
  }

  paint() {
    const {canvas} = this, context = canvas.getContext("2d");
    const side = Math.max(1, Math.round(canvas.clientWidth * devicePixelRatio));
    if (canvas.width !== side || canvas.height !== side) canvas.width = canvas.height = side;
    context.fillStyle = css(colors().paper);
    context.fillRect(0, 0, side, side);
    if (this.image) drawImage(context, this.image, side);
    drawStrokes(context, this.strokes, side, css(colors().ink));
    if (document.activeElement === canvas && canvas.matches(":focus-visible")) drawPen(context, this.pen, side);
    byId("pad-hint").hidden = !this.isBlank;
    byId("undo").disabled = this.history.length === 0;
    byId("clear").disabled = this.isBlank;
  }
}

/** Draw strokes as smooth, round lines; a stroke of one point is a dot. */
export function drawStrokes(context, strokes, side, color) {
  context.strokeStyle = color;
  context.lineWidth = PEN * side;
  context.lineCap = context.lineJoin = "round";
  for (const stroke of strokes) {
    const points = stroke.map(([x, y]) => [x * side, y * side]), last = points.at(-1);
    context.beginPath();
    context.moveTo(...points[0]);
    for (let i = 1; i < points.length - 1; i++) {  // the curve bends at each point, and passes between them
      const [[x, y], [nextX, nextY]] = [points[i], points[i + 1]];
      context.quadraticCurveTo(x, y, (x + nextX) / 2, (y + nextY) / 2);
    }
    context.lineTo(last[0], last[1] + (points.length === 1 ? 0.01 : 0));
    context.stroke();
  }
}

/** Draw an image of ink (or a photo) over a square, pixel by pixel. */
export function drawImage(context, {data, shape}, side, colorOf = inkColor) {
  const [channels, height, width] = shape, area = height * width;
  const small = new OffscreenCanvas(width, height), image = new ImageData(width, height);
  for (let i = 0; i < area; i++) {
    const color = channels === 3 ? [data[i], data[area + i], data[2 * area + i]] : colorOf(data[i] / 255, i);
    image.data.set([...color, 255], 4 * i);
  }
  small.getContext("2d").putImageData(image, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(small, 0, 0, side, side);
}

/** Draw the place of the keyboard's pen: a ring, filled while the pen is down. */
function drawPen(context, {x, y, down}, side) {
  context.beginPath();
  context.arc(x * side, y * side, (PEN * side) / 2, 0, 2 * Math.PI);
  context.lineWidth = Math.max(2, side / 120);
  context.strokeStyle = css(colors().focus);
  if (down) {
    context.fillStyle = css(colors().focus);
    context.fill();
  }
  context.stroke();
}
