// An account's orders, trades and balances: asked for once, then kept by the user data stream.

import { exchangeTime } from "./clock.js";
import { ratesOf } from "./estimate.js";
import { BalanceStore, orderOfReport, orderOfRow, OrderStore } from "./orders.js";
import { pauseMs } from "./patience.js";
import { Socket } from "./socket.js";

const TRADES_KEPT = 200;
// A stream of an account can be silent for hours; a ping shows that somebody is there.
const PING_EVERY_MS = 3_000;
const LATE_MS = 8_000;
const SILENCE_MS = 15_000;
const SUBSCRIBE = "subscribe";

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Follows one account until `close`.
 * `on.state(word)`, `on.change()`: orders, trades or balances are other than before; `on.report(report)`: an
 * executionReport as it came; `on.refused(error)`: the key is not taken any more.
 */
export class UserFeed {
  /**
   * @param {import("./trading.js").Trading} trading
   * @param {object} on
   */
  constructor(trading, on) {
    Object.assign(this, { _trading: trading, _on: on, _symbol: "", _load: 0, _isClosed: false });
    this.orders = new OrderStore();
    this.balances = new BalanceStore();
    this._trades = new Map();
    /** What an order in the market costs. @type {import("./estimate.js").Rates | null} */
    this.rates = null;
    this._socket = new Socket(() => "/ws-api/v3?returnRateLimits=false", {
      onState: on.state, onOpen: () => this._subscribe(), onMessage: (message) => this._take(message),
      silenceMs: SILENCE_MS, lateMs: LATE_MS,
    });
    this._pinging = setInterval(() => this._socket.send({ id: "ping", method: "ping" }), PING_EVERY_MS);
  }

  async _subscribe() {
    const params = await this._trading.subscription();
    this._socket.send({ id: SUBSCRIBE, method: "userDataStream.subscribe.signature", params });
  }

  /** Histories of this market are wanted from now on. */
  show(symbol) {
    if (this._symbol === symbol) return;
    this._symbol = symbol;
    this.reload();
  }

  /** Ask for everything anew, until it has been answered. What events say meanwhile is not undone by it. */
  async reload() {
    const load = (this._load += 1);
    for (let attempt = 0; load === this._load && !this._isClosed; attempt += 1) {
      try {
        await this._loadOnce(load);
        return;
      } catch (error) {
        if (error.status === 401) {
          this._on.refused(error);
          return;
        }
      }
      await sleep(pauseMs(attempt));
    }
  }

  async _loadOnce(load) {
    const symbol = this._symbol;
    const askedMs = await exchangeTime();
    const [account, open] = await Promise.all([this._trading.account(), this._trading.openOrders()]);
    const [orders, trades, commission] = symbol
      ? await Promise.all([this._trading.allOrders(symbol), this._trading.myTrades(symbol), this._trading.commission(symbol)])
      : [[], [], null];
    if (load !== this._load) return;
    this.rates = commission ? ratesOf(commission) : null;
    for (const { asset, free, locked } of account.balances) this.balances.take(asset, free, locked, account.updateTime);
    const openNow = open.map(orderOfRow);
    for (const order of [...orders.map(orderOfRow), ...openNow]) this.orders.take(order);
    for (const row of trades) this._keepTrade(tradeOfRow(row));
    for (const order of this.orders.missing(openNow, askedMs)) {
      this.orders.take(orderOfRow(await this._trading.order(order.symbol, order.id)));
    }
    this._on.change();
  }

  _take(message) {
    if (message.id === SUBSCRIBE) {
      if (message.status === 200) this.reload();
      else if (message.status === 401) this._on.refused(message.error);
      else this._socket.reconnect();
      return;
    }
    const event = message.event;
    if (!event) return;
    if (event.e === "executionReport") this._takeReport(event);
    else if (event.e === "outboundAccountPosition") {
      for (const { a, f, l } of event.B) this.balances.take(a, f, l, event.u);
      this._on.change();
    } else if (event.e === "eventStreamTerminated") this._socket.reconnect();
  }

  _takeReport(report) {
    this.orders.take(orderOfReport(report));
    if (report.x === "TRADE") this._keepTrade(tradeOfReport(report));
    this._on.report(report);
    this._on.change();
  }

  _keepTrade(trade) {
    // An order may trade with another of the same account: one trade, two sides.
    this._trades.set(`${trade.symbol} ${trade.id} ${trade.orderId}`, trade);
    if (this._trades.size > 4 * TRADES_KEPT) this._trades.delete(this._trades.keys().next().value);
  }

  /** @returns {object[]} own trades of a market, newest first */
  trades(symbol) {
    const found = [...this._trades.values()].filter((trade) => trade.symbol === symbol);
    return found.sort((one, other) => other.id - one.id).slice(0, TRADES_KEPT);
  }

  /** Follow no more. */
  close() {
    this._isClosed = true;
    clearInterval(this._pinging);
    this._socket.close();
  }
}

function tradeOfRow(row) {
  return {
    id: row.id, orderId: row.orderId, symbol: row.symbol, side: row.isBuyer ? "BUY" : "SELL", price: row.price,
    quantity: row.qty, quote: row.quoteQty, fee: row.commission, feeAsset: row.commissionAsset, time: row.time,
    isMaker: row.isMaker,
  };
}

function tradeOfReport(report) {
  return {
    id: report.t, orderId: report.i, symbol: report.s, side: report.S, price: report.L, quantity: report.l,
    quote: report.Y, fee: report.n, feeAsset: report.N, time: report.T, isMaker: report.m,
  };
}
