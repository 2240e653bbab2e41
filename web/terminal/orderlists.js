// Lists of orders: two of which one ends the other, and orders that wait until another one is filled
// (POST /api/v3/orderList/...). Pure.

import { plain, shown } from "./decimal.js";
import { t } from "./lang.js";
import "./langmore.js";
import { readable } from "./rules.js";

/** Of a kind that is a list -> the end of its address. */
export const LISTS = { OCO: "oco", OTO: "oto", OTOCO: "otoco", OPO: "opo", OPOCO: "opoco" };
/** Of kinds that begin with a purchase, what is bought is what is sold. */
export const isPaid = (kind) => kind === "OPO" || kind === "OPOCO";
/** Kinds of which two orders wait for the first. */
export const hasPair = (kind) => kind === "OTOCO" || kind === "OPOCO";

/**
 * The side of what waits.
 * @param {{side: "BUY" | "SELL", type: string, thenSide: string}} order
 * @returns {"BUY" | "SELL"}
 */
export function thenSideOf({ side, type, thenSide }) {
  if (type === "OTO" && thenSide === "SAME") return side;
  return side === "BUY" ? "SELL" : "BUY";
}

/** Above the market a buyer's stop loss and a seller's take profit wait, below it the other two. */
export function triggerType(side, isAbove) {
  return (side === "BUY") === isAbove ? "STOP_LOSS" : "TAKE_PROFIT";
}

/** A pair: the limit where it gets better, the stop where it gets worse. `place` names the parameters of a leg. */
function legsOf(side, { limit, stop, stopLimit }, place) {
  const [limitLeg, stopLeg] = (side === "SELL" ? ["Above", "Below"] : ["Below", "Above"]).map(place);
  const legs = { [`${limitLeg}Type`]: "LIMIT_MAKER", [`${limitLeg}Price`]: readable(limit), [`${stopLeg}StopPrice`]: readable(stop) };
  if (stopLimit === undefined) return { ...legs, [`${stopLeg}Type`]: "STOP_LOSS" };
  return { ...legs, [`${stopLeg}Type`]: "STOP_LOSS_LIMIT", [`${stopLeg}Price`]: readable(stopLimit), [`${stopLeg}TimeInForce`]: "GTC" };
}

/** The one order that waits: at a price, from a trigger on, or both. */
function pendingOf(side, { price, thenPrice, thenStop }) {
  const found = {};
  if (thenPrice !== undefined) Object.assign(found, { pendingPrice: readable(thenPrice), pendingTimeInForce: "GTC" });
  if (thenStop === undefined) return { ...found, pendingType: "LIMIT" };
  const base = triggerType(side, thenStop > price);
  return { ...found, pendingStopPrice: readable(thenStop), pendingType: thenPrice === undefined ? base : `${base}_LIMIT` };
}

/**
 * What is wrong with a list whose numbers are right each by itself.
 * @param {{side: "BUY" | "SELL", type: string, thenSide: string}} order
 * @param {Record<string, bigint>} found numbers of the form, in 10**-8
 * @param {bigint} last the market's last price in 10**-8, 0: none
 * @param {import("./rules.js").Market} market
 * @returns {Record<string, string>} by field
 */
export function listProblems(order, found, last, market) {
  const { type, side } = order;
  if (isPaid(type) && side !== "BUY") return { quantity: t("This kind begins with a purchase: choose Buy.") };
  if (type === "OCO") return last > 0n ? pairProblems(side, found.price, found.stop, last, market, ["price", "stop"]) : {};
  if (hasPair(type)) {
    return pairProblems(thenSideOf(order), found.thenPrice, found.thenStop, found.price, market, ["thenPrice", "thenStop"]);
  }
  return found.thenPrice === undefined && found.thenStop === undefined
    ? { thenPrice: t("What waits needs a price, a trigger, or both.") } : {};
}

/** A pair's two prices lie on both sides of the price that counts: the stop where it gets worse. */
function pairProblems(side, limit, stop, at, market, [limitName, stopName]) {
  const isBuy = side === "BUY";
  const isThen = limitName !== "price";
  const values = { last: plain(shown(readable(at), market.priceDecimals)) };
  if (stop === at || stop > at !== isBuy) {
    if (isThen) return { [stopName]: isBuy ? t("The trigger of a purchase lies above the first order's price ({last}).", values) : t("The trigger of a sale lies below the first order's price ({last}).", values) };
    return { [stopName]: isBuy ? t("The trigger of a purchase lies above the market ({last}).", values) : t("The trigger of a sale lies below the market ({last}).", values) };
  }
  if (limit === at || limit > at === isBuy) {
    if (isThen) return { [limitName]: isBuy ? t("The limit of a purchase lies below the first order's price ({last}).", values) : t("The limit of a sale lies above the first order's price ({last}).", values) };
    return { [limitName]: isBuy ? t("The limit of a purchase lies below the market ({last}).", values) : t("The limit of a sale lies above the market ({last}).", values) };
  }
  return {};
}

/**
 * The parameters of a list, without listClientOrderId.
 * @param {{side: "BUY" | "SELL", type: string, thenSide: string}} order
 * @param {Record<string, bigint>} found numbers of the form, in 10**-8
 * @param {string} symbol
 * @returns {Record<string, string>}
 */
export function listParameters(order, found, symbol) {
  const { type, side } = order;
  const quantity = readable(found.quantity);
  if (type === "OCO") {
    const prices = { limit: found.price, stop: found.stop, stopLimit: found.stopLimit };
    return { symbol, side, quantity, ...legsOf(side, prices, (leg) => leg.toLowerCase()) };
  }
  const thenSide = thenSideOf(order);
  const pair = { limit: found.thenPrice, stop: found.thenStop, stopLimit: found.thenLimit };
  return {
    symbol, workingType: "LIMIT", workingSide: side, workingPrice: readable(found.price), workingQuantity: quantity, workingTimeInForce: "GTC",
    pendingSide: thenSide,
    ...(isPaid(type) ? {} : { pendingQuantity: found.thenQuantity === undefined ? quantity : readable(found.thenQuantity) }),
    ...(hasPair(type) ? legsOf(thenSide, pair, (leg) => `pending${leg}`) : pendingOf(thenSide, found)),
  };
}

/** What is said when the list is taken. @param {string} kind @returns {string} */
export function placedText(kind) {
  if (kind === "OCO") return t("Both orders are placed.");
  return hasPair(kind) ? t("The first order is placed, and two wait for it.") : t("The first order is placed, and one waits for it.");
}
