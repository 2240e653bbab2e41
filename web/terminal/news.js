// What is told of orders: one notice an order, with average price, total, fee and the reason of its end.

import { fromUnits, grouped, plain, shown, toUnits, trimmed } from "./decimal.js";
import { t } from "./lang.js";

const DECIMALS = 8;
const SCALE = 10n ** BigInt(DECIMALS);
const KEPT_MAX = 1000;
const CLOSED = new Set(["FILLED", "CANCELED", "EXPIRED", "EXPIRED_IN_MATCH", "REJECTED"]);

const units = (text) => toUnits(text ?? "0", DECIMALS);
const money = (text) => grouped(trimmed(text));

/** Fees by asset as a text: "0.00004 BTC". */
function feeText(fees) {
  const texts = [...fees].filter(([, amount]) => amount > 0n)
    .map(([asset, amount]) => `${money(fromUnits(amount, DECIMALS))} ${asset}`);
  return texts.length > 0 ? t(", fee {fees}", { fees: texts.join(" + ") }) : "";
}

/** A price with the market's decimals, as it stands everywhere else. */
const priceText = (text, market) => grouped(shown(text, market.priceDecimals));

/** The price that was paid on average, cut to the market's decimals. */
function averageText(executed, quote, market) {
  return grouped(shown(fromUnits((quote * SCALE) / executed, DECIMALS), market.priceDecimals));
}

function filledText(order, market) {
  const [executed, quote] = [units(order.executed), units(order.quoteExecuted)];
  const values = {
    quantity: `${money(order.executed)} ${market.base}`, total: `${money(order.quoteExecuted)} ${market.quote}`,
    price: `${averageText(executed, quote, market)} ${market.quote}`,
    fee: feeText(order.fees ?? new Map()),
  };
  return order.side === "BUY"
    ? t("Bought {quantity} at {price} on average: total {total}{fee}.", values)
    : t("Sold {quantity} at {price} on average: total {total}{fee}.", values);
}

/** Why an order ended before it was filled, in words. */
function reasonOf({ status, type, timeInForce }) {
  if (status === "CANCELED") return t("was cancelled");
  if (status === "EXPIRED_IN_MATCH") return t("expired, because it met an order of your own");
  if (status === "REJECTED") return t("was refused");
  if (type === "MARKET") return t("expired, because the book had no more");
  if (timeInForce === "IOC") return t("expired, because the book had no more at your price (immediate or cancel)");
  if (timeInForce === "FOK") return t("expired, because the book did not have all of it at your price (fill or kill)");
  return t("expired, because it met as many orders as one order may");
}

/** A conditional order that waits for its price. */
function waitingText(order, values, market) {
  if (units(order.stopPrice) === 0n) return t("The order follows the price, and is sent when it turns by {percent}%.", { percent: plain(String(order.trailingDelta / 100)) });
  const stop = `${priceText(order.stopPrice, market)} ${market.quote}`;
  return order.side === "BUY"
    ? t("Buy order: {quantity} waits until the price reaches {stop}.", { ...values, stop })
    : t("Sell order: {quantity} waits until the price reaches {stop}.", { ...values, stop });
}

/**
 * What has become of an order, in one notice.
 * @param {{side: string, type: string, timeInForce: string, status: string, quantity: string, executed: string,
 *   quoteExecuted: string, quoteQuantity?: string, stopPrice?: string, trailingDelta?: number,
 *   fees?: Map<string, bigint>}} order `quoteQuantity`: what a market
 *   order by total was to spend or bring; `fees` in 10**-8 by asset
 * @param {import("./rules.js").Market} market
 * @returns {{text: string, kind: "good" | "bad" | "plain"}}
 */
export function outcomeOf(order, market) {
  const executed = units(order.executed);
  const wanted = units(order.quoteQuantity);
  const isBuy = order.side === "BUY";
  const filled = executed > 0n ? `${filledText(order, market)} ` : "";
  const values = { quantity: `${money(order.quantity)} ${market.base}`, price: `${priceText(order.price ?? "0", market)} ${market.quote}` };
  if (order.status === "NEW" || order.status === "PENDING_NEW") {
    if (units(order.stopPrice) > 0n || order.trailingDelta) return { text: waitingText(order, values, market), kind: "good" };
    const text = isBuy ? t("Buy order: {quantity} at {price} is in the book.", values) : t("Sell order: {quantity} at {price} is in the book.", values);
    return { text, kind: "good" };
  }
  const rest = `${money(fromUnits(units(order.quantity) - executed, DECIMALS))} ${market.base}`;
  if (order.status === "PARTIALLY_FILLED") {
    return { text: filled + t("The rest, {rest}, is in the book.", { rest }), kind: "good" };
  }
  if (wanted > 0n) {
    // What is left buys no further step of the market: else the book was empty, whatever the status says.
    const left = wanted - units(order.quoteExecuted);
    const step = executed > 0n ? (market.limits.step * units(order.quoteExecuted)) / executed : wanted;
    if (left > 2n * step + 1n) {
      const amounts = { done: money(order.quoteExecuted), wanted: `${money(order.quoteQuantity)} ${market.quote}` };
      return { text: filled + t("Only {done} of {wanted}: the book had no more.", amounts), kind: "bad" };
    }
    if (executed > 0n) return { text: filled.trim(), kind: "good" };
  }
  if (order.status === "FILLED") return { text: filled.trim(), kind: "good" };
  const kind = order.status === "CANCELED" ? "plain" : "bad";
  const reason = reasonOf(order);
  if (executed > 0n) return { text: filled + t("The rest, {rest}, {reason}.", { rest, reason }), kind };
  // A market order by total has no quantity of its own.
  const text = units(order.quantity) === 0n ? t("The order {reason}. Nothing was filled.", { reason })
    : isBuy ? t("Buy order of {quantity} {reason}. Nothing was filled.", { ...values, reason })
      : t("Sell order of {quantity} {reason}. Nothing was filled.", { ...values, reason });
  return { text, kind };
}

/** Fees of an answer's `fills`. @param {object[]} fills @returns {Map<string, bigint>} */
export function feesOf(fills = []) {
  const fees = new Map();
  for (const { commission, commissionAsset } of fills) {
    fees.set(commissionAsset, (fees.get(commissionAsset) ?? 0n) + units(commission));
  }
  return fees;
}

/** Puts reports of the user data stream together: what an order has become is told once, not each fill. */
export class OrderNews {
  /** @param {(symbol: string) => import("./rules.js").Market | undefined} marketOf */
  constructor(marketOf) {
    Object.assign(this, { _marketOf: marketOf, _orders: new Map(), _held: new Set(), _answered: new Map() });
    this._waiting = new Map();
  }

  /** An order is being placed here: its answer tells what becomes of it until then. */
  hold(clientId) {
    this._held.add(clientId);
  }

  /** Its answer has been told, up to and with this much; null: there was none, so all is told here. */
  release(clientId, order) {
    this._held.delete(clientId);
    if (!order) return;
    const told = { executed: units(order.executed), isClosed: CLOSED.has(order.status) };
    this._answered.set(order.id, told);
    if (this._answered.size > KEPT_MAX) this._answered.delete(this._answered.keys().next().value);
    const waiting = this._waiting.get(order.id);
    if (waiting && (told.isClosed || units(waiting.executed) <= told.executed)) this._waiting.delete(order.id);
  }

  /**
   * Take an executionReport.
   * @param {object} report
   */
  take(report) {
    const fees = this._orders.get(report.i)?.fees ?? new Map();
    if (report.x === "TRADE" && report.N) fees.set(report.N, (fees.get(report.N) ?? 0n) + units(report.n));
    const order = {
      id: report.i, clientId: report.C || report.c, symbol: report.s, side: report.S, type: report.o, timeInForce: report.f,
      status: report.X, quantity: report.q, executed: report.z, quoteExecuted: report.Z, quoteQuantity: report.Q, fees,
      price: report.p, stopPrice: report.P, trailingDelta: report.d,
    };
    this._orders.set(order.id, order);
    if (this._orders.size > KEPT_MAX) this._orders.delete(this._orders.keys().next().value);
    if (report.x === "NEW" || report.x === "REPLACED") return;
    const told = this._answered.get(order.id);
    if (told && (told.isClosed || (units(order.executed) <= told.executed && !CLOSED.has(order.status)))) return;
    this._waiting.set(order.id, order);
  }

  /**
   * What is to be told now, of all that came since; orders that were cancelled without a fill are one notice.
   * @returns {{id: string, text: string, kind: string}[]} `id`: a later notice with the same takes its place
   */
  drain() {
    const ready = [...this._waiting.values()].filter(({ clientId }) => !this._held.has(clientId));
    for (const { id } of ready) this._waiting.delete(id);
    const isBare = (order) => order.status === "CANCELED" && units(order.executed) === 0n;
    const bare = ready.filter(isBare);
    const news = ready.filter((order) => bare.length < 2 || !isBare(order)).flatMap((order) => {
      const market = this._marketOf(order.symbol);
      return market ? [{ id: `order-${order.id}`, ...outcomeOf(order, market) }] : [];
    });
    if (bare.length > 1) news.push({ id: `cancelled-${bare[0].id}`, text: t("{count} orders cancelled.", { count: bare.length }), kind: "plain" });
    return news;
  }
}
