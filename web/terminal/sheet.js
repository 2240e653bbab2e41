// A table whose rows stay where they are while their texts change, so that focus and selection survive.

import { make, setText, toast } from "./dom.js";
import { t } from "./lang.js";

/**
 * @typedef {object} Column
 * @property {string} name
 * @property {(row: object) => string} text
 * @property {(row: object) => string} [look] a class for the cell
 * @property {boolean} [isNumber]
 */

const classOf = ({ isNumber }) => (isNumber ? "number" : "");

/** One table. `key` gives what a row is known by; each of `actions` adds a button to each row. */
export class Sheet {
  /**
   * @param {{caption: string, columns: Column[], key: (row: object) => string, empty: string,
   *   actions?: {label: string, describe: (row: object) => string, run: (row: object) => Promise<void>,
   *   isFor?: (row: object) => boolean}[]}} options
   */
  constructor({ caption, columns, key, empty, actions = [] }) {
    Object.assign(this, { _columns: columns, _key: key, _actions: actions });
    this._rows = new Map();
    const heads = columns.map((column) => make("th", { scope: "col", class: classOf(column) }, [column.name]));
    if (actions.length > 0) heads.push(make("th", { scope: "col" }, [make("span", { class: "unseen" }, [t("Action")])]));
    this._body = make("tbody");
    this._empty = make("p", { class: "empty" }, [empty]);
    const table = make("table", {}, [
      make("caption", { class: "unseen" }, [caption]), make("thead", {}, [make("tr", {}, heads)]), this._body,
    ]);
    this._table = table;
    this.element = make("div", { class: "scroller", tabindex: "0", role: "group", "aria-label": caption }, [table, this._empty]);
  }

  /** @param {object[]} rows in the order of the table */
  show(rows) {
    this._empty.hidden = rows.length > 0;
    this._table.hidden = rows.length === 0;
    const keys = new Set(rows.map(this._key));
    for (const [key, { line }] of this._rows) {
      if (keys.has(key)) continue;
      line.remove();
      this._rows.delete(key);
    }
    rows.forEach((row, index) => {
      const entry = this._entry(row);
      entry.row = row;
      this._columns.forEach(({ text, look }, at) => {
        const cell = entry.line.children[at];
        setText(cell.firstChild, text(row));
        if (look) cell.firstChild.className = look(row);
      });
      this._actions.forEach(({ isFor, describe }, at) => {
        entry.buttons[at].hidden = isFor !== undefined && !isFor(row);
        // Its words name the row as it is now.
        entry.buttons[at].setAttribute("aria-label", describe(row));
      });
      const there = this._body.children[index];
      if (there !== entry.line) this._body.insertBefore(entry.line, there ?? null);
    });
  }

  _entry(row) {
    const key = this._key(row);
    const known = this._rows.get(key);
    if (known) return known;
    const entry = { row };
    const cells = this._columns.map((column) => make("td", { class: classOf(column) }, [make("span")]));
    entry.buttons = this._actions.map((action) => this._button(entry, action));
    if (entry.buttons.length > 0) cells.push(make("td", { class: "number" }, entry.buttons));
    entry.line = make("tr", {}, cells);
    this._rows.set(key, entry);
    return entry;
  }

  _button(entry, { label, describe, run }) {
    const button = make("button", { type: "button", class: "quiet small", "aria-label": describe(entry.row) }, [label]);
    button.addEventListener("click", async () => {
      if (button.disabled) return;
      button.disabled = true;
      try {
        await run(entry.row);
      } catch (error) {
        toast(error.message, "bad");
      } finally {
        button.disabled = false;
      }
    });
    return button;
  }
}
