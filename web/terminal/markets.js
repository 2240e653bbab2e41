// The list of all markets: search, favourites, what each did in the last day. Loaded when it is opened.

import { byId, drawnSoon, make, setText } from "./dom.js";
import { grouped, shown } from "./decimal.js";
import { t } from "./lang.js";

const DRAW_EVERY_MS = 500;
// More rows than anybody reads; the search finds the others.
const ROWS_MAX = 200;
const SORTS = [
  ["name", t("Market"), (row) => row.name], ["last", t("Last price"), (row) => row.last],
  ["change", t("24h change"), (row) => row.percent], ["turnover", t("24h turnover"), (row) => row.turnover],
];

/**
 * Markets that fit a search, in an order.
 * @param {{symbol: string, name: string, last: number, percent: number, turnover: number}[]} rows
 * @param {{search: string, isFavourites: boolean, favourites: Set<string>, sort: string, isDown: boolean, quote?: string}} wanted
 *   `quote`: markets that are paid in it alone, "" for all
 * @returns {object[]}
 */
export function foundIn(rows, { search, isFavourites, favourites, sort, isDown, quote = "" }) {
  const words = search.toUpperCase().replace(/[^A-Z0-9 ]/g, "").split(" ").filter(Boolean);
  const found = rows.filter(({ symbol, market }) =>
    (quote === "" || market.quote === quote) && (!isFavourites || favourites.has(symbol)) && words.every((word) => symbol.includes(word)));
  const [, , of] = SORTS.find(([name]) => name === sort);
  const direction = isDown ? -1 : 1;
  return found.sort((one, other) => {
    const [a, b] = [of(one), of(other)];
    return a === b ? (one.symbol < other.symbol ? -1 : 1) : (a < b ? -1 : 1) * direction;
  });
}

/** One dialog for all markets. */
export class MarketList {
  /**
   * @param {import("./rules.js").Market[]} markets
   * @param {{onChoice: (symbol: string) => void, onOpen: () => void, onClose: () => void}} on
   */
  constructor(markets, on) {
    Object.assign(this, { _on: on, _sort: "turnover", _isDown: true, _isFavourites: false, _symbol: "" });
    this._favourites = new Set((localStorage.getItem("exchange.favourites") ?? "").split(" ").filter(Boolean));
    this._rows = new Map(markets.map((market) => [market.symbol, {
      symbol: market.symbol, name: `${market.base}/${market.quote}`, market, last: 0, percent: 0, turnover: 0, texts: null,
    }]));
    this._lines = new Map();
    this._draw = drawnSoon(() => this._drawNow(), DRAW_EVERY_MS);
    this._make(markets);
  }

  _make(markets) {
    this._search = make("input", {
      type: "search", id: "market-search", placeholder: t("Search"), "aria-label": t("Search markets"), maxlength: "30",
      autocomplete: "off", spellcheck: "false", input: () => this._drawNow(), keydown: (event) => this._key(event),
    });
    this._only = make("button", { type: "button", class: "quiet", "aria-pressed": "false", click: () => this._swapOnly() }, [`★ ${t("Favourites")}`]);
    const quotes = [...new Set(markets.map(({ quote }) => quote))].sort();
    this._quote = make("select", { "aria-label": t("Paid in"), change: () => this._drawNow() }, [
      make("option", { value: "" }, [t("Paid in anything")]), ...quotes.map((quote) => make("option", { value: quote }, [quote])),
    ]);
    this._heads = SORTS.map(([name, label]) => make("th", { scope: "col", class: name === "name" ? "" : "number" }, [
      make("button", { type: "button", class: "sort", click: () => this._sortBy(name) }, [label]),
    ]));
    this._body = make("tbody");
    this._note = make("p", { class: "hint", role: "status" });
    const head = make("tr", {}, [make("th", { scope: "col" }, [make("span", { class: "unseen" }, [t("Favourite")])]), ...this._heads]);
    const close = make("button", { type: "button", class: "quiet", click: () => this._dialog.close() }, [t("Close")]);
    this._dialog = make("dialog", { id: "markets", class: "wide", "aria-label": t("Markets"), close: () => this._on.onClose() }, [
      make("div", { class: "marketbar" }, [this._search, this._quote, this._only, close]),
      make("div", { class: "scroller", tabindex: "0", role: "group", "aria-label": t("Markets") }, [
        make("table", {}, [make("caption", { class: "unseen" }, [t("Markets")]), make("thead", {}, [head]), this._body]),
      ]),
      this._note,
    ]);
    byId("main").after(this._dialog);
  }

  /** @param {string} symbol the market on show */
  open(symbol) {
    this._symbol = symbol;
    this._search.value = "";
    this._drawNow();
    this._dialog.showModal();
    this._search.focus();
    this._on.onOpen();
  }

  /** @param {{symbol: string, openPrice: string, lastPrice: string, quoteVolume: string}[]} rows what is new of markets */
  take(rows) {
    for (const { symbol, openPrice, lastPrice, quoteVolume } of rows) {
      const row = this._rows.get(symbol);
      if (!row) continue;
      const [first, last] = [Number(openPrice), Number(lastPrice)];
      Object.assign(row, {
        last, percent: first > 0 ? ((last - first) / first) * 100 : 0, turnover: Number(quoteVolume),
        texts: { last: grouped(shown(lastPrice, row.market.priceDecimals)), turnover: `${grouped(shown(quoteVolume, 0))} ${row.market.quote}` },
      });
    }
    if (this._dialog.open) this._draw();
  }

  _swapOnly() {
    this._isFavourites = !this._isFavourites;
    this._only.setAttribute("aria-pressed", String(this._isFavourites));
    this._drawNow();
  }

  _sortBy(name) {
    this._isDown = this._sort === name ? !this._isDown : name !== "name";
    this._sort = name;
    this._drawNow();
  }

  _key(event) {
    if (event.key !== "Enter") return;
    event.preventDefault();
    this._body.querySelector(".pick")?.click();
  }

  _drawNow() {
    const found = foundIn([...this._rows.values()], {
      search: this._search.value, isFavourites: this._isFavourites, favourites: this._favourites, sort: this._sort, isDown: this._isDown, quote: this._quote.value,
    });
    SORTS.forEach(([name], index) => {
      const order = name === this._sort ? (this._isDown ? "descending" : "ascending") : "none";
      this._heads[index].setAttribute("aria-sort", order);
    });
    const lines = found.slice(0, ROWS_MAX).map((row) => this._line(row));
    if (lines.length !== this._body.children.length || lines.some((line, index) => this._body.children[index] !== line)) {
      const { activeElement } = document;
      this._body.replaceChildren(...lines);
      if (lines.some((line) => line.contains(activeElement))) activeElement.focus();
    }
    const rest = found.length - lines.length;
    setText(this._note, found.length === 0 ? t("No market fits.") : rest > 0 ? t("{count} more: search for them.", { count: rest }) : "");
  }

  /** A row's line stays the same element, so that focus stays where it is. */
  _line(row) {
    let line = this._lines.get(row.symbol);
    if (!line) {
      const star = make("button", { type: "button", class: "star", click: () => this._star(row.symbol) });
      const pick = make("button", { type: "button", class: "pick", click: () => this._choose(row.symbol) }, [row.name]);
      line = make("tr", {}, [
        make("td", {}, [star]), make("th", { scope: "row" }, [pick]), ...SORTS.slice(1).map(() => make("td", { class: "number" }, [make("span")])),
      ]);
      this._lines.set(row.symbol, line);
    }
    const isLiked = this._favourites.has(row.symbol);
    const [star, name, last, change, turnover] = line.children;
    setText(star.firstChild, isLiked ? "★" : "☆");
    star.firstChild.setAttribute("aria-pressed", String(isLiked));
    star.firstChild.setAttribute("aria-label", t("Favourite: {market}", { market: row.name }));
    name.firstChild.toggleAttribute("aria-current", row.symbol === this._symbol);
    setText(last.firstChild, row.texts?.last ?? "–");
    setText(change.firstChild, row.texts ? `${row.percent > 0 ? "+" : ""}${grouped(row.percent.toFixed(2))}%` : "–");
    change.firstChild.className = row.percent < 0 ? "down" : row.percent > 0 ? "up" : "";
    setText(turnover.firstChild, row.texts?.turnover ?? "–");
    return line;
  }

  _star(symbol) {
    if (!this._favourites.delete(symbol)) this._favourites.add(symbol);
    localStorage.setItem("exchange.favourites", [...this._favourites].join(" "));
    this._drawNow();
  }

  _choose(symbol) {
    this._dialog.close();
    this._on.onChoice(symbol);
  }
}
