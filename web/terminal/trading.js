// Signed calls of /api/v3: orders, balances, histories.

import { exchangeTime, askTime } from "./clock.js";
import { request, RequestError } from "./http.js";
import { t } from "./lang.js";
import { replacementOf } from "./orders.js";
import { outcomeOf, pauseMs } from "./patience.js";
import { queryText, signature, sortedText } from "./signing.js";

const RECEIVE_WINDOW_MS = 5000;
// After its receive window the engine refuses an order as stale; this much more for its way. "No such order" is
// said only when the engine has decided all that was sent before the question.
const SETTLED_AFTER_MS = RECEIVE_WINDOW_MS + 6000;
const LOOK_UP_FOR_MS = 60_000;
const NO_SUCH_ORDER = -2013;
const STALE = -1021;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** A name for an order that nobody else gives: 36 characters at most. */
export function newClientOrderId() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return `web-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

/** Calls in the name of one API key. */
export class Trading {
  /** @param {{name: string, secret: CryptoKey}} key */
  constructor(key) {
    this._key = key;
  }

  async _ask(method, path, parameters = {}, isRepeated = false) {
    const timestamp = await exchangeTime();
    const query = queryText({ ...parameters, recvWindow: RECEIVE_WINDOW_MS, timestamp });
    const signed = `${query}&signature=${await signature(this._key.secret, query)}`;
    try {
      return await request(method, `/api/v3/${path}?${signed}`, { headers: { "X-MBX-APIKEY": this._key.name } });
    } catch (error) {
      // Refused for its time alone, so it had no effect: once more with the right time.
      if (error.code !== STALE || isRepeated) throw error;
      await askTime();
      return this._ask(method, path, parameters, true);
    }
  }

  /**
   * Place an order. When the answer is lost the order is looked up by its name and never sent again.
   * @param {Record<string, string>} parameters of POST /api/v3/order, with newClientOrderId
   * @param {() => void} [onUnknown] called when the looking up begins
   * @returns {Promise<object>} the order as the exchange shows it (`status`, `executedQty`, ...)
   * @throws {RequestError} refused, or certainly not placed; `isUnknown` when it cannot be told
   */
  async place(parameters, onUnknown = () => {}) {
    try {
      return await this._ask("POST", "order", { ...parameters, newOrderRespType: "FULL" });
    } catch (error) {
      if (!(error instanceof RequestError) || outcomeOf(error) === "refused") throw error;
      onUnknown();
      return this._lookUpOrder(parameters, performance.now());
    }
  }

  /**
   * Place a list of orders. When the answer is lost the list is looked up by its name and never sent again.
   * @param {string} list the end of the address: "oco", "oto", "otoco", "opo", "opoco"
   * @param {Record<string, string>} parameters of POST /api/v3/orderList/..., with listClientOrderId
   * @param {() => void} [onUnknown] called when the looking up begins
   * @returns {Promise<object>} the list as the exchange shows it
   * @throws {RequestError} as `place`
   */
  async placeList(list, parameters, onUnknown = () => {}) {
    try {
      return await this._ask("POST", `orderList/${list}`, { ...parameters, newOrderRespType: "RESULT" });
    } catch (error) {
      if (!(error instanceof RequestError) || outcomeOf(error) === "refused") throw error;
      onUnknown();
      return this._lookUp("orderList", { origClientOrderId: parameters.listClientOrderId }, performance.now());
    }
  }

  /**
   * Cancel an order and place its rest anew at another price, in one request; when its answer is lost, as `place`.
   * @param {import("./orders.js").Order} order
   * @param {string} price
   * @param {string} quantity
   * @param {string} newClientOrderId
   * @param {() => void} [onUnknown]
   * @returns {Promise<object>} the new order as the exchange shows it
   * @throws {RequestError} refused: then the old one is as it was, or has ended meanwhile
   */
  async move(order, price, quantity, newClientOrderId, onUnknown = () => {}) {
    const parameters = { ...replacementOf(order, price, quantity), newClientOrderId, newOrderRespType: "FULL" };
    try {
      return (await this._ask("POST", "order/cancelReplace", parameters)).newOrderResponse;
    } catch (error) {
      if (!(error instanceof RequestError) || outcomeOf(error) === "refused") throw error;
      onUnknown();
      return this._lookUpOrder(parameters, performance.now());
    }
  }

  /**
   * Make an open order smaller; it keeps its place in the queue.
   * @param {import("./orders.js").Order} order
   * @param {string} newQty all of it, with what is filled
   * @returns {Promise<object>} @throws {RequestError}
   */
  shrink({ id, symbol }, newQty) {
    return this._ask("PUT", "order/amend/keepPriority", { symbol, orderId: id, newQty });
  }

  /** @returns {Promise<object>} the cancelled list; @throws {RequestError} -2011 when it is not open any more */
  cancelList(symbol, orderListId) {
    return this._ask("DELETE", "orderList", { symbol, orderListId });
  }

  _lookUpOrder({ symbol, newClientOrderId }, sentMs) {
    return this._lookUp("order", { symbol, origClientOrderId: newClientOrderId }, sentMs);
  }

  async _lookUp(path, named, sentMs) {
    for (let attempt = 0; performance.now() - sentMs < LOOK_UP_FOR_MS; attempt += 1) {
      await sleep(pauseMs(Math.min(attempt, 3)));
      const isSettled = performance.now() - sentMs > SETTLED_AFTER_MS;
      try {
        return await this._ask("GET", path, named);
      } catch (error) {
        if (error.code === NO_SUCH_ORDER && isSettled) {
          throw new RequestError(t("The order came too late, or not at all. Nothing was placed."));
        }
      }
    }
    const error = new RequestError(t("Whether the order was placed is not known: look at your orders before the next."));
    error.isUnknown = true;
    throw error;
  }

  /** @returns {Promise<object>} the cancelled order; @throws {RequestError} -2011 when it is not open any more */
  cancel(symbol, orderId) {
    return this._ask("DELETE", "order", { symbol, orderId });
  }

  /** @returns {Promise<object[]>} the cancelled orders; @throws {RequestError} -2011 when none is open */
  cancelAll(symbol) {
    return this._ask("DELETE", "openOrders", { symbol });
  }

  /** @returns {Promise<object>} @throws {RequestError} */
  order(symbol, orderId) {
    return this._ask("GET", "order", { symbol, orderId });
  }

  /** @returns {Promise<object[]>} of all markets @throws {RequestError} */
  openOrders() {
    return this._ask("GET", "openOrders");
  }

  /** @returns {Promise<object[]>} the newest 200 of a market, oldest first @throws {RequestError} */
  allOrders(symbol) {
    return this._ask("GET", "allOrders", { symbol, limit: 200 });
  }

  /** @returns {Promise<object[]>} the newest 200 of a market, oldest first @throws {RequestError} */
  myTrades(symbol) {
    return this._ask("GET", "myTrades", { symbol, limit: 200 });
  }

  /** @returns {Promise<object>} what the account pays in a market @throws {RequestError} */
  commission(symbol) {
    return this._ask("GET", "account/commission", { symbol });
  }

  /** @returns {Promise<object>} with `balances` @throws {RequestError} */
  account() {
    return this._ask("GET", "account");
  }

  /**
   * Parameters of `userDataStream.subscribe.signature`.
   * @returns {Promise<object>}
   */
  async subscription() {
    const timestamp = await exchangeTime();
    const parameters = { apiKey: this._key.name, recvWindow: RECEIVE_WINDOW_MS, timestamp };
    return { ...parameters, signature: await signature(this._key.secret, sortedText(parameters)) };
  }
}
