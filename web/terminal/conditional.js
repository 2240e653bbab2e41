// Kinds of orders with fields of their own: what each has, and the rules for it. Loaded when somebody chooses one; a
// market offers what GET /api/v3/exchangeInfo says of it. Pure.

import { plain, toUnits } from "./decimal.js";
import { t } from "./lang.js";
import "./langmore.js";
import { listParameters, listProblems, LISTS, triggerType } from "./orderlists.js";
import { checkedNumber, notionalProblem, readable } from "./rules.js";

const DECIMALS = 8;
const LEVELS_MAX = 100;
/** Which fields each kind has, in their order. */
export const FIELDS = {
  STOP_LIMIT: ["stop", "price"], STOP_MARKET: ["stop"], TRAILING: ["trail", "stop"], ICEBERG: ["price", "iceberg"], PEGGED: ["peg", "level"],
  OCO: ["price", "stop", "stopLimit"], OTO: ["price", "thenSide", "thenPrice", "thenStop", "thenQuantity"],
  OTOCO: ["price", "thenPrice", "thenStop", "thenLimit"], OPO: ["price", "thenPrice", "thenStop"],
  OPOCO: ["price", "thenPrice", "thenStop", "thenLimit"],
};
/** What may be left out. */
export const OPTIONAL = {
  OCO: ["stopLimit"], TRAILING: ["stop"], PEGGED: ["level"], OTO: ["thenPrice", "thenStop", "thenQuantity"], OTOCO: ["thenLimit"],
  OPO: ["thenPrice", "thenStop"], OPOCO: ["thenLimit"],
};
/** What each kind does, in words. */
export const SAYS = {
  STOP_LIMIT: t("Waits until the market reaches the trigger, then is a limit order."),
  STOP_MARKET: t("Waits until the market reaches the trigger, then is a market order."),
  TRAILING: t("Follows the market, and is a market order when the price turns by so much."),
  ICEBERG: t("A limit order of which the book shows a part at a time."),
  PEGGED: t("A limit order at the best price of the moment when it arrives; it does not follow later."),
  OCO: t("Two orders: a limit, and a stop on the other side of the market. The one that is reached ends the other."),
  OTO: t("A limit order, and another order that is placed when the first is filled whole. The fee of a purchase is taken from what it bought."),
  OTOCO: t("A limit order, and a limit and a stop that are placed when it is filled whole; the one that is reached ends the other."),
  OPO: t("A limit purchase, and a sale of what it bought, less the fee, as soon as it is filled."),
  OPOCO: t("A limit purchase, and a limit and a stop for what it bought, less the fee; the one that is reached ends the other."),
};
const PRICES = {
  price: t("Price"), stop: t("Trigger"), stopLimit: t("Stop limit"), thenPrice: t("Then at"), thenStop: t("Then trigger"), thenLimit: t("Then stop limit"),
};

/** @param {string} kind @returns {boolean} whether the form's own price field belongs to it */
export const hasPrice = (kind) => FIELDS[kind].includes("price");

function priceOf(text, market, what) {
  const { limits } = market;
  return checkedNumber(text, { minimum: limits.priceMin, maximum: limits.priceMax, step: limits.tick, unit: market.quote, what });
}

function quantityOf(text, market, what, maximum = market.limits.quantityMax) {
  return checkedNumber(text, { minimum: market.limits.quantityMin, maximum, step: market.limits.step, unit: market.base, what });
}

/** Hundredths of a percent, as the market's filter takes them, or a reason. */
function deltaOf(text, side, market) {
  const [minimum, maximum] = market.trailing[side];
  const range = () => t("The distance is from {least}% to {most}%, in steps of 0.01%.", { least: plain(String(minimum / 100)), most: plain(String(maximum / 100)) });
  if (!/^[0-9]{1,3}(\.[0-9]{1,2})?$/.test(text)) return { problem: range() };
  const delta = Number(toUnits(text, 2));
  return delta < minimum || delta > maximum ? { problem: range() } : { units: delta };
}

function levelOf(text) {
  const isRight = /^[0-9]{1,3}$/.test(text) && Number(text) >= 1 && Number(text) <= LEVELS_MAX;
  return isRight ? { units: Number(text) } : { problem: t("Levels deeper: a whole number from 1 to {most}.", { most: LEVELS_MAX }) };
}

/** The numbers of the form that the kind has, in 10**-8 (`trail`: in 0.01%, `level`: as it is), and what is wrong with which. */
function numbersOf(order, market) {
  const { type } = order;
  const [problems, found] = [{}, {}];
  const take = (name, { units, problem }) => {
    if (problem) problems[name] = problem;
    else found[name] = units;
  };
  const isAsked = (name) => FIELDS[type].includes(name) && !(OPTIONAL[type]?.includes(name) && order[name] === "");
  take("quantity", quantityOf(order.quantity, market, t("Quantity")));
  for (const [name, what] of Object.entries(PRICES)) {
    if (isAsked(name)) take(name, priceOf(order[name], market, what));
  }
  if (isAsked("trail")) take("trail", deltaOf(order.trail, order.side, market));
  if (isAsked("level")) take("level", levelOf(order.level));
  if (isAsked("thenQuantity")) take("thenQuantity", quantityOf(order.thenQuantity, market, t("Then quantity")));
  if (isAsked("iceberg")) {
    take("iceberg", quantityOf(order.iceberg, market, t("Shown in the book"), (found.quantity ?? market.limits.quantityMax) - 1n));
  }
  for (const name of Object.keys(PRICES)) {
    const field = name.startsWith("then") && found.thenQuantity !== undefined ? "thenQuantity" : "quantity";
    const problem = found[name] && found[field] ? notionalProblem(found[name], found[field], market) : "";
    if (problem) problems[field] ??= problem;
  }
  return { problems, found };
}

/**
 * Check an order of such a kind.
 * @param {{side: "BUY" | "SELL", type: string, timeInForce: string, quantity: string}} order `type`: a kind of FIELDS, with
 *   that kind's fields; all texts as `typed`
 * @param {import("./rules.js").Market} market
 * @param {string} last the market's last price, "" without one
 * @returns {{problems: Record<string, string>, parameters: Record<string, string> | null, list: string}} `list`: the end of
 *   the address for a list of orders, "" for one order
 */
export function checkConditional(order, market, last) {
  const { problems, found } = numbersOf(order, market);
  const list = LISTS[order.type] ?? "";
  const lastUnits = last === "" ? 0n : toUnits(last, DECIMALS);
  if (list && Object.keys(problems).length === 0) Object.assign(problems, listProblems(order, found, lastUnits, market));
  if (Object.keys(problems).length > 0) return { problems, parameters: null, list };
  const parameters = list ? listParameters(order, found, market.symbol) : {
    symbol: market.symbol, side: order.side, quantity: readable(found.quantity), ...termsOf(order, found, lastUnits),
  };
  return { problems, parameters, list };
}

/** What one order has beside market, side and quantity. */
function termsOf({ type, side, timeInForce, peg }, found, last) {
  const text = (name) => readable(found[name]);
  if (type === "ICEBERG") return { type: "LIMIT", price: text("price"), timeInForce: "GTC", icebergQty: text("iceberg") };
  if (type === "PEGGED") {
    const offset = found.level === undefined ? {} : { pegOffsetType: "PRICE_LEVEL", pegOffsetValue: String(found.level) };
    return { type: "LIMIT", timeInForce: "GTC", pegPriceType: peg, ...offset };
  }
  if (type === "TRAILING") {
    return { type: "STOP_LOSS", trailingDelta: String(found.trail), ...(found.stop === undefined ? {} : { stopPrice: text("stop") }) };
  }
  const base = triggerType(side, found.stop > last && last > 0n);
  if (type === "STOP_MARKET") return { type: base, stopPrice: text("stop") };
  return { type: `${base}_LIMIT`, stopPrice: text("stop"), price: text("price"), timeInForce };
}
