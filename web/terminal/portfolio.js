// What an account's assets are worth, what they cost on average, and what came of it. Pure; amounts in 10**-8.

import { fromUnits, toUnits } from "./decimal.js";

const DECIMALS = 8;
const SCALE = 10n ** BigInt(DECIMALS);
const units = (text) => toUnits(text, DECIMALS);
const least = (one, other) => (one < other ? one : other);

/** @typedef {{base: string, quote: string, symbol: string}} Pair */

/**
 * The rows of GET /v1/reports/fills, which has no text that would need quotes, in the order of time.
 * @param {string} csv
 * @returns {{market: string, side: string, quantity: string, total: string, fee: string, feeAsset: string}[]}
 */
export function fillsOf(csv) {
  const [head, ...lines] = csv.trim().split(/\r?\n/).map((line) => line.split(","));
  return lines.map((cells) => Object.fromEntries(head.map((name, at) => [name, cells[at]])));
}

/**
 * What was bought for `quote` and is not sold again, by asset, at its average cost; what was paid in another way
 * (deposits, other markets) has no cost here. A sale takes of both what it is worth on average.
 * @param {ReturnType<typeof fillsOf>} fills
 * @param {Pair[]} markets
 * @param {string} quote
 * @returns {Map<string, {quantity: bigint, cost: bigint, realised: bigint}>}
 */
export function costsOf(fills, markets, quote) {
  const bases = new Map(markets.filter((market) => market.quote === quote).map(({ symbol, base }) => [symbol, base]));
  const costs = new Map();
  for (const { market, side, quantity, total, fee, feeAsset } of fills) {
    const base = bases.get(market);
    if (base === undefined) continue;
    const known = costs.get(base) ?? { quantity: 0n, cost: 0n, realised: 0n };
    costs.set(base, known);
    const [amount, paid, cut] = [units(quantity), units(total), units(fee)];
    if (side === "BUY") {
      known.quantity += amount - (feeAsset === base ? cut : 0n);
      known.cost += paid + (feeAsset === quote ? cut : 0n);
    } else {
      const sold = least(amount, known.quantity);
      if (sold === 0n) continue;
      const share = (known.cost * sold) / known.quantity;
      const income = ((paid - (feeAsset === quote ? cut : 0n)) * sold) / amount;
      known.quantity -= sold;
      known.cost -= share;
      known.realised += income - share;
    }
  }
  return costs;
}

/**
 * The last price of an asset in `quote`: of its market, of the market the other way round, or by way of a third asset.
 * @param {string} asset
 * @param {string} quote
 * @param {Pair[]} markets
 * @param {Map<string, string>} prices by symbol
 * @returns {bigint | null} null where no way leads
 */
export function priceIn(asset, quote, markets, prices) {
  if (asset === quote) return SCALE;
  const direct = (from, to) => {
    for (const { base, quote: other, symbol } of markets) {
      const price = prices.has(symbol) ? units(prices.get(symbol)) : 0n;
      if (price === 0n) continue;
      if (base === from && other === to) return price;
      if (base === to && other === from) return (SCALE * SCALE) / price;
    }
    return null;
  };
  const straight = direct(asset, quote);
  if (straight !== null) return straight;
  for (const third of new Set(markets.flatMap(({ base, quote: other }) => [base, other]))) {
    const [there, on] = [direct(asset, third), direct(third, quote)];
    if (there !== null && on !== null) return (there * on) / SCALE;
  }
  return null;
}

/**
 * A row an asset that is held, the dearest first, and the sums. Texts, or null for what is not known.
 * @param {{balances: {asset: string, free: string, locked: string}[], fills: ReturnType<typeof fillsOf>, markets: Pair[],
 *   prices: Map<string, string>, quote: string}} known
 */
export function portfolioOf({ balances, fills, markets, prices, quote }) {
  const costs = costsOf(fills, markets, quote);
  const text = (amount) => (amount === null ? null : fromUnits(amount, DECIMALS));
  const sums = { value: 0n, profit: 0n, realised: 0n };
  for (const { realised } of costs.values()) sums.realised += realised;
  const rows = balances.map(({ asset, free, locked }) => {
    const held = units(free) + units(locked);
    const price = priceIn(asset, quote, markets, prices);
    const value = price === null ? null : (held * price) / SCALE;
    const cost = costs.get(asset);
    // What has left the account took its cost along.
    const counted = cost ? least(cost.quantity, held) : 0n;
    const paid = counted > 0n ? (cost.cost * counted) / cost.quantity : 0n;
    const profit = counted > 0n && price !== null ? (counted * price) / SCALE - paid : null;
    sums.value += value ?? 0n;
    sums.profit += profit ?? 0n;
    return { asset, held, price, value, average: counted > 0n ? (cost.cost * SCALE) / cost.quantity : null, profit };
  }).filter(({ held }) => held > 0n);
  rows.sort((one, other) => Number((other.value ?? -1n) - (one.value ?? -1n)) || (one.asset < other.asset ? -1 : 1));
  return {
    rows: rows.map((row) => ({
      asset: row.asset, held: text(row.held), price: text(row.price), value: text(row.value), average: text(row.average), profit: text(row.profit),
    })),
    value: text(sums.value), profit: text(sums.profit), realised: text(sums.realised),
  };
}
