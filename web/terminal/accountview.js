// The account on the screen: open orders, history, trades, balances.

import { byId, drawnSoon, make, setText, toast } from "./dom.js";
import { fromUnits, grouped, plain, shown, toUnits, trimmed } from "./decimal.js";
import { dayAndTime, t } from "./lang.js";
import { isChangeable } from "./orders.js";
import { Sheet } from "./sheet.js";
import { sideWord, statusWord, typeWord } from "./words.js";

const TABS = [
  ["open", t("Open orders")], ["history", t("Order history")], ["trades", t("Trade history")], ["balances", t("Balances")],
];
const CONFIRM_FOR_MS = 4000;
const DRAW_EVERY_MS = 150;

const added = (one, other) => fromUnits(toUnits(one, 8) + toUnits(other, 8), 8);
const namesOf = (row) => ({
  side: sideWord(row.side), quantity: plain(trimmed(row.quantity)), market: row.symbol, price: plain(trimmed(row.price)),
});
const sideLook = (row) => (row.side === "BUY" ? "up" : "down");

/** What an order or a trade is priced in: the market's decimals if the market is known. */
function columns(marketOf) {
  const price = (row, text) => (/^0(\.0*)?$/.test(text) ? "–" : grouped(shown(text, marketOf(row.symbol)?.priceDecimals ?? 8)));
  const quantity = (row, text) => plain(shown(text, marketOf(row.symbol)?.quantityDecimals ?? 8));
  const triggerText = (row) => (row.trailingDelta ? `${plain(String(row.trailingDelta / 100))}%` : price(row, row.stopPrice ?? "0"));
  const average = (row) => {
    const executed = toUnits(row.executed, 8);
    return executed === 0n ? "–" : price(row, fromUnits((toUnits(row.quoteExecuted, 8) * 10n ** 8n) / executed, 8));
  };
  const common = [
    { name: t("Time"), text: (row) => dayAndTime(row.time) },
    { name: t("Market"), text: (row) => row.symbol },
    { name: t("Side"), text: (row) => sideWord(row.side), look: sideLook },
  ];
  const order = [
    ...common,
    { name: t("Type"), text: (row) => (row.status === "PENDING_NEW" ? `${typeWord(row.type)} · ${statusWord(row.status)}` : typeWord(row.type)) },
    { name: t("Price"), isNumber: true, text: (row) => (row.type === "MARKET" ? t("Market order") : price(row, row.price)) },
    { name: t("Quantity"), isNumber: true, text: (row) => quantity(row, row.quantity) },
    { name: t("Filled"), isNumber: true, text: (row) => quantity(row, row.executed) },
  ];
  const triggerColumn = { name: t("Trigger"), isNumber: true, text: triggerText };
  return {
    open: [...order, triggerColumn],
    history: [
      ...order, { name: t("Average"), isNumber: true, text: average }, { name: t("Status"), text: (row) => statusWord(row.status) },
    ],
    trades: [
      ...common,
      { name: t("Price"), isNumber: true, text: (row) => price(row, row.price) },
      { name: t("Quantity"), isNumber: true, text: (row) => quantity(row, row.quantity) },
      { name: t("Total"), isNumber: true, text: (row) => grouped(trimmed(row.quote)) },
      { name: t("Fee"), isNumber: true, text: (row) => `${plain(trimmed(row.fee))} ${row.feeAsset ?? ""}` },
      { name: t("Role"), text: (row) => (row.isMaker ? t("Maker") : t("Taker")) },
    ],
    balances: [
      { name: t("Asset"), text: (row) => row.asset },
      { name: t("Total"), isNumber: true, text: (row) => grouped(added(row.free, row.locked)) },
      { name: t("Available"), isNumber: true, text: (row) => grouped(row.free) },
      { name: t("In orders"), isNumber: true, text: (row) => grouped(row.locked) },
    ],
  };
}

/** The tables below the chart, and the balances beside the order form. */
export class AccountView {
  /**
   * @param {(symbol: string) => import("./rules.js").Market | undefined} marketOf
   */
  constructor(marketOf) {
    Object.assign(this, { _feed: null, _trading: null, _symbol: "", _tab: "open", _confirming: null });
    const all = columns(marketOf);
    const byOrder = (row) => String(row.id);
    this._sheets = {
      open: new Sheet({
        caption: t("Open orders"), columns: all.open, key: byOrder, empty: t("No open orders."),
        actions: [{
          label: t("Change"), isFor: isChangeable, run: async (row) => this._change?.(row),
          describe: (row) => t("Change: {side} {quantity} {market} at {price}", namesOf(row)),
        }, {
          label: t("Cancel"), run: (row) => this._cancel(row),
          describe: (row) => t("Cancel: {side} {quantity} {market} at {price}", namesOf(row)),
        }],
      }),
      history: new Sheet({
        caption: t("Order history"), columns: all.history, key: byOrder, empty: t("No orders in this market yet."),
      }),
      trades: new Sheet({
        caption: t("Trade history"), columns: all.trades, key: (row) => `${row.id} ${row.orderId}`,
        empty: t("No trades in this market yet."),
      }),
      balances: new Sheet({
        caption: t("Balances"), columns: all.balances, key: (row) => row.asset, empty: t("Nothing here yet."),
      }),
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
    byId("tab-panel").setAttribute("role", "tabpanel");
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

  /**
   * @param {import("./userfeed.js").UserFeed | null} feed null: nobody is logged in
   * @param {import("./trading.js").Trading | null} trading
   * @param {((clientIds: string[], work: () => Promise<void>) => Promise<void>) | null} toldTogether does the
   *   work, and tells what becomes of these orders meanwhile when it is done
   * @param {((order: import("./orders.js").Order) => void) | null} change asks for another price or quantity
   */
  follow(feed, trading, toldTogether, change) {
    Object.assign(this, { _feed: feed, _trading: trading, _toldTogether: toldTogether, _change: change });
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
      panel.replaceChildren(make("p", { class: "empty" }, [t("Log in to see your orders, trades and balances.")]));
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
      await this._trading?.cancel(order.symbol, order.id);
    } catch (error) {
      toast(t("Not cancelled: {reason}", { reason: error.message }), "bad");
      // It may have ended meanwhile, and the event of it may be lost.
      this._feed?.reload();
    }
  }

  /** Asks once more, in the button itself. */
  async _cancelAll() {
    const button = byId("cancel-all");
    if (this._confirming === null) {
      const { length } = this._openShown();
      setText(button, length === 1 ? t("Sure? Cancel 1 order") : t("Sure? Cancel {count} orders", { count: length }));
      button.classList.add("danger");
      this._confirming = setTimeout(() => this._calm(button), CONFIRM_FOR_MS);
      return;
    }
    this._calm(button);
    const orders = this._openShown();
    await this._toldTogether?.(orders.map((order) => order.clientId), async () => {
      for (const symbol of new Set(orders.map((order) => order.symbol))) {
        try {
          await this._trading?.cancelAll(symbol);
        } catch (error) {
          toast(`${symbol}: ${error.message}`, "bad");
        }
      }
    });
  }

  _calm(button) {
    clearTimeout(this._confirming);
    this._confirming = null;
    setText(button, t("Cancel all"));
    button.classList.remove("danger");
  }
}
