// The terminal: markets in, orders out. What flows where reads from top to bottom.

import { Account } from "./account.js";
import { AccountView } from "./accountview.js";
import { INTERVALS } from "./candles.js";
import { Chart } from "./chart.js";
import { askTime } from "./clock.js";
import { trimmed } from "./decimal.js";
import { byId, choices, make, setText, toast } from "./dom.js";
import { entrance, faucet } from "./entrance.js";
import { offerFreeze } from "./freeze.js";
import { request } from "./http.js";
import { MarketFeed } from "./marketfeed.js";
import { BookView, Tape, Ticker } from "./marketview.js";
import { OrderForm } from "./orderform.js";
import { pauseMs } from "./patience.js";
import { marketOf } from "./rules.js";
import { Trading } from "./trading.js";
import { UserFeed } from "./userfeed.js";

const STATES = { connecting: "Connecting", open: "Live", waiting: "Reconnecting" };

let market = null;
let markets = [];
let interval = "1m";
let trading = null;
let userFeed = null;
const connections = { market: "connecting", user: "open" };

const account = new Account();
const ticker = new Ticker();
const chart = new Chart(byId("chart"), byId("legend"));
const tape = new Tape();

const feed = new MarketFeed({
  state: (word) => showConnection("market", word),
  ticker: (figures) => {
    ticker.show(figures);
    form.suggestPrice(figures.last);
  },
  candles: (candles) => chart.show(candles, interval, market),
  book: () => {
    bookView.show();
    if (trading) form.refresh();
  },
  trades: (trades) => {
    tape.show(trades, market);
    if (trades.length > 0) ticker.showLast(trades[0].price, trades[0].isSell);
  },
});
const form = new OrderForm({
  book: feed.book,
  free: (asset) => userFeed?.balances.free(asset) ?? "0",
  trading: () => trading,
  onLogIn: () => openEntrance(false),
  onPlaced: () => accountView.refresh(),
});
const bookView = new BookView((price) => form.fillPrice(price));
const accountView = new AccountView({
  marketOf: (symbol) => markets.find((found) => found.symbol === symbol),
  trading: () => trading,
});

// -- the session ------------------------------------------------------------------------------

const openEntrance = entrance(account, () => logIn());
const openFaucet = faucet(account, () => [...new Set(markets.flatMap(({ base, quote }) => [base, quote]))].sort(), {
  onDeposit: (text) => toast(text, "good"),
  onNone: () => (byId("faucet").hidden = true),
});

function logIn() {
  trading = new Trading(account.key);
  userFeed = new UserFeed(trading, {
    state: (word) => showConnection("user", word),
    report: tellOf,
    change: () => {
      accountView.refresh();
      bookView.mark(userFeed.orders.open().filter((order) => order.symbol === market?.symbol));
      form.refresh();
    },
    refused: () => {
      toast("The exchange does not take this session any more. Log in again.", "bad");
      logOut();
    },
  });
  accountView.follow(userFeed);
  if (market) userFeed.show(market.symbol);
  showSession();
}

async function logOut() {
  userFeed?.close();
  userFeed = trading = null;
  showConnection("user", "open");
  accountView.follow(null);
  bookView.mark([]);
  try {
    await account.logOut();
  } catch (error) {
    if (error.status !== 401) toast(`Logged out here only: ${error.message}`, "bad");
  }
  showSession();
}

function showSession() {
  const isLoggedIn = trading !== null;
  setText(byId("who"), account.email);
  for (const id of ["who", "log-out", "faucet"]) byId(id).hidden = !isLoggedIn;
  for (const id of ["log-in", "sign-up"]) byId(id).hidden = isLoggedIn;
  form.refresh();
}

function tellOf(report) {
  const side = report.S === "BUY" ? "Bought" : "Sold";
  const { base, quote } = markets.find(({ symbol }) => symbol === report.s) ?? { base: report.s, quote: "" };
  const name = `${trimmed(report.q)} ${base}`;
  if (report.x === "TRADE") {
    const rest = report.X === "FILLED" ? "" : ", partly filled";
    toast(`${side} ${trimmed(report.l)} ${base} at ${trimmed(report.L)} ${quote}${rest}`, "good");
  } else if (report.x === "CANCELED") toast(`Cancelled: ${report.S.toLowerCase()} ${name}`);
  else if (report.x !== "NEW") toast(`Expired: ${report.S.toLowerCase()} ${name}`, "bad");
}

// -- the market -------------------------------------------------------------------------------

function useMarket(symbol) {
  market = markets.find((found) => found.symbol === symbol) ?? markets[0];
  byId("market").value = market.symbol;
  history.replaceState(null, "", `#${market.symbol}`);
  ticker.use(market);
  bookView.use(market, feed.book);
  form.use(market);
  accountView.use(market.symbol);
  bookView.mark((userFeed?.orders.open() ?? []).filter((order) => order.symbol === market.symbol));
  feed.follow(market.symbol, interval);
}

/** The chart's interval is the one thing that is kept between visits. */
function useInterval(chosen) {
  interval = chosen;
  localStorage.setItem("exchange.interval", interval);
  feed.follow(market.symbol, interval);
}

async function loadMarkets() {
  for (let attempt = 0; ; attempt += 1) {
    try {
      const info = await request("GET", "/api/v3/exchangeInfo");
      markets = info.symbols.map(marketOf);
      if (markets.length > 0) return;
    } catch (error) {
      showConnection("market", "waiting");
      console.warn(error.message);
    }
    await new Promise((resolve) => setTimeout(resolve, pauseMs(attempt)));
  }
}

function showConnection(which, word) {
  connections[which] = word;
  const worst = ["waiting", "connecting", "open"].find((state) => Object.values(connections).includes(state));
  const badge = byId("connection");
  badge.dataset.state = worst;
  setText(badge, STATES[worst]);
}

// -- the page ---------------------------------------------------------------------------------

function listen() {
  byId("market").addEventListener("change", ({ target }) => useMarket(target.value));
  byId("log-in").addEventListener("click", () => openEntrance(false));
  byId("sign-up").addEventListener("click", () => openEntrance(true));
  byId("log-out").addEventListener("click", () => logOut());
  byId("faucet").addEventListener("click", () => openFaucet());
  for (const button of document.querySelectorAll(".views button")) {
    button.addEventListener("click", () => {
      byId("main").dataset.view = button.dataset.view;
      for (const other of document.querySelectorAll(".views button")) {
        other.setAttribute("aria-pressed", String(other === button));
      }
    });
  }
  addEventListener("hashchange", () => {
    if (location.hash.slice(1) !== market.symbol) useMarket(location.hash.slice(1));
  });
  addEventListener("pagehide", () => account.leave());
  // Back from the browser's cache of pages: the key was taken back when it went there.
  addEventListener("pageshow", ({ persisted }) => persisted && location.reload());
}

async function start() {
  const kept = localStorage.getItem("exchange.interval");
  if (kept in INTERVALS) interval = kept;
  await loadMarkets();
  byId("market").replaceChildren(
    ...markets.map(({ symbol, base, quote }) => make("option", { value: symbol }, [`${base}/${quote}`])));
  choices(byId("intervals"), Object.keys(INTERVALS).map((name) => [name, name]), useInterval)(interval);
  useMarket(location.hash.slice(1));
  listen();
  showSession();
  askTime().catch(() => {});
  try {
    if (await account.resume()) logIn();
  } catch (error) {
    toast(`Could not go on with your session: ${error.message}`, "bad");
  }
}

offerFreeze();
start();
