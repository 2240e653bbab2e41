// What an order with fields of its own would cost or bring, order by order of a list: its total, its fee, and how far from
// its trigger it may trade. By the book as it is now, so nothing of it is a promise. Pure.

import { fromUnits, grouped, plain, shown } from "./decimal.js";
import { estimateOf, FAR_PPM, feeText, unitsOf } from "./estimate.js";
import { t } from "./lang.js";
import "./langmore.js";
import { hasPair, isPaid, thenSideOf } from "./orderlists.js";

const SCALE = 10n ** 8n;
const PPM = 1_000_000n;
const ONE = 10_000n;
const ESTIMATE_LEVELS = 1000;

/**
 * @typedef {object} Leg one order of those that would be placed
 * @property {string} name in a list, "" alone
 * @property {"BUY" | "SELL"} side
 * @property {"now" | "rest" | "stopLimit" | "market"} way trades what it meets at once; rests until it is met; becomes a limit
 *   order at its trigger; becomes a market order there
 * @property {bigint} price in 10**-8; of "market" the trigger
 * @property {bigint} trigger in 10**-8, 0: none
 * @property {bigint} quantity in 10**-8
 * @property {boolean} [isAbout] whether the price is not the order's own
 */

/** Where a trailing stop would go to work if the price turned now. */
function trailedPrice({ side, stop, trail }, last) {
  const from = unitsOf(stop) || unitsOf(last);
  // Percent in 10**-8 to hundredths of a percent.
  const bips = unitsOf(trail) / 1_000_000n;
  return bips > 0n && bips < ONE ? (from * (side === "BUY" ? ONE + bips : ONE - bips)) / ONE : 0n;
}

/** The price that a pegged order would take now, 0 without one. */
function peggedPrice({ side, peg, level }, top) {
  const isOwn = peg === "PRIMARY_PEG";
  const deeper = level === "" ? 0 : Number(level);
  if (!Number.isInteger(deeper) || deeper < 0 || deeper > 100) return 0n;
  return top((side === "BUY") === isOwn ? "bids" : "asks", deeper + 1)[deeper]?.units ?? 0n;
}

/** A stop: a limit order from its trigger on, or a market order. */
function stopLeg(name, side, trigger, limit, quantity) {
  const isLimit = limit !== "";
  return { name, side, quantity, trigger: unitsOf(trigger), price: unitsOf(isLimit ? limit : trigger), way: isLimit ? "stopLimit" : "market", isAbout: !isLimit };
}

/** @returns {Leg[]} */
function legsOf(order, { last, top, rates }) {
  const { type, side } = order;
  const quantity = unitsOf(order.quantity);
  const limitLeg = (name, legSide, price, way, count = quantity) => ({ name, side: legSide, way, quantity: count, price: unitsOf(price), trigger: 0n });
  if (type === "STOP_LIMIT") return [stopLeg("", side, order.stop, order.price, quantity)];
  if (type === "STOP_MARKET") return [stopLeg("", side, order.stop, "", quantity)];
  if (type === "ICEBERG") return [limitLeg("", side, order.price, "now")];
  if (type === "PEGGED") return [{ ...limitLeg("", side, "", "now"), price: peggedPrice(order, top), isAbout: true }];
  if (type === "TRAILING") {
    const trigger = trailedPrice(order, last);
    return [{ name: "", side, way: "market", quantity, price: trigger, trigger, isAbout: true }];
  }
  if (type === "OCO") return [limitLeg(t("Limit"), side, order.price, "rest"), stopLeg(t("Stop"), side, order.stop, order.stopLimit, quantity)];
  const thenSide = thenSideOf(order);
  const fee = isPaid(type) && rates && rates.paidIn === "" ? (quantity * unitsOf(rates.maker)) / SCALE : 0n;
  const later = type === "OTO" && unitsOf(order.thenQuantity) > 0n ? unitsOf(order.thenQuantity) : quantity - fee;
  const first = limitLeg(t("First"), side, order.price, "now");
  if (hasPair(type)) {
    return [first, limitLeg(t("Then limit"), thenSide, order.thenPrice, "rest", later), stopLeg(t("Then stop"), thenSide, order.thenStop, order.thenLimit, later)];
  }
  if (order.thenStop !== "") return [first, stopLeg(t("Then"), thenSide, order.thenStop, order.thenPrice, later)];
  return [first, limitLeg(t("Then"), thenSide, order.thenPrice, "rest", later)];
}

const percent = (ppm) => plain(fromUnits(ppm / 100n, 2));

/** How far from where it should trade it may, and its fee's base; by the book as it is. */
function judged(leg, market, top) {
  const { side, way, price, trigger, quantity } = leg;
  const levels = way === "now" || way === "market" ? top(side === "BUY" ? "asks" : "bids", ESTIMATE_LEVELS) : [];
  const order = { side, type: way === "market" ? "MARKET" : "LIMIT", price: fromUnits(price, 8), quantity: fromUnits(quantity, 8) };
  const estimate = estimateOf(order, levels);
  const total = (price * quantity) / SCALE;
  if (way === "now") {
    const at = estimate?.filled > 0n ? grouped(shown(fromUnits(estimate.average, 8), market.priceDecimals)) : "";
    const text = at && t("≈ {price} on average, {percent}% from the best", { price: `${at} ${market.quote}`, percent: percent(estimate.slippagePpm) });
    const [taken, takenQuote] = [estimate?.filled ?? 0n, estimate?.quote ?? 0n];
    const restQuote = ((quantity - taken) * price) / SCALE;
    return { estimate, text, taker: side === "BUY" ? taken : takenQuote, maker: side === "BUY" ? quantity - taken : restQuote };
  }
  const comesIn = side === "BUY" ? quantity : total;
  if (way === "rest") return { estimate: null, text: "", taker: 0n, maker: comesIn };
  if (way === "market") {
    const text = estimate ? t("≈ {percent}% from the trigger, by the book as it is", { percent: percent(estimate.slippagePpm) }) : "";
    return { estimate, text, taker: comesIn, maker: 0n };
  }
  const worse = side === "BUY" ? price - trigger : trigger - price;
  const ppm = trigger > 0n && worse > 0n ? (worse * PPM) / trigger : 0n;
  return { estimate: null, text: t("{percent}% from the trigger at most", { percent: percent(ppm) }), taker: comesIn, maker: 0n };
}

function warningOf(way, estimate) {
  if (way !== "market" || !estimate) return "";
  if (estimate.isShort) return t("The book has less than this: only a part would be filled.");
  return estimate.slippagePpm > FAR_PPM
    ? t("This order moves the market: on average {percent}% worse than the best price.", { percent: percent(estimate.slippagePpm) }) : "";
}

/**
 * What is to be said of an order before it is sent.
 * @param {object} order as for `checkConditional`
 * @param {import("./rules.js").Market} market
 * @param {{last: string, top: (side: "bids" | "asks", count: number) => import("./localbook.js").Level[],
 *   rates: import("./estimate.js").Rates | null | undefined}} now
 * @returns {{total: string, lines: string[], warning: string, estimate: import("./estimate.js").Estimate | null}} `total`: of the
 *   first order, "" while it is not known; `lines`: one an order; `estimate`: of the first, where it trades at once
 */
export function foreseen(order, market, now) {
  const legs = legsOf(order, now).filter(({ price, quantity }) => price > 0n && quantity > 0n);
  const decimals = Math.max(2, market.priceDecimals);
  const totalOf = ({ price, quantity, isAbout }) =>
    `${isAbout ? "≈ " : ""}${grouped(shown(fromUnits((price * quantity) / SCALE, 8), decimals))} ${market.quote}`;
  let [warning, first] = ["", null];
  const lines = legs.map((leg, index) => {
    const { estimate, text, taker, maker } = judged(leg, market, now.top);
    warning ||= warningOf(leg.way, estimate);
    if (index === 0 && leg.way === "now") first = estimate;
    const fee = feeText(taker, maker, leg.side, market, now.rates);
    const parts = [leg.name && t("total {total}", { total: totalOf(leg) }), text, fee].filter(Boolean).join(" · ");
    return leg.name ? `${leg.name}: ${parts}` : parts;
  });
  return { total: legs.length > 0 ? totalOf(legs[0]) : "", lines: lines.filter(Boolean), warning, estimate: first };
}
