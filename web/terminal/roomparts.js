// Pieces of the account's page: sections that load themselves, forms that check themselves, tables.

import { make, setText } from "./dom.js";
import { dateAndTime, t } from "./lang.js";
import "./langmore.js";
import { Sheet } from "./sheet.js";

let made = 0;

/** Year, day and time of day, by the reader's own clock. @param {number} ms @returns {string} */
export const day = dateAndTime;

/** A button that works once at a time; what fails is written beside it. */
export function button(text, work) {
  const problem = make("span", { class: "problem", role: "alert" });
  const pressed = make("button", { type: "button", class: "quiet" }, [text]);
  pressed.addEventListener("click", async () => {
    if (pressed.disabled) return;
    pressed.disabled = true;
    setText(problem, "");
    try {
      await work();
    } catch (error) {
      setText(problem, error.message);
    } finally {
      pressed.disabled = false;
    }
  });
  return make("span", { class: "act" }, [pressed, problem]);
}

/**
 * A part of the page.
 * @param {string} title
 * @param {Node[]} children
 * @param {() => Promise<void>} [load] fills it; its failure is shown in its place
 */
export function section(title, children, load = async () => {}) {
  const id = `part-${(made += 1)}`;
  const problem = make("p", { class: "problem", role: "alert" });
  const element = make("section", { class: "panel part", "aria-labelledby": id }, [
    make("h3", { id, tabindex: "-1" }, [title]), problem, ...children,
  ]);
  const safe = async () => {
    try {
      await load();
      setText(problem, "");
    } catch (error) {
      setText(problem, error.message);
    }
  };
  return { title, element, load: safe };
}

function fieldOf(field) {
  const id = `field-${(made += 1)}`;
  if (field.choices) {
    const boxes = field.choices.map(([value, label]) => make("label", { class: "check" }, [make("input", { type: "checkbox", value }), label]));
    const group = make("fieldset", {}, [make("legend", {}, [field.label]), ...boxes]);
    return { element: group, value: () => [...group.querySelectorAll("input:checked")].map((box) => box.value), clear: () => {} };
  }
  let input;
  if (field.options) input = make("select", { id });
  else if (field.isLong) input = make("textarea", { id, rows: "3", maxlength: "1000" });
  else {
    input = make("input", {
      id, type: field.type ?? "text", autocomplete: field.autocomplete ?? "off", maxlength: "200", inputmode: field.inputmode,
      value: field.value,
    });
  }
  const fill = () => {
    const options = field.options().map(([value, label]) => make("option", { value }, [label]));
    input.replaceChildren(...options);
  };
  if (field.options) fill();
  return {
    element: make("div", { class: "entry" }, [make("label", { for: id }, [field.label]), input]),
    value: () => input.value.trim(), clear: () => !field.options && !field.value && (input.value = ""), fill: field.options && fill,
  };
}

/**
 * A form. Empty optional fields are left out of what `work` gets; what it returns or throws is shown.
 * @param {{fields: object[], submit: string, work: (values: object) => Promise<string>}} options
 * @returns {HTMLFormElement} with `refill()`, which asks for the options of its lists anew
 */
export function form({ fields, submit, work }) {
  const parts = fields.map((field) => ({ field, ...fieldOf(field) }));
  const answer = make("p", { class: "answer", role: "alert" });
  const press = make("button", { type: "submit", class: "accent" }, [submit]);
  const element = make("form", { novalidate: true, class: "entries" }, [...parts.map((part) => part.element), press, answer]);
  element.addEventListener("input", () => setText(answer, ""));
  element.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (press.disabled) return;
    press.disabled = true;
    setText(answer, "");
    try {
      const values = {};
      for (const { field, value } of parts) {
        const given = value();
        if (given.length > 0) values[field.name] = given;
        else if (!field.isOptional) throw new Error(t("{field}: fill this in.", { field: field.label }));
      }
      const text = await work(values);
      for (const { clear } of parts) clear();
      answer.className = "answer good";
      setText(answer, text);
    } catch (error) {
      answer.className = "answer bad";
      setText(answer, error.message);
    } finally {
      press.disabled = false;
    }
  });
  element.refill = () => parts.forEach(({ fill }) => fill?.());
  return element;
}

/** A table of names and functions from a row to its text. */
export class Table extends Sheet {
  constructor({ columns, action, ...options }) {
    super({ ...options, actions: action ? [action] : [], columns: columns.map(([name, text, isNumber]) => ({ name, text, isNumber })) });
  }
}
