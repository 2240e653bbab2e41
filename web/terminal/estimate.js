// What an order would do at once, by the book as it is: at which average price, how far from the best one, what it
// costs in fees. Nothing here is a promise: the book moves on.

import { fromUnits, plain, toUnits, trimmed } from "./decimal.js";
import { t } from "./lang.js";

const DECIMALS = 8;
const SCALE = 10n ** BigInt(DECIMALS);
const PPM = 1_000_000n;
const DIGITS = 5;
/** So much worse than the best price, in millionths, is worth a warning. */
export const FAR_PPM = 20_000n;

/** A number that was typed, in 10**-8; 0 for what is none. @param {string} text @returns {bigint} */
export const unitsOf = (text) => {
  try {
    return toUnits(text, DECIMALS);
  } catch {
    return 0n;
  }
};

/**
 * @typedef {object} Estimate
 * @property {bigint} filled what is traded at once, in 10**-8 of the base asset
 * @property {bigint} quote what that costs or brings, in 10**-8 of the quote asset
 * @property {bigint} average price, in 10**-8; 0 without a fill
 * @property {bigint} slippagePpm how much worse than the best price the average is, in millionths
 * @property {bigint} farPpm how much worse than the best price the order's own limit is, in millionths; 0 for better
 * @property {boolean} isShort whether the book has less than the order takes at once
 */

/**
 * @param {{side: "BUY" | "SELL", type: string, price: string, quantity: string, byQuote?: boolean}} order
 * @param {import("./localbook.js").Level[]} levels of the other side, best first
 * @returns {Estimate | null} null without a quantity, or an empty other side
 */
export function estimateOf(order, levels) {
  const wanted = unitsOf(order.quantity);
  const limit = order.type === "MARKET" ? 0n : unitsOf(order.price);
  const [best] = levels;
  if (wanted === 0n || !best || (order.type !== "MARKET" && limit === 0n)) return null;
  const isBuy = order.side === "BUY";
  let [filled, quote] = [0n, 0n];
  let isWhole = false;
  for (const level of levels) {
    if (limit > 0n && (isBuy ? level.units > limit : level.units < limit)) break;
    const cost = (level.units * level.lots) / SCALE;
    const left = wanted - (order.byQuote ? quote : filled);
    const size = order.byQuote ? cost : level.lots;
    if (size >= left) {
      filled += order.byQuote ? (left * SCALE) / level.units : left;
      quote += order.byQuote ? left : (level.units * left) / SCALE;
      isWhole = true;
      break;
    }
    filled += level.lots;
    quote += cost;
  }
  const average = filled > 0n ? (quote * SCALE) / filled : 0n;
  const worse = (price) => {
    const ppm = ((isBuy ? price - best.units : best.units - price) * PPM) / best.units;
    return price > 0n && ppm > 0n ? ppm : 0n;
  };
  return {
    filled, quote, average, slippagePpm: worse(average), farPpm: worse(limit), isShort: order.type === "MARKET" && !isWhole,
  };
}

/** @typedef {{maker: string, taker: string, paidIn: string}} Rates `paidIn`: "" where a fee is taken from what comes in */

/**
 * What the next trade of an account costs in a market, by GET /api/v3/account/commission: less the discount where
 * the account pays in an asset that has one.
 * @param {object} commission
 * @returns {Rates}
 */
export function ratesOf({ standardCommission: { maker, taker }, discount }) {
  if (!discount.enabledForAccount || !discount.enabledForSymbol) return { maker, taker, paidIn: "" };
  const less = (rate) => fromUnits((unitsOf(rate) * unitsOf(discount.discount)) / SCALE, DECIMALS);
  return { maker: less(maker), taker: less(taker), paidIn: discount.discountAsset };
}

/**
 * What an order that is filled in whole brings in, by the rate that it is charged at.
 * @param {{side: "BUY" | "SELL", type: string, price: string, quantity: string, byQuote?: boolean}} order
 * @param {Estimate | null} estimate
 * @returns {{taken: bigint, made: bigint}} at once, and later; in 10**-8 of the base asset for a purchase, else of the quote asset
 */
export function broughtIn(order, estimate) {
  const filled = estimate?.filled ?? 0n;
  const rest = order.type === "MARKET" || order.byQuote ? 0n : unitsOf(order.quantity) - filled;
  if (order.side === "BUY") return { taken: filled, made: rest };
  return { taken: estimate?.quote ?? 0n, made: (rest * unitsOf(order.price)) / SCALE };
}

/** So many digits as tell something of an estimate; what is finer is cut off. */
function readable(units) {
  const text = fromUnits(units, DECIMALS);
  const [whole, fraction] = text.split(".");
  const zeros = whole === "0" ? /^0*/.exec(fraction)[0].length : 0;
  return `${whole}.${fraction.slice(0, whole === "0" ? zeros + DIGITS : Math.max(2, DIGITS - whole.length))}`;
}

/**
 * What that costs: the taker's rate of one part, the maker's of the other. It is taken from what comes in, or worth so
 * much in another asset.
 * @param {bigint} taken in 10**-8
 * @param {bigint} made in 10**-8
 * @param {"BUY" | "SELL"} side
 * @param {import("./rules.js").Market} market
 * @param {Rates | null | undefined} rates such as "0.00100000"
 * @returns {string} "fee ≈ 0.1 USDT", "" for none
 */
export function feeText(taken, made, side, { base, quote }, rates) {
  const units = rates ? (taken * unitsOf(rates.taker) + made * unitsOf(rates.maker)) / SCALE : 0n;
  if (units <= 0n) return "";
  const received = side === "BUY" ? base : quote;
  // Worth so much of what comes in; paid in another asset, if there is enough of it.
  const asset = rates.paidIn && rates.paidIn !== received ? `${received} → ${rates.paidIn}` : received;
  return t("fee ≈ {fee}", { fee: `${plain(trimmed(readable(units)))} ${asset}` });
}
