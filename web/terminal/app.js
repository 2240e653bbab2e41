// The terminal: markets in, orders out. What flows where reads from top to bottom.

import { Account } from "./account.js";
import { AccountView } from "./accountview.js";
import { INTERVALS } from "./candles.js";
import { Chart } from "./chart.js";
import { askTime } from "./clock.js";
import { byId, choices, make, setText, timeOfDay, toast } from "./dom.js";
import { entrance, faucet } from "./entrance.js";
import { offerFreeze } from "./freeze.js";
import { request } from "./http.js";
import { MarketFeed } from "./marketfeed.js";
import { BookView, Tape, Ticker } from "./marketview.js";
import { OrderForm } from "./orderform.js";
import { OrderNews } from "./news.js";
import { pauseMs } from "./patience.js";
import { marketOf } from "./rules.js";
import { Trading } from "./trading.js";
import { UserFeed } from "./userfeed.js";

const STATES = {
  connecting: "Connecting", open: "Live", late: "Nothing new comes", waiting: "Reconnecting", offline: "Offline",
};
const WORST_FIRST = ["offline", "waiting", "connecting", "late", "open"];
// Fills of one order within this are one notice.
const TELL_AFTER_MS = 400;

let market = null;
let markets = [];
let interval = "1m";
let trading = null;
let userFeed = null;
let telling = null;
let heardMs = Date.now();
const connections = { market: "connecting", user: "open" };

const account = new Account(() => followOtherTab());
const ticker = new Ticker((price, look) => chart.showLast(price, look));
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
    if (trades.length > 0) ticker.showLast(trades[0].price, lookOfLast(trades));
  },
});
const orderNews = new OrderNews((symbol) => markets.find((found) => found.symbol === symbol));
const form = new OrderForm({
  book: feed.book,
  free: (asset) => userFeed?.balances.free(asset) ?? "0",
  trading: () => trading,
  onLogIn: () => openEntrance(false),
  onPlaced: () => {
    accountView.refresh();
    tellSoon();
  },
  news: orderNews,
  last: () => ticker.last,
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
    refused: () => renew(),
  });
  accountView.follow(userFeed);
  if (market) userFeed.show(market.symbol);
  showSession();
}

function leave() {
  userFeed?.close();
  userFeed = trading = null;
  showConnection("user", "open");
  accountView.follow(null);
  bookView.mark([]);
  showSession();
}

async function logOut() {
  leave();
  try {
    await account.logOut();
  } catch (error) {
    if (error.status !== 401) toast(`Logged out here only. ${error.message}`, "bad");
  }
  showSession();
}

/** The key is refused: go on with another one while the session lives, else say that it is over. */
async function renew() {
  leave();
  for (let attempt = 0; ; attempt += 1) {
    try {
      if (await account.renew()) logIn();
      else toast("Your session was ended. Log in again.", "bad");
      showSession();
      return;
    } catch (error) {
      console.warn(error.message);
    }
    await new Promise((resolve) => setTimeout(resolve, pauseMs(attempt)));
  }
}

/** Another tab has logged in or out: this one is the same session. */
async function followOtherTab() {
  const before = account.key?.name;
  const isIn = await account.resume();
  if (isIn && account.key.name === before && trading) return;
  if (trading) leave();
  if (isIn) logIn();
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
  orderNews.take(report);
  tellSoon();
}

function tellSoon() {
  telling ??= setTimeout(() => {
    telling = null;
    for (const { id, text, kind } of orderNews.drain()) toast(text, kind, id);
  }, TELL_AFTER_MS);
}

/** Up or down against the trade before it that had another price. */
function lookOfLast([last, ...before]) {
  const other = before.find((trade) => trade.price !== last.price);
  return other ? (Number(last.price) > Number(other.price) ? "up" : "down") : "";
}

// -- the market -------------------------------------------------------------------------------

function useMarket(symbol, isNew = false) {
  const found = markets.find((other) => other.symbol === symbol);
  if (symbol && !found) toast(`There is no market ${symbol.slice(0, 20)} here. This is ${markets[0].symbol}.`, "bad");
  market = found ?? markets[0];
  byId("market").value = market.symbol;
  // A market that was chosen is a step that Back takes back.
  if (isNew) history.pushState(null, "", `#${market.symbol}`);
  else history.replaceState(null, "", `#${market.symbol}`);
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
  if (which === "market" && connections.market === "open" && word !== "open") heardMs = Date.now();
  connections[which] = word;
  const worst = WORST_FIRST.find((state) => Object.values(connections).includes(state));
  const badge = byId("connection");
  badge.dataset.state = worst;
  const isOld = connections.market !== "open" && market !== null;
  setText(badge, isOld ? `${STATES[worst]} · prices of ${timeOfDay(heardMs)}` : STATES[worst]);
  document.body.dataset.old = [isOld && "market", connections.user !== "open" && "account"].filter(Boolean).join(" ");
}

// -- the page ---------------------------------------------------------------------------------

function listen() {
  byId("market").addEventListener("change", ({ target }) => useMarket(target.value, true));
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
  addEventListener("popstate", () => {
    const symbol = location.hash.slice(1) || market.symbol;
    if (symbol !== market.symbol) useMarket(symbol);
  });
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
    toast(`Your session cannot go on. ${error.message}`, "bad");
  }
}

offerFreeze();
start();
