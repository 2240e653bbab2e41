// What is known of an account's orders and balances, put together from answers of REST and events of the user
// data stream, which may come in any order: of two reports on one thing the later one is kept.

import { fromUnits, toUnits, trimmed } from "./decimal.js";

const OPEN = new Set(["NEW", "PARTIALLY_FILLED", "PENDING_NEW"]);
const KEPT_MAX = 1000;

/**
 * @typedef {object} Order
 * @property {number} id
 * @property {string} clientId the name that its sender gave it
 * @property {string} symbol
 * @property {"BUY" | "SELL"} side
 * @property {string} type
 * @property {string} timeInForce
 * @property {string} price
 * @property {string} quantity
 * @property {string} executed
 * @property {string} quoteExecuted
 * @property {string} status
 * @property {number} time ms since 1970
 * @property {number} updated ms since 1970
 * @property {string} stopPrice "0": none
 * @property {number} [trailingDelta] in hundredths of a percent
 * @property {number} listId -1: no list
 * @property {string} iceberg what the book shows of it at a time, "0": all
 * @property {string} [selfTrade] what happens where it meets others of the same account
 * @property {boolean} isWorking whether it is at the market, and waits for nothing
 */

/** An answer to a new order does not say it: then its status does. */
const isAtMarket = (status, said) => status !== "PENDING_NEW" && (said ?? true);

/**
 * An order as the queries of REST show it.
 * @param {object} row
 * @returns {Order}
 */
export function orderOfRow(row) {
  return {
    id: row.orderId, clientId: row.clientOrderId, symbol: row.symbol, side: row.side, type: row.type,
    timeInForce: row.timeInForce, price: row.price, quantity: row.origQty, executed: row.executedQty,
    quoteExecuted: row.cummulativeQuoteQty, status: row.status, time: row.time, updated: row.updateTime,
    stopPrice: row.stopPrice ?? "0", trailingDelta: row.trailingDelta, listId: row.orderListId ?? -1,
    iceberg: row.icebergQty ?? "0", selfTrade: row.selfTradePreventionMode, isWorking: isAtMarket(row.status, row.isWorking),
  };
}

/**
 * An order as an executionReport shows it.
 * @param {object} report
 * @returns {Order}
 */
export function orderOfReport(report) {
  return {
    id: report.i, clientId: report.C || report.c, symbol: report.s, side: report.S, type: report.o,
    timeInForce: report.f, price: report.p, quantity: report.q, executed: report.z, quoteExecuted: report.Z,
    status: report.X, time: report.O, updated: report.T, stopPrice: report.P ?? "0", trailingDelta: report.d,
    listId: report.g ?? -1, iceberg: report.F ?? "0", selfTrade: report.V, isWorking: isAtMarket(report.X, report.w),
  };
}

/** Kinds whose price and quantity alone say what they are; pairs and stops are placed anew in the form. */
export const isChangeable = ({ type, listId, stopPrice }) =>
  (type === "LIMIT" || type === "LIMIT_MAKER") && listId === -1 && Number(stopPrice) === 0;

/** What is not filled yet. @param {Order} order @returns {string} */
export const restOf = ({ quantity, executed }) => trimmed(fromUnits(toUnits(quantity, 8) - toUnits(executed, 8), 8));

/**
 * Parameters of POST /api/v3/order/cancelReplace, without newClientOrderId: the order at another price or quantity, with all
 * else that it has.
 * @param {Order} order
 * @param {string} price
 * @param {string} quantity
 * @returns {Record<string, string | number>}
 */
export function replacementOf({ id, symbol, side, type, timeInForce, iceberg, selfTrade }, price, quantity) {
  const hasHidden = toUnits(iceberg, 8) > 0n && toUnits(iceberg, 8) < toUnits(quantity, 8);
  return {
    symbol, side, type, price, quantity, cancelOrderId: id, cancelReplaceMode: "STOP_ON_FAILURE",
    ...(type === "LIMIT" ? { timeInForce } : {}), ...(hasHidden ? { icebergQty: iceberg } : {}),
    ...(selfTrade ? { selfTradePreventionMode: selfTrade } : {}),
  };
}

/** Orders by id. */
export class OrderStore {
  constructor() {
    this._orders = new Map();
  }

  /**
   * Take a report, unless a later one is known: an order only ever fills further, and once closed stays closed.
   * @param {Order} order
   * @returns {boolean} whether it was taken
   */
  take(order) {
    const known = this._orders.get(order.id);
    if (known) {
      const filled = toUnits(order.executed, 8) - toUnits(known.executed, 8);
      const reopens = OPEN.has(order.status) && !OPEN.has(known.status);
      if (filled < 0n || reopens) return false;
    }
    this._orders.set(order.id, order);
    if (this._orders.size > KEPT_MAX) this._forgetOldest();
    return true;
  }

  _forgetOldest() {
    for (const [id, order] of this._orders) {
      if (OPEN.has(order.status)) continue;
      this._orders.delete(id);
      return;
    }
  }

  /**
   * Orders that were thought open and that a list of all open orders does not have.
   * @param {Order[]} open the list
   * @param {number} askedMs when it was asked for, by the exchange's clock
   * @returns {Order[]} whose end has to be asked for
   */
  missing(open, askedMs) {
    const listed = new Set(open.map((order) => order.id));
    return this.open().filter((order) => !listed.has(order.id) && order.updated < askedMs);
  }

  /** @returns {Order[]} newest first */
  open() {
    return this._list((order) => OPEN.has(order.status));
  }

  /**
   * @param {string} symbol
   * @returns {Order[]} of this market, newest first
   */
  history(symbol) {
    return this._list((order) => order.symbol === symbol);
  }

  _list(wanted) {
    return [...this._orders.values()].filter(wanted).sort((one, other) => other.id - one.id);
  }
}

/** Balances by asset; each remembers when it was true. */
export class BalanceStore {
  constructor() {
    this._balances = new Map();
  }

  /**
   * @param {string} asset
   * @param {string} free
   * @param {string} locked
   * @param {number} time ms since 1970: of what was known at two times the later is kept
   */
  take(asset, free, locked, time) {
    const known = this._balances.get(asset);
    if (!known || known.time <= time) this._balances.set(asset, { asset, free, locked, time });
  }

  /**
   * @param {string} asset
   * @returns {string} what is available
   */
  free(asset) {
    return this._balances.get(asset)?.free ?? "0";
  }

  /** @returns {{asset: string, free: string, locked: string}[]} by asset */
  all() {
    return [...this._balances.values()].sort((one, other) => (one.asset < other.asset ? -1 : 1));
  }
}
