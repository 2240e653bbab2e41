// Orders that wait for a price, pairs of orders, and orders of which the book shows a part: their fields and rules.
// Loaded when somebody chooses one; a market offers what GET /api/v3/exchangeInfo says of it.

import { make, setText } from "./dom.js";
import { plain, shown, toUnits, typed } from "./decimal.js";
import { t } from "./lang.js";
import { checkedNumber, notionalProblem, readable } from "./rules.js";

const DECIMALS = 8;
/** Which fields each kind has, in their order. */
const FIELDS = {
  STOP_LIMIT: ["stop", "price"], STOP_MARKET: ["stop"], TRAILING: ["trail", "stop"], OCO: ["price", "stop", "stopLimit"],
  ICEBERG: ["price", "iceberg"],
};
/** What each kind does, in words. */
const SAYS = {
  STOP_LIMIT: t("Waits until the market reaches the trigger, then is a limit order."),
  STOP_MARKET: t("Waits until the market reaches the trigger, then is a market order."),
  TRAILING: t("Follows the market, and is a market order when the price turns by so much."),
  ICEBERG: t("A limit order of which the book shows a part at a time."),
  OCO: t("Two orders: a limit, and a stop on the other side of the market. The one that is reached ends the other."),
};
const OPTIONAL = { OCO: "stopLimit", TRAILING: "stop" };

/** @param {string} kind @returns {boolean} whether the form's own price field belongs to it */
export const hasPrice = (kind) => FIELDS[kind].includes("price");

const isAbove = (price, last) => toUnits(price, DECIMALS) > toUnits(last, DECIMALS);

/** Above the market a buyer's stop loss and a seller's take profit wait, below it the other two. */
function triggerType(side, stop, last) {
  return (side === "BUY") === isAbove(stop, last) ? "STOP_LOSS" : "TAKE_PROFIT";
}

function priceOf(text, market, what) {
  const { limits } = market;
  return checkedNumber(text, { minimum: limits.priceMin, maximum: limits.priceMax, step: limits.tick, unit: market.quote, what });
}

/** Hundredths of a percent, as the market's filter takes them, or a reason. */
function deltaOf(text, side, market) {
  const [minimum, maximum] = market.trailing[side];
  const range = () => t("The distance is from {least}% to {most}%, in steps of 0.01%.", { least: plain(String(minimum / 100)), most: plain(String(maximum / 100)) });
  if (!/^[0-9]{1,3}(\.[0-9]{1,2})?$/.test(text)) return { problem: range() };
  const delta = Number(toUnits(text, 2));
  return delta < minimum || delta > maximum ? { problem: range() } : { delta };
}

/**
 * Check an order of such a kind.
 * @param {{side: "BUY" | "SELL", type: string, timeInForce: string, price: string, quantity: string, stop: string,
 *   stopLimit: string, trail: string, iceberg: string}} order `type`: a kind of FIELDS; all texts as `typed`
 * @param {import("./rules.js").Market} market
 * @param {string} last the market's last price, "" without one
 * @returns {{problems: Record<string, string>, parameters: Record<string, string> | null, isPair: boolean}}
 */
export function checkConditional(order, market, last) {
  const { side, type } = order;
  const { limits } = market;
  const wanted = FIELDS[type];
  const problems = {};
  const found = {};
  const take = (name, { units, problem }) => {
    if (problem) problems[name] = problem;
    else found[name] = units;
  };
  take("quantity", checkedNumber(order.quantity, {
    minimum: limits.quantityMin, maximum: limits.quantityMax, step: limits.step, unit: market.base, what: t("Quantity"),
  }));
  if (wanted.includes("price")) take("price", priceOf(order.price, market, t("Price")));
  for (const [name, what] of [["stop", t("Trigger")], ["stopLimit", t("Stop limit")]]) {
    if (wanted.includes(name) && !(OPTIONAL[type] === name && order[name] === "")) take(name, priceOf(order[name], market, what));
  }
  let delta;
  if (type === "TRAILING") {
    const checked = deltaOf(order.trail, side, market);
    if (checked.problem) problems.trail = checked.problem;
    delta = checked.delta;
  }
  if (type === "ICEBERG") {
    take("iceberg", checkedNumber(order.iceberg, {
      minimum: limits.quantityMin, maximum: (found.quantity ?? limits.quantityMax) - 1n, step: limits.step, unit: market.base, what: t("Shown in the book"),
    }));
  }
  for (const name of ["price", "stop", "stopLimit"]) {
    const problem = found[name] && found.quantity ? notionalProblem(found[name], found.quantity, market) : "";
    if (problem) problems.quantity ??= problem;
  }
  if (last !== "" && Object.keys(problems).length === 0) Object.assign(problems, wrongSide(order, found, market, last));
  if (Object.keys(problems).length > 0) return { problems, parameters: null, isPair: false };
  const text = (name) => readable(found[name]);
  const parameters = { symbol: market.symbol, side, quantity: text("quantity") };
  if (type === "OCO") return { problems, parameters: pairOf(order, parameters, text, found), isPair: true };
  if (type === "ICEBERG") {
    Object.assign(parameters, { type: "LIMIT", price: text("price"), timeInForce: "GTC", icebergQty: text("iceberg") });
    return { problems, parameters, isPair: false };
  }
  if (type === "TRAILING") {
    Object.assign(parameters, { type: "STOP_LOSS", trailingDelta: String(delta) });
    if (found.stop) parameters.stopPrice = text("stop");
    return { problems, parameters, isPair: false };
  }
  const base = triggerType(side, order.stop, last === "" ? order.stop : last);
  Object.assign(parameters, { type: type === "STOP_LIMIT" ? `${base}_LIMIT` : base, stopPrice: text("stop") });
  if (type === "STOP_LIMIT") Object.assign(parameters, { price: text("price"), timeInForce: order.timeInForce });
  return { problems, parameters, isPair: false };
}

/** A pair's two prices lie on both sides of the market: the stop where it gets worse. */
function wrongSide({ side, type, price, stop }, found, market, last) {
  if (type !== "OCO" || !found.price || !found.stop) return {};
  const isBuy = side === "BUY";
  const now = { last: plain(shown(last, market.priceDecimals)) };
  if (isAbove(stop, last) !== isBuy) {
    return { stop: isBuy ? t("The trigger of a purchase lies above the market ({last}).", now) : t("The trigger of a sale lies below the market ({last}).", now) };
  }
  if (isAbove(price, last) === isBuy) {
    return { price: isBuy ? t("The limit of a purchase lies below the market ({last}).", now) : t("The limit of a sale lies above the market ({last}).", now) };
  }
  return {};
}

function pairOf({ side }, parameters, text, found) {
  const [limitLeg, stopLeg] = side === "SELL" ? ["above", "below"] : ["below", "above"];
  const pair = { ...parameters, [`${limitLeg}Type`]: "LIMIT_MAKER", [`${limitLeg}Price`]: text("price"), [`${stopLeg}StopPrice`]: text("stop") };
  if (!found.stopLimit) return { ...pair, [`${stopLeg}Type`]: "STOP_LOSS" };
  return { ...pair, [`${stopLeg}Type`]: "STOP_LOSS_LIMIT", [`${stopLeg}Price`]: text("stopLimit"), [`${stopLeg}TimeInForce`]: "GTC" };
}

/** The fields that the form has not by itself, in front of the quantity's. */
export class MoreFields {
  /** @param {HTMLElement} before @param {() => void} onInput */
  constructor(before, onInput) {
    this._says = make("p", { class: "hint says" });
    this._parts = Object.fromEntries([
      ["stop", t("Trigger")], ["stopLimit", t("Stop limit")], ["trail", t("Distance")], ["iceberg", t("Shown in the book")],
    ].map(([name, label]) => {
      const id = `more-${name}`;
      const input = make("input", { id, inputmode: "decimal", maxlength: "30", "aria-describedby": `${id}-problem`, input: onInput });
      const unit = make("span", { class: "unit" });
      const field = make("div", { class: "field" }, [make("label", { for: id }, [label]), input, unit]);
      const problem = make("p", { class: "problem", id: `${id}-problem` });
      before.before(field, problem);
      return [name, { input, unit, field, problem }];
    }));
    before.before(this._says);
  }

  /** @param {string} kind @param {import("./rules.js").Market} market */
  use(kind, market) {
    const wanted = FIELDS[kind] ?? [];
    for (const [name, { input, unit, field, problem }] of Object.entries(this._parts)) {
      field.hidden = !wanted.includes(name);
      setText(problem, "");
      if (field.hidden) input.value = "";
      input.placeholder = OPTIONAL[kind] === name ? t("optional") : "";
      setText(unit, name === "trail" ? "%" : name === "iceberg" ? market.base : market.quote);
    }
    setText(this._says, SAYS[kind] ?? "");
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
