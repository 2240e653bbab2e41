// An open order at another price or of another quantity: a dialog with both. Less of it keeps its place in the queue,
// anything else is cancelled and placed anew in one request.

import { grouped, plain, shown, toUnits, trimmed, typed } from "./decimal.js";
import { make, setText } from "./dom.js";
import { t } from "./lang.js";
import "./langmore.js";
import { restOf } from "./orders.js";
import { checkOrder, readable } from "./rules.js";
import { sideWord } from "./words.js";

/**
 * What a change of an order is.
 * @param {import("./orders.js").Order} order
 * @param {{price: string, quantity: string}} wanted as `typed`; `quantity`: what shall be open
 * @param {import("./rules.js").Market} market
 * @returns {{problems: Record<string, string>, change: null | "none" | "less" | "anew", price?: string, quantity?: string}} `quantity`
 *   of "less": all of the order, with what is filled
 */
export function changeOf(order, wanted, market) {
  const { problems, parameters } = checkOrder({ ...order, ...wanted, byQuote: false }, market);
  if (parameters === null) return { problems, change: null };
  const units = (text) => toUnits(text, 8);
  const { price, quantity } = parameters;
  const [before, after] = [units(restOf(order)), units(quantity)];
  if (units(price) !== units(order.price) || after > before) return { problems, change: "anew", price, quantity };
  if (after === before) return { problems, change: "none" };
  return { problems, change: "less", price, quantity: readable(units(order.executed) + after) };
}

function field(id, label, value, unit) {
  const input = make("input", { id, inputmode: "decimal", maxlength: "30", value, autocomplete: "off", "aria-describedby": `${id}-problem` });
  const problem = make("p", { class: "problem", id: `${id}-problem` });
  return { input, problem, parts: [make("label", { for: id }, [`${label} (${unit})`]), input, problem] };
}

/**
 * Ask for a change, and carry it out; what is refused is said in the dialog.
 * @param {import("./orders.js").Order} order
 * @param {import("./rules.js").Market} market
 * @param {{less: (quantity: string) => Promise<void>, anew: (price: string, quantity: string) => Promise<void>}} ways
 */
export function askChange(order, market, ways) {
  const price = field("new-price", t("Price"), plain(shown(order.price, market.priceDecimals)), market.quote);
  const quantity = field("new-quantity", t("Quantity"), plain(restOf(order)), market.base);
  const answer = make("p", { class: "answer bad", role: "alert" });
  const press = make("button", { type: "submit", class: "accent", id: "order-change-yes" }, [t("Change")]);
  const words = { side: sideWord(order.side), quantity: `${grouped(trimmed(restOf(order)))} ${market.base}`, market: order.symbol, price: grouped(shown(order.price, market.priceDecimals)) };
  const entry = make("form", { novalidate: true }, [
    make("h2", { id: "order-change-title" }, [t("Change the order")]), make("p", {}, [t("{side} {quantity} {market} at {price}", words)]),
    ...price.parts, ...quantity.parts,
    make("p", { class: "hint" }, [t("A smaller quantity keeps its place in the queue. Another price, or more, goes behind the others.")]), answer,
    make("div", { class: "buttons" }, [make("button", { type: "button", class: "quiet", click: () => dialog.close() }, [t("Close")]), press]),
  ]);
  const dialog = make("dialog", { id: "order-change", "aria-labelledby": "order-change-title" }, [entry]);
  entry.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (press.disabled) return;
    const found = changeOf(order, { price: typed(price.input.value), quantity: typed(quantity.input.value) }, market);
    for (const [name, { input, problem }] of Object.entries({ price, quantity })) {
      setText(problem, found.problems[name] ?? "");
      input.setAttribute("aria-invalid", String(name in found.problems));
    }
    setText(answer, "");
    if (found.change === null) return;
    press.disabled = true;
    try {
      if (found.change === "less") await ways.less(found.quantity);
      if (found.change === "anew") await ways.anew(found.price, found.quantity);
      dialog.close();
    } catch (error) {
      setText(answer, error.message);
    } finally {
      press.disabled = false;
    }
  });
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  price.input.select();
}
