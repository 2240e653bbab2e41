// The order form: what is typed, checked as it is typed, sent once.

import { byId, choices, setText } from "./dom.js";
import { grouped, shown, typed } from "./decimal.js";
import { feesOf, outcomeOf } from "./news.js";
import { orderOfRow } from "./orders.js";
import { bandText, checkOrder, shareOfBalance, steppedPrice, total } from "./rules.js";
import { isOffline } from "./socket.js";
import { newClientOrderId } from "./trading.js";

const LABELS = { LIMIT: "Limit", MARKET: "Market", LIMIT_MAKER: "Post only" };

/** One form for the market on show. */
export class OrderForm {
  /**
   * @param {{book: import("./localbook.js").LocalBook, free: (asset: string) => string,
   *   trading: () => import("./trading.js").Trading | null, onLogIn: () => void, onPlaced: () => void,
   *   news: import("./news.js").OrderNews, last: () => string}} needs
   */
  constructor(needs) {
    this._needs = needs;
    Object.assign(this, { _side: "BUY", _type: "LIMIT", _byQuote: true, _isBusy: false, _wasTried: false });
    for (const side of ["BUY", "SELL"]) {
      byId(`side-${side.toLowerCase()}`).addEventListener("click", () => this._choose({ _side: side }));
    }
    byId("swap-unit").addEventListener("click", () => {
      byId("quantity").value = "";
      this._choose({ _byQuote: !this._byQuote });
    });
    for (const id of ["price", "quantity"]) byId(id).addEventListener("input", () => this._edited());
    byId("time-in-force").addEventListener("change", () => this._edited());
    byId("price").addEventListener("keydown", (event) => this._stepPrice(event));
    for (const button of document.querySelectorAll("[data-percent]")) {
      button.addEventListener("click", () => this._takeShare(Number(button.dataset.percent)));
    }
    byId("order-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this._submit();
    });
  }

  /** What was answered to an earlier order says nothing of this one. */
  _edited() {
    this._answer("");
    this.refresh();
  }

  /** @param {import("./rules.js").Market} market which orders are for from now on */
  use(market) {
    this._market = market;
    for (const id of ["price", "quantity"]) byId(id).value = "";
    setText(byId("price-unit"), market.quote);
    const offered = Object.keys(LABELS).filter((type) => market.orderTypes.includes(type));
    this._pressType = choices(byId("types"), offered.map((type) => [type, LABELS[type]]), (type) =>
      this._choose({ _type: type }));
    this._choose({});
  }

  /** @param {string} price which was chosen in the book */
  fillPrice(price) {
    if (this._type === "MARKET") this._choose({ _type: "LIMIT" });
    byId("price").value = shown(price, this._market.priceDecimals);
    this._edited();
    byId("quantity").focus({ preventScroll: true });
  }

  /** @param {string} price to begin with, if nothing has been typed yet */
  suggestPrice(price) {
    const field = byId("price");
    // Without a trade yet there is no price to suggest.
    if (/[1-9]/.test(price) && field.value === "" && document.activeElement !== field) {
      field.value = shown(price, this._market.priceDecimals);
      this.refresh();
    }
  }

  get _order() {
    return {
      side: this._side, type: this._type, timeInForce: byId("time-in-force").value,
      price: typed(byId("price").value), quantity: typed(byId("quantity").value),
      byQuote: this._type === "MARKET" && this._byQuote,
    };
  }

  _choose(change) {
    Object.assign(this, change, { _wasTried: false });
    const isMarket = this._type === "MARKET";
    this._pressType(this._type);
    byId("side-buy").setAttribute("aria-pressed", String(this._side === "BUY"));
    byId("side-sell").setAttribute("aria-pressed", String(this._side === "SELL"));
    byId("price-field").hidden = isMarket;
    byId("tif-field").hidden = this._type !== "LIMIT";
    const { base, quote } = this._market;
    const byQuote = isMarket && this._byQuote;
    setText(byId("quantity-label"), byQuote ? "Total" : "Quantity");
    const unit = byQuote ? quote : base;
    setText(byId("quantity-unit"), unit);
    byId("quantity-unit").hidden = isMarket;
    const swap = byId("swap-unit");
    swap.hidden = !isMarket;
    setText(swap, `${unit} ⇄`);
    swap.setAttribute("aria-label", `In ${unit}; change to ${byQuote ? base : quote}`);
    byId("submit").className = `submit ${this._side.toLowerCase()}`;
    this._answer("");
    this.refresh();
  }

  /** Show what follows from the fields, the balances and the book. */
  refresh() {
    if (!this._market) return;
    const { base, quote, quantityDecimals, priceDecimals } = this._market;
    const isBuy = this._side === "BUY";
    const isLoggedIn = this._needs.trading() !== null;
    const asset = isBuy ? quote : base;
    const decimals = isBuy ? Math.max(2, priceDecimals) : quantityDecimals;
    setText(byId("available"), isLoggedIn ? `${grouped(shown(this._needs.free(asset), decimals))} ${asset}` : "–");
    this._showTotal();
    const word = `${isBuy ? "Buy" : "Sell"} ${base}`;
    setText(byId("submit"), this._isBusy ? "Sending …" : isLoggedIn ? word : "Log in to trade");
    byId("submit").setAttribute("aria-busy", String(this._isBusy));
    const { problems } = checkOrder(this._order, this._market);
    for (const id of ["price", "quantity"]) {
      // An empty field is no mistake before somebody tries to send it.
      const isShown = problems[id] && (this._wasTried || byId(id).value !== "");
      setText(byId(`${id}-problem`), isShown ? problems[id] : "");
      byId(id).setAttribute("aria-invalid", String(Boolean(isShown)));
    }
  }

  _showTotal() {
    const { base, quote } = this._market;
    const { type, price, quantity, byQuote } = this._order;
    const isMarket = type === "MARKET";
    const at = isMarket ? this._touch() : price;
    const found = byQuote ? "" : total(at, quantity, this._market);
    byId("total-line").hidden = byQuote;
    setText(byId("total"), found ? `${isMarket ? "≈ " : ""}${grouped(found)} ${quote}` : `– ${quote}`);
    byId("total").title = `${base} × price, before fees`;
  }

  /** The best price on the other side, "" without one. */
  _touch() {
    const [level] = this._needs.book.top(this._side === "BUY" ? "asks" : "bids", 1);
    return level?.price ?? "";
  }

  _takeShare(percent) {
    const order = this._order;
    if (order.type === "MARKET") order.price = this._touch();
    const { base, quote } = this._market;
    const free = { base: this._needs.free(base), quote: this._needs.free(quote) };
    byId("quantity").value = shareOfBalance(order, free, percent, this._market);
    this._edited();
  }

  /** Arrow keys move the price by one tick. */
  _stepPrice(event) {
    if (event.key !== "ArrowUp" && event.key !== "ArrowDown") return;
    event.preventDefault();
    byId("price").value = steppedPrice(typed(byId("price").value), event.key === "ArrowUp" ? 1n : -1n, this._market);
    this._edited();
  }

  _answer(text, kind = "") {
    const line = byId("order-answer");
    setText(line, text);
    line.className = `answer ${kind}`;
  }

  async _submit() {
    const trading = this._needs.trading();
    if (trading === null) {
      this._needs.onLogIn();
      return;
    }
    // A second press while the first is under way would be a second order.
    if (this._isBusy) return;
    this._wasTried = true;
    this._answer("");
    const { problems, parameters } = checkOrder(this._order, this._market);
    this.refresh();
    if (parameters === null) {
      byId(problems.price ? "price" : "quantity").focus();
      return;
    }
    if (isOffline()) {
      this._answer("You are offline: nothing was sent. Try again when the connection is back.", "bad");
      return;
    }
    await this._send(trading, { ...parameters, newClientOrderId: newClientOrderId() });
  }

  async _send(trading, parameters) {
    const { news } = this._needs;
    const market = this._market;
    this._isBusy = true;
    this.refresh();
    news.hold(parameters.newClientOrderId);
    let told = null;
    try {
      const row = await trading.place(parameters, () => this._answer("No answer yet: looking the order up …"));
      told = { ...orderOfRow(row), fees: feesOf(row.fills), quoteQuantity: row.origQuoteOrderQty };
      this._placed(told, market);
    } catch (error) {
      const isFar = error.text?.includes("PERCENT_PRICE_BY_SIDE");
      const band = isFar ? bandText(parameters.side, this._needs.last(), market) : "";
      this._answer(`${error.message}${band}`, "bad");
    } finally {
      news.release(parameters.newClientOrderId, told);
      this._needs.onPlaced();
      this._isBusy = false;
      this.refresh();
    }
  }

  _placed(order, market) {
    const { text, kind } = outcomeOf(order, market);
    this._answer(text, kind === "plain" ? "bad" : kind);
    byId("quantity").value = "";
    this._wasTried = false;
  }
}
