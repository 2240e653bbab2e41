// The order form: what is typed, checked as it is typed, sent once.

import { byId, choices, drawnSoon, make, setAttribute, setText } from "./dom.js";
import { fromUnits, grouped, plain, shown, typed } from "./decimal.js";
import { broughtIn, estimateOf, FAR_PPM, feeText } from "./estimate.js";
import { t } from "./lang.js";
import { bandText, checkOrder, shareOfBalance, steppedPrice, total } from "./rules.js";
import { isOffline } from "./socket.js";

const LABELS = { LIMIT: t("Limit"), MARKET: t("Market order"), LIMIT_MAKER: t("Post only") };
/** Kinds with fields of their own, which come when one is chosen. */
const MORE_LABELS = {
  STOP_LIMIT: t("Stop limit"), STOP_MARKET: t("Stop market"), TRAILING: t("Trailing stop"), OCO: t("OCO: limit and stop"),
  ICEBERG: t("Iceberg"), PEGGED: t("Pegged"), OTO: t("OTO: one, then another"), OTOCO: t("OTOCO: one, then a pair"),
  OPO: t("OPO: buy, then sell that"), OPOCO: t("OPOCO: buy, then a pair"),
};
const REFRESH_EVERY_MS = 200;

const percent = (ppm) => plain(fromUnits(ppm / 100n, 2));

/** One form for the market on show. */
export class OrderForm {
  /**
   * @param {{book: import("./localbook.js").LocalBook, desk: () => import("./desk.js").Desk | null, onLogIn: () => void,
   *   last: () => string}} needs `desk`: null while nobody is logged in
   */
  constructor(needs) {
    this._needs = needs;
    /** Shows what follows from book and balances, soon: they change many times a second. */
    this.refreshSoon = drawnSoon(() => this.refresh(), REFRESH_EVERY_MS);
    Object.assign(this, { _side: "BUY", _type: "LIMIT", _byQuote: true, _isBusy: false, _wasTried: false, _more: null });
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
    const offered = Object.keys(LABELS).filter((type) => market.kinds.includes(type));
    this._pressType = choices(byId("types"), offered.map((type) => [type, LABELS[type]]), (type) =>
      this._choose({ _type: type }));
    this._offerMore();
    this._choose(market.kinds.includes(this._type) ? {} : { _type: "LIMIT" });
  }

  /** Kinds beyond the three stand in a list at their end. */
  _offerMore() {
    const kinds = Object.keys(MORE_LABELS).filter((kind) => this._market.kinds.includes(kind));
    this._moreList = null;
    if (kinds.length === 0) return;
    const options = [["", t("More …")], ...kinds.map((kind) => [kind, MORE_LABELS[kind]])];
    this._moreList = make("select", {
      id: "more-types", "aria-label": t("More order types"), change: ({ target }) => this._chooseMore(target.value),
    }, options.map(([value, label]) => make("option", { value }, [label])));
    byId("types").append(this._moreList);
  }

  async _chooseMore(kind) {
    if (kind === "") return;
    try {
      const { MoreFields } = await import("./morefields.js");
      this._more ??= new MoreFields(byId("quantity").parentElement, () => this._edited());
    } catch {
      this._moreList.value = "";
      this._answer(t("A part of the page could not be loaded. Check your connection and try again."), "bad");
      return;
    }
    this._choose({ _type: kind, ...(this._more.isPurchase(kind) ? { _side: "BUY" } : {}) });
  }

  get _isMore() {
    return this._type in MORE_LABELS;
  }

  /** @param {string} price which was chosen in the book */
  fillPrice(price) {
    const text = plain(shown(price, this._market.priceDecimals));
    // A kind without a price takes it as its trigger, or is left for a limit order.
    const isTrigger = this._isMore && !this._more.hasPrice(this._type) && this._more.fill(this._type, text);
    if (byId("price-field").hidden && !isTrigger) this._choose({ _type: "LIMIT" });
    if (!isTrigger) byId("price").value = text;
    this._edited();
    byId("quantity").focus({ preventScroll: true });
  }

  /** @param {string} price to begin with, if nothing has been typed yet */
  suggestPrice(price) {
    const field = byId("price");
    // Without a trade yet there is no price to suggest.
    if (/[1-9]/.test(price) && field.value === "" && document.activeElement !== field) {
      field.value = plain(shown(price, this._market.priceDecimals));
      this.refresh();
    }
  }

  get _order() {
    return {
      side: this._side, type: this._type, timeInForce: byId("time-in-force").value,
      price: typed(byId("price").value), quantity: typed(byId("quantity").value),
      byQuote: this._type === "MARKET" && this._byQuote, ...(this._isMore ? this._more.values() : {}),
    };
  }

  _checked() {
    return this._isMore ? this._more.check(this._order, this._market, this._needs.last()) : checkOrder(this._order, this._market);
  }

  _choose(change) {
    Object.assign(this, change, { _wasTried: false });
    const isMarket = this._type === "MARKET";
    const hasPrice = this._isMore ? this._more.hasPrice(this._type) : !isMarket;
    this._pressType(this._type);
    if (this._moreList) {
      this._moreList.value = this._isMore ? this._type : "";
      this._moreList.dataset.chosen = String(this._isMore);
    }
    this._more?.use(this._type, this._market);
    byId("side-buy").setAttribute("aria-pressed", String(this._side === "BUY"));
    byId("side-sell").setAttribute("aria-pressed", String(this._side === "SELL"));
    byId("price-field").hidden = byId("price-problem").hidden = !hasPrice;
    byId("tif-field").hidden = this._type !== "LIMIT" && this._type !== "STOP_LIMIT";
    const { base, quote } = this._market;
    const byQuote = isMarket && this._byQuote;
    setText(byId("quantity-label"), byQuote ? t("Total") : t("Quantity"));
    const unit = byQuote ? quote : base;
    setText(byId("quantity-unit"), unit);
    byId("quantity-unit").hidden = isMarket;
    const swap = byId("swap-unit");
    swap.hidden = !isMarket;
    setText(swap, `${unit} ⇄`);
    swap.setAttribute("aria-label", t("In {unit}; change to {other}", { unit, other: byQuote ? base : quote }));
    byId("submit").className = `submit ${this._side.toLowerCase()}`;
    this._answer("");
    this.refresh();
  }

  /** Show what follows from the fields, the balances and the book. */
  refresh() {
    if (!this._market) return;
    const { base, quote, quantityDecimals, priceDecimals } = this._market;
    const isBuy = this._side === "BUY";
    const desk = this._needs.desk();
    const asset = isBuy ? quote : base;
    const decimals = isBuy ? Math.max(2, priceDecimals) : quantityDecimals;
    setText(byId("available"), desk ? `${grouped(shown(desk.free(asset), decimals))} ${asset}` : "–");
    this._showTotal();
    const word = isBuy ? t("Buy {asset}", { asset: base }) : t("Sell {asset}", { asset: base });
    setText(byId("submit"), this._isBusy ? t("Sending …") : desk ? word : t("Log in to trade"));
    setAttribute(byId("submit"), "aria-busy", String(this._isBusy));
    const { problems } = this._checked();
    this._more?.tell(problems, this._wasTried);
    for (const id of ["price", "quantity"]) {
      // An empty field is no mistake before somebody tries to send it.
      const isShown = problems[id] && (this._wasTried || byId(id).value !== "");
      setText(byId(`${id}-problem`), isShown ? problems[id] : "");
      setAttribute(byId(id), "aria-invalid", String(Boolean(isShown)));
    }
  }

  _showTotal() {
    const { base, quote } = this._market;
    const order = this._order;
    const isMarket = order.type === "MARKET";
    byId("total-line").hidden = order.byQuote;
    setAttribute(byId("total"), "title", t("{asset} × price, before fees", { asset: base }));
    if (this._isMore) {
      this._showForeseen(order);
      return;
    }
    const found = order.byQuote ? "" : total(isMarket ? this._touch() : order.price, order.quantity, this._market);
    setText(byId("total"), found ? `${isMarket ? "≈ " : ""}${grouped(found)} ${quote}` : `– ${quote}`);
    this._showEstimate(order);
  }

  /** Of kinds with fields of their own: a line an order of a list. */
  _showForeseen(order) {
    const now = {
      last: this._needs.last(), top: (side, count) => this._needs.book.levels(side).slice(0, count), rates: this._needs.desk()?.feed.rates,
    };
    const seen = this._more.foresee(order, this._market, now);
    setText(byId("total"), seen.total || `– ${this._market.quote}`);
    setText(byId("estimate"), seen.lines.join("\n"));
    setText(byId("warning"), seen.warning || this._warning({ ...order, type: "LIMIT" }, seen.estimate));
  }

  /** What the book would do with it now, what it costs in fees, and a warning where that is far from the market. */
  _showEstimate(order) {
    const { quote, priceDecimals } = this._market;
    const levels = order.quantity !== "" ? this._needs.book.levels(order.side === "BUY" ? "asks" : "bids") : [];
    const estimate = estimateOf(order, levels);
    const parts = [];
    if (estimate?.filled > 0n) {
      const price = `${grouped(shown(fromUnits(estimate.average, 8), priceDecimals))} ${quote}`;
      parts.push(t("≈ {price} on average, {percent}% from the best", { price, percent: percent(estimate.slippagePpm) }));
    }
    const { taken, made } = broughtIn(order, estimate);
    parts.push(feeText(taken, made, order.side, this._market, this._needs.desk()?.feed.rates));
    setText(byId("estimate"), parts.filter(Boolean).join(" · "));
    setText(byId("warning"), this._warning(order, estimate));
  }

  _warning(order, estimate) {
    if (!estimate) return "";
    if (estimate.isShort) return t("The book has less than this: only a part would be filled.");
    if (order.type === "MARKET" && estimate.slippagePpm > FAR_PPM) {
      return t("This order moves the market: on average {percent}% worse than the best price.", { percent: percent(estimate.slippagePpm) });
    }
    if (estimate.farPpm <= FAR_PPM) return "";
    const values = { percent: percent(estimate.farPpm) };
    return order.side === "BUY" ? t("This price is {percent}% above the best offer.", values) : t("This price is {percent}% below the best bid.", values);
  }

  /** The best price on the other side, "" without one. */
  _touch() {
    const [level] = this._needs.book.levels(this._side === "BUY" ? "asks" : "bids");
    return level?.price ?? "";
  }

  _takeShare(percent) {
    const order = this._order;
    if (order.type === "MARKET") order.price = this._touch();
    const { base, quote } = this._market;
    if (byId("price-field").hidden && this._isMore) order.price = order.stop || this._touch();
    const desk = this._needs.desk();
    const free = { base: desk?.free(base) ?? "0", quote: desk?.free(quote) ?? "0" };
    byId("quantity").value = plain(shareOfBalance(order, free, percent, this._market));
    this._edited();
  }

  /** Arrow keys move the price by one tick. */
  _stepPrice(event) {
    if (event.key !== "ArrowUp" && event.key !== "ArrowDown") return;
    event.preventDefault();
    byId("price").value = plain(steppedPrice(typed(byId("price").value), event.key === "ArrowUp" ? 1n : -1n, this._market));
    this._edited();
  }

  _answer(text, kind = "") {
    const line = byId("order-answer");
    setText(line, text);
    line.className = `answer ${kind}`;
  }

  async _submit() {
    const desk = this._needs.desk();
    if (desk === null) {
      this._needs.onLogIn();
      return;
    }
    // A second press while the first is under way would be a second order.
    if (this._isBusy) return;
    this._wasTried = true;
    this._answer("");
    const { problems, parameters, list } = this._checked();
    this.refresh();
    if (parameters === null) {
      if (problems.price) byId("price").focus();
      else if (!this._more?.focus(problems)) byId("quantity").focus();
      return;
    }
    if (isOffline()) {
      this._answer(t("You are offline: nothing was sent. Try again when the connection is back."), "bad");
      return;
    }
    await this._send(desk, { ...parameters, ...desk.selfTrade() }, list ?? "");
  }

  async _send(desk, parameters, list) {
    const market = this._market;
    this._isBusy = true;
    this.refresh();
    try {
      const onUnknown = () => this._answer(t("No answer yet: looking the order up …"));
      if (list) {
        await desk.placeList(list, parameters, onUnknown);
        this._placed({ text: this._more.placedText(this._type), kind: "good" });
      } else this._placed(await desk.place(parameters, market, onUnknown));
    } catch (error) {
      const isFar = error.text?.includes("PERCENT_PRICE_BY_SIDE");
      const band = isFar ? bandText(parameters.side, this._needs.last(), market) : "";
      this._answer(`${error.message}${band}`, "bad");
    } finally {
      this._isBusy = false;
      this.refresh();
    }
  }

  _placed({ text, kind }) {
    this._answer(text, kind === "plain" ? "bad" : kind);
    byId("quantity").value = "";
    this._wasTried = false;
  }
}
