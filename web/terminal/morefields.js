// The fields that an order has beside price and quantity, in front of the quantity's, and what is to be said of it before it is
// sent. Loaded when somebody chooses a kind that has some.

import { checkConditional, FIELDS, hasPrice, OPTIONAL, SAYS } from "./conditional.js";
import { typed } from "./decimal.js";
import { byId, make, setText } from "./dom.js";
import { foreseen } from "./foresee.js";
import { t } from "./lang.js";
import "./langmore.js";
import { isPaid, placedText } from "./orderlists.js";

const LABELS = [
  ["peg", t("Price taken from")], ["level", t("Levels deeper")], ["stop", t("Trigger")], ["stopLimit", t("Stop limit")], ["trail", t("Distance")],
  ["iceberg", t("Shown in the book")], ["thenSide", t("Then, on")], ["thenPrice", t("Then at")], ["thenStop", t("Then trigger")],
  ["thenLimit", t("Then stop limit")], ["thenQuantity", t("Then quantity")],
];
const OPTIONS = {
  peg: [["PRIMARY_PEG", t("the best of your side")], ["MARKET_PEG", t("the best of the other side")]],
  thenSide: [["OTHER", t("the other side")], ["SAME", t("the same side")]],
};
const UNITS = { trail: () => "%", iceberg: ({ base }) => base, thenQuantity: ({ base }) => base, peg: () => "", level: () => "", thenSide: () => "" };

/** The fields of one form. */
export class MoreFields {
  /** @param {HTMLElement} quantity which they stand in front of @param {() => void} onInput */
  constructor(quantity, onInput) {
    this._says = make("p", { class: "hint says" });
    this._parts = Object.fromEntries(LABELS.map(([name, label]) => [name, partOf(name, label, onInput)]));
    byId("price-field").before(this._says);
    quantity.before(...Object.values(this._parts).flatMap(({ field, problem }) => [field, problem]));
    this._quantity = quantity;
  }

  /** Whether the form's own price field belongs to the kind. */
  hasPrice(kind) {
    return hasPrice(kind);
  }

  /** Whether the kind has this field. */
  has(kind, name) {
    return FIELDS[kind]?.includes(name) ?? false;
  }

  /** Whether the kind begins with a purchase. */
  isPurchase(kind) {
    return isPaid(kind);
  }

  /** @returns {ReturnType<typeof checkConditional>} */
  check(order, market, last) {
    return checkConditional(order, market, last);
  }

  /** @returns {ReturnType<typeof foreseen>} */
  foresee(order, market, now) {
    return foreseen(order, market, now);
  }

  /** What is said when a list is taken. */
  placedText(kind) {
    return placedText(kind);
  }

  /** @param {string} kind @param {import("./rules.js").Market} market */
  use(kind, market) {
    const wanted = FIELDS[kind] ?? [];
    for (const [name, { input, unit, field, problem }] of Object.entries(this._parts)) {
      field.hidden = !wanted.includes(name);
      setText(problem, "");
      if (field.hidden && !OPTIONS[name]) input.value = "";
      if (!OPTIONS[name]) input.placeholder = OPTIONAL[kind]?.includes(name) ? t("optional") : "";
      setText(unit, UNITS[name] ? UNITS[name](market) : market.quote);
    }
    setText(this._says, SAYS[kind] ?? "");
    this._says.hidden = !SAYS[kind];
    // What waits for an order stands behind that order's quantity.
    const isLater = wanted.some((name) => name.startsWith("then"));
    if (isLater) byId("quantity-problem").after(...this._later());
    else this._quantity.before(...this._later());
  }

  _later() {
    return Object.entries(this._parts).filter(([name]) => name.startsWith("then")).flatMap(([, { field, problem }]) => [field, problem]);
  }

  /** Take a price that was chosen elsewhere. @returns {boolean} whether the kind has a field for it */
  fill(kind, price) {
    if (!this.has(kind, "stop")) return false;
    this._parts.stop.input.value = price;
    return true;
  }

  /** Nothing of the last order is the next one's. */
  clear() {
    for (const [name, { input }] of Object.entries(this._parts)) {
      if (!OPTIONS[name]) input.value = "";
    }
  }

  /** @returns {Record<string, string>} what was typed */
  values() {
    return Object.fromEntries(Object.entries(this._parts).map(([name, { input }]) => [name, typed(input.value)]));
  }

  /** @param {Record<string, string>} problems by field @param {boolean} isAll also of fields that are empty */
  tell(problems, isAll) {
    for (const [name, { input, problem }] of Object.entries(this._parts)) {
      const text = problems[name] && (isAll || input.value !== "") ? problems[name] : "";
      setText(problem, text);
      input.setAttribute("aria-invalid", String(text !== ""));
    }
  }

  /** @param {Record<string, string>} problems @returns {boolean} whether the first faulty field of these has the focus now */
  focus(problems) {
    const name = Object.keys(this._parts).find((one) => problems[one]);
    if (name) this._parts[name].input.focus();
    return name !== undefined;
  }
}

function partOf(name, label, onInput) {
  const id = `more-${name}`;
  const about = { id, "aria-describedby": `${id}-problem`, input: onInput };
  const input = OPTIONS[name]
    ? make("select", about, OPTIONS[name].map(([value, text]) => make("option", { value }, [text])))
    : make("input", { ...about, inputmode: "decimal", maxlength: "30" });
  const unit = make("span", { class: "unit" });
  const field = make("div", { class: "field" }, [make("label", { for: id }, [label]), input, unit]);
  return { input, unit, field, problem: make("p", { class: "problem", id: `${id}-problem` }) };
}
