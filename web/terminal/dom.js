// Elements without markup: text goes into the page as text, never as HTML.

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
 * Change a text only when it is another one: screen readers and selections notice each change.
 * @param {Element} element
 * @param {string} text
 */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
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

/**
 * Calls `draw` before the next frame, once however often it is asked for, and at most every `pauseMs`.
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
    if (waitMs > 0) setTimeout(() => requestAnimationFrame(run), waitMs);
    else requestAnimationFrame(run);
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
