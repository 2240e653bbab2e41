// The rules of a market, and orders checked against them. All amounts are texts; arithmetic is exact.

import { DecimalError, decimalsOf, floorTo, fromUnits, grouped, plain, shown, toUnits, trimmed } from "./decimal.js";
import { t } from "./lang.js";

// The exchange counts every asset in 10**-8.
const DECIMALS = 8;
const SCALE = 10n ** BigInt(DECIMALS);

/**
 * @typedef {object} Market
 * @property {string} symbol
 * @property {string} base code of what is traded
 * @property {string} quote code of what is paid with
 * @property {string} status "TRADING" or another word
 * @property {number} priceDecimals
 * @property {number} quantityDecimals
 * @property {Record<string, bigint>} limits in 10**-8: tick, priceMin, priceMax, step, quantityMin, quantityMax,
 *   marketQuantityMax, notionalMin, notionalMax
 * @property {string[]} kinds what the form offers: "LIMIT", "MARKET", "LIMIT_MAKER", "STOP_LIMIT", "STOP_MARKET", "TRAILING", "OCO",
 *   "ICEBERG", "PEGGED", "OTO", "OTOCO", "OPO", "OPOCO"
 * @property {{modes: string[], usual: string}} selfTrade what may be asked for where an order meets one of the same account
 * @property {Record<"BUY" | "SELL", [number, number]>} trailing least and most distance in hundredths of a percent
 * @property {Record<"BUY" | "SELL", [string, string]>} band what the average price is multiplied by: lowest, highest
 */

/**
 * A market from an element of `symbols` of GET /api/v3/exchangeInfo.
 * @param {object} symbol
 * @returns {Market}
 */
export function marketOf(symbol) {
  const filters = Object.fromEntries(symbol.filters.map((filter) => [filter.filterType, filter]));
  const { PRICE_FILTER: price, LOT_SIZE: lot, NOTIONAL: notional, PERCENT_PRICE_BY_SIDE: band } = filters;
  const units = (text) => toUnits(text, DECIMALS);
  return {
    symbol: symbol.symbol,
    base: symbol.baseAsset,
    quote: symbol.quoteAsset,
    status: symbol.status,
    kinds: kindsOf(symbol),
    selfTrade: { modes: symbol.allowedSelfTradePreventionModes ?? [], usual: symbol.defaultSelfTradePreventionMode ?? "" },
    trailing: trailingOf(filters.TRAILING_DELTA),
    priceDecimals: decimalsOf(price.tickSize),
    quantityDecimals: decimalsOf(lot.stepSize),
    limits: {
      tick: units(price.tickSize), priceMin: units(price.minPrice), priceMax: units(price.maxPrice),
      step: units(lot.stepSize), quantityMin: units(lot.minQty), quantityMax: units(lot.maxQty),
      marketQuantityMax: units(filters.MARKET_LOT_SIZE?.maxQty ?? lot.maxQty),
      notionalMin: units(notional.minNotional), notionalMax: units(notional.maxNotional),
    },
    band: {
      BUY: [band?.bidMultiplierDown, band?.bidMultiplierUp], SELL: [band?.askMultiplierDown, band?.askMultiplierUp],
    },
  };
}

/** The form's kinds of orders, as far as the market takes them. */
function kindsOf({ orderTypes, ocoAllowed, otoAllowed, opoAllowed, allowTrailingStop, icebergAllowed, pegInstructionsAllowed }) {
  const has = (...types) => types.every((type) => orderTypes.includes(type));
  const isPaired = ocoAllowed && has("STOP_LOSS", "LIMIT_MAKER");
  return [
    ...["LIMIT", "MARKET", "LIMIT_MAKER"].filter((type) => has(type)),
    ...(has("STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT") ? ["STOP_LIMIT"] : []),
    ...(has("STOP_LOSS", "TAKE_PROFIT") ? ["STOP_MARKET"] : []),
    ...(allowTrailingStop && has("STOP_LOSS") ? ["TRAILING"] : []),
    ...(isPaired ? ["OCO"] : []),
    ...(icebergAllowed && has("LIMIT") ? ["ICEBERG"] : []),
    ...(pegInstructionsAllowed && has("LIMIT") ? ["PEGGED"] : []),
    ...(otoAllowed ? ["OTO", ...(isPaired ? ["OTOCO"] : [])] : []),
    ...(opoAllowed ? ["OPO", ...(isPaired ? ["OPOCO"] : [])] : []),
  ];
}

/** A purchase's stop loss waits above the market, a sale's below. */
function trailingOf(filter) {
  return {
    BUY: [filter?.minTrailingAboveDelta ?? 10, filter?.maxTrailingAboveDelta ?? 2000],
    SELL: [filter?.minTrailingBelowDelta ?? 10, filter?.maxTrailingBelowDelta ?? 2000],
  };
}

/** Units of 10**-8 without zeros at the end, as the API takes them. @param {bigint} units @returns {string} */
export const readable = (units) => trimmed(fromUnits(units, DECIMALS));

/**
 * The units of a text that a filter takes, or a reason for people.
 * @param {string} text
 * @param {{minimum: bigint, maximum: bigint, step: bigint, unit: string, what: string}} rule `what`: the field's name
 * @returns {{units?: bigint, problem?: string}}
 */
export function checkedNumber(text, { minimum, maximum, step, unit, what }) {
  if (text === "") return { problem: t("{what}: enter a number.", { what }) };
  // As `typed` leaves what may mean two things.
  if (/^[0-9]{1,3}\.[0-9]{3}\?$/.test(text)) {
    const [one, other] = [text.replace(/[.?]/g, ""), text.replace(".", ",").slice(0, -1)];
    return { problem: t("{what}: does the point divide thousands, or decimals? Write {one} or {other}.", { what, one, other }) };
  }
  let units;
  try {
    units = toUnits(text, DECIMALS);
  } catch (error) {
    if (!(error instanceof DecimalError)) throw error;
    if (/^[0-9]+,[0-9]+$/.test(text)) return { problem: t("{what}: write a point before decimals, as in 0.5.", { what }) };
    return { problem: /\.[0-9]{9}/.test(text) ? t("{what}: at most {count} decimals.", { what, count: DECIMALS }) : t("{what}: not a number.", { what }) };
  }
  const value = (limit) => ({ what, limit: `${plain(readable(limit))} ${unit}` });
  if (units < minimum) return { problem: t("{what}: at least {limit}.", value(minimum)) };
  if (units > maximum) return { problem: t("{what}: at most {limit}.", value(maximum)) };
  if (units % step !== 0n) return { problem: t("{what}: in steps of {limit}.", value(step)) };
  return { units };
}

/** What is wrong with price × quantity, "" for nothing. @returns {string} */
export function notionalProblem(price, quantity, { limits, quote }) {
  const notional = (price * quantity) / SCALE;
  const value = (limit) => ({ what: t("Total"), limit: `${plain(readable(limit))} ${quote}` });
  if (notional < limits.notionalMin) return t("{what}: at least {limit}.", value(limits.notionalMin));
  return notional > limits.notionalMax ? t("{what}: at most {limit}.", value(limits.notionalMax)) : "";
}

/**
 * Check an order against the market's filters.
 * @param {{side: "BUY" | "SELL", type: string, timeInForce?: string, price: string, quantity: string,
 *   byQuote?: boolean}} order `byQuote`: a MARKET order whose `quantity` is in the quote asset
 * @param {Market} market
 * @returns {{problems: Record<string, string>, parameters: Record<string, string> | null}} `problems` by field;
 *   `parameters` for POST /api/v3/order, without newClientOrderId, when there are none
 */
export function checkOrder(order, market) {
  const { limits } = market;
  const isMarket = order.type === "MARKET";
  const byQuote = isMarket && Boolean(order.byQuote);
  const price = isMarket ? {} : checkedNumber(order.price, {
    minimum: limits.priceMin, maximum: limits.priceMax, step: limits.tick, unit: market.quote, what: t("Price"),
  });
  const quantity = byQuote
    ? checkedNumber(order.quantity, {
      minimum: limits.notionalMin, maximum: limits.notionalMax, step: 1n, unit: market.quote, what: t("Total"),
    })
    : checkedNumber(order.quantity, {
      minimum: limits.quantityMin,
      maximum: isMarket && limits.marketQuantityMax < limits.quantityMax ? limits.marketQuantityMax : limits.quantityMax,
      step: limits.step, unit: market.base, what: t("Quantity"),
    });
  const problems = {};
  if (price.problem) problems.price = price.problem;
  if (quantity.problem) problems.quantity = quantity.problem;
  if (price.units !== undefined && quantity.units !== undefined) {
    const problem = notionalProblem(price.units, quantity.units, market);
    if (problem) problems.quantity = problem;
  }
  if (Object.keys(problems).length > 0) return { problems, parameters: null };
  const parameters = { symbol: market.symbol, side: order.side, type: order.type };
  if (order.type === "LIMIT") parameters.timeInForce = order.timeInForce ?? "GTC";
  parameters[byQuote ? "quoteOrderQty" : "quantity"] = readable(quantity.units);
  if (!isMarket) parameters.price = readable(price.units);
  return { problems, parameters };
}

/**
 * From where to where a price may be, as a sentence.
 * @param {"BUY" | "SELL"} side
 * @param {string} last the last price, near to the average that counts
 * @param {Market} market
 * @returns {string} " Now it may be …", "" where the market has no such rule
 */
export function bandText(side, last, market) {
  const [down, up] = market.band[side];
  if (!down || !up) return "";
  const at = (factor) => {
    const units = (toUnits(last, DECIMALS) * toUnits(factor, DECIMALS)) / SCALE;
    return grouped(shown(fromUnits(units, DECIMALS), market.priceDecimals));
  };
  try {
    const values = { low: at(down), high: `${at(up)} ${market.quote}` };
    return ` ${side === "BUY" ? t("Buying, it may be from about {low} to about {high} now.", values) : t("Selling, it may be from about {low} to about {high} now.", values)}`;
  } catch (error) {
    if (error instanceof DecimalError) return "";
    throw error;
  }
}

/**
 * What an order costs or brings, before fees.
 * @param {string} price
 * @param {string} quantity
 * @param {Market} market
 * @returns {string} in the quote asset, cut to the decimals of prices at least 2; "" when one is no number
 */
export function total(price, quantity, market) {
  try {
    const units = (toUnits(price, DECIMALS) * toUnits(quantity, DECIMALS)) / SCALE;
    return shown(fromUnits(units, DECIMALS), Math.max(2, market.priceDecimals));
  } catch (error) {
    if (error instanceof DecimalError) return "";
    throw error;
  }
}

/**
 * The quantity that a share of the balance buys or sells, cut to the market's step.
 * @param {{side: "BUY" | "SELL", type: string, price: string, byQuote?: boolean}} order
 * @param {{base: string, quote: string}} free what is available of each asset
 * @param {number} percent 0 to 100, whole
 * @param {Market} market
 * @returns {string} "" when it takes a price and there is none
 */
export function shareOfBalance(order, free, percent, market) {
  const { limits } = market;
  const part = (text) => (toUnits(text, DECIMALS) * BigInt(percent)) / 100n;
  if (order.type === "MARKET" && order.byQuote && order.side === "BUY") {
    return trimmed(shown(fromUnits(part(free.quote), DECIMALS), Math.max(2, market.priceDecimals)));
  }
  let units = part(free.base);
  if (order.side === "BUY" || order.byQuote) {
    let price;
    try {
      price = toUnits(order.price, DECIMALS);
    } catch (error) {
      if (error instanceof DecimalError) return "";
      throw error;
    }
    if (price === 0n) return "";
    if (order.byQuote) return trimmed(shown(fromUnits((units * price) / SCALE, DECIMALS), Math.max(2, market.priceDecimals)));
    units = (part(free.quote) * SCALE) / price;
  }
  return readable(floorTo(units, limits.step));
}

/**
 * A price some ticks higher or lower, down to one tick.
 * @param {string} price
 * @param {bigint} ticks
 * @param {Market} market
 * @returns {string} the text itself when it is no number
 */
export function steppedPrice(price, ticks, market) {
  const { tick } = market.limits;
  try {
    const units = floorTo(toUnits(price, DECIMALS), tick) + ticks * tick;
    return shown(fromUnits(units < tick ? tick : units, DECIMALS), market.priceDecimals);
  } catch (error) {
    if (error instanceof DecimalError) return price;
    throw error;
  }
}
