// The account on the screen: open orders, history, trades, balances.

import { byId, dayAndTime, drawnSoon, make, setText, toast } from "./dom.js";
import { fromUnits, grouped, shown, toUnits, trimmed } from "./decimal.js";
import { Sheet } from "./sheet.js";
import { sideWord, statusWord, typeWord } from "./words.js";

const TABS = [["open", "Open orders"], ["history", "Order history"], ["trades", "Trade history"], ["balances", "Balances"]];
const CONFIRM_FOR_MS = 4000;
const DRAW_EVERY_MS = 150;

const added = (one, other) => fromUnits(toUnits(one, 8) + toUnits(other, 8), 8);
const sideLook = (row) => (row.side === "BUY" ? "up" : "down");

/** What an order or a trade is priced in: the market's decimals if the market is known. */
function columns(marketOf) {
  const price = (row, text) => (/^0(\.0*)?$/.test(text) ? "–" : grouped(shown(text, marketOf(row.symbol)?.priceDecimals ?? 8)));
  const quantity = (row, text) => shown(text, marketOf(row.symbol)?.quantityDecimals ?? 8);
  const average = (row) => {
    const executed = toUnits(row.executed, 8);
    return executed === 0n ? "–" : price(row, fromUnits((toUnits(row.quoteExecuted, 8) * 10n ** 8n) / executed, 8));
  };
  const common = [
    { name: "Time", text: (row) => dayAndTime(row.time) },
    { name: "Market", text: (row) => row.symbol },
    { name: "Side", text: (row) => sideWord(row.side), look: sideLook },
  ];
  const order = [
    ...common,
    { name: "Type", text: (row) => typeWord(row.type) },
    { name: "Price", isNumber: true, text: (row) => (row.type === "MARKET" ? "Market" : price(row, row.price)) },
    { name: "Quantity", isNumber: true, text: (row) => quantity(row, row.quantity) },
    { name: "Filled", isNumber: true, text: (row) => quantity(row, row.executed) },
  ];
  return {
    open: order,
    history: [
      ...order, { name: "Average", isNumber: true, text: average }, { name: "Status", text: (row) => statusWord(row.status) },
    ],
    trades: [
      ...common,
      { name: "Price", isNumber: true, text: (row) => price(row, row.price) },
      { name: "Quantity", isNumber: true, text: (row) => quantity(row, row.quantity) },
      { name: "Total", isNumber: true, text: (row) => trimmed(row.quote) },
      { name: "Fee", isNumber: true, text: (row) => `${trimmed(row.fee)} ${row.feeAsset ?? ""}` },
      { name: "Role", text: (row) => (row.isMaker ? "Maker" : "Taker") },
    ],
    balances: [
      { name: "Asset", text: (row) => row.asset },
      { name: "Total", isNumber: true, text: (row) => grouped(added(row.free, row.locked)) },
      { name: "Available", isNumber: true, text: (row) => grouped(row.free) },
      { name: "In orders", isNumber: true, text: (row) => grouped(row.locked) },
    ],
  };
}

/** The tables below the chart, and the balances beside the order form. */
export class AccountView {
  /**
   * @param {{marketOf: (symbol: string) => object, trading: () => import("./trading.js").Trading | null}} needs
   */
  constructor(needs) {
    Object.assign(this, { _needs: needs, _feed: null, _symbol: "", _tab: "open", _confirming: null });
    const all = columns(needs.marketOf);
    const byOrder = (row) => String(row.id);
    this._sheets = {
      open: new Sheet({
        caption: "Open orders", columns: all.open, key: byOrder, empty: "No open orders.",
        action: {
          label: "Cancel", run: (row) => this._cancel(row),
          describe: (row) => `Cancel: ${sideWord(row.side)} ${trimmed(row.quantity)} ${row.symbol} at ${trimmed(row.price)}`,
        },
      }),
      history: new Sheet({ caption: "Order history", columns: all.history, key: byOrder, empty: "No orders in this market yet." }),
      trades: new Sheet({
        caption: "Trade history", columns: all.trades, key: (row) => `${row.id} ${row.orderId}`,
        empty: "No trades in this market yet.",
      }),
      balances: new Sheet({ caption: "Balances", columns: all.balances, key: (row) => row.asset, empty: "Nothing here yet." }),
    };
    this.refresh = drawnSoon(() => this._draw(), DRAW_EVERY_MS);
    this._makeTabs();
    byId("all-markets").addEventListener("change", this.refresh);
    byId("cancel-all").addEventListener("click", () => this._cancelAll());
  }

  _makeTabs() {
    const select = (tab) => {
      this._tab = tab;
      this._draw();
    };
    const tabs = TABS.map(([value, label]) => make("button", {
      type: "button", role: "tab", id: `tab-${value}`, "aria-controls": "tab-panel", click: () => select(value),
    }, [label]));
    const box = byId("tabs");
    box.replaceChildren(...tabs);
    box.addEventListener("keydown", ({ key }) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[key];
      if (!step) return;
      const next = tabs[(tabs.indexOf(document.activeElement) + step + tabs.length) % tabs.length];
      next.focus();
      next.click();
    });
    this._draw();
  }

  /** @param {import("./userfeed.js").UserFeed | null} feed null: nobody is logged in */
  follow(feed) {
    this._feed = feed;
    this._draw();
  }

  /** @param {string} symbol whose histories are shown */
  use(symbol) {
    this._symbol = symbol;
    this._feed?.show(symbol);
    this.refresh();
  }

  _openShown() {
    const open = this._feed?.orders.open() ?? [];
    return byId("all-markets").checked ? open : open.filter((order) => order.symbol === this._symbol);
  }

  _draw() {
    const feed = this._feed;
    const open = this._openShown();
    for (const [value, label] of TABS) {
      const tab = byId(`tab-${value}`);
      const isChosen = value === this._tab;
      tab.setAttribute("aria-selected", String(isChosen));
      tab.tabIndex = isChosen ? 0 : -1;
      setText(tab, value === "open" && feed ? `${label} (${open.length})` : label);
    }
    const panel = byId("tab-panel");
    panel.setAttribute("aria-labelledby", `tab-${this._tab}`);
    const isOpenTab = this._tab === "open";
    byId("all-markets").parentElement.hidden = !isOpenTab || !feed;
    byId("cancel-all").hidden = !isOpenTab || open.length === 0;
    this._drawWallet();
    if (!feed) {
      panel.replaceChildren(make("p", { class: "empty" }, ["Log in to see your orders, trades and balances."]));
      return;
    }
    const rows = {
      open: () => open, history: () => feed.orders.history(this._symbol),
      trades: () => feed.trades(this._symbol), balances: () => feed.balances.all(),
    };
    const sheet = this._sheets[this._tab];
    sheet.show(rows[this._tab]());
    if (panel.firstChild !== sheet.element || panel.children.length !== 1) panel.replaceChildren(sheet.element);
  }

  _drawWallet() {
    const balances = this._feed?.balances.all() ?? [];
    const lines = balances.map(({ asset, free, locked }) => make("p", {}, [
      make("span", {}, [asset]), make("span", { class: "number" }, [grouped(shown(added(free, locked), 8))]),
    ]));
    byId("wallet").replaceChildren(...lines);
    byId("wallet").parentElement.hidden = lines.length === 0;
  }

  async _cancel(order) {
    try {
      await this._needs.trading()?.cancel(order.symbol, order.id);
    } catch (error) {
      toast(`Not cancelled: ${error.message}`, "bad");
      // It may have ended meanwhile, and the event of it may be lost.
      this._feed?.reload();
    }
  }

  /** Asks once more, in the button itself. */
  async _cancelAll() {
    const button = byId("cancel-all");
    if (this._confirming === null) {
      const { length } = this._openShown();
      setText(button, length === 1 ? "Sure? Cancel 1 order" : `Sure? Cancel ${length} orders`);
      button.classList.add("danger");
      this._confirming = setTimeout(() => this._calm(button), CONFIRM_FOR_MS);
      return;
    }
    this._calm(button);
    const symbols = new Set(this._openShown().map((order) => order.symbol));
    for (const symbol of symbols) {
      try {
        await this._needs.trading()?.cancelAll(symbol);
      } catch (error) {
        toast(`${symbol}: ${error.message}`, "bad");
      }
    }
  }

  _calm(button) {
    clearTimeout(this._confirming);
    this._confirming = null;
    setText(button, "Cancel all");
    button.classList.remove("danger");
  }
}
