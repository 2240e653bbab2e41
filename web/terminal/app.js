// The terminal: markets in, orders out. What flows where reads from top to bottom.

import { Account } from "./account.js";
import { INTERVALS } from "./candles.js";
import { Chart, EXTRAS } from "./chart.js";
import { byId, choices, make, setText, toast } from "./dom.js";
import { entrance, faucet } from "./entrance.js";
import { request } from "./http.js";
import { LANGUAGES, language, speak, t, timeOfDay } from "./lang.js";
import { MarketFeed } from "./marketfeed.js";
import { BookView, Tape, Ticker } from "./marketview.js";
import { OrderForm } from "./orderform.js";
import { pauseMs } from "./patience.js";
import { marketOf } from "./rules.js";

const STATES = {
  connecting: t("Connecting"), open: t("Live"), late: t("Nothing new comes"), waiting: t("Reconnecting"),
  offline: t("Offline"),
};
const WORST_FIRST = ["offline", "waiting", "connecting", "late", "open"];
const DEPTH_EVERY_MS = 250;

let market = null;
let markets = [];
let interval = "1m";
/** Of whoever is logged in: orders, balances, tables. */
let desk = null;
let heardMs = Date.now();
let isDraggable = false;
const connections = { market: "connecting", user: "open" };

const account = new Account(() => followOtherTab());
const ticker = new Ticker((price, look) => chart.showLast(price, look));
const chart = new Chart(byId("chart"), byId("legend"), () => feed.older());
const tape = new Tape();
/** The picture of the book's depth, while it is on show. */
let depth = null;
/** The list of markets, once it has been opened. */
let list = null;

const feed = new MarketFeed({
  state: (word) => showConnection("market", word),
  ticker: (figures) => {
    ticker.show(figures);
    form.suggestPrice(figures.last);
  },
  candles: (candles) => chart.show(candles, interval, market),
  book: () => {
    bookView.show();
    depth?.show();
    form.refreshSoon();
  },
  trades: (trades) => {
    tape.show(trades, market);
    if (trades.length > 0) ticker.showLast(trades[0].price, lookOfLast(trades));
  },
  all: (rows) => list?.take(rows),
});
const form = new OrderForm({
  book: feed.book,
  desk: () => desk,
  onLogIn: () => openEntrance(false),
  last: () => ticker.last,
});
const bookView = new BookView((price) => form.fillPrice(price));

/** A part that few visits need: what it exports, or null when it cannot be loaded, which is said. */
async function loaded(loading) {
  try {
    return await loading();
  } catch {
    toast(t("A part of the page could not be loaded. Check your connection and try again."), "bad");
    return null;
  }
}

// -- the session ------------------------------------------------------------------------------

const openEntrance = entrance(account, () => logIn());
const openFaucet = faucet(account, () => allAssets(), {
  onDeposit: (text) => toast(text, "good"),
  onNone: () => (byId("faucet").hidden = true),
});

async function logIn() {
  const part = await loaded(() => import("./desk.js"));
  if (!part || account.key === null || desk !== null) return;
  letOrdersBeDragged();
  desk = new part.Desk(account.key, {
    marketOf: (symbol) => markets.find((found) => found.symbol === symbol),
    state: (word) => showConnection("user", word),
    change: () => {
      markOwn();
      form.refreshSoon();
    },
    refused: () => renew(),
  });
  if (market) desk.use(market.symbol);
  showSession();
}

function leave() {
  desk?.close();
  desk = null;
  showConnection("user", "open");
  markOwn();
  showSession();
}

async function logOut() {
  leave();
  try {
    await account.logOut();
  } catch (error) {
    if (error.status !== 401) toast(t("Logged out here only. {reason}", { reason: error.message }), "bad");
  }
  showSession();
}

/** The key is refused: go on with another one while the session lives, else say that it is over. */
async function renew() {
  leave();
  for (let attempt = 0; ; attempt += 1) {
    try {
      if (await account.renew()) await logIn();
      else toast(t("Your session was ended. Log in again."), "bad");
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
  if (isIn && account.key.name === before && desk) return;
  if (desk) leave();
  if (isIn) await logIn();
  showSession();
}

function showSession() {
  const isLoggedIn = desk !== null;
  setText(byId("who"), account.email);
  if (!isLoggedIn) closeRoom();
  for (const id of ["who", "log-out", "faucet", "open-room"]) byId(id).hidden = !isLoggedIn;
  for (const id of ["log-in", "sign-up"]) byId(id).hidden = isLoggedIn;
  form.refresh();
}

/** Up or down against the trade before it that had another price. */
function lookOfLast([last, ...before]) {
  const other = before.find((trade) => trade.price !== last.price);
  return other ? (Number(last.price) > Number(other.price) ? "up" : "down") : "";
}

// -- the market -------------------------------------------------------------------------------

function useMarket(symbol, isNew = false) {
  const found = markets.find((other) => other.symbol === symbol);
  if (symbol && !found) {
    const names = { wanted: symbol.slice(0, 20), symbol: markets[0].symbol };
    toast(t("There is no market {wanted} here. This is {symbol}.", names), "bad");
  }
  market = found ?? markets[0];
  byId("market").value = market.symbol;
  setText(byId("market-name"), `${market.base}/${market.quote}`);
  // A market that was chosen is a step that Back takes back.
  if (isNew) history.pushState(null, "", `#${market.symbol}`);
  else history.replaceState(null, "", `#${market.symbol}`);
  ticker.use(market);
  bookView.use(market, feed.book);
  form.use(market);
  depth?.use(market, feed.book);
  desk?.use(market.symbol);
  markOwn();
  feed.follow(market.symbol, interval);
}

/** The account's open orders in book and chart, its fills in the chart. */
function markOwn() {
  const open = (market && desk?.open(market.symbol)) ?? [];
  bookView.mark(open.filter(({ isWorking }) => isWorking));
  chart.mark(open, (market && desk?.feed.trades(market.symbol)) ?? []);
}

/** Own lines in the chart can be taken, from the first log-in on. */
async function letOrdersBeDragged() {
  if (isDraggable) return;
  isDraggable = true;
  const part = await loaded(() => import("./orderdrag.js"));
  part?.dragOrders(byId("chart"), chart, { desk: () => desk, market: () => market, last: () => ticker.last });
}

/** The list of all markets, with what each did today. */
async function openMarkets() {
  const part = await loaded(() => import("./markets.js"));
  if (!part) return;
  list ??= new part.MarketList(markets, {
    onChoice: (symbol) => useMarket(symbol, true), onOpen: () => feed.watchAll(true), onClose: () => feed.watchAll(false),
  });
  list.open(market.symbol);
}

/** The chart shows candles, or how much the book holds at each price. */
async function swapDepth() {
  const button = byId("depth-switch");
  if (depth === null) {
    const part = await loaded(() => import("./depthchart.js"));
    if (!part) return;
    depth = new part.DepthChart(byId("depth"), DEPTH_EVERY_MS);
    depth.use(market, feed.book);
  } else {
    depth.close();
    depth = null;
  }
  button.setAttribute("aria-pressed", String(depth !== null));
  byId("depth").hidden = depth === null;
  byId("chart").hidden = depth !== null;
}

/** Indicators are switched one by one, and kept between visits. */
function offerExtras() {
  const chosen = new Set((localStorage.getItem("exchange.chart") ?? "").split(" ").filter((name) => EXTRAS.includes(name)));
  byId("extras").replaceChildren(...EXTRAS.map((name) => make("button", {
    type: "button", "aria-pressed": String(chosen.has(name)), click: ({ target }) => {
      if (!chosen.delete(name)) chosen.add(name);
      target.setAttribute("aria-pressed", String(chosen.has(name)));
      localStorage.setItem("exchange.chart", [...chosen].join(" "));
      chart.setExtras(chosen);
    },
  }, [name])));
  chart.setExtras(chosen);
  byId("full").addEventListener("click", () => {
    if (document.fullscreenElement) document.exitFullscreen();
    else byId("chart").parentElement.requestFullscreen().catch(() => {});
  });
  byId("depth-switch").addEventListener("click", () => swapDepth());
}

/** The chart's interval is kept between visits too. */
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
  setText(badge, isOld ? `${STATES[worst]} · ${t("prices of {time}", { time: timeOfDay(heardMs) })}` : STATES[worst]);
  document.body.dataset.old = [isOld && "market", connections.user !== "open" && "account"].filter(Boolean).join(" ");
}

// -- the account's page ------------------------------------------------------------------------

const allAssets = () => [...new Set(markets.flatMap(({ base, quote }) => [base, quote]))].sort();

async function openAccount() {
  const part = await loaded(() => import("./room.js"));
  if (!part || desk === null) return;
  byId("main").hidden = true;
  byId("room").hidden = false;
  part.openRoom({ account, assets: allAssets, markets: () => markets, balances: () => desk?.feed.balances.all() ?? [], onClose: closeRoom });
}

function closeRoom() {
  byId("room").hidden = true;
  byId("main").hidden = false;
  byId("room").replaceChildren();
}

// -- the page ---------------------------------------------------------------------------------

function listen() {
  byId("market").addEventListener("click", () => openMarkets());
  byId("log-in").addEventListener("click", () => openEntrance(false));
  byId("sign-up").addEventListener("click", () => openEntrance(true));
  byId("log-out").addEventListener("click", () => logOut());
  byId("faucet").addEventListener("click", () => openFaucet());
  byId("open-room").addEventListener("click", () => openAccount());
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

function offerLanguages() {
  const field = byId("language");
  field.replaceChildren(...LANGUAGES.map(([value, label]) => make("option", { value, lang: value }, [label])));
  field.value = language;
  field.addEventListener("change", () => speak(field.value));
}

/** Links of mails and of the front page, each with a dialog of its own that few visits need. */
async function offerLinks() {
  if (location.hash === "#sign-up") {
    history.replaceState(null, "", location.pathname);
    openEntrance(true);
  }
  if (location.hash.startsWith("#freeze=")) (await import("./freeze.js")).offerFreeze();
  if (location.hash.startsWith("#mail=")) (await import("./mail.js")).offerMail();
  if (location.hash.startsWith("#reset=")) (await import("./reset.js")).offerReset();
}

async function start() {
  offerLanguages();
  await offerLinks();
  const kept = localStorage.getItem("exchange.interval");
  if (kept in INTERVALS) interval = kept;
  await loadMarkets();
  offerExtras();
  choices(byId("intervals"), Object.keys(INTERVALS).map((name) => [name, name]), useInterval)(interval);
  useMarket(location.hash.slice(1));
  listen();
  showSession();
  try {
    if (await account.resume()) await logIn();
  } catch (error) {
    toast(t("Your session cannot go on. {reason}", { reason: error.message }), "bad");
  }
}

start();
