// What somebody who is logged in needs beside the market: the account's orders and balances, its tables, its notices.
// Loaded when somebody is, so that a first visit does not pay for it.

import { AccountView } from "./accountview.js";
import { fromUnits, shown, toUnits } from "./decimal.js";
import { toast } from "./dom.js";
import { feesOf, OrderNews, outcomeOf } from "./news.js";
import { orderOfRow } from "./orders.js";
import { tellOutside } from "./outside.js";
import { newClientOrderId as newName, Trading } from "./trading.js";
import { UserFeed } from "./userfeed.js";

// Fills of one order within this are one notice.
const TELL_AFTER_MS = 400;

/** Its tables are bound to the page once, whoever is logged in. */
let view = null;

/** One account's. */
export class Desk {
  /**
   * @param {{name: string, secret: CryptoKey}} key
   * @param {{marketOf: (symbol: string) => import("./rules.js").Market | undefined, priceOf: (asset: string) => string,
   *   state: (word: string) => void, change: () => void, refused: () => void}} on as for UserFeed
   */
  constructor(key, on) {
    Object.assign(this, { _on: on, _telling: null });
    this.trading = new Trading(key);
    this._news = new OrderNews(on.marketOf);
    this.feed = new UserFeed(this.trading, {
      state: on.state, refused: on.refused,
      report: (report) => {
        this._news.take(report);
        this._tellSoon();
      },
      change: () => {
        view.refresh();
        on.change();
      },
    });
    view ??= new AccountView(on.marketOf);
    view.follow(this.feed, this.trading, (clientIds, work) => this._toldTogether(clientIds, work));
  }

  /** @param {string} symbol whose histories are wanted from now on */
  use(symbol) {
    view.use(symbol);
  }

  /** @returns {string} what is available of an asset */
  free(asset) {
    return this.feed.balances.free(asset);
  }

  /** @returns {import("./orders.js").Order[]} open in this market */
  open(symbol) {
    return this.feed.orders.open().filter((order) => order.symbol === symbol);
  }

  /**
   * Place an order under a new name, and tell of it.
   * @param {Record<string, string>} parameters of POST /api/v3/order
   * @param {import("./rules.js").Market} market
   * @param {() => void} onUnknown called when the answer is lost and the order is looked up
   * @returns {Promise<{text: string, kind: string}>} what has become of it
   * @throws {RequestError}
   */
  async place(parameters, market, onUnknown) {
    const newClientOrderId = newName();
    this._news.hold(newClientOrderId);
    let told = null;
    try {
      const row = await this.trading.place({ ...parameters, newClientOrderId }, onUnknown);
      told = { ...orderOfRow(row), fees: feesOf(row.fills), quoteQuantity: row.origQuoteOrderQty };
      return outcomeOf(told, market);
    } finally {
      this._news.release(newClientOrderId, told);
      view.refresh();
      this._tellSoon();
    }
  }

  /**
   * Put an open order's rest at another price, and tell of it.
   * @param {import("./orders.js").Order} order
   * @param {string} price
   * @param {import("./rules.js").Market} market
   * @param {() => void} onUnknown as for `place`
   * @throws {RequestError}
   */
  async move(order, price, market, onUnknown) {
    const rest = fromUnits(toUnits(order.quantity, 8) - toUnits(order.executed, 8), 8);
    const name = newName();
    this._news.hold(name);
    let told = null;
    try {
      const row = await this.trading.move(order, price, shown(rest, market.quantityDecimals), name, onUnknown);
      told = { ...orderOfRow(row), fees: feesOf(row.fills) };
      const { text, kind } = outcomeOf(told, market);
      toast(text, kind);
    } finally {
      this._news.release(name, told);
      view.refresh();
      this._tellSoon();
    }
  }

  /**
   * Place two orders of which one ends the other.
   * @param {Record<string, string>} parameters of POST /api/v3/orderList/oco
   * @throws {RequestError}
   */
  async placePair(parameters) {
    await this.trading.placePair({ ...parameters, listClientOrderId: newName() });
  }

  /** Events come one by one: who cancels many orders at once is told of them when all are. */
  async _toldTogether(clientIds, work) {
    for (const clientId of clientIds) this._news.hold(clientId);
    try {
      await work();
    } finally {
      for (const clientId of clientIds) this._news.release(clientId, null);
      this._tellSoon();
    }
  }

  _tellSoon() {
    this._telling ??= setTimeout(() => {
      this._telling = null;
      for (const { id, text, kind } of this._news.drain()) {
        toast(text, kind, id);
        tellOutside(text, id);
      }
    }, TELL_AFTER_MS);
  }

  /** Nobody is logged in any more. */
  close() {
    this.feed.close();
    view.follow(null, null, null);
  }
}
