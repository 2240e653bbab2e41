// The market on the screen: header, order book, recent trades.

import { byId, choices, drawnSoon, make, setAttribute, setText } from "./dom.js";
import { fromUnits, grouped, plain, shown, trimmed } from "./decimal.js";
import { t, timeOfDay } from "./lang.js";

const LEVEL_PX = 20;
const DRAW_EVERY_MS = 100;
// What is read less closely leaves its frames to the book.
const ASIDE_EVERY_MS = 200;

/** The figures of the last 24 hours. */
export class Ticker {
  /** @param {(price: string, look: string) => void} onLast called with the last price */
  constructor(onLast) {
    Object.assign(this, { _onLast: onLast, last: "", _look: "", _hasTrades: false });
    this._showSoon = drawnSoon(() => this._drawLast(), ASIDE_EVERY_MS);
  }

  /** @param {import("./rules.js").Market} market whose figures come from now on */
  use(market) {
    Object.assign(this, { _market: market, last: "", _hasTrades: false });
    for (const id of ["last", "book-last", "change", "high", "low", "volume", "turnover"]) setText(byId(id), "–");
    setText(byId("volume-base-name"), t("24h volume ({asset})", { asset: market.base }));
    setText(byId("volume-quote-name"), t("24h volume ({asset})", { asset: market.quote }));
    document.title = `${market.base}/${market.quote} · Exchange`;
  }

  /** @param {Record<string, string>} ticker */
  show(ticker) {
    const { priceDecimals, base, quote } = this._market;
    const price = (text) => grouped(shown(text, priceDecimals));
    const isDown = ticker.percent.startsWith("-");
    const sign = isDown ? "" : "+";
    setText(byId("change"), `${sign}${price(ticker.change)} (${sign}${plain(shown(ticker.percent, 2))}%)`);
    byId("change").className = isDown ? "down" : "up";
    setText(byId("high"), price(ticker.high));
    setText(byId("low"), price(ticker.low));
    setText(byId("volume"), grouped(shown(ticker.volume, 3)));
    setText(byId("turnover"), grouped(shown(ticker.quoteVolume, 2)));
    document.title = `${price(ticker.last)} ${base}/${quote} · Exchange`;
    if (!this._hasTrades) {
      this.showLast(ticker.last, "");
      this._hasTrades = false;
    }
  }

  /**
   * The one last price, in one colour wherever it stands: up or down against the price before it.
   * @param {string} text the price
   * @param {"up" | "down" | ""} look "": nothing to compare with
   */
  showLast(text, look) {
    Object.assign(this, { _hasTrades: true, last: text, _look: look });
    this._showSoon();
    this._onLast(text, look);
  }

  _drawLast() {
    if (this.last === "") return;
    for (const id of ["last", "book-last"]) {
      const element = byId(id);
      setText(element, grouped(shown(this.last, this._market.priceDecimals)));
      element.className = this._look;
    }
  }
}

/** One level on the screen. What is as it was is not touched: each change costs the browser a look at the row. */
class LevelRow {
  /** @param {"BUY" | "SELL"} side @param {(price: string) => void} onPrice */
  constructor(side, onPrice) {
    // Behind the words that say what each is.
    this._cells = [side === "BUY" ? t("Bid") : t("Ask"), t("Quantity"), t("Sum")].map((name) =>
      make("span", {}, [make("span", { class: "unseen" }, [`${name} `]), make("span")]));
    this.element = make("button", { type: "button", class: "level" }, this._cells);
    this.element.addEventListener("click", () => onPrice(this.element.dataset.price));
    this._was = {};
  }

  /**
   * @param {import("./localbook.js").Level & {sum: bigint}} level
   * @param {string} depth how much of the row its bar takes
   * @param {boolean} isOwn
   * @param {boolean} isFirst of its side: the one that Tab stops at
   * @param {import("./rules.js").Market} market
   */
  show({ price, quantity, sum }, depth, isOwn, isFirst, { priceDecimals, quantityDecimals }) {
    const { element, _was: was } = this;
    const [priceCell, quantityCell, sumCell] = this._cells.map((cell) => cell.lastChild);
    if (was.isFirst !== isFirst) element.tabIndex = isFirst ? 0 : -1;
    if (was.price !== price) {
      element.dataset.price = trimmed(price);
      setText(priceCell, plain(shown(price, priceDecimals)));
    }
    if (was.quantity !== quantity) setText(quantityCell, plain(shown(quantity, quantityDecimals)));
    if (was.sum !== sum) setText(sumCell, plain(shown(fromUnits(sum, 8), quantityDecimals)));
    if (was.isOwn !== isOwn) element.classList.toggle("own", isOwn);
    // Not by a variable: that would be every cell's, too.
    if (was.depth !== depth) element.style.backgroundSize = `${depth} 100%`;
    this._was = { price, quantity, sum, depth, isOwn, isFirst };
  }
}

/** The order book as rows that stay where they are and change their texts. */
export class BookView {
  /** @param {(price: string) => void} onPrice called with the price of a level that was chosen */
  constructor(onPrice) {
    this._onPrice = onPrice;
    this._sides = { asks: byId("asks"), bids: byId("bids") };
    this._rows = { asks: [], bids: [] };
    // How many levels there is room for.
    this._room = { asks: 1, bids: 1 };
    this._own = new Set();
    this._step = 0n;
    const show = (sides) => {
      byId("book-sides").parentElement.parentElement.dataset.sides = sides;
      this.show();
    };
    const sides = [["both", "↕", t("Both sides")], ["bids", "↓", t("Bids alone")], ["asks", "↑", t("Asks alone")]];
    choices(byId("book-sides"), sides, show)("both");
    byId("grouping").addEventListener("change", ({ target }) => {
      this._step = BigInt(target.value);
      this.show();
    });
    this.show = drawnSoon(() => this._draw(), DRAW_EVERY_MS);
    for (const [side, box] of Object.entries(this._sides)) {
      new ResizeObserver(() => {
        this._room[side] = Math.max(1, Math.floor(box.clientHeight / LEVEL_PX));
        this.show();
      }).observe(box);
      box.addEventListener("keydown", (event) => this._move(event, box));
    }
  }

  /** One level of each side is a stop for Tab, the arrow keys go on from there. */
  _move(event, box) {
    const outwards = box === this._sides.asks ? "ArrowUp" : "ArrowDown";
    if (event.key !== "ArrowUp" && event.key !== "ArrowDown") return;
    event.preventDefault();
    const { activeElement: level } = document;
    (event.key === outwards ? level.nextElementSibling : level.previousElementSibling)?.focus();
  }

  /**
   * @param {import("./rules.js").Market} market
   * @param {import("./localbook.js").LocalBook} book
   */
  use(market, book) {
    Object.assign(this, { _market: market, _book: book, _step: 0n });
    // Another market's numbers may have other decimals.
    for (const side of ["asks", "bids"]) {
      this._rows[side] = [];
      this._sides[side].replaceChildren();
    }
    const steps = [1n, 10n, 100n, 1000n, 10_000n].map((factor) => factor * market.limits.tick);
    byId("grouping").replaceChildren(...steps.map((step, index) =>
      make("option", { value: index === 0 ? "0" : String(step) }, [grouped(trimmed(fromUnits(step, 8)))])));
    setText(byId("book-price-name"), t("Price ({asset})", { asset: market.quote }));
    setText(byId("book-quantity-name"), t("Quantity ({asset})", { asset: market.base }));
    this.show();
  }

  /** @param {import("./orders.js").Order[]} orders of this account, which are marked */
  mark(orders) {
    this._own = new Set(orders.map((order) => `${order.side} ${shown(order.price, 8)}`));
    this.show();
  }

  _draw() {
    if (!this._market) return;
    const asks = this._book.top("asks", this._room.asks, this._step);
    const bids = this._book.top("bids", this._room.bids, this._step);
    const sums = [asks.at(-1)?.sum ?? 0n, bids.at(-1)?.sum ?? 0n];
    const most = sums[0] > sums[1] ? sums[0] : sums[1];
    this._drawSide("asks", asks, most);
    this._drawSide("bids", bids, most);
    const spread = this._book.spread();
    const percent = spread && fromUnits(spread.partsPerMillion / 100n, 2);
    setText(byId("spread"), spread
      ? t("Spread {spread} ({percent}%)", {
        spread: grouped(shown(fromUnits(spread.units, 8), this._market.priceDecimals)), percent: plain(percent),
      }) : "");
    setText(byId("book-state"), this._book.state === "live" ? "" : t("Loading …"));
  }

  /** @param {"asks" | "bids"} name */
  _drawSide(name, levels, most) {
    const [rows, side] = [this._rows[name], name === "asks" ? "SELL" : "BUY"];
    while (rows.length > levels.length) rows.pop().element.remove();
    while (rows.length < levels.length) {
      rows.push(new LevelRow(side, this._onPrice));
      this._sides[name].append(rows.at(-1).element);
    }
    levels.forEach((level, index) => {
      const depth = `${most === 0n ? 0 : Number((level.sum * 1000n) / most) / 10}%`;
      rows[index].show(level, depth, this._own.has(`${side} ${level.price}`), index === 0, this._market);
    });
  }
}

/** Trades as they come, the newest first. */
export class Tape {
  constructor() {
    this._box = byId("tape");
    this._trades = [];
    this._draw = drawnSoon(() => this._drawNow(), ASIDE_EVERY_MS);
  }

  /** @param {object[]} trades newest first @param {import("./rules.js").Market} market */
  show(trades, market) {
    Object.assign(this, { _trades: trades, _market: market });
    this._draw();
  }

  // Rows stay where they are and say something else: moving them costs the browser more than their texts do.
  _drawNow() {
    const { priceDecimals, quantityDecimals } = this._market;
    const rows = this._box.children;
    while (rows.length > this._trades.length) this._box.lastChild.remove();
    while (rows.length < this._trades.length) {
      this._box.append(make("div", { class: "trade" }, [make("span"), make("span"), make("span")]));
    }
    this._trades.forEach((trade, index) => {
      const [price, quantity, time] = rows[index].children;
      setText(price, plain(shown(trade.price, priceDecimals)));
      setAttribute(price, "class", trade.isSell ? "down" : "up");
      setText(quantity, plain(shown(trade.quantity, quantityDecimals)));
      setText(time, timeOfDay(trade.time));
    });
  }
}
