// What is told of orders: one notice an order, with average price, total, fee and the reason of its end.

import { fromUnits, grouped, shown, toUnits, trimmed } from "./decimal.js";
import { sideWord } from "./words.js";

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
  return texts.length > 0 ? `, fee ${texts.join(" and ")}` : "";
}

/** The price that was paid on average, cut to the market's decimals. */
function averageText(executed, quote, market) {
  return grouped(shown(fromUnits((quote * SCALE) / executed, DECIMALS), market.priceDecimals));
}

function filledText(order, market) {
  const verb = order.side === "BUY" ? "Bought" : "Sold";
  const [executed, quote] = [units(order.executed), units(order.quoteExecuted)];
  const many = executed === 0n ? "" : ` at ${averageText(executed, quote, market)} ${market.quote} on average`;
  const total = `total ${money(order.quoteExecuted)} ${market.quote}`;
  return `${verb} ${money(order.executed)} ${market.base}${many}: ${total}${feeText(order.fees ?? new Map())}.`;
}

/** Why an order ended before it was filled, in words. */
function reasonOf({ status, type, timeInForce }) {
  if (status === "CANCELED") return "was cancelled";
  if (status === "EXPIRED_IN_MATCH") return "expired, because it met an order of your own";
  if (status === "REJECTED") return "was refused";
  if (type === "MARKET") return "expired, because the book had no more";
  if (timeInForce === "IOC") return "expired, because the book had no more at your price (immediate or cancel)";
  if (timeInForce === "FOK") return "expired, because the book did not have all of it at your price (fill or kill)";
  return "expired, because it met as many orders as one order may";
}

/**
 * What has become of an order, in one notice.
 * @param {{side: string, type: string, timeInForce: string, status: string, quantity: string, executed: string,
 *   quoteExecuted: string, quoteQuantity?: string, fees?: Map<string, bigint>}} order `quoteQuantity`: what a market
 *   order by total was to spend or bring; `fees` in 10**-8 by asset
 * @param {import("./rules.js").Market} market
 * @returns {{text: string, kind: "good" | "bad" | "plain"}}
 */
export function outcomeOf(order, market) {
  const executed = units(order.executed);
  const wanted = units(order.quoteQuantity);
  const name = `${sideWord(order.side)} order`;
  const filled = executed > 0n ? `${filledText(order, market)} ` : "";
  if (order.status === "NEW" || order.status === "PENDING_NEW") {
    return { text: `${name}: ${money(order.quantity)} ${market.base} at ${money(order.price)} ${market.quote} is in the book.`, kind: "good" };
  }
  if (order.status === "PARTIALLY_FILLED") {
    const rest = fromUnits(units(order.quantity) - executed, DECIMALS);
    return { text: `${filled}The rest, ${money(rest)} ${market.base}, is in the book.`, kind: "good" };
  }
  if (wanted > 0n) {
    // What is left buys no further step of the market: else the book was empty, whatever the status says.
    const left = wanted - units(order.quoteExecuted);
    const step = executed > 0n ? (market.limits.step * units(order.quoteExecuted)) / executed : wanted;
    if (left > 2n * step + 1n) {
      const amounts = `${money(order.quoteExecuted)} of ${money(order.quoteQuantity)} ${market.quote}`;
      return { text: `${filled}Only ${amounts}: the book had no more.`, kind: "bad" };
    }
    if (executed > 0n) return { text: filled.trim(), kind: "good" };
  }
  if (order.status === "FILLED") return { text: filled.trim(), kind: "good" };
  const rest = `${money(fromUnits(units(order.quantity) - executed, DECIMALS))} ${market.base}`;
  const kind = order.status === "CANCELED" ? "plain" : "bad";
  if (executed > 0n) return { text: `${filled}The rest, ${rest}, ${reasonOf(order)}.`, kind };
  const amount = units(order.quantity) > 0n ? ` of ${money(order.quantity)} ${market.base}` : "";
  return { text: `${name}${amount} ${reasonOf(order)}. Nothing was filled.`, kind };
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
      price: report.p,
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
    if (bare.length > 1) news.push({ id: `cancelled-${bare[0].id}`, text: `${bare.length} orders cancelled.`, kind: "plain" });
    return news;
  }
}
