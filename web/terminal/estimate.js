// What an order would do at once, by the book as it is: at which average price, how far from the best one, what it
// costs in fees. Nothing here is a promise: the book moves on.

import { fromUnits, toUnits } from "./decimal.js";

const DECIMALS = 8;
const SCALE = 10n ** BigInt(DECIMALS);
const PPM = 1_000_000n;
/** So much worse than the best price, in millionths, is worth a warning. */
export const FAR_PPM = 20_000n;

const units = (text) => {
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
  const wanted = units(order.quantity);
  const limit = order.type === "MARKET" ? 0n : units(order.price);
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
  const less = (rate) => fromUnits((units(rate) * units(discount.discount)) / SCALE, DECIMALS);
  return { maker: less(maker), taker: less(taker), paidIn: discount.discountAsset };
}

/**
 * The fee of an order that is filled in whole: what is traded at once at the taker's rate, the rest at the maker's.
 * It is taken from what comes in, or worth so much in another asset.
 * @param {{side: "BUY" | "SELL", type: string, price: string, quantity: string, byQuote?: boolean}} order
 * @param {Estimate | null} estimate
 * @param {Rates} rates such as "0.00100000"
 * @returns {string} in the base asset for a purchase, else in the quote asset; "0.00000000" for none
 */
export function feeOf(order, estimate, rates) {
  const filled = estimate?.filled ?? 0n;
  const rest = order.type === "MARKET" || order.byQuote ? 0n : units(order.quantity) - filled;
  const restQuote = (rest * units(order.price)) / SCALE;
  const [taken, made] = order.side === "BUY" ? [filled, rest] : [estimate?.quote ?? 0n, restQuote];
  return fromUnits((taken * units(rates.taker) + made * units(rates.maker)) / SCALE, DECIMALS);
}
