// What somebody who is logged in needs beside the market: the account's orders and balances, its tables, its notices.
// Loaded when somebody is, so that a first visit does not pay for it.

import { AccountView } from "./accountview.js";
import { toast } from "./dom.js";
import { offerFirstSteps } from "./firststeps.js";
import { t } from "./lang.js";
import "./langmore.js";
import { feesOf, OrderNews, outcomeOf } from "./news.js";
import { askChange } from "./orderchange.js";
import { orderOfRow } from "./orders.js";
import { hideSelfTrade, offerSelfTrade, selfTradeParameters } from "./selftrade.js";
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
        offerFirstSteps(this.feed.balances.all());
        on.change();
      },
    });
    view ??= new AccountView(on.marketOf);
    view.follow(this.feed, this.trading, (clientIds, work) => this._toldTogether(clientIds, work), (order) => this._change(order));
  }

  /** @param {string} symbol whose histories are wanted from now on */
  use(symbol) {
    view.use(symbol);
    const market = this._on.marketOf(symbol);
    if (market) offerSelfTrade(market);
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
   * @param {string} quantity of the order in its place
   * @param {import("./rules.js").Market} market
   * @param {() => void} onUnknown as for `place`
   * @returns {Promise<number>} the new order's id
   * @throws {RequestError}
   */
  async move(order, price, quantity, market, onUnknown) {
    const name = newName();
    // That the old one is cancelled is no news of its own.
    for (const clientId of [name, order.clientId]) this._news.hold(clientId);
    let told = null;
    try {
      const row = await this.trading.move(order, price, quantity, name, onUnknown);
      told = { ...orderOfRow(row), fees: feesOf(row.fills) };
      const { text, kind } = outcomeOf(told, market);
      toast(text, kind);
      return told.id;
    } finally {
      this._news.release(name, told);
      this._news.release(order.clientId, told && { ...order, status: "CANCELED" });
      view.refresh();
      this._tellSoon();
    }
  }

  /**
   * Place a list of orders.
   * @param {string} list the end of its address
   * @param {Record<string, string>} parameters of POST /api/v3/orderList/...
   * @param {() => void} onUnknown as for `place`
   * @throws {RequestError}
   */
  async placeList(list, parameters, onUnknown) {
    await this.trading.placeList(list, { ...parameters, listClientOrderId: newName() }, onUnknown);
  }

  _change(order) {
    const market = this._on.marketOf(order.symbol);
    if (!market) return;
    askChange(order, market, {
      less: async (quantity) => {
        await this.trading.shrink(order, quantity);
        toast(t("Changed; it keeps its place in the queue."), "good");
      },
      anew: async (price, quantity) => {
        await this.move(order, price, quantity, market, () => toast(t("Checking what became of the order …")));
      },
    });
  }

  /** @returns {Record<string, string>} what an order's parameters say of meeting others of this account */
  selfTrade() {
    return selfTradeParameters();
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
    hideSelfTrade();
    offerFirstSteps(null);
    view.follow(null, null, null, null);
  }
}
