// Elements without markup: text goes into the page as text, never as HTML.

// As Node has it.
const TEXT_NODE = 3;

/**
 * The element with this id.
 * @param {string} id
 * @returns {HTMLElement}
 */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`no element ${id}`);
  return found;
}

/**
 * Make an element.
 * @param {string} tag
 * @param {Record<string, any>} [attributes] `class`, `data-...`, `aria-...`: attributes; functions: listeners
 * @param {(Node | string)[]} [children]
 * @returns {HTMLElement}
 */
export function make(tag, attributes = {}, children = []) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

/**
 * Change a text only when it is another one: screen readers and selections notice each change. A text that is there
 * stays and says something else, which is less work for the browser than another one in its place.
 * @param {Element} element
 * @param {string} text
 */
export function setText(element, text) {
  const { firstChild: node } = element;
  if (node?.nodeType !== TEXT_NODE || node !== element.lastChild || text === "") {
    if (element.textContent !== text) element.textContent = text;
  } else if (node.data !== text) node.data = text;
}

/**
 * The same for an attribute.
 * @param {Element} element
 * @param {string} name
 * @param {string} value
 */
export function setAttribute(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/**
 * A group of buttons of which one is pressed.
 * @param {Element} group
 * @param {[string, string, string?][]} choices value, label, and a name where the label is a sign
 * @param {(value: string) => void} onChoice
 * @returns {(value: string) => void} presses a button without calling `onChoice`
 */
export function choices(group, choices, onChoice) {
  const press = (value) => {
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.value === value));
  };
  const buttons = choices.map(([value, label, name]) =>
    make("button", { type: "button", "data-value": value, "aria-label": name, title: name, "aria-pressed": "false", click: () => {
      press(value);
      onChoice(value);
    } }, [label]),
  );
  group.replaceChildren(...buttons);
  return press;
}

// What is to be drawn, the longest waiting first; each stands in it once.
const drawings = [];

let isFrameAsked = false;

function askFrame() {
  if (isFrameAsked) return;
  isFrameAsked = true;
  requestAnimationFrame(drawNext);
}

/**
 * Before a frame: one drawing. The others have the next ones: what came due together would else be one long task, with
 * all that the browser makes of it, and a frame that is missed.
 */
function drawNext() {
  isFrameAsked = false;
  const draw = drawings.shift();
  if (drawings.length > 0) askFrame();
  draw();
}

function drawInTurn(run) {
  drawings.push(run);
  askFrame();
}

/**
 * Calls `draw` before one of the next frames, once however often it is asked for, and at most every `pauseMs`.
 * @param {() => void} draw
 * @param {number} [pauseMs]
 * @returns {() => void}
 */
export function drawnSoon(draw, pauseMs = 0) {
  let isAsked = false;
  let drawnMs = -Infinity;
  const run = () => {
    isAsked = false;
    drawnMs = performance.now();
    draw();
  };
  return () => {
    if (isAsked) return;
    isAsked = true;
    const waitMs = drawnMs + pauseMs - performance.now();
    if (waitMs > 0) setTimeout(() => drawInTurn(run), waitMs);
    else drawInTurn(run);
  };
}

/**
 * News in a corner of the page, read out by screen readers, gone after a while.
 * @param {string} text
 * @param {"good" | "bad" | "plain"} [kind]
 * @param {string} [id] takes the place of what was told under the same one
 */
export function toast(text, kind = "plain", id = "") {
  const box = byId("toasts");
  const news = make("p", { class: `toast ${kind}`, "data-about": id }, [text]);
  const before = id && [...box.children].find((other) => other.dataset.about === id);
  if (before) before.replaceWith(news);
  else box.append(news);
  while (box.children.length > 4) box.firstChild.remove();
  setTimeout(() => news.remove(), kind === "bad" ? 12_000 : 8000);
}
